"""Operators that only move numbers."""

from __future__ import annotations

from ..op import Needs, Op, Trait
from ..shapes import Value


class Flatten(Op):
    """CxHxW to one vector, in memory order."""

    name = "flatten"
    traits = frozenset({Trait.VIEW, Trait.LINEAR})
    source = "CS231n, convolutional networks, 'Converting fully-connected layers'"
    samples = ("2x4x4 -> flatten fc3", "5 -> flatten")

    def shape(self, *inputs: Value) -> Value:
        return Value((inputs[0].size,), integer=inputs[0].integer)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()
