"""What the ways to compute a convolution need: the arrays of each, in blocks that stay in a cache."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .op import Needed
from .shapes import Value, Window

COLUMNS = 256 * 1024
"""Numbers that a block of gathered columns aims to hold: they stay in a core's cache."""
WIDE = 512
"""Numbers that a bias is repeated to, where channels are innermost: NumPy adds long rows faster."""


def block(batch: int, windows: Sequence[Window], depth: int) -> tuple[int, ...]:
    """The shape of a block's columns: images, rows of places, the other places, taps, channels.

    Some images at a time, or some rows of one image where an image alone is too much.
    """
    outputs, kernel = [w.output for w in windows], [w.kernel for w in windows]
    row = math.prod(outputs[1:]) * math.prod(kernel) * depth
    if row * outputs[0] > COLUMNS:
        return 1, max(1, min(outputs[0], COLUMNS // row)), *outputs[1:], *kernel, depth
    images = max(1, min(batch, COLUMNS // (row * outputs[0])))
    return images, *outputs, *kernel, depth


def padded(images: int, windows: Sequence[Window], depth: int) -> Needed:
    return Needed((images, *(w.size + w.before + w.after for w in windows), depth))


def gathered(prefix: str, batch: int, windows: Sequence[Window], depth: int) -> dict[str, Needed]:
    """Columns, and padded images where there is padding."""
    columns = block(batch, windows, depth)
    found = {f"{prefix}columns": Needed(columns)}
    if any(w.before or w.after for w in windows):
        found[f"{prefix}padded"] = padded(columns[0], windows, depth)
    return found


def mirrored(windows: Sequence[Window]) -> tuple[Window, ...] | None:
    """The windows that slide over the output's gradient to make the input's; None where the input
    is not seen place by place."""
    if any(w.stride > 1 or max(w.before, w.after) >= w.reach for w in windows):
        return None
    return tuple(
        Window(w.output, w.kernel, 1, w.reach - 1 - w.before, w.reach - 1 - w.after, w.dilation)
        for w in windows
    )


def repeats(x: Value) -> int:
    """How often a channel's number is repeated to meet a stretch of places whose channels lie side
    by side."""
    row = x.shape[-2] if x.rank > 1 else 1
    wanted = max(1, WIDE // x.channels)
    return max(n for n in range(1, row + 1) if row % n == 0 and n <= wanted)


def spread(batch: int, windows: Sequence[Window], depth: int) -> dict[str, Needed]:
    """What it takes to add products up where windows overlap: whole images at a time."""
    outputs, kernel = [w.output for w in windows], [w.kernel for w in windows]
    columns = math.prod(outputs) * math.prod(kernel) * depth
    images = max(1, min(batch, COLUMNS // columns))
    return {
        "back_columns": Needed((images, *outputs, *kernel, depth)),
        "back_padded": padded(images, windows, depth),
    }
