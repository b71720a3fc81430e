"""Moved numbers: a kernel says where they are taken from and where they are put, as two views of
one shape; forward copies along, backward copies back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...compiler.ops import shape as ops
from ...compiler.shapes import Value
from . import Array, Arrays, Calls, kernel


class Moved:
    """Zeros stand where nothing is put, and in the gradient where nothing was taken."""

    def taken(self, op: Any, value: Value, x: Array) -> Array:
        return x

    def put(self, op: Any, value: Value, y: Array) -> Array:
        return y

    def forward(self, op: Any, a: Arrays) -> Calls:
        (x,), y, (value,) = a.inputs, a.output, a.values
        assert y is not None
        yield from copied(self.taken(op, value, x), self.put(op, value, y), y)

    infer = forward

    def backward(self, op: Any, a: Arrays) -> Calls:
        (dx,), dy, (value,) = a.d_inputs, a.d_output, a.values
        if dx is not None and dy is not None:
            yield from copied(self.put(op, value, dy), self.taken(op, value, dx), dx)


def copied(source: Array, target: Array, whole: Array) -> Calls:
    """Fill `whole` with what `source` holds where `target` is, and zeros elsewhere."""
    if target.size < whole.size:
        yield whole.fill, (0,)
    yield np.copyto, (target, source)


@kernel(ops.Permute)
class PermuteKernel(Moved):
    def taken(self, op: ops.Permute, value: Value, x: Array) -> Array:
        return x.transpose(0, *(axis + 1 for axis in op.axes))


@kernel(ops.Tokens)
class TokensKernel(Moved):
    def taken(self, op: ops.Tokens, value: Value, x: Array) -> Array:
        return x.reshape(*x.shape[:2], -1).swapaxes(1, 2)


@kernel(ops.Pad)
class PadKernel(Moved):
    def put(self, op: ops.Pad, value: Value, y: Array) -> Array:
        return y[middle(op.before(value), value.shape)]


@kernel(ops.Crop)
class CropKernel(Moved):
    def taken(self, op: ops.Crop, value: Value, x: Array) -> Array:
        return x[middle(op.before(value), op.shape(value).shape)]


def middle(before: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[slice, ...]:
    """The index of a block of `sizes`, behind so many numbers along each axis."""
    places = (slice(b, b + size) for b, size in zip(before, sizes, strict=True))
    return slice(None), *places


@kernel(ops.Slice)
class SliceKernel(Moved):
    def taken(self, op: ops.Slice, value: Value, x: Array) -> Array:
        return x[(slice(None),) * (op.along(value) + 1) + (op.indices(value),)]


@kernel(ops.PixelShuffle)
class PixelShuffleKernel(Moved):
    def taken(self, op: ops.PixelShuffle, value: Value, x: Array) -> Array:
        batch, _, height, width = x.shape
        split = x.reshape(batch, -1, op.factor, op.factor, height, width)
        return split.transpose(0, 1, 4, 2, 5, 3)

    def put(self, op: ops.PixelShuffle, value: Value, y: Array) -> Array:
        _, height, width = value.shape
        return y.reshape(*y.shape[:2], height, op.factor, width, op.factor)


@kernel(ops.ChannelShuffle)
class ChannelShuffleKernel(Moved):
    def taken(self, op: ops.ChannelShuffle, value: Value, x: Array) -> Array:
        return x.reshape(len(x), op.g, value.shape[0] // op.g, -1).swapaxes(1, 2)

    def put(self, op: ops.ChannelShuffle, value: Value, y: Array) -> Array:
        return y.reshape(len(y), value.shape[0] // op.g, op.g, -1)
