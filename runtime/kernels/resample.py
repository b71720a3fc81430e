"""Resampling: along each axis a product with a small matrix; repeated numbers are only copied."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ...compiler.ops.resample import AdaptiveAverage, Upsample
from ..constants import table
from . import Array, Arrays, Calls, kernel


def means(size: int, output: int) -> Array:
    """(output, size): place i averages the inputs from ⌊i·size/output⌋ to ⌈(i+1)·size/output⌉."""
    matrix = np.zeros((output, size))
    for i in range(output):
        first, last = i * size // output, -(-(i + 1) * size // output)
        matrix[i, first:last] = 1 / (last - first)
    return matrix


def lines(size: int, output: int) -> Array:
    """(output, size): the centre of place i, drawn on the line between the two nearest inputs."""
    centres = np.maximum((np.arange(output) + 0.5) * size / output - 0.5, 0)
    first = centres.astype(int)
    behind = np.minimum(first + 1, size - 1)
    rows, share = np.arange(output), centres - first
    matrix = np.zeros((output, size))
    np.add.at(matrix, (rows, first), 1 - share)
    np.add.at(matrix, (rows, behind), share)
    return matrix


def along_axes(matrices: list[tuple[int, Array]], x: Array, y: Array, a: Arrays) -> Calls:
    """y = the axes of x named times their matrices, one after another."""
    shape = list(x.shape)
    for i, (axis, matrix) in enumerate(matrices):
        rows = x.reshape(math.prod(shape[:axis]), shape[axis], -1)
        shape[axis] = len(matrix)
        x = y if i == len(matrices) - 1 else a.scratch[f"between{i % 2}"][: math.prod(shape)]
        result = x.reshape(len(rows), len(matrix), -1)
        if rows.shape[2] == 1:
            # One product instead of one for each row.
            yield np.matmul, (rows[..., 0], matrix.T, result[..., 0])
        else:
            yield np.matmul, (matrix, rows, result)


class Resampled:
    """Forward goes from the first axis to the last; backward returns by the same shapes."""

    matrix: Callable[[int, int], Array]

    def forward(self, op: Any, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        yield from along_axes(self.matrices(op, a, y.dtype), x, y, a)

    infer = forward

    def backward(self, op: Any, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        if dx is not None and dy is not None:
            transposed = [
                (axis, matrix.T) for axis, matrix in reversed(self.matrices(op, a, dy.dtype))
            ]
            yield from along_axes(transposed, dy, dx, a)

    def matrices(self, op: Any, a: Arrays, dtype: np.dtype[np.generic]) -> list[tuple[int, Array]]:
        (value,) = a.values
        sizes = zip(value.shape[1:], op.sizes(value), strict=True)
        return [(axis, self.weights(*pair, dtype)) for axis, pair in enumerate(sizes, start=2)]

    def weights(self, size: int, output: int, dtype: np.dtype[np.generic]) -> Array:
        key = type(self).__name__, size, output, dtype.str
        return table(key, lambda: self.matrix(size, output).astype(dtype))


@kernel(AdaptiveAverage)
class AdaptiveAverageKernel(Resampled):
    matrix = staticmethod(means)


@kernel(Upsample)
class BilinearKernel(Resampled):
    matrix = staticmethod(lines)


@kernel(Upsample, "repeat")
class RepeatKernel:
    """Each number stands in a block of its own; its gradient is the sum over the block."""

    def blocks(self, op: Upsample, a: Arrays, y: Array) -> tuple[Array, list[tuple[Any, ...]]]:
        """y split into blocks, and the index of every place in a block."""
        (value,) = a.values
        factors = [new // old for new, old in zip(op.sizes(value), value.shape[1:], strict=True)]
        split = [n for pair in zip(value.shape[1:], factors, strict=True) for n in pair]
        places = [
            (..., *(part for p in place for part in (slice(None), p)))
            for place in product(*map(range, factors))
        ]
        return y.reshape(*y.shape[:2], *split), places

    def forward(self, op: Upsample, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        blocks, places = self.blocks(op, a, y)
        for place in places:
            yield np.copyto, (blocks[place], x)

    infer = forward

    def backward(self, op: Upsample, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        if dx is None or dy is None:
            return
        blocks, (first, *others) = self.blocks(op, a, dy)
        yield np.copyto, (dx, blocks[first])
        for place in others:
            yield np.add, (dx, blocks[place], dx)
