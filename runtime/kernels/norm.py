"""Normalisation: statistics in two passes, since one pass loses every digit where the mean is large."""

from __future__ import annotations

import numpy as np

from ...compiler.ops.norm import BatchNorm
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
            return np.array(worth, x.dtype)

        yield from summed(x, average, a)
        yield np.multiply, (average, number(1 / count), average)
        yield np.subtract, (x, wide(average), normal)
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
        yield np.add, (a.state["variance"], np.array(op.eps, x.dtype), spread)
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
        share = np.array(value.channels / dy.size, dy.dtype)
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


def summed(source: Array, target: Array, a: Arrays) -> Calls:
    """Fill `target` with the sum over all but channels: products with ones, four times faster."""
    value = a.values[0]
    rows, places = source.reshape(len(source), -1), value.size // value.channels
    if value.channels_last:
        rows = source.reshape(-1, value.channels)
    elif places > 1:
        rows = a.scratch["sums"]
        yield source.reshape(-1, places).dot, (np.ones(places, source.dtype), rows.reshape(-1))
    yield np.ones(len(rows), source.dtype).dot, (rows, target)
