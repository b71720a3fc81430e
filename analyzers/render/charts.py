"""Charts of a net as a picture: PNG, SVG or PDF.

Bars have a linear scale from 0, so that lengths compare as numbers do. Colours: Okabe and Ito 2008,
which the colour-blind tell apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...grammar.quantity import quantity
from .columns import size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..charts import Bar, Charts

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, FAINT = "#222222", "#767676"
WIDTH = 8.0
ROW = 0.24
"""Inches of a bar and the room above it."""

STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        "font.family": ["sans-serif", "DejaVu Sans"],
        "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
        "font.size": 9,
        "text.color": INK,
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": FAINT,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "figure.facecolor": "white",
        "svg.fonttype": "none",
        "svg.hashsalt": "nnspec",
        "pdf.fonttype": 42,
    }
)

UNDATED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
)
"""The same net gives the same file."""

PICTURES: Mapping[str, str] = MappingProxyType({".png": "png", ".svg": "svg", ".pdf": "pdf"})
"""What a file's name ends with, and its format."""

KINDS = ("params", "macs", "memory", "signal", "all")


def picture(found: Charts, kind: str, ending: str) -> bytes:
    """A chart as a file of that ending holds it; raises ImportError without matplotlib."""
    return saved(lambda: _figure(found, kind), ending)


def saved(draw: Callable[[], Figure], ending: str) -> bytes:
    """What is drawn, in our style, as a file of that ending; raises ImportError without matplotlib."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context({**STYLE}):
        # A letter that no font here has is drawn as a box, and that is all there is to say of it.
        warnings.simplefilter("ignore", UserWarning)
        file = BytesIO()
        draw().savefig(
            file,
            format=ending,
            dpi=160,
            bbox_inches="tight",
            pad_inches=0.2,
            metadata={**UNDATED[ending]},
        )
    return file.getvalue()


def _figure(found: Charts, kind: str) -> Figure:
    """The bars side by side, names on the left; memory and signal below."""
    from matplotlib.figure import Figure

    bars = [one for one in BARS if kind in (one.kind, "all")]
    heights = [0.8 + ROW * len(found.bars)] if bars else []
    lines = [draw for name, draw in LINES.items() if kind in (name, "all")]
    heights += [2.2] * len(lines)
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.5), layout="constrained")
    rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    figure.suptitle(f"{found.title}, {found.source}", x=0.01, ha="left", weight="bold", size=11)
    if bars:
        panels = rows[0].subplots(1, len(bars), sharey=True, squeeze=False)[0]
        for axes, one in zip(panels, bars, strict=True):
            _bars(axes, found, one)
        rows[0].supxlabel(_note(found), x=0.01, ha="left", size=8, color=FAINT)
    for row, draw in zip(rows[len(heights) - len(lines) :], lines, strict=True):
        draw(row.subplots(), found)
    return figure


@dataclass(frozen=True)
class Bars:
    """One column of bars: what they are called, and how long each is."""

    kind: str
    title: str
    colour: str
    whole: Callable[[Charts], int]
    part: Callable[[Bar], int]


BARS = (
    Bars("params", "parameters", BLUE, lambda found: found.params, lambda bar: bar.params),
    Bars("macs", "multiply-adds", ORANGE, lambda found: found.macs, lambda bar: bar.macs),
)


def _bars(axes: Axes, found: Charts, one: Bars) -> None:
    """A bar a row, from input to output; at its end the number and its share of the whole."""
    whole = one.whole(found)
    worth = [one.part(bar) for bar in found.bars]
    places = range(len(worth))
    axes.barh(places, worth, color=one.colour, height=0.72)
    axes.set_title(f"{whole:,} {one.title}", loc="left", size=9, color=one.colour)
    axes.set_yticks(places, [_name(bar) for bar in found.bars])
    axes.set_ylim(len(worth) - 0.4, -0.6)
    axes.set_xlim(0, 1.35 * max([*worth, 1]))
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_linewidth(0.6)
    axes.xaxis.set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    for place, part in zip(places, worth, strict=True):
        told = f" {compact(part)}  {_share(part, whole)}" if part else " 0"
        axes.text(part, place, told, va="center", size=8, color=INK if part else FAINT)


def _name(bar: Bar) -> str:
    return bar.name if bar.layers == 1 else f"{bar.name} ({bar.layers})"


def _note(found: Charts) -> str:
    notes = []
    if any(bar.layers > 1 for bar in found.bars):
        notes.append("in brackets: how many layers are one bar")
    if found.left_out:
        count = quantity(found.left_out, "layer")
        notes.append(f"left out: {count} without parameters and multiply-adds")
    return "; ".join(notes)


def _memory(axes: Axes, found: Charts) -> None:
    """The bytes in use while a training step runs, step by step."""
    places = range(len(found.steps) + 1)
    steps = [*found.steps, *found.steps[-1:]]
    most = max(found.steps)
    axes.fill_between(places, steps, step="post", color=GREEN, alpha=0.25, linewidth=0)
    axes.step(places, steps, where="post", color=GREEN, linewidth=1)
    title = f"{size(most)} of activations, gradients and scratch at the peak"
    axes.set_title(
        f"{title}, {found.peak}" if found.peak else title, loc="left", size=9, color=GREEN
    )
    if found.backward < len(found.steps):
        _turn(axes, found.backward, 1.12 * most)
    axes.set_ylim(0, most * 1.15)
    axes.set_xlim(0, len(found.steps))
    axes.set_yticks([0, most / 2, most], ["0", size(most // 2), size(most)])
    axes.set_xticks([])
    axes.set_xlabel(
        f"the steps of one training step, batch {found.batch}, float32; "
        "weights, their gradients and the optimiser's memory come on top",
        loc="left",
        size=8,
    )


def _turn(axes: Axes, step: int, height: float) -> None:
    """Where the way forward ends and the way back begins."""
    axes.axvline(step, color=FAINT, linewidth=0.6)
    axes.text(step, height, "forward ", ha="right", va="top", size=8, color=FAINT)
    axes.text(step, height, " backward", ha="left", va="top", size=8, color=FAINT)


def _signal(axes: Axes, found: Charts) -> None:
    """Variance of the activations and mean square of the gradients, layer by layer, by powers."""
    told = [point for point in found.signal if point.variance or point.gradient]
    axes.set_title("signal by depth, before any training", loc="left", size=9, color=BLUE)
    axes.set_xlim(0, max(1, len(found.signal) - 1))
    axes.set_xticks([])
    axes.set_xlabel(
        "layers from input to output; a net begins well where both stay near one level"
        + ("" if len(told) == len(found.signal) else "; gaps: not known"),
        loc="left",
        size=8,
    )
    if not told:
        axes.set_yticks([])
        return
    axes.set_yscale("log")
    for name, colour, style, worth in (
        ("variance of activations", BLUE, "-", [point.variance for point in found.signal]),
        ("mean square of gradients", ORANGE, "--", [point.gradient for point in found.signal]),
    ):
        values = [value or float("nan") for value in worth]
        axes.plot(range(len(values)), values, style, color=colour, linewidth=1.2, label=name)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.1), max(high, 10))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(frameon=False, fontsize=8, loc="best", labelcolor=INK)


LINES: Mapping[str, Callable[[Axes, Charts], None]] = MappingProxyType(
    {"memory": _memory, "signal": _signal}
)
"""Charts over the course of a pass, one below the other."""


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if part >= whole / 100 else "<1%"


def compact(count: int) -> str:
    """Three figures and a unit: 48.1 k, 103 M, 15.5 G."""
    value = float(count)
    for unit in ("", " k", " M", " G", " T"):
        if value < 999.5:
            digits = 0 if not unit or value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:.{digits}f}{unit}"
        value /= 1000
    return f"{value:,.0f} P"
