"""How a training went as a picture: losses, accuracy, learning rate and gradient, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..records import Logged, best_of
from .charts import BLUE, FAINT, GREEN, INK, ORANGE, WIDTH, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEEP = 30.0
"""Losses that fall to less than one in so many are drawn on a log scale."""

LONG = 90
"""Letters of a title that stand on one line."""


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    colour: str
    style: str
    worth: Callable[[Logged], float | None]


LOSSES = (
    Line("training", BLUE, "-", lambda epoch: epoch.loss),
    Line("held out", ORANGE, "--", lambda epoch: epoch.held_out.get("loss")),
)
ACCURACY = (Line("accuracy", GREEN, "-", lambda epoch: epoch.held_out.get("accuracy")),)
RATE = (Line("learning rate", INK, "-", lambda epoch: epoch.lr),)
GRADIENT = (Line("gradient", INK, "-", lambda epoch: epoch.gradient_norm),)


def curves(epochs: Sequence[Logged], title: str, ending: str) -> bytes:
    """The picture as a file of that ending holds it; raises ImportError without matplotlib."""
    return saved(lambda: _figure(epochs, title), ending)


def _figure(epochs: Sequence[Logged], title: str) -> Figure:
    """Losses and accuracy above, what drove them below."""
    from matplotlib.figure import Figure

    judged = any(epoch.held_out.get("accuracy") is not None for epoch in epochs)
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    figure.suptitle(
        title if len(title) <= LONG else f"{title[: LONG - 1]}…",
        x=0.01,
        ha="left",
        weight="bold",
        size=11,
    )
    above, below = figure.subfigures(2, 1, height_ratios=(3.2, 2.0), squeeze=False)[:, 0]
    upper = above.subplots(1, 1 + judged, squeeze=False)[0]
    lower = below.subplots(1, 2, squeeze=False)[0]
    _loss(upper[0], epochs)
    if judged:
        _accuracy(upper[1], epochs)
    _driving(lower[0], epochs, RATE, "learning rate at the epoch's end")
    _driving(lower[1], epochs, GRADIENT, "length of the gradient, mean of the epoch")
    for axes in (*upper, *lower):
        _along(axes, epochs)
    return figure


def _loss(axes: Axes, epochs: Sequence[Logged]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    found = [worth for line in LOSSES for worth in _known(epochs, line)]
    by_powers = bool(found) and min(found) > 0 and max(found) > STEEP * min(found)
    axes.set_title("loss, on a log scale" if by_powers else "loss", loc="left", size=9, color=BLUE)
    _lines(axes, epochs, LOSSES)
    if by_powers:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif found and min(found) >= 0:
        axes.set_ylim(0, 1.05 * max(found) or 1)
    if any(_known(epochs, LOSSES[1])):
        axes.legend(frameon=False, fontsize=8, loc="best", labelcolor=INK)
    _mark(axes, epochs)


def _accuracy(axes: Axes, epochs: Sequence[Logged]) -> None:
    best = best_of(epochs)
    told = best.held_out.get("accuracy") if best else None
    title = "accuracy on what was held out"
    title += f": {100 * told:.2f} % at the best epoch" if told is not None else ""
    axes.set_title(title, loc="left", size=9, color=GREEN)
    _lines(axes, epochs, ACCURACY)
    if len(epochs) == 1:
        axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda worth, _: f"{100 * worth:.4g} %")
    _mark(axes, epochs)


def _driving(axes: Axes, epochs: Sequence[Logged], lines: Sequence[Line], title: str) -> None:
    axes.set_title(title, loc="left", size=9, color=FAINT)
    _lines(axes, epochs, lines)
    most = max(_known(epochs, lines[0]), default=0.0)
    axes.set_ylim(0, 1.08 * most or 1)
    axes.yaxis.set_major_formatter("{x:.4g}")


def _lines(axes: Axes, epochs: Sequence[Logged], lines: Sequence[Line]) -> None:
    """A gap where a number is not known; a point where there is one epoch."""
    places = [epoch.number for epoch in epochs]
    for line in lines:
        values = [_or_nan(line.worth(epoch)) for epoch in epochs]
        mark = "o" if len(places) == 1 else ""
        axes.plot(
            places,
            values,
            linestyle=line.style,
            marker=mark,
            markersize=4,
            color=line.colour,
            linewidth=1.3,
            label=line.name,
        )


def _mark(axes: Axes, epochs: Sequence[Logged]) -> None:
    """Where the best epoch is."""
    best = best_of(epochs)
    if best is None:
        return
    axes.axvline(best.number, color=FAINT, linewidth=0.8, linestyle=":")
    late = best.number > (epochs[0].number + epochs[-1].number) / 2
    axes.annotate(
        f"best: {best.number} " if late else f" best: {best.number}",
        (best.number, 0.02),
        xycoords=("data", "axes fraction"),
        ha="right" if late else "left",
        size=8,
        color=FAINT,
    )


def _along(axes: Axes, epochs: Sequence[Logged]) -> None:
    from matplotlib.ticker import MaxNLocator

    if len(epochs) > 1:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(epochs[0].number, epochs[-1].number)
    else:
        axes.set_xticks([epoch.number for epoch in epochs])
    axes.set_xlabel("epoch", loc="right", size=8)


def _known(epochs: Sequence[Logged], line: Line) -> list[float]:
    return list(_worths(epochs, line))


def _worths(epochs: Sequence[Logged], line: Line) -> Iterator[float]:
    for epoch in epochs:
        worth = line.worth(epoch)
        if worth is not None:
            yield worth


def _or_nan(worth: float | None) -> float:
    return float("nan") if worth is None else worth
