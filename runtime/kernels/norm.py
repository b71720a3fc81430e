"""Normalisation: statistics in two passes, since one pass loses every digit where the mean is large.

The first mean is rounded, to a thousandth of the deviation where it is 10,000 times that; what it leaves
behind is the mean of the differences, which is small, so it is known to full precision and taken out too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...compiler.ops.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    RowNorm,
)
from ..constants import filled, ones, scalar
from . import Array, Arrays, Calls, kernel
from .activation import along_channels


@kernel(BatchNorm)
class BatchNormKernel:
    """y = scale (x - mean) / sqrt(variance + eps) + shift, channel by channel."""

    def forward(self, op: BatchNorm, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), value = a.inputs, a.values[0]
        average, spread = a.scratch["average"], a.scratch["spread"]
        normal, inverse = a.saved["normal"], a.saved["inverse"]
        count = x.size // value.channels

        def wide(vector: Array) -> Array:
            return along_channels(vector, value)

        def number(worth: float) -> Array:
            return scalar(worth, x.dtype)

        yield from summed(x, average, a)
        yield np.multiply, (average, number(1 / count), average)
        yield np.subtract, (x, wide(average), normal)
        yield from summed(normal, spread, a)
        yield np.multiply, (spread, number(1 / count), spread)
        yield np.subtract, (normal, wide(spread), normal)
        yield np.add, (average, spread, average)
        yield np.multiply, (normal, normal, a.scratch["square"])
        yield from summed(a.scratch["square"], spread, a)
        yield np.multiply, (spread, number(1 / count), spread)
        yield np.add, (spread, number(op.eps), inverse)
        yield np.sqrt, (inverse, inverse)
        yield np.divide, (number(1), inverse, inverse)
        yield np.multiply, (normal, wide(inverse), normal)
        yield np.multiply, (normal, wide(a.weights["scale"]), a.output)
        yield np.add, (a.output, wide(a.weights["shift"]), a.output)
        unbiased = count / (count - 1) if count > 1 else 1.0
        for name, newest, factor in (("mean", average, 1.0), ("variance", spread, unbiased)):
            running = a.state[name]
            yield np.multiply, (running, number(1 - op.momentum), running)
            yield np.multiply, (newest, number(op.momentum * factor), newest)
            yield np.add, (running, newest, running)

    def infer(self, op: BatchNorm, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), y, value = a.inputs, a.output, a.values[0]
        spread = a.scratch["spread"]
        yield np.add, (a.state["variance"], scalar(op.eps, x.dtype), spread)
        yield np.sqrt, (spread, spread)
        yield np.divide, (a.weights["scale"], spread, spread)
        yield np.subtract, (x, along_channels(a.state["mean"], value), y)
        yield np.multiply, (y, along_channels(spread, value), y)
        yield np.add, (y, along_channels(a.weights["shift"], value), y)

    def backward(self, op: BatchNorm, a: Arrays) -> Calls:
        """With n = (x - mean) inverse: dscale = sum dy n, dshift = sum dy,
        dx = scale inverse (dy - dshift / count - n dscale / count)."""
        dy, value = a.d_output, a.values[0]
        assert dy is not None
        normal, product = a.saved["normal"], a.scratch["product"]
        first, second = a.scratch["first"], a.scratch["second"]
        share = scalar(value.channels / dy.size, dy.dtype)
        yield np.multiply, (dy, normal, product)
        yield from summed(product, a.d_weights["scale"], a)
        yield from summed(dy, a.d_weights["shift"], a)
        dx = a.d_inputs[0]
        if dx is None:
            return
        yield np.multiply, (a.d_weights["scale"], share, first)
        yield np.multiply, (normal, along_channels(first, value), product)
        yield np.multiply, (a.d_weights["shift"], share, second)
        yield np.subtract, (dy, along_channels(second, value), dx)
        yield np.subtract, (dx, product, dx)
        yield np.multiply, (a.weights["scale"], a.saved["inverse"], first)
        yield np.multiply, (dx, along_channels(first, value), dx)


@kernel(BatchNorm, "frozen")
class FrozenBatchNormKernel(BatchNormKernel):
    """y = scale (x - mean) / sqrt(variance + eps) + shift by the running statistics, which stay."""

    forward = BatchNormKernel.infer

    def backward(self, op: BatchNorm, a: Arrays) -> Calls:
        """dx = dy scale / sqrt(variance + eps)."""
        spread, (dx,), dy = a.scratch["spread"], a.d_inputs, a.d_output
        assert dy is not None
        yield np.add, (a.state["variance"], scalar(op.eps, dy.dtype), spread)
        yield np.sqrt, (spread, spread)
        yield np.divide, (a.weights["scale"], spread, spread)
        yield np.multiply, (dy, along_channels(spread, a.values[0]), dx)


def summed(source: Array, target: Array, a: Arrays) -> Calls:
    """Fill `target` with the sum over all but channels: products with ones, four times faster."""
    value = a.values[0]
    rows, places = source.reshape(len(source), -1), value.size // value.channels
    if value.channels_last:
        rows = source.reshape(-1, value.channels)
    elif places > 1:
        rows = a.scratch["sums"]
        yield source.reshape(-1, places).dot, (ones(places, source.dtype), rows.reshape(-1))
    yield ones(len(rows), source.dtype).dot, (rows, target)


@kernel(LayerNorm)
@kernel(RMSNorm)
@kernel(GroupNorm)
@kernel(InstanceNorm)
class RowNormKernel:
    """y = scale (x - mean) / sqrt(variance + eps) + shift, row by row; `rms` knows no mean."""

    def forward(self, op: RowNorm, a: Arrays) -> Calls:
        yield from self.normalise(op, a.inputs[0], a.saved["normal"], a.saved["inverse"], a)
        yield from self.affine(a.saved["normal"], a)

    def infer(self, op: RowNorm, a: Arrays) -> Calls:
        assert a.output is not None
        yield from self.normalise(op, a.inputs[0], a.output, a.scratch["statistic"], a)
        yield from self.affine(a.output, a)

    def normalise(self, op: Any, x: Array, normal: Array, inverse: Array, a: Arrays) -> Calls:
        """normal = (x - mean) inverse, with inverse = 1 / sqrt(variance + eps)."""
        statistic, square = a.scratch["statistic"], a.scratch["square"]
        shape = statistic.shape[0], -1, statistic.shape[1]
        if op.centred:
            yield from row_means(x.reshape(shape), statistic)
            yield np.subtract, (x.reshape(shape), statistic[:, None], normal.reshape(shape))
            yield from row_means(normal.reshape(shape), statistic)
            yield np.subtract, (normal.reshape(shape), statistic[:, None], normal.reshape(shape))
        elif normal is not x:
            yield np.copyto, (normal, x)
        yield np.multiply, (normal, normal, square)
        yield from row_means(square.reshape(shape), inverse)
        yield np.add, (inverse, scalar(op.eps, x.dtype), inverse)
        yield np.sqrt, (inverse, inverse)
        yield np.divide, (scalar(1, x.dtype), inverse, inverse)
        rows = normal.reshape(shape)
        yield np.multiply, (rows, inverse[:, None], rows)

    def affine(self, normal: Array, a: Arrays) -> Calls:
        assert a.output is not None
        y, value = a.output, a.values[0]
        if "scale" in a.weights:
            yield np.multiply, (normal, along_channels(a.weights["scale"], value), y)
        elif normal is not y:
            yield np.copyto, (y, normal)
        if "shift" in a.weights:
            yield np.add, (y, along_channels(a.weights["shift"], value), y)

    def backward(self, op: RowNorm, a: Arrays) -> Calls:
        """With n the normal and g = dy scale:
        dx = inverse (g - mean(g) - n mean(g n)), the means over the row."""
        dy, dx, value = a.d_output, a.d_inputs[0], a.values[0]
        assert dy is not None
        normal, product, statistic = a.saved["normal"], a.scratch["product"], a.scratch["statistic"]
        shape = statistic.shape[0], -1, statistic.shape[1]
        if "scale" in a.d_weights:
            yield np.multiply, (dy, normal, product)
            yield from summed(product, a.d_weights["scale"], a)
        if "shift" in a.d_weights:
            yield from summed(dy, a.d_weights["shift"], a)
        if dx is None:
            return
        if "scale" in a.weights:
            yield np.multiply, (dy, along_channels(a.weights["scale"], value), dx)
        elif dx is not dy:
            yield np.copyto, (dx, dy)
        rows, products = dx.reshape(shape), product.reshape(shape)
        yield np.multiply, (dx, normal, product)
        yield from row_means(products, statistic)
        yield np.multiply, (normal.reshape(shape), statistic[:, None], products)
        if op.centred:
            yield from row_means(rows, statistic)
            yield np.subtract, (rows, statistic[:, None], rows)
        yield np.subtract, (dx, product, dx)
        yield np.multiply, (rows, a.saved["inverse"][:, None], rows)


def row_means(rows: Array, target: Array) -> Calls:
    """(blocks, numbers, beside) to the mean of each row, (blocks, beside): products with shares,
    faster than sums."""
    shares = filled(1 / rows.shape[1], rows.shape[1], rows.dtype)
    if rows.shape[2] == 1:
        yield rows[..., 0].dot, (shares, target[:, 0])
    else:
        yield np.matmul, (shares, rows, target)


@kernel(LocalResponseNorm)
class LocalResponseNormKernel:
    """y = x base^-beta, with base = k + alpha mean(x² of the neighbours)."""

    def forward(self, op: LocalResponseNorm, a: Arrays) -> Calls:
        yield from self.computed(op, a, a.saved["base"])

    def infer(self, op: LocalResponseNorm, a: Arrays) -> Calls:
        yield from self.computed(op, a, a.scratch["power"])

    def computed(self, op: LocalResponseNorm, a: Arrays, base: Array) -> Calls:
        (x,), y, square, power = a.inputs, a.output, a.scratch["square"], a.scratch["power"]
        yield np.multiply, (x, x, square)
        yield from self.neighbours(op, a, square, base, 1)
        yield np.multiply, (base, scalar(op.alpha / op.size, x.dtype), base)
        yield np.add, (base, scalar(op.k, x.dtype), base)
        yield np.power, (base, scalar(-op.beta, x.dtype), power)
        yield np.multiply, (x, power, y)

    def backward(self, op: LocalResponseNorm, a: Arrays) -> Calls:
        """dx = dy base^-beta - 2 alpha beta / size x sum(dy x base^(-beta - 1)), the sum over all
        channels that see this one."""
        (x,), (dx,), dy, base = a.inputs, a.d_inputs, a.d_output, a.saved["base"]
        if dx is None or dy is None:
            return
        power, ratio, total = a.scratch["power"], a.scratch["ratio"], a.scratch["total"]
        yield np.power, (base, scalar(-op.beta, x.dtype), power)
        yield np.multiply, (dy, power, power)
        yield np.multiply, (power, x, ratio)
        yield np.divide, (ratio, base, ratio)
        yield from self.neighbours(op, a, ratio, total, -1)
        yield np.multiply, (total, x, total)
        yield np.multiply, (total, scalar(2 * op.alpha * op.beta / op.size, x.dtype), total)
        yield np.subtract, (power, total, dx)

    def neighbours(
        self, op: LocalResponseNorm, a: Arrays, source: Array, target: Array, direction: int
    ) -> Calls:
        """target = the sum of the source's channels from size // 2 before to (size - 1) // 2
        behind; with direction -1 the other way round."""
        (value,) = a.values
        axis, channels = value.channel_axis + 1, value.channels
        yield target.fill, (0,)
        for offset in range(-(op.size // 2), (op.size - 1) // 2 + 1):
            shift = offset * direction
            seen, here = max(0, shift), max(0, -shift)
            count = channels - abs(shift)
            if count > 0:
                into = along(target, axis, here, count)
                yield np.add, (into, along(source, axis, seen, count), into)


def along(array: Array, axis: int, first: int, count: int) -> Array:
    """So many of an axis, from the first."""
    return array[(slice(None),) * axis + (slice(first, first + count),)]
