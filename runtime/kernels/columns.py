"""Convolutions of maps whose channels lie innermost: places in rows, one product with the filters.

Some images, or some rows of one, at a time, so that their columns stay in cache. The gradient of the
input is the same computation over the output's gradient with the filters mirrored; where the window
takes steps, products are added up tap by tap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.convolving import mirrored
from ...compiler.ops.conv import Conv
from ...compiler.shapes import Window
from ..constants import ones
from . import NOTHING, Array, Arrays, Behind, Calls, kernel
from .dense import rows
from .norm import factored

TOGETHER = 256 * 1024
"""Numbers of maps that a 1x1 convolution reads or makes at a time: they stay in a core's cache."""


def seen(maps: Array, windows: Sequence[Window]) -> Array:
    """(m, *padded, C) as a view (m, *outputs, *kernel, C): what each place's window sees."""
    batch, *steps, channel = maps.strides
    places = (s * w.stride for s, w in zip(steps, windows, strict=True))
    taps = (s * w.dilation for s, w in zip(steps, windows, strict=True))
    outputs, kernel = (w.output for w in windows), (w.kernel for w in windows)
    shape = (len(maps), *outputs, *kernel, maps.shape[-1])
    return as_strided(maps, shape, (batch, *places, *taps, channel))


def inner(maps: Array, windows: Sequence[Window]) -> Array:
    """The part of padded maps that is not padding."""
    index: tuple[Any, ...] = (
        slice(None),
        *(slice(w.before, w.before + w.size) for w in windows),
    )
    found: Array = maps[index]
    return found


def blocks(
    maps: Array, windows: Sequence[Window], columns: Array, padded: Array | None
) -> Iterator[tuple[Calls, Array, tuple[slice, slice]]]:
    """For each block: the calls that gather its columns, these as a matrix, and which images and rows
    of the output they stand for."""
    images, high = columns.shape[:2]
    for first in range(0, len(maps), images):
        part = slice(first, min(first + images, len(maps)))
        source = maps[part] if padded is None else padded[: part.stop - first]
        view = seen(source, windows)
        for top in range(0, view.shape[1], high):
            band = view[:, top : top + high]
            target = columns[: len(band), : band.shape[1]]
            fills = padded is not None and top == 0

            def calls(
                band: Array = band,
                target: Array = target,
                source: Array = source,
                part: slice = part,
                fills: bool = fills,
            ) -> Calls:
                if fills:
                    yield np.copyto, (inner(source, windows), maps[part])
                yield np.copyto, (target, band)

            matrix = target.reshape(-1, _width(columns, len(windows)))
            yield calls(), matrix, (part, slice(top, top + band.shape[1]))


def _width(columns: Array, axes: int) -> int:
    """The numbers that a window sees."""
    return int(np.prod(columns.shape[1 + axes :]))


def correlate(
    maps: Array,
    made: Array,
    filters: Array,
    windows: Sequence[Window],
    columns: Array,
    padded: Array | None,
    biases: Array | None = None,
    behind: Behind = NOTHING,
) -> Calls:
    """made = columns(maps) filters, the bias added and the law behind done while it is in cache."""
    if padded is not None:
        yield padded.fill, (0,)
    for calls, matrix, (part, band) in blocks(maps, windows, columns, padded):
        yield from calls
        target = made[part, band]
        yield matrix.dot, (filters, rows(target))
        if biases is not None:
            yield from added(target, biases)
        yield from behind.finish(target)


def added(maps: Array, biases: Array) -> Calls:
    wide = maps.reshape(-1, biases.size)
    yield np.add, (wide, biases, wide)


def repeated(a: Arrays) -> Calls:
    """The bias as often as a stretch of places has room for it."""
    if "bias" in a.weights:
        bias = a.weights["bias"]
        yield np.copyto, (a.scratch["biases"].reshape(-1, bias.size), bias)


def folded(filters: Array, a: Arrays) -> Calls:
    """Filters times what the norm behind multiplies by, and a bias for all that it adds."""
    norm = a.folded
    if norm is None:
        yield from repeated(a)
        return
    factor = a.scratch["factor"]
    biases = a.scratch["biases"].reshape(-1, factor.size)
    yield from factored(norm.scale, norm.variance, norm.eps, factor)
    yield np.multiply, (filters, factor, filters)
    if "bias" in a.weights:
        yield np.subtract, (a.weights["bias"], norm.mean, biases)
    else:
        yield np.negative, (norm.mean, biases[0])
        yield np.copyto, (biases, biases[0])
    yield np.multiply, (biases, factor, biases)
    yield np.add, (biases, norm.shift, biases)


def bias_of(a: Arrays) -> Array | None:
    """What is added to every place at inference."""
    adds = a.folded is not None or "bias" in a.weights
    return a.scratch["biases"] if adds else None


def turned(weight: Array, target: Array) -> Calls:
    """(O, C, *kernel) as the matrix (*kernel C, O)."""
    order = (*range(2, weight.ndim), 1, 0)
    view = weight.transpose(order)
    yield np.copyto, (target.reshape(view.shape), view)


def flipped(weight: Array, target: Array) -> Calls:
    """(O, C, *kernel) as the matrix (*kernel O, C), the taps from the last to the first."""
    taps = tuple(slice(None, None, -1) for _ in weight.shape[2:])
    view = weight.transpose((*range(2, weight.ndim), 0, 1))[taps]
    yield np.copyto, (target.reshape(view.shape), view)


def summed(dy: Array, a: Arrays) -> Calls:
    """db = the sum of dy over examples and places."""
    if "bias" in a.d_weights:
        flat = rows(dy)
        yield ones(len(flat), dy.dtype).dot, (flat, a.d_weights["bias"])


@kernel(Conv, "columns")
class ColumnsKernel:
    """y = columns(x) W + b."""

    def prepare(self, op: Conv, a: Arrays) -> Calls:
        yield from turned(a.weights["weight"], a.scratch["filters"])
        yield from folded(a.scratch["filters"], a)

    def forward(self, op: Conv, a: Arrays) -> Calls:
        yield from self.prepare(op, a)
        yield from self.infer(op, a)

    def infer(self, op: Conv, a: Arrays) -> Calls:
        (x,), y, s = a.inputs, a.output, a.scratch
        assert y is not None
        gathering = op.windows(a.values[0]), s["columns"], s.get("padded")
        yield from correlate(x, y, s["filters"], *gathering, bias_of(a), a.behind)

    def backward(self, op: Conv, a: Arrays) -> Calls:
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        assert dy is not None
        windows = op.windows(a.values[0])
        yield from summed(dy, a)
        if "weight" in a.d_weights:
            yield from self._filters(x, dy, windows, a)
        if dx is None:
            return
        back, s = mirrored(windows), a.scratch
        if back is None:
            yield from self._spread(dy, dx, windows, a)
            return
        yield from flipped(a.weights["weight"], s["back_filters"])
        yield from correlate(
            dy, dx, s["back_filters"], back, s["back_columns"], s.get("back_padded")
        )

    def _filters(self, x: Array, dy: Array, windows: tuple[Window, ...], a: Arrays) -> Calls:
        """dW = columns(x)^T dy, block by block in a fixed order."""
        s, dw = a.scratch, a.d_weights["weight"]
        padded, total, part = s.get("padded"), s["total"], s["part"]
        if padded is not None:
            yield padded.fill, (0,)
        found = blocks(x, windows, s["columns"], padded)
        for number, (calls, matrix, place) in enumerate(found):
            yield from calls
            yield matrix.T.dot, (rows(dy[place]), part if number else total)
            if number:
                yield np.add, (total, part, total)
        view = dw.transpose((*range(2, dw.ndim), 1, 0))
        yield np.copyto, (view, total.reshape(view.shape))

    def _spread(self, dy: Array, dx: Array, windows: tuple[Window, ...], a: Arrays) -> Calls:
        """dx = dy W^T, added up where the windows overlap."""
        s = a.scratch
        columns, padded, filters = s["back_columns"], s["back_padded"], s["back_filters"]
        yield from turned(a.weights["weight"], filters)
        for first in range(0, len(dy), len(columns)):
            part = slice(first, min(first + len(columns), len(dy)))
            count = part.stop - first
            here, target = columns[:count], padded[:count]
            matrix = here.reshape(-1, len(filters))
            yield rows(dy[part]).dot, (filters.T, matrix)
            yield target.fill, (0,)
            view = seen(target, windows)
            for tap in product(*(range(w.kernel) for w in windows)):
                index: tuple[Any, ...] = (..., *tap, slice(None))
                yield np.add, (view[index], here[index], view[index])
            yield np.copyto, (dx[part], inner(target, windows))


@kernel(Conv, "pointwise")
class PointwiseKernel(ColumnsKernel):
    """A 1x1 kernel that visits every place: y = x W^T + b, place by place."""

    def infer(self, op: Conv, a: Arrays) -> Calls:
        (x,), y, biases = a.inputs, a.output, bias_of(a)
        assert y is not None
        images = max(1, TOGETHER // max(x[0].size, y[0].size))
        for first in range(0, len(x), images):
            part = slice(first, first + images)
            yield rows(x[part]).dot, (a.scratch["filters"], rows(y[part]))
            if biases is not None:
                yield from added(y[part], biases)
            yield from a.behind.finish(y[part])

    def backward(self, op: Conv, a: Arrays) -> Calls:
        """dW = dy^T x, dx = dy W."""
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        assert dy is not None
        yield from summed(dy, a)
        if "weight" in a.d_weights:
            dw = a.d_weights["weight"]
            yield rows(dy).T.dot, (rows(x), dw.reshape(len(dw), -1))
        if dx is not None:
            w = a.weights["weight"]
            yield rows(dy).dot, (w.reshape(len(w), -1), rows(dx))
