"""Depthwise convolutions of maps whose channels lie innermost: y += weight * x, tap by tap.

Each tap's weights are repeated along a row of places, so a tap is one multiply-add of long rows; a
row of the output stays in cache until all its taps are in. `einsum` multiplies and adds in one sweep,
where `multiply` and `add` take two. The gradient of the input is the same computation over the
output's gradient with the taps mirrored; where the window takes steps, places a stride apart see the
same taps and are made together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.conv import DepthwiseConv
from ...compiler.shapes import Window
from ...compiler.taps import Phase, images, mirrored, phases, repeats
from ..constants import ones
from . import Array, Arrays, Behind, Call, Calls, kernel
from .columns import added, bias_of, folded, inner, summed

PLACES, TAPS = "npqr", "abc"
"""Letters for the axes of a sum: an image and its places, and taps; `l` runs along a row."""


def shifted(maps: Array, windows: Sequence[Window], again: int) -> Array:
    """(m, *padded, C) as a view (m, *rows, *kernel, row): what each tap sees of each row."""
    batch, *steps, channel = maps.strides
    ends = [1] * (len(windows) - 1) + [again]
    rows = (w.output // n for w, n in zip(windows, ends, strict=True))
    moves = (s * w.stride * n for s, w, n in zip(steps, windows, ends, strict=True))
    taps = (s * w.dilation for s, w in zip(steps, windows, strict=True))
    shape = (len(maps), *rows, *(w.kernel for w in windows), again * maps.shape[-1])
    return as_strided(maps, shape, (batch, *moves, *taps, channel))


def rows(maps: Array, again: int) -> Array:
    """(m, *places, C) as (m, *rows, row); a view."""
    *first, last, depth = maps.shape
    return maps.reshape(*first, last // again, again * depth)


def blocks(
    maps: Array, windows: Sequence[Window], padded: Array | None
) -> Iterator[tuple[Calls, Array, slice]]:
    """For each block: the calls that pad its images, these padded, and which images they are."""
    count = images(windows, maps.shape[-1])
    for first in range(0, len(maps), count):
        part = slice(first, min(first + count, len(maps)))
        if padded is None:
            yield iter(()), maps[part], part
            continue
        room = padded[: part.stop - first]
        yield iter([(np.copyto, (inner(room, windows), maps[part]))]), room, part


def weighing(maps: Array, made: Array, filters: Array, windows: Sequence[Window]) -> Call:
    """made = the sum over taps of what they see times their weights."""
    again = filters.shape[1] // maps.shape[-1]
    weights = filters.reshape(*(w.kernel for w in windows), -1)
    taps = TAPS[: len(windows)]
    sums = partial(np.einsum, out=rows(made, again))
    return sums, (f"...{taps}l,{taps}l->...l", shifted(maps, windows, again), weights)


def weighed(
    maps: Array,
    made: Array,
    filters: Array,
    windows: Sequence[Window],
    padded: Array | None,
    biases: Array | None,
    behind: Behind,
) -> Calls:
    """Block by block, the bias added and the law behind done in cache."""
    if padded is not None:
        yield padded.fill, (0,)
    for calls, block, part in blocks(maps, windows, padded):
        yield from calls
        target = made[part]
        yield weighing(block, target, filters, windows)
        if biases is not None:
            yield from added(target, biases)
        yield from behind.finish(target)


def spread(weight: Array, filters: Array) -> Calls:
    """(C, 1, *kernel) as (*kernel, again C), each number repeated along a row."""
    depth, _, *kernel = weight.shape
    view = np.moveaxis(weight, (0, 1), (-1, -2))
    yield np.copyto, (filters.reshape(*kernel, -1, depth), view)


@kernel(DepthwiseConv, "taps")
class TapsKernel:
    """y = the sum over taps of weight * x, shifted, + b."""

    def prepare(self, op: DepthwiseConv, a: Arrays) -> Calls:
        filters, weight = a.scratch["filters"], a.weights["weight"]
        yield from spread(weight, filters)
        yield from folded(filters.reshape(-1, len(weight)), a)

    def forward(self, op: DepthwiseConv, a: Arrays) -> Calls:
        yield from self.prepare(op, a)
        yield from self.infer(op, a)

    def infer(self, op: DepthwiseConv, a: Arrays) -> Calls:
        (x,), y, s = a.inputs, a.output, a.scratch
        assert y is not None
        windows = op.windows(a.values[0])
        yield from weighed(x, y, s["filters"], windows, s.get("padded"), bias_of(a), a.behind)

    def backward(self, op: DepthwiseConv, a: Arrays) -> Calls:
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        assert dy is not None
        windows = op.windows(a.values[0])
        yield from summed(dy, a)
        if "weight" in a.d_weights:
            yield from self._filters(x, dy, windows, a)
        if dx is not None:
            yield from self._returned(dy, dx, windows, a)

    def _returned(self, dy: Array, dx: Array, windows: tuple[Window, ...], a: Arrays) -> Calls:
        """dx = the taps that see a place times the gradients there, for every stride-th at once."""
        s, back, weight = a.scratch, mirrored(windows), a.weights["weight"]
        padded, filters, room = s["back_padded"], s["back_filters"], s.get("back_made")
        parts: list[tuple[tuple[Phase, ...], Array]] = []
        first = 0
        for phase in phases(windows):
            count = math.prod(along.window.kernel for along in phase)
            parts.append((phase, filters[first : first + count]))
            index: tuple[Any, ...] = (..., *(along.taps for along in phase))
            yield from spread(weight[index], parts[-1][1])
            first += count
        yield padded.fill, (0,)
        if len(parts) < math.prod(w.stride for w in windows):
            yield dx.fill, (0,)
        for calls, block, part in blocks(dy, back, padded):
            yield from calls
            for phase, weights in parts:
                made = dx[part] if room is None else room[: len(block)]
                seen = block[:, *(slice(along.start, None) for along in phase)]
                yield weighing(seen, made, weights, [along.window for along in phase])
                if room is not None:
                    wanted = made[:, *(along.made for along in phase)]
                    places = dx[part][:, *(along.places for along in phase)]
                    yield np.copyto, (places, wanted)

    def _filters(self, x: Array, dy: Array, windows: tuple[Window, ...], a: Arrays) -> Calls:
        """dW = for each tap the sum of dy times what it sees, block by block in a fixed order."""
        s, dw = a.scratch, a.d_weights["weight"]
        padded, total, more = s.get("padded"), s["total"], s["part"]
        again = repeats(windows, x.shape[-1])
        if padded is not None:
            yield padded.fill, (0,)
        places = PLACES[: 1 + len(windows)]
        terms = f"{places}l,{places}l->l"
        found = blocks(x, windows, padded)
        for number, (calls, block, part) in enumerate(found):
            yield from calls
            view, slopes = shifted(block, windows, again), rows(dy[part], again)
            target = more if number else total
            for row, tap in zip(target, product(*(range(w.kernel) for w in windows)), strict=True):
                index: tuple[Any, ...] = (..., *tap, slice(None))
                yield partial(np.einsum, out=row), (terms, view[index], slopes)
            if number:
                yield np.add, (total, more, total)
        yield from self._collected(total, more, dw)

    def _collected(self, total: Array, room: Array, dw: Array) -> Calls:
        """The numbers of a channel along a row added up, and put where they belong."""
        depth, taps = len(dw), len(total)
        sums = room.reshape(-1)[: taps * depth].reshape(taps, depth)
        along = total.reshape(taps, -1, depth)
        yield np.matmul, (ones(along.shape[1], total.dtype), along, sums)
        yield np.copyto, (dw.reshape(depth, taps).T, sums)
