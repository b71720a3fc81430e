"""Noise: active in training, the identity at inference."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ..algebra import Symbol
from ..op import BLOCK, Needed, Needs, Op, Share, Terms, Trait, Wanted
from ..shapes import Value


class Dropout(Op):
    """Each number is zeroed with chance p in training and the others are divided by 1 - p."""

    name, places = "dropout", ("p",)
    traits = frozenset({Trait.RANDOM, Trait.HANGS})
    source = "Srivastava et al. 2014; CS231n, neural networks 2, 'inverted dropout'"
    samples = ("3 -> dropout0.5", "2x4x4 -> dropout0.25")

    p: Share = Field(default=0.5, description="chance to be dropped")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "any"

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        kept = m.each(m.name("m"), *terms.x) / (1.0 - self.p)
        says = f"in training, every number of m 0 with chance {self.p:g}, else 1; at inference x"
        return (m.equals(self.called(m, terms), kept, says),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        whole = inputs[0].batched(batch)
        return Needs(
            saved={"kept": Needed(whole)},
            scratch={"mask": Needed(whole, "bool")},
            overwrites=True,
            overwrites_back=True,
        )


class DropPath(Op):
    """A whole example's branch is zeroed with chance p in training, the others divided by 1 - p:
    stochastic depth."""

    name, places = "droppath", ("p",)
    traits = frozenset({Trait.RANDOM, Trait.HANGS})
    source = "Huang et al. 2016, deep networks with stochastic depth"
    samples = ("3 -> add[ fc3 droppath0.1 | id ]", "2x4x4 -> droppath0.2")

    p: Share = Field(default=0.1, description="chance to be dropped")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "either"

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        kept = m.name("m") * terms.x[0] / (1.0 - self.p)
        says = f"in training, m 0 with chance {self.p:g} for each example, else 1; at inference x"
        return (m.equals(self.called(m, terms), kept, says),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        example = (batch, *[1] * inputs[0].rank)
        return Needs(
            saved={"kept": Needed(example)},
            scratch={"mask": Needed(example, "bool")},
            overwrites=True,
            overwrites_back=True,
        )


class Noise(Op):
    """Each number gets normal noise of standard deviation `sd` in training."""

    name, places = "noise", ("sd",)
    traits = frozenset({Trait.RANDOM, Trait.HANGS, Trait.LINEAR})
    source = "Bishop 1995, training with noise is equivalent to Tikhonov regularization"
    samples = ("3 -> noise0.1 fc2", "2x4x4 -> noise(0.5)")

    sd: float = Field(default=0.1, ge=0, le=1e6, description="standard deviation")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "any"

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        says = f"in training, r normal with standard deviation {self.sd:g}; at inference x"
        return (m.equals(self.called(m, terms), terms.x[0] + m.name("r"), says),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs(
            scratch={"drawn": Needed((min(batch * inputs[0].size, BLOCK),))},
            overwrites=True,
            overwrites_back=True,
        )
