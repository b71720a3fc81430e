"""Depthwise convolutions tap by tap, channels innermost: how long their rows and blocks are.

A row is a stretch of places with all their channels side by side. What a tap sees of it is as long and
lies a little further on, so a tap costs one multiply-add of two rows onto a third.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .convolving import padded
from .op import Needed
from .shapes import Window

ROW = 1024
"""Numbers that a row aims to hold: shorter ones cost calls, of longer ones the weights fill a cache."""
BLOCK = 192 * 1024
"""Numbers that a block of images, read and written, aims to hold."""


def suits(windows: Sequence[Window]) -> bool:
    """Whether the gradient of the input is such a convolution too: no window sees padding alone."""
    return all(max(w.before, w.after) < w.reach for w in windows)


def repeats(windows: Sequence[Window], depth: int) -> int:
    """The places in a row: more than one where windows move on place by place."""
    last = windows[-1]
    if last.stride > 1:
        return 1
    parts = (n for n in range(1, last.output + 1) if last.output % n == 0)
    return min(parts, key=lambda n: max(n * depth / ROW, ROW / (n * depth)))


def images(windows: Sequence[Window], depth: int) -> int:
    """How many are in a block."""
    read = math.prod(w.size + w.before + w.after for w in windows)
    return max(1, BLOCK // (depth * (read + math.prod(w.output for w in windows))))


def mirrored(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows that slide over the output's gradient, its numbers `stride` apart and zeros between
    them, to make the input's."""
    return tuple(map(_mirrored, windows))


def _mirrored(w: Window) -> Window:
    spread = (w.output - 1) * w.stride + 1
    return Window(
        spread, w.kernel, 1, w.reach - 1 - w.before, w.size + w.before - spread, w.dilation
    )


def filters(windows: Sequence[Window], depth: int) -> Needed:
    """The weights of each tap, as often as they meet a row."""
    return Needed((math.prod(w.kernel for w in windows), repeats(windows, depth) * depth))


def room(name: str, batch: int, windows: Sequence[Window], depth: int) -> dict[str, Needed]:
    """A block of padded images, where there is padding."""
    if not any(w.before or w.after for w in windows):
        return {}
    return {name: padded(min(batch, images(windows, depth)), windows, depth)}


def returning(batch: int, windows: Sequence[Window], depth: int) -> dict[str, Needed]:
    """A block of the output's gradient, spread and padded."""
    back = mirrored(windows)
    return {
        "back_filters": filters(back, depth),
        "back_padded": padded(min(batch, images(back, depth)), back, depth),
    }
