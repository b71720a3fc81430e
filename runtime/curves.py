"""The loss over the learning rate as a picture. Colours: Okabe and Ito 2008."""

from __future__ import annotations

from io import BytesIO

from ..grammar.diagnostics import SpecError
from .data_errors import MissingReader
from .rates import Rates

BLUE, ORANGE, FAINT = "#0072B2", "#D55E00", "#767676"


def rates_as_png(found: Rates, own: float) -> bytes:
    """`own`: the rate that the spec asks for. Raises SpecError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise SpecError([MissingReader(None, "--plot", "matplotlib", "plot")]) from None

    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot(found.rates, found.losses, color=FAINT, alpha=0.4, linewidth=0.8, label="batches")
        axes.plot(found.rates, found.smooth, color=BLUE, linewidth=1.6, label="averaged")
        axes.axvspan(found.lowest, found.highest, color=BLUE, alpha=0.08, linewidth=0)
        axes.axvline(own, color=ORANGE, linewidth=1.2, linestyle="--", label=f"the spec's {own:g}")
        low, top = min(found.smooth), found.smooth[0]
        axes.set_ylim(low - 0.1 * (top - low), top + 0.4 * (top - low) + 1e-9)
        axes.set_xscale("log")
        axes.set_xlabel("learning rate; shaded: where the loss falls")
        axes.set_ylabel("loss")
        axes.legend(frameon=False, fontsize=8, loc="lower left")
        file = BytesIO()
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()
