"""Normalisation."""

from __future__ import annotations

from pydantic import Field

from ..op import Needed, Needs, Op, Trait, Weight
from ..shapes import Value


class BatchNorm(Op):
    """Each channel to mean 0 and variance 1 over the batch, then scaled and shifted as learned.

    In training by the batch's own mean and (biased) variance; at inference by running ones, which
    move by `momentum` a step, the variance unbiased.
    """

    name = "bn"
    traits = frozenset({Trait.NORMALISES, Trait.HANGS})
    source = "Ioffe and Szegedy 2015"
    samples = ("3 -> bn", "2x4x4 -> bn", "5x3 -> bn")

    eps: float = Field(default=1e-5, gt=0, description="added to the variance")
    momentum: float = Field(default=0.1, gt=0, le=1, description="weight of the newest batch")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        c = inputs[0].channels
        return Weight("scale", (c,), constant=1.0), Weight("shift", (c,), constant=0.0)

    def state(self, *inputs: Value) -> tuple[Weight, ...]:
        c = inputs[0].channels
        return Weight("mean", (c,), constant=0.0), Weight("variance", (c,), constant=1.0)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        x = inputs[0]
        whole, channel = Needed((batch, *x.shape)), Needed((x.channels,))
        sums = {} if x.channels_last or x.rank == 1 else {"sums": Needed((batch, x.channels))}
        return Needs(
            saved={"normal": whole, "inverse": channel},
            scratch={"square": whole, "average": channel, "spread": channel, **sums},
            scratch_back={"product": whole, "first": channel, "second": channel, **sums},
            reads_back=frozenset({"scale"}),
            overwrites=True,
            overwrites_back=True,
        )
