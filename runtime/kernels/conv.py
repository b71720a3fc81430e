"""Convolutions as matrix products of filters with gathered columns, some images at a time.

A column holds what one place of the output sees. Columns of a block of images stay in cache; the
gather is one strided copy, and its reverse adds one shifted view for each tap of the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.conv import Conv
from ...compiler.shapes import Window
from . import Array, Arrays, Calls, kernel


@dataclass(frozen=True)
class Geometry:
    """The sizes of one use: G groups, O filters, P places, K taps a group."""

    windows: tuple[Window, ...]
    groups: int
    filters: int
    images: int
    pads: bool
    pointwise: bool

    @property
    def outputs(self) -> tuple[int, ...]:
        return tuple(w.output for w in self.windows)

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(w.kernel for w in self.windows)

    def grouped(self, array: Array) -> Array:
        """(m, G * c, *spatial) as (m, G, c, P); a view."""
        return array.reshape(len(array), self.groups, -1, math.prod(array.shape[2:]))

    def blocks(self, batch: int) -> Iterator[slice]:
        return (slice(i, min(i + self.images, batch)) for i in range(0, batch, self.images))


def geometry(op: Conv, a: Arrays, images: int) -> Geometry:
    windows = op.windows(a.values[0])
    pads = any(w.before or w.after for w in windows)
    return Geometry(windows, op.g, op.n, images, pads, op.pointwise(a.values[0]))


def seen(array: Array, g: Geometry) -> Array:
    """(m, C, *padded) as a view (m, C, *kernel, *outputs): what each tap sees at each place."""
    steps = array.strides[2:]
    taps = tuple(s * w.dilation for s, w in zip(steps, g.windows, strict=True))
    places = tuple(s * w.stride for s, w in zip(steps, g.windows, strict=True))
    shape = (*array.shape[:2], *g.kernel, *g.outputs)
    return as_strided(array, shape, (*array.strides[:2], *taps, *places))


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
        view = seen(padded, g)
        yield np.copyto, (columns.reshape(view.shape), view)

    return calls(), columns


@kernel(Conv)
class ConvKernel:
    """y = W columns + b."""

    def forward(self, op: Conv, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        images = len(x) if "columns" not in a.scratch else len(a.scratch["columns"])
        g = geometry(op, a, images)
        w = a.weights["weight"].reshape(g.groups, g.filters // g.groups, -1)
        if g.pads:
            yield a.scratch["padded"].fill, (0,)
        for block in g.blocks(len(x)):
            calls, columns = gather(x[block], g, a)
            yield from calls
            yield np.matmul, (w, columns, g.grouped(y[block]))
        if not op.nobias:
            yield np.add, (y, a.weights["bias"].reshape(-1, *[1] * len(g.windows)), y)

    infer = forward

    def backward(self, op: Conv, a: Arrays) -> Calls:
        """dW = dy columns^T, db = the sum of dy, dx = W^T dy scattered back where it was gathered."""
        (x,), dy = a.inputs, a.d_output
        assert dy is not None
        g = geometry(op, a, len(a.scratch["products"]))
        if not op.nobias:
            sums = a.scratch["sums"]
            flat = dy.reshape(*dy.shape[:2], -1)
            yield np.matmul, (flat, np.ones(flat.shape[2], dy.dtype), sums)
            yield np.ones(len(sums), dy.dtype).dot, (sums, a.d_weights["bias"])
        if g.pads:
            yield a.scratch["padded"].fill, (0,)
        for block in g.blocks(len(x)):
            yield from self._weights(x[block], dy[block], g, a, first=block.start == 0)
            if a.d_inputs[0] is not None:
                yield from self._input(a.d_inputs[0][block], dy[block], g, a)

    def _weights(self, x: Array, dy: Array, g: Geometry, a: Arrays, *, first: bool) -> Calls:
        products = a.scratch["products"][: len(x)]
        calls, columns = gather(x, g, a)
        yield from calls
        yield np.matmul, (g.grouped(dy), columns.swapaxes(2, 3), products)
        dw = a.d_weights["weight"].reshape(products.shape[1:])
        if first:
            yield np.add.reduce, (products, 0, None, dw)
            return
        total = a.scratch["total"]
        yield np.add.reduce, (products, 0, None, total)
        yield np.add, (dw, total, dw)

    def _input(self, dx: Array, dy: Array, g: Geometry, a: Arrays) -> Calls:
        w = a.weights["weight"].reshape(g.groups, g.filters // g.groups, -1).swapaxes(1, 2)
        if g.pointwise:
            yield np.matmul, (w, g.grouped(dy), g.grouped(dx))
            return
        columns = a.scratch["columns"][: len(dx)]
        target = a.scratch["padded_gradient"][: len(dx)] if g.pads else dx
        view = seen(target, g)
        taps = columns.reshape(view.shape)
        yield np.matmul, (w, g.grouped(dy), columns)
        yield target.fill, (0,)
        for tap in product(*map(range, g.kernel)):
            here: tuple[Any, ...] = (slice(None), slice(None), *tap)
            yield np.add, (view[here], taps[here], view[here])
        if g.pads:
            yield np.copyto, (dx, inner(target, g))
