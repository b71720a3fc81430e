"""Learned numbers that are multiplied, added or put in front, and nothing else."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ..algebra import Symbol
from ..op import Initialiser, Needed, Needs, Op, Refused, Terms, Trait, Weight
from ..shape_errors import WrongRank
from ..shapes import Value

TABLE = Initialiser(word="normal", scale=0.02)
"""How learned positions and tokens begin (Vaswani et al. 2017 and its followers)."""


class Scale(Op):
    """Each channel times a learned number, which begins at `start`."""

    name, places = "scale", ("start",)
    traits = frozenset({Trait.HANGS, Trait.LINEAR})
    letters = {"scale": ("λ", "")}
    implied = frozenset({"start"})
    source = "Touvron et al. 2021, going deeper with image transformers, LayerScale"
    samples = ("3 -> scale", "2x4x4 -> scale0.1", "5x3 -> scale1e-6")

    start: float = Field(default=1.0, ge=-1e6, le=1e6, description="first value")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        return (Weight("scale", (inputs[0].channels,), constant=self.start),)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return m.each(terms.weights["scale"], *terms.x)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        sums = {} if x.channels_last or x.rank == 1 else {"sums": Needed((batch, x.channels))}
        return Needs(
            scratch_back={"product": Needed((batch, *x.shape)), **sums},
            reads_back=frozenset({"x", "scale"}),
            to_learn=frozenset({"x", "product", "sums"}),
        )


class Shift(Op):
    """A learned number added to each channel; it begins at 0."""

    name = "shift"
    traits = frozenset({Trait.HANGS, Trait.LINEAR})
    letters = {"shift": ("δ", "")}
    source = "CS231n, linear classification, 'Bias trick'"
    samples = ("3 -> shift", "2x4x4 -> shift", "5x3 -> shift")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        return (Weight("shift", (inputs[0].channels,), constant=0.0),)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return terms.x[0] + terms.weights["shift"]

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        sums = {} if x.channels_last or x.rank == 1 else {"sums": Needed((batch, x.channels))}
        return Needs(
            scratch_back=sums,
            overwrites=True,
            overwrites_back=True,
            to_learn=frozenset({"sums"}),
        )


class Positions(Op):
    """A learned table of the value's own shape, added to it."""

    name = "pos"
    traits = frozenset({Trait.HANGS, Trait.LINEAR})
    letters = {"weight": ("P", "")}
    source = "Vaswani et al. 2017, section 3.5; Dosovitskiy et al. 2020"
    samples = ("5x3 -> pos", "2x4x4 -> pos")

    init: Initialiser = TABLE

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        size = inputs[0].size
        return (Weight("weight", inputs[0].shape, size, size, factors=inputs[0].shape),)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return terms.x[0] + terms.weights["weight"]

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs(overwrites=True, overwrites_back=True)


class ClassToken(Op):
    """A learned token before TxD: (T + 1)xD."""

    name = "cls"
    traits = frozenset({Trait.LINEAR})
    letters = {"weight": ("e", "")}
    source = "Devlin et al. 2018, BERT; Dosovitskiy et al. 2020"
    samples = ("5x3 -> cls", "3x2x2 -> tokens -> cls")

    init: Initialiser = TABLE

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if not x.channels_last:
            raise Refused(WrongRank(None, self.name, str(x), "steps and features, as in 128x768"))
        return x.reshaped(x.shape[0] + 1, x.shape[1])

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        width = inputs[0].shape[1]
        return (Weight("weight", (width,), width, width),)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return m.column(terms.weights["weight"], *terms.x)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()
