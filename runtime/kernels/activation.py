"""Activations that are no plain law: one number a channel, or a sum over channels."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...compiler.ops.activation import LogSoftmax, PRelu, Softmax
from ...compiler.shapes import Value
from ..constants import scalar
from . import Array, Arrays, Calls, kernel
from .bounds import bounded, maximum, minimum


def along_channels(weight: Array, value: Value) -> Array:
    """A vector of C numbers as a view that broadcasts over a batch of `value`."""
    shape = [1] * (value.rank + 1)
    shape[value.channel_axis + 1] = -1
    return weight.reshape(shape)


@kernel(PRelu)
class PReluKernel:
    """max(x, 0) + a min(x, 0), a learned for each channel."""

    def forward(self, op: PRelu, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), y, below = a.inputs, a.output, a.scratch["below"]
        slope = along_channels(a.weights["slope"], a.values[0])
        yield from bounded(minimum, x, 0.0, below)
        yield np.multiply, (below, slope, below)
        yield from bounded(maximum, x, 0.0, y)
        yield np.add, (y, below, y)

    infer = forward

    def backward(self, op: PRelu, a: Arrays) -> Calls:
        """da = the sum of dy min(x, 0) over all but channels; dx = dy where x > 0, else a dy."""
        (x,), dy, below, mask = a.inputs, a.d_output, a.scratch["below"], a.scratch["mask"]
        assert dy is not None
        value = a.values[0]
        axes = tuple(i for i in range(x.ndim) if i != value.channel_axis + 1)
        slope = along_channels(a.weights["slope"], value)
        if "slope" in a.d_weights:
            yield from bounded(minimum, x, 0.0, below)
            yield np.multiply, (below, dy, below)
            yield partial(np.add.reduce, below, axis=axes, out=a.d_weights["slope"]), ()
        if a.d_inputs[0] is not None:
            dx = a.d_inputs[0]
            yield np.greater, (x, scalar(0, x.dtype), mask)
            yield np.copyto, (below, mask)
            yield np.multiply, (dy, below, below)
            yield np.logical_not, (mask, mask)
            yield np.copyto, (dx, mask)
            yield np.multiply, (dy, dx, dx)
            yield np.multiply, (dx, slope, dx)
            yield np.add, (dx, below, dx)


@kernel(Softmax)
class SoftmaxKernel:
    """exp(x - max) over its sum, along the channels."""

    def forward(self, op: Softmax, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), y, row = a.inputs, a.output, a.scratch["row"]
        axis = a.values[0].channel_axis + 1
        yield partial(np.maximum.reduce, x, axis=axis, keepdims=True, out=row), ()
        yield np.subtract, (x, row, y)
        yield np.exp, (y, y)
        yield partial(np.add.reduce, y, axis=axis, keepdims=True, out=row), ()
        yield np.divide, (y, row, y)

    infer = forward

    def backward(self, op: Softmax, a: Arrays) -> Calls:
        """dx = y (dy - sum(y dy))."""
        (dx,), y, dy = a.d_inputs, a.output, a.d_output
        if dx is None:
            return
        product, row = a.scratch["product"], a.scratch["row"]
        axis = a.values[0].channel_axis + 1
        yield np.multiply, (y, dy, product)
        yield partial(np.add.reduce, product, axis=axis, keepdims=True, out=row), ()
        yield np.subtract, (dy, row, dx)
        yield np.multiply, (dx, y, dx)


@kernel(LogSoftmax)
class LogSoftmaxKernel:
    """x - max less the log of the sum of exp(x - max), along the channels."""

    def forward(self, op: LogSoftmax, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), y, row, exponentials = a.inputs, a.output, a.scratch["row"], a.scratch["exponentials"]
        axis = a.values[0].channel_axis + 1
        yield partial(np.maximum.reduce, x, axis=axis, keepdims=True, out=row), ()
        yield np.subtract, (x, row, y)
        yield np.exp, (y, exponentials)
        yield partial(np.add.reduce, exponentials, axis=axis, keepdims=True, out=row), ()
        yield np.log, (row, row)
        yield np.subtract, (y, row, y)

    infer = forward

    def backward(self, op: LogSoftmax, a: Arrays) -> Calls:
        """dx = dy - exp(y) sum(dy)."""
        (dx,), dy, row, exponentials = (
            a.d_inputs, a.d_output, a.scratch["row"], a.scratch["exponentials"],
        )  # fmt: skip
        if dx is None:
            return
        axis = a.values[0].channel_axis + 1
        yield partial(np.add.reduce, dy, axis=axis, keepdims=True, out=row), ()
        yield np.exp, (a.output, exponentials)
        yield np.multiply, (exponentials, row, exponentials)
        yield np.subtract, (dy, exponentials, dx)
