"""Convolutions as matrix products of filters with gathered columns, some images at a time.

A column holds what one window sees, on the side that windows slide over: the wider one, which is a
convolution's input and a transposed convolution's output. Columns of a block of images stay in
cache; the gather is one strided copy, its reverse adds one shifted view for each tap of the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.conv import Conv, Convolution, DepthwiseConv, TransposedConv
from ...compiler.shapes import Window
from ..constants import ones
from . import Array, Arrays, Calls, kernel


@dataclass(frozen=True)
class Geometry:
    """The sizes of one use: G groups, O filters, P places, K taps a group."""

    windows: tuple[Window, ...]
    groups: int
    filters: int
    channels: int
    """Of a group, on the side that the windows slide over."""
    images: int
    pads: bool
    pointwise: bool

    @property
    def taps(self) -> int:
        return self.channels * math.prod(self.kernel)

    @property
    def outputs(self) -> tuple[int, ...]:
        return tuple(w.output for w in self.windows)

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(w.kernel for w in self.windows)

    def grouped(self, array: Array) -> Array:
        """(m, G * c, *spatial) as (m, G, c, P); a view."""
        return array.reshape(len(array), self.groups, -1, math.prod(array.shape[2:]))

    def matrix(self, weight: Array) -> Array:
        """The weights as (G, filters a group, K); a view."""
        return weight.reshape(self.groups, self.filters // self.groups, -1)

    def blocks(self, batch: int) -> Iterator[slice]:
        return (slice(i, min(i + self.images, batch)) for i in range(0, batch, self.images))


def geometry(op: Convolution, a: Arrays, images: int) -> Geometry:
    (x,) = a.values
    windows = op.windows(x)
    pads = any(w.before or w.after for w in windows)
    groups, (wide, narrow) = op.groups(x), op.sides(x)
    return Geometry(windows, groups, narrow, wide // groups, images, pads, op.pointwise(x))


def seen(maps: Array, windows: Sequence[Window], first: int = 2) -> Array:
    """(..., *padded, ...) as a view (..., *kernel, *outputs, ...): what each tap sees at each place;
    `first`: the axis from which the windows slide."""
    last = first + len(windows)
    steps = maps.strides[first:last]
    taps = (s * w.dilation for s, w in zip(steps, windows, strict=True))
    places = (s * w.stride for s, w in zip(steps, windows, strict=True))
    kernel, outputs = (w.kernel for w in windows), (w.output for w in windows)
    shape = (*maps.shape[:first], *kernel, *outputs, *maps.shape[last:])
    return as_strided(maps, shape, (*maps.strides[:first], *taps, *places, *maps.strides[last:]))


def along_rows(array: Array, g: Geometry) -> Array:
    """(m, C, *padded) as a view (m, C, taps of a row, *other axes, places of a row)."""
    across, step = g.windows[-1], array.strides[-1]
    shape = (*array.shape[:2], across.kernel, *array.shape[2:-1], across.output)
    tap, place = step * across.dilation, step * across.stride
    return as_strided(array, shape, (*array.strides[:2], tap, *array.strides[2:-1], place))


def stretches(rows: Array, g: Geometry) -> Array:
    """What `along_rows` showed, copied, as a view like `seen`'s, the last two axes of places as one:
    the rows of a tap lie one after the other."""
    image, channel, across, *steps, place = rows.strides
    taps = (s * w.dilation for s, w in zip(steps, g.windows[:-1], strict=True))
    outer = (s * w.stride for s, w in zip(steps[:-1], g.windows[:-2], strict=True))
    *others, high, wide = g.outputs
    shape = (*rows.shape[:2], *g.kernel, *others, high * wide)
    return as_strided(rows, shape, (image, channel, *taps, across, *outer, place))


def inner(array: Array, g: Geometry) -> Array:
    """The part of a padded array that is not padding."""
    index: tuple[Any, ...] = (..., *(slice(w.before, w.before + w.size) for w in g.windows))
    found: Array = array[index]
    return found


def gather(x: Array, g: Geometry, a: Arrays) -> tuple[Calls, Array]:
    """The calls that bring a block's columns together, and the columns (m, G, K, P)."""
    if g.pointwise:
        return iter(()), g.grouped(x)
    columns = a.scratch["columns"][: len(x)]
    padded = a.scratch["padded"][: len(x)] if g.pads else x

    def calls() -> Calls:
        if g.pads:
            yield np.copyto, (inner(padded, g), x)
        view = seen(padded, g.windows)
        if "rows" in a.scratch:
            rows = a.scratch["rows"][: len(x)]
            yield np.copyto, (rows, along_rows(padded, g))
            view = stretches(rows, g)
        shape = len(x), g.groups, g.channels, *view.shape[2:]
        # Behind the taps there may be ones.
        seen_by_taps = columns[:, :, : g.taps].reshape(shape)
        yield np.copyto, (seen_by_taps, view.reshape(shape))

    return calls(), columns


def correlate(wide: Array, narrow: Array, w: Array, g: Geometry, a: Arrays) -> Calls:
    """narrow = W columns(wide): the places of `wide` that each window sees, weighed."""
    calls, columns = gather(wide, g, a)
    yield from calls
    products = g.grouped(narrow)
    if len(wide) == g.groups == 1:
        # One product of two matrices needs less about it.
        yield w[0].dot, (columns[0, 0], products[0, 0])
    else:
        yield np.matmul, (w, columns, products)


def spread(narrow: Array, wide: Array, padded: str, g: Geometry, a: Arrays) -> Calls:
    """wide = W^T narrow, added up where the windows overlap."""
    w = g.matrix(a.weights["weight"]).swapaxes(1, 2)
    if g.pointwise:
        yield np.matmul, (w, g.grouped(narrow), g.grouped(wide))
        return
    columns = a.scratch["columns"][: len(wide)]
    target = a.scratch[padded][: len(wide)] if g.pads else wide
    yield np.matmul, (w, g.grouped(narrow), columns)
    yield target.fill, (0,)
    if "rows" in a.scratch:
        rows = a.scratch["rows"][: len(wide)]
        yield rows.fill, (0,)
        # Each tap along a row has rows of its own: all of them at once.
        yield from added(columns, stretches(rows, g), g.kernel[:-1])
        view = along_rows(target, g)
        for tap in range(g.kernel[-1]):
            yield np.add, (view[:, :, tap], rows[:, :, tap], view[:, :, tap])
    else:
        yield from added(columns, seen(target, g.windows), g.kernel)
    if g.pads:
        yield np.copyto, (wide, inner(target, g))


def added(columns: Array, view: Array, kernel: tuple[int, ...]) -> Calls:
    """What each tap is for each place, added where it belongs, one tap of the `kernel` at a time."""
    taps = columns.reshape(view.shape)
    for tap in product(*map(range, kernel)):
        here: tuple[Any, ...] = (slice(None), slice(None), *tap)
        yield np.add, (view[here], taps[here], view[here])


def filters(wide: Array, narrow: Array, g: Geometry, a: Arrays, *, first: bool) -> Calls:
    """dW^T = columns(wide) narrow^T, summed over the block and added to the blocks before."""
    products, total = a.scratch["products"][: len(wide)], a.scratch["total"]
    calls, columns = gather(wide, g, a)
    yield from calls
    # In BLAS 0.9 to 1.7 times as fast as narrow columns^T, the more taps to a filter the better.
    yield np.matmul, (columns, g.grouped(narrow).swapaxes(2, 3), products)
    yield np.add.reduce, (products, 0, None, total)
    dw, found = g.matrix(a.d_weights["weight"]), total.swapaxes(1, 2)
    if first:
        yield np.copyto, (dw, found)
    else:
        yield np.add, (dw, found, dw)


def biased(op: Convolution, y: Array, a: Arrays) -> Calls:
    if not op.nobias:
        yield np.add, (y, a.weights["bias"].reshape(-1, *[1] * (y.ndim - 2)), y)


def bias(dy: Array, a: Arrays) -> Calls:
    """db = the sum of dy over examples and places."""
    if "bias" in a.d_weights:
        sums = a.scratch["sums"]
        flat = dy.reshape(*dy.shape[:2], -1)
        yield np.matmul, (flat, ones(flat.shape[2], dy.dtype), sums)
        yield ones(len(sums), dy.dtype).dot, (sums, a.d_weights["bias"])


@kernel(DepthwiseConv)
@kernel(Conv)
class ConvKernel:
    """y = W columns(x) + b."""

    def forward(self, op: Convolution, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        g = geometry(op, a, len(a.scratch.get("columns", x)))
        if g.pads:
            yield a.scratch["padded"].fill, (0,)
        for block in g.blocks(len(x)):
            yield from correlate(x[block], y[block], g.matrix(a.weights["weight"]), g, a)
            yield from biased(op, y[block], a)
            yield from a.behind.finish(y[block])

    def prepare(self, op: Convolution, a: Arrays) -> Calls:
        """The bias is one more tap of each filter, and what it sees is 1."""
        (filters,), weight = a.scratch["filters"], a.weights["weight"]
        yield np.copyto, (filters[:, :-1], weight.reshape(len(weight), -1))
        yield np.copyto, (filters[:, -1], a.weights["bias"])

    def infer(self, op: Convolution, a: Arrays) -> Calls:
        if "filters" not in a.scratch:
            yield from self.forward(op, a)
            return
        (x,), y, columns = a.inputs, a.output, a.scratch["columns"]
        assert y is not None
        g = geometry(op, a, len(columns))
        if g.pads:
            yield a.scratch["padded"].fill, (0,)
        yield columns[:, :, -1].fill, (1,)
        for block in g.blocks(len(x)):
            yield from correlate(x[block], y[block], a.scratch["filters"], g, a)
            yield from a.behind.finish(y[block])

    def backward(self, op: Convolution, a: Arrays) -> Calls:
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        assert dy is not None
        g = geometry(op, a, len(a.scratch.get("products", a.scratch.get("columns", dy))))
        learns = "weight" in a.d_weights
        yield from bias(dy, a)
        if g.pads and learns:
            yield a.scratch["padded"].fill, (0,)
        for block in g.blocks(len(dy)):
            if learns:
                yield from filters(x[block], dy[block], g, a, first=block.start == 0)
            if dx is not None:
                yield from spread(dy[block], dx[block], "padded_gradient", g, a)


@kernel(TransposedConv)
class TransposedConvKernel:
    """y = W^T x, spread, + b: a convolution's backward forwards, and the other way round."""

    def forward(self, op: TransposedConv, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        g = geometry(op, a, len(a.scratch.get("columns", x)))
        for block in g.blocks(len(x)):
            yield from spread(x[block], y[block], "padded", g, a)
        yield from biased(op, y, a)

    infer = forward

    def backward(self, op: TransposedConv, a: Arrays) -> Calls:
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        assert dy is not None
        g = geometry(op, a, len(a.scratch.get("products", a.scratch.get("columns", dy))))
        yield from bias(dy, a)
        if g.pads:
            yield a.scratch["padded"].fill, (0,)
        for block in g.blocks(len(dy)):
            if "weight" in a.d_weights:
                yield from filters(dy[block], x[block], g, a, first=block.start == 0)
            if dx is not None:
                yield from correlate(dy[block], dx[block], g.matrix(a.weights["weight"]), g, a)
