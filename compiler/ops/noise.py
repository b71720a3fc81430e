"""Noise: active in training, the identity at inference."""

from __future__ import annotations

from pydantic import Field

from ..op import Needed, Needs, Op, Share, Trait
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

    def needs(self, batch: int, *inputs: Value) -> Needs:
        whole = (batch, *inputs[0].shape)
        return Needs(
            saved={"kept": Needed(whole)},
            scratch={"mask": Needed(whole, "bool")},
            overwrites=True,
            overwrites_back=True,
        )
