"""Depthwise convolutions tap by tap, channels innermost: how long their rows and blocks are.

A row is a stretch of places with all their channels side by side. What a tap sees of it is as long and
lies a little further on, so a tap costs one multiply-add of two rows onto a third.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

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


@dataclass(frozen=True)
class Phase:
    """Every stride-th place of the input along one axis, and the taps that see these.

    Attributes
    ----------
    taps: from the last to the first, `start`: where the last one reads the padded gradient.
    window: how they slide over it.
    made: which of its places are wanted, `places`: where they lie in the input.
    """

    taps: slice
    start: int
    window: Window
    made: slice
    places: slice


def mirrored(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows that slide over the output's gradient to make every stride-th of the input's."""
    return tuple(
        Window(
            w.output,
            (w.reach - 1) // w.stride + 1,
            1,
            (w.reach - 1) // w.stride - w.before // w.stride,
            -(-(w.before + w.size) // w.stride) - w.output,
        )
        for w in windows
    )


def phases(windows: Sequence[Window]) -> Iterator[tuple[Phase, ...]]:
    """Each of the input's places belongs to one, and so does each tap; none where no tap sees it."""
    return product(*map(_phases, windows, mirrored(windows)))


def _phases(w: Window, back: Window) -> Iterator[Phase]:
    for phase in range(w.stride):
        taps = [tap for tap in range(w.kernel) if tap * w.dilation % w.stride == phase]
        if not taps:
            continue
        step = w.stride // math.gcd(w.stride, w.dilation)
        apart = step * w.dilation // w.stride
        first = phase - w.before % w.stride
        late = first < 0
        places = range(first + w.stride * late, w.size, w.stride)
        yield Phase(
            slice(taps[-1], taps[0] - 1 if taps[0] else None, -step),
            back.reach - 1 - taps[-1] * w.dilation // w.stride,
            Window(back.output + apart * (len(taps) - 1), len(taps), dilation=apart),
            slice(late, late + len(places)),
            slice(places.start, None, w.stride),
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
    """A block of the output's gradient, padded, and room for a phase of the input's."""
    back, taps = mirrored(windows), math.prod(w.kernel for w in windows)
    count = min(batch, images(back, depth))
    found = {
        "back_filters": Needed((taps, repeats(back, depth) * depth)),
        "back_padded": padded(count, back, depth),
    }
    if any(w.stride > 1 for w in windows):
        found["back_made"] = Needed((count, *(w.output for w in back), depth))
    return found
