"""Learned numbers, multiplied, added or put in front."""

from __future__ import annotations

import numpy as np

from ...compiler.ops.learned import ClassToken, Positions, Scale, Shift
from ..constants import ones
from . import Array, Arrays, Calls, kernel
from .activation import along_channels
from .norm import summed


@kernel(Scale)
class ScaleKernel:
    def forward(self, op: Scale, a: Arrays) -> Calls:
        wide = along_channels(a.weights["scale"], a.values[0])
        yield np.multiply, (a.inputs[0], wide, a.output)

    infer = forward

    def backward(self, op: Scale, a: Arrays) -> Calls:
        """dscale = the sum of dy x over all but channels, dx = dy scale."""
        (x,), (dx,), dy = a.inputs, a.d_inputs, a.d_output
        if "scale" in a.d_weights:
            yield np.multiply, (dy, x, a.scratch["product"])
            yield from summed(a.scratch["product"], a.d_weights["scale"], a)
        if dx is not None:
            yield np.multiply, (dy, along_channels(a.weights["scale"], a.values[0]), dx)


class Added:
    """What is added learns from the output's gradient, which the input gets as it is."""

    def pass_on(self, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        if dx is not None and dx is not dy:
            yield np.copyto, (dx, dy)


@kernel(Shift)
class ShiftKernel(Added):
    def forward(self, op: Shift, a: Arrays) -> Calls:
        yield np.add, (a.inputs[0], along_channels(a.weights["shift"], a.values[0]), a.output)

    infer = forward

    def backward(self, op: Shift, a: Arrays) -> Calls:
        assert a.d_output is not None
        if "shift" in a.d_weights:
            yield from summed(a.d_output, a.d_weights["shift"], a)
        yield from self.pass_on(a)


@kernel(Positions)
class PositionsKernel(Added):
    def forward(self, op: Positions, a: Arrays) -> Calls:
        yield np.add, (a.inputs[0], a.weights["weight"], a.output)

    infer = forward

    def backward(self, op: Positions, a: Arrays) -> Calls:
        assert a.d_output is not None
        if "weight" in a.d_weights:
            yield from over_examples(a.d_output, a.d_weights["weight"])
        yield from self.pass_on(a)


@kernel(ClassToken)
class ClassTokenKernel:
    def forward(self, op: ClassToken, a: Arrays) -> Calls:
        assert a.output is not None
        yield np.copyto, (a.output[:, 0], a.weights["weight"])
        yield np.copyto, (a.output[:, 1:], a.inputs[0])

    infer = forward

    def backward(self, op: ClassToken, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        assert dy is not None
        if "weight" in a.d_weights:
            yield np.add.reduce, (dy[:, 0], 0, None, a.d_weights["weight"])
        if dx is not None:
            yield np.copyto, (dx, dy[:, 1:])


def over_examples(source: Array, target: Array) -> Calls:
    """Fill `target` with the sum over the batch: a product with ones."""
    rows = source.reshape(len(source), -1)
    yield ones(len(rows), source.dtype).dot, (rows, target.reshape(-1))
