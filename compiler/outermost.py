"""Convolutions of maps whose channels lie outermost and whose examples innermost: when they pay, and the
arrays of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .convolving import COLUMNS
from .op import Needed
from .shapes import Window

MANY = 16
"""Examples from which rows of them are long enough."""
BAND = 128 * 1024
"""Numbers that a block of gathered columns aims to hold: fewer than where places are innermost, for rows
are long enough, and the product finds more in cache."""
STRIP = 4
"""Rows of places whose gradients aim to go back in one product."""


def suits(windows: Sequence[Window], examples: int, depth: int) -> bool:
    """Whether there are examples enough, and a row of places is not too much by itself."""
    return examples >= MANY and _row(windows, examples, depth) <= BAND


def columns(windows: Sequence[Window], examples: int, depth: int) -> Needed:
    """A block of columns: channels, taps, some rows of places, the other places, examples."""
    outputs, kernel = [w.output for w in windows], [w.kernel for w in windows]
    rows = max(1, min(outputs[0], BAND // _row(windows, examples, depth)))
    return Needed((depth, *kernel, rows, *outputs[1:], examples))


def _row(windows: Sequence[Window], examples: int, depth: int) -> int:
    """The numbers that all windows of a row of places see."""
    places = math.prod(w.output for w in windows[1:])
    return depth * math.prod(w.kernel for w in windows) * places * examples


def padded(windows: Sequence[Window], examples: int, depth: int) -> Needed:
    return Needed((depth, *(w.size + w.before + w.after for w in windows), examples))


def returning(
    windows: Sequence[Window], examples: int, depth: int, filters: int
) -> dict[str, Needed]:
    """What the gradient of the input is made with, strip by strip: the filters of each row of a strip
    beside each other, their products, and a strip of the output's gradient."""
    first, *others = windows
    high = _high(windows, examples, depth)
    seen = first.stride * (high - 1) + first.reach
    taps, places = [w.kernel for w in others], [w.output for w in others]
    return {
        "strip_filters": Needed((filters, high, depth, seen, *taps)),
        "strip_columns": Needed((depth, seen, *taps, *places, examples)),
        "strip": Needed((filters, high, *places, examples)),
    }


def _high(windows: Sequence[Window], examples: int, depth: int) -> int:
    """The rows of a strip: of the products of several with one larger matrix, mostly zeros, there are
    fewer to add up."""
    first, *others = windows
    seen = depth * math.prod(w.kernel * w.output for w in others) * examples
    most = max(0, COLUMNS // seen - first.reach) // first.stride + 1
    return min(-(-first.output // max(1, round(first.output / STRIP))), most)
