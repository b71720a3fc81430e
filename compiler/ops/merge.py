"""Merges: operators that join branches."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from operator import add, sub
from typing import Any

from pydantic import Field

from ..algebra import Symbol
from ..op import Needed, Needs, Op, Refused, Terms, Trait, Wanted
from ..shape_errors import BadAxis, ShapesDiffer, WrongRank
from ..shapes import Value


class Elementwise(Op):
    """A merge of equal shapes; a vector of length C goes with CxHxW, channel by channel."""

    arity = None
    traits = frozenset({Trait.MERGES})

    def shape(self, *inputs: Value) -> Value:
        whole = max(inputs, key=lambda value: value.rank)
        for value in inputs:
            by_channel = value.rank == 1 and value.size == whole.channels
            if value.shape != whole.shape and not by_channel:
                raise Refused(ShapesDiffer(None, self.name, str(whole), str(value), self.advice()))
        return whole

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "any"

    @classmethod
    def advice(cls) -> str:
        return "branches must agree in shape; `concat` joins along the channels"

    def needs(self, batch: int, *inputs: Value) -> Needs:
        whole = max(inputs, key=lambda value: value.rank)
        product = Needed(whole.batched(batch))
        return Needs(
            scratch_back={"product": product} if self.keeps() else {},
            reads_back=self.keeps(),
        )

    @classmethod
    def keeps(cls) -> frozenset[str]:
        """What backward reads."""
        return frozenset()


class Add(Elementwise):
    """The sum of its branches."""

    name, traits = "add", frozenset({Trait.MERGES, Trait.LINEAR, Trait.SWEEPS})
    source = "He et al. 2015, deep residual learning"
    samples = ("3 -> add[ id | fc3 ]", "2x4x4 -> add[ id | gap | id ]")

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return reduce(add, terms.x)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs(overwrites_back=inputs[0].shape == self.shape(*inputs).shape)


class Sub(Elementwise):
    """The first branch less the others."""

    name, traits = "sub", frozenset({Trait.MERGES, Trait.LINEAR})
    source = "elementwise difference"
    samples = ("3 -> sub[ id | fc3 ]", "2x4x4 -> sub[ gap | id ]")

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return reduce(sub, terms.x)


class Mul(Elementwise):
    """The product of its branches."""

    name = "mul"
    source = "Hu et al. 2017, squeeze-and-excitation"
    samples = ("3 -> mul[ id | fc3 ]", "2x4x4 -> mul[ id | gap fc2 sigmoid ]")

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return m.each(*terms.x)

    @classmethod
    def keeps(cls) -> frozenset[str]:
        return frozenset({"x"})


class Max(Elementwise):
    """The largest of its branches, number by number; a tie belongs to the first."""

    name = "max"
    source = "Goodfellow et al. 2013"
    samples = ("3 -> max[ fc4 | fc4 ]", "2x4x4 -> max[ id | gap ]")

    @classmethod
    def keeps(cls) -> frozenset[str]:
        return frozenset({"x", "y"})

    def needs(self, batch: int, *inputs: Value) -> Needs:
        needs = super().needs(batch, *inputs)
        whole = needs.scratch_back["product"].shape
        masks = {"mask": Needed(whole, "bool"), "free": Needed(whole, "bool")}
        return replace(needs, scratch_back={**needs.scratch_back, **masks})


class Mean(Elementwise):
    """The mean of its branches."""

    name, traits = "mean", frozenset({Trait.MERGES, Trait.LINEAR})
    source = "elementwise mean"
    samples = ("3 -> mean[ id | fc3 ]", "2x4x4 -> mean[ id | gap ]")

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return reduce(add, terms.x) / float(len(terms.x))


class Concat(Op):
    """Its branches one behind the other: along the channels, or along `axis=` (from 0)."""

    name, arity = "concat", None
    traits = frozenset({Trait.MERGES, Trait.LINEAR, Trait.INTEGERS})
    source = "Szegedy et al. 2014, going deeper with convolutions"
    samples = ("3 -> concat[ id | fc2 ]", "2x4x4 -> concat[ id | id ]", "5x3 -> concat[ id | fc2 ]")

    axis: int | None = Field(default=None, ge=0, description="the axis to join")

    def along(self, x: Value) -> int:
        return x.channel_axis if self.axis is None else self.axis

    def shape(self, *inputs: Value) -> Value:
        first = inputs[0]
        axis = self.along(first)
        if axis >= first.rank:
            raise Refused(BadAxis(None, self.name, axis, str(first)))

        def rest(value: Value) -> tuple[int, ...]:
            return value.shape[:axis] + value.shape[axis + 1 :]

        for value in inputs[1:]:
            if value.rank != first.rank or rest(value) != rest(first):
                advice = f"only axis {axis} may differ"
                raise Refused(ShapesDiffer(None, self.name, str(first), str(value), advice))
        joined = sum(value.shape[axis] for value in inputs)
        return replace(
            first,
            shape=(*first.shape[:axis], joined, *first.shape[axis + 1 :]),
            integer=all(value.integer for value in inputs),
        )

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "either" if self.axis is None else "first"

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return m.row(*terms.x) if self.axis is None else self.called(m, terms)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        says = "one behind the other"
        says += " along the channels" if self.axis is None else f" along axis {self.axis}"
        return (m.equals(self.equation(m, terms), None, says),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class MatMul(Op):
    """The matrix product of two branches: `NxK` times `KxM`."""

    name, traits, arity = "matmul", frozenset({Trait.MERGES}), 2
    source = "linear algebra"
    samples = ("3x3 -> matmul[ id | fc3 ]",)

    def shape(self, *inputs: Value) -> Value:
        left, right = inputs
        for value in inputs:
            if value.rank != 2:
                raise Refused(WrongRank(None, self.name, str(value), "two matrices"))
        if left.shape[1] != right.shape[0]:
            advice = "the columns of the first must be the rows of the second"
            raise Refused(ShapesDiffer(None, self.name, str(left), str(right), advice))
        return Value((left.shape[0], right.shape[1]), channels_last=True)

    def macs(self, *inputs: Value) -> int:
        left, right = inputs
        return math.prod((*left.shape, right.shape[1]))

    def macs_formula(self, *inputs: Value) -> str:
        return "·".join(map(str, (*inputs[0].shape, inputs[1].shape[1])))

    def equation(self, m: Any, terms: Terms) -> Symbol:
        left, right = terms.x
        return left @ right

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs(reads_back=frozenset({"x"}), product=self.macs(*inputs))
