"""Convolutions of maps whose channels lie outermost, (C, H, W, N): few channels make short rows, many
examples long ones.

Some rows of places at a time, of all examples, so that their columns stay in cache: one product with
the filters, and each tap one strided copy or sum whose runs are as long as rows times examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.conv import Conv
from ...compiler.shapes import Window
from ..constants import ones
from . import Array, Arrays, Calls, kernel
from .columns import inner
from .conv import seen


def flat(maps: Array) -> Array:
    """(C, rows, ..., N) as a matrix, a row a channel; a view."""
    return maps.reshape(len(maps), -1)


def bands(view: Array, columns: Array, axes: int) -> Iterator[tuple[slice, Array, Array]]:
    """For each block of rows: which they are, what the taps see of them, and room for that."""
    rows, high, taps = view.shape[1 + axes], columns.shape[1 + axes], (slice(None),) * (1 + axes)
    for top in range(0, rows, high):
        part = view[(*taps, slice(top, top + high))]
        yield (
            slice(top, top + part.shape[1 + axes]),
            part,
            columns.reshape(-1)[: part.size].reshape(part.shape),
        )


@kernel(Conv, "examples innermost")
class OutermostKernel:
    """y = W columns(x) + b. Rows of all maps are no stretch, so a law behind waits for the last."""

    def forward(self, op: Conv, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        windows, w = op.windows(a.values[0]), flat(a.weights["weight"])
        if op.pointwise(a.values[0]):
            yield np.matmul, (w, flat(x), flat(y))
            yield from biased(flat(y), a)
        else:
            source, room = a.scratch.get("padded", x), a.scratch["columns"]
            if source is not x:
                yield from padded(x, source, windows)
            for rows, part, columns in bands(seen(source, windows, 1), room, len(windows)):
                made = flat(y[:, rows])
                yield np.copyto, (columns, part)
                yield np.matmul, (w, columns.reshape(w.shape[1], -1), made)
                yield from biased(made, a)
        yield from a.behind.finish(y)

    infer = forward

    def backward(self, op: Conv, a: Arrays) -> Calls:
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        assert dy is not None
        if "bias" in a.d_weights:
            sums = a.scratch["sums"]
            rows = dy.reshape(sums.size, -1)
            yield rows.dot, (ones(rows.shape[1], dy.dtype), sums.reshape(-1))
            yield sums.dot, (ones(sums.shape[1], dy.dtype), a.d_weights["bias"])
        if op.pointwise(a.values[0]):
            yield from self._back_at_once(x, dx, dy, a)
        else:
            yield from self._back(x, dx, dy, op.windows(a.values[0]), a)

    def _back_at_once(self, x: Array, dx: Array | None, dy: Array, a: Arrays) -> Calls:
        """dW = dy x^T, dx = W^T dy."""
        if "weight" in a.d_weights:
            yield np.matmul, (flat(dy), flat(x).T, flat(a.d_weights["weight"]))
        if dx is not None:
            yield np.matmul, (flat(a.weights["weight"]).T, flat(dy), flat(dx))

    def _back(
        self, x: Array, dx: Array | None, dy: Array, windows: Sequence[Window], a: Arrays
    ) -> Calls:
        """dW^T = columns(x) dy^T, summed over bands; dx = W^T dy, added up where windows overlap."""
        if "weight" in a.d_weights:
            s, dw = a.scratch, flat(a.d_weights["weight"])
            source, room, total = s.get("padded", x), s["columns"], s["total"]
            if source is not x:
                yield from padded(x, source, windows)
            for rows, part, columns in bands(seen(source, windows, 1), room, len(windows)):
                found = s["part"] if rows.start else total
                yield np.copyto, (columns, part)
                yield np.matmul, (columns.reshape(len(total), -1), flat(dy[:, rows]).T, found)
                if rows.start:
                    yield np.add, (total, found, total)
            yield np.copyto, (dw, total.T)
        if dx is not None:
            yield from self._returned(dx, dy, windows, a)

    def _returned(self, dx: Array, dy: Array, windows: Sequence[Window], a: Arrays) -> Calls:
        """dx = W^T dy, added up where windows overlap: along the first axis of places in the product,
        whose matrix has the filters once for each row of a strip, along the others tap by tap."""
        first, *others = windows
        wide, columns, strip = (a.scratch[f"strip{name}"] for name in ("_filters", "_columns", ""))
        high, matrix = strip.shape[1], wide.reshape(strip.shape[0] * strip.shape[1], -1)
        products = columns.reshape(matrix.shape[1], -1)
        yield wide.fill, (0,)
        yield np.copyto, (repeated(wide, first), np.moveaxis(a.weights["weight"], 2, -1)[..., None])
        target = a.scratch.get("padded_gradient", dx)
        yield target.fill, (0,)
        done = 0
        while done < first.output:
            # The last strip reaches back over rows that are done, whose gradient it takes for 0.
            begin = min(done, first.output - high)
            if begin < done:
                yield strip[:, : done - begin].fill, (0,)
            yield np.copyto, (strip[:, done - begin :], dy[:, done : begin + high])
            yield np.matmul, (matrix.T, strip.reshape(len(matrix), -1), products)
            top = begin * first.stride
            view = seen(target[:, top : top + wide.shape[3]], others, 2)
            for tap in product(*(range(w.kernel) for w in others)):
                here: tuple[Any, ...] = (slice(None), slice(None), *tap)
                yield np.add, (view[here], columns[here], view[here])
            done = begin + high
        if target is not dx:
            yield np.copyto, (dx, inner(target, windows))


def repeated(wide: Array, window: Window) -> Array:
    """(O, rows, C, seen, *taps) as a view (O, C, *taps, taps of the window, rows): where each tap of a
    filter lies for each row of a strip."""
    filters, rows, channels, _, *taps = wide.shape
    out, row, channel, place, *steps = wide.strides
    shape = (filters, channels, *taps, window.kernel, rows)
    strides = (out, channel, *steps, place * window.dilation, row + place * window.stride)
    return as_strided(wide, shape, strides)


def padded(maps: Array, target: Array, windows: Sequence[Window]) -> Calls:
    yield target.fill, (0,)
    yield np.copyto, (inner(target, windows), maps)


def biased(maps: Array, a: Arrays) -> Calls:
    """A number more for each channel."""
    if "bias" in a.weights:
        yield np.add, (maps, a.weights["bias"][:, None], maps)
