"""Normalisation: statistics in two passes, since one pass loses every digit where the mean is large.

The first mean is rounded, to a thousandth of the deviation where it is 10,000 times that; what it leaves
behind is the mean of the differences, which is small, so it is known to full precision and taken out too.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
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
    stretches,
)
from ..constants import filled, ones, scalar, table
from . import MEET, Array, Arrays, Calls, kernel
from .activation import along_channels


class Rows:
    """Values as rows that meet a number for each channel: see `Stretches`."""

    def __init__(self, a: Arrays) -> None:
        value, maps = a.values[0], a.d_output if a.inputs[0] is None else a.inputs[0]
        self.cut = stretches(maps.size // value.size, value)
        self.wide = a.scratch["wide"]
        self.scratch = a.scratch

    def of(self, array: Array) -> Array:
        return array.reshape(self.cut.rows, *self.cut.across)

    def blocks(self) -> Iterator[slice]:
        for start in range(0, self.cut.rows, self.cut.high):
            yield slice(start, min(start + self.cut.high, self.cut.rows))

    def stretch(self, block: slice) -> slice:
        """Which of all numbers lie in a block."""
        width = prod(self.cut.across)
        return slice(block.start * width, block.stop * width)

    def spread(self, number: int, vector: Array) -> tuple[Calls, Array]:
        """A number a channel as it meets a row, and the calls that bring it there."""
        if len(self.cut.across) == 2:
            return iter(()), vector[:, None]
        wide = self.wide[number]
        return iter([(np.copyto, (wide.reshape(self.cut.repeats, -1), vector))]), wide

    def add_up(self, number: int, block: slice, rows: Array) -> Calls:
        """The sums of a block, kept for `total`."""
        sums = self.scratch["sums"][number]
        if len(self.cut.across) == 2:
            places = self.cut.across[1]
            yield rows.reshape(-1, places).dot, (ones(places, rows.dtype), sums[block].reshape(-1))
        else:
            yield ones(len(rows), rows.dtype).dot, (rows, sums[block.start // self.cut.high])

    def total(self, share: float, targets: Array) -> Calls:
        """The sums of each channel, the first or both, times `share`."""
        sums = self.scratch["sums"].reshape(2, -1, self.cut.channels)[: len(targets)]
        yield np.matmul, (filled(share, sums.shape[1], sums.dtype), sums, targets)


@kernel(BatchNorm)
class BatchNormKernel:
    """y = scale (x - mean) / sqrt(variance + eps) + shift, channel by channel.

    Each lane takes its own mean out of its examples and tells the others its moments (Chan, Golub and
    LeVeque 1983, algorithms for computing the sample variance); what a lane's mean is off by, its
    `offset`, is taken out together with the scaling.
    """

    def forward(self, op: BatchNorm, a: Arrays) -> Calls:
        (x,), y, rows = a.inputs, a.output, Rows(a)
        assert y is not None
        yield from self.centre(rows, x, a)
        _, rest, squares = a.shared["moments"][a.lane]
        yield np.multiply, (rest, rest, a.scratch["first"])
        yield np.subtract, (squares, a.scratch["first"], squares)
        yield MEET
        yield from self._gather(op, a)
        first, second = a.scratch["first"], a.scratch["second"]
        yield np.multiply, (a.weights["scale"], a.saved["inverse"], first)
        yield np.multiply, (first, a.saved["offset"], second)
        yield np.subtract, (a.weights["shift"], second, second)
        yield from self.scale(rows, y, first, second, a)

    def centre(self, rows: Rows, x: Array, a: Arrays) -> Calls:
        """centred = x less its mean, and this lane's moments: the mean, that of what is left, and that
        of its squares."""
        moments = a.shared["moments"][a.lane]
        share = a.values[0].channels / x.size
        given, centred = rows.of(x), rows.of(a.saved["centred"])
        for block in rows.blocks():
            yield from rows.add_up(0, block, given[block])
        yield from rows.total(share, moments[:1])
        calls, wide = rows.spread(0, moments[0])
        yield from calls
        for block in rows.blocks():
            part = centred[block]
            square = a.scratch["product"][: len(part)]
            yield np.subtract, (given[block], wide, part)
            yield np.multiply, (part, part, square)
            yield from rows.add_up(0, block, part)
            yield from rows.add_up(1, block, square)
        yield from rows.total(share, moments[1:])

    def scale(self, rows: Rows, y: Array, factor: Array, summand: Array, a: Arrays) -> Calls:
        """y = centred factor + summand."""
        (one, factor), (two, summand) = rows.spread(0, factor), rows.spread(1, summand)
        yield from (*one, *two)
        centred, made = rows.of(a.saved["centred"]), rows.of(y)
        for block in rows.blocks():
            yield np.multiply, (centred[block], factor, made[block])
            yield np.add, (made[block], summand, made[block])
            yield from a.behind.finish(made[block])

    def _gather(self, op: BatchNorm, a: Arrays) -> Calls:
        """Mean and variance over all lanes, this lane's `offset` and `inverse`; the first lane moves
        the running statistics."""
        mean, distance, square = (a.scratch[name] for name in ("first", "second", "third"))
        offset, inverse = a.saved["offset"], a.saved["inverse"]
        dtype, examples, moments = mean.dtype, sum(a.lanes), a.shared["moments"]
        # All means are taken from the first lane's, for of large numbers only differences are precise.
        origin, own = moments[0, 0], moments[a.lane, 0]
        variance = inverse
        yield np.copyto, (mean, moments[0, 1])
        # `dot` would copy what is not in one piece.
        yield np.matmul, (parts(a.lanes, dtype), moments[:, 2], variance)
        for lane in range(1, len(a.lanes)):
            so_far, more = sum(a.lanes[:lane]), a.lanes[lane]
            yield np.subtract, (moments[lane, 0], origin, distance)
            yield np.add, (distance, moments[lane, 1], distance)
            yield np.subtract, (distance, mean, distance)
            yield np.multiply, (distance, scalar(more / (so_far + more), dtype), square)
            yield np.add, (mean, square, mean)
            yield np.multiply, (distance, distance, square)
            weight = so_far * more / (so_far + more) / examples
            yield np.multiply, (square, scalar(weight, dtype), square)
            yield np.add, (variance, square, variance)
        yield np.subtract, (origin, own, offset)
        yield np.add, (offset, mean, offset)
        if a.lane == 0:
            yield np.add, (mean, origin, mean)
            yield from self._run(op, a, mean, variance)
        yield np.add, (variance, scalar(op.eps, dtype), inverse)
        yield np.sqrt, (inverse, inverse)
        yield np.divide, (scalar(1, dtype), inverse, inverse)

    def _run(self, op: BatchNorm, a: Arrays, mean: Array, variance: Array) -> Calls:
        """The running statistics move by `momentum`, the variance unbiased."""
        value, step, dtype = a.values[0], a.scratch["second"], mean.dtype
        count = sum(a.lanes) * value.size // value.channels
        unbiased = count / (count - 1) if count > 1 else 1.0
        for name, newest, factor in (("mean", mean, 1.0), ("variance", variance, unbiased)):
            running = a.state[name]
            yield np.multiply, (running, scalar(1 - op.momentum, dtype), running)
            yield np.multiply, (newest, scalar(op.momentum * factor, dtype), step)
            yield np.add, (running, step, running)

    def infer(self, op: BatchNorm, a: Arrays) -> Calls:
        (x,), y, rows = a.inputs, a.output, Rows(a)
        assert y is not None
        yield from factored(a.weights["scale"], a.state["variance"], op.eps, a.scratch["first"])
        yield from self.move(
            rows, x, y, (a.state["mean"], a.scratch["first"], a.weights["shift"]), a
        )

    def move(
        self, rows: Rows, x: Array, y: Array, by: tuple[Array, Array, Array], a: Arrays
    ) -> Calls:
        """y = (x - mean) factor + shift."""
        (one, mean), (two, factor), (three, shift) = (
            rows.spread(number, vector) for number, vector in enumerate(by)
        )
        yield from (*one, *two, *three)
        given, made = rows.of(x), rows.of(y)
        for block in rows.blocks():
            yield np.subtract, (given[block], mean, made[block])
            yield np.multiply, (made[block], factor, made[block])
            yield np.add, (made[block], shift, made[block])
            yield from a.behind.finish(made[block])

    def backward(self, op: BatchNorm, a: Arrays) -> Calls:
        """With n = (x - mean) inverse: dscale = sum dy n, dshift = sum dy,
        dx = scale inverse (dy - dshift / count - n dscale / count), the sums over all lanes."""
        dy, (dx,), rows = a.d_output, a.d_inputs, Rows(a)
        assert dy is not None
        offset, inverse = a.saved["offset"], a.saved["inverse"]
        slopes, first, both = a.shared["slopes"], a.scratch["first"], a.scratch["both"]
        d_shift, d_scale = slopes[a.lane]
        yield from self.add_up(rows, dy, a)
        yield np.multiply, (offset, d_shift, first)
        yield np.subtract, (d_scale, first, d_scale)
        yield np.multiply, (d_scale, inverse, d_scale)
        yield np.copyto, (a.d_weights["shift"], d_shift)
        yield np.copyto, (a.d_weights["scale"], d_scale)
        if dx is None:
            return
        yield MEET
        # dx = first dy - second centred + third
        second, third = both
        share = a.values[0].channels / (a.values[0].size * sum(a.lanes))
        means = filled(share, len(slopes), dy.dtype)
        yield means.dot, (slopes.reshape(len(slopes), -1), both.reshape(-1))
        yield np.multiply, (a.weights["scale"], inverse, first)
        yield np.multiply, (both, first, both)
        yield np.multiply, (third, inverse, third)
        wide = a.scratch["wide"][2, : offset.size]
        yield np.multiply, (third, offset, wide)
        yield np.subtract, (wide, second, second)
        yield from self.combine(rows, dy, dx, (first, third, second), a)

    def add_up(self, rows: Rows, dy: Array, a: Arrays) -> Calls:
        """This lane's slopes: the sums of dy and of dy centred."""
        given, centred = rows.of(dy), rows.of(a.saved["centred"])
        for block in rows.blocks():
            part = a.scratch["product"][: block.stop - block.start]
            yield from a.behind.ready(rows.stretch(block))
            yield np.multiply, (given[block], centred[block], part)
            yield from rows.add_up(0, block, given[block])
            yield from rows.add_up(1, block, part)
        yield from rows.total(1.0, a.shared["slopes"][a.lane])

    def combine(
        self, rows: Rows, dy: Array, dx: Array, by: tuple[Array, Array, Array], a: Arrays
    ) -> Calls:
        """dx = dy factor - centred slope + summand."""
        (one, factor), (two, slope), (three, summand) = (
            rows.spread(number, vector) for number, vector in enumerate(by)
        )
        yield from (*one, *two, *three)
        given, centred, made = rows.of(dy), rows.of(a.saved["centred"]), rows.of(dx)
        for block in rows.blocks():
            part = a.scratch["product"][: block.stop - block.start]
            yield np.multiply, (centred[block], slope, part)
            yield np.multiply, (given[block], factor, made[block])
            yield np.subtract, (made[block], part, made[block])
            yield np.add, (made[block], summand, made[block])


def parts(lanes: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """What part of the batch each lane has."""

    def make() -> Array:
        return np.array([examples / sum(lanes) for examples in lanes], dtype)

    return table(("shares", lanes, dtype.str), make)


def factored(scale: Array, variance: Array, eps: float, factor: Array) -> Calls:
    """factor = scale / sqrt(variance + eps)."""
    yield np.add, (variance, scalar(eps, factor.dtype), factor)
    yield np.sqrt, (factor, factor)
    yield np.divide, (scale, factor, factor)


@kernel(BatchNorm, "frozen")
class FrozenBatchNormKernel(BatchNormKernel):
    """y = scale (x - mean) / sqrt(variance + eps) + shift by the running statistics, which stay."""

    forward = BatchNormKernel.infer

    def backward(self, op: BatchNorm, a: Arrays) -> Calls:
        """dx = dy scale / sqrt(variance + eps)."""
        (dx,), dy, rows = a.d_inputs, a.d_output, Rows(a)
        assert dy is not None
        yield from factored(a.weights["scale"], a.state["variance"], op.eps, a.scratch["first"])
        calls, factor = rows.spread(0, a.scratch["first"])
        yield from calls
        if dx is not None:
            yield np.multiply, (rows.of(dy), factor, rows.of(dx))


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
