"""Pooling: every channel by itself, one number for each window or for the whole map."""

from __future__ import annotations

import math

from pydantic import Field

from ...grammar.diagnostics import Mistake
from ..op import Margins, Needed, Needs, Op, Refused, Sizes, Trait
from ..shape_errors import PaddingTooLarge, WrongRank
from ..shapes import Value, Window
from ..windows import slide, unseen


class Pool(Op):
    """A window slid over each channel; the stride is the window unless written."""

    places = ("k",)
    traits = frozenset({Trait.POOLS})

    k: Sizes = Field(description="window")
    s: Sizes | None = Field(default=None, description="stride")
    p: Margins = Field(default=(0,), description="padding")
    same: bool = Field(default=False, description="pad so that ceil(size / stride) remain")
    ceil: bool = Field(default=False, description="round the output size up")

    def windows(self, x: Value) -> tuple[Window, ...]:
        stride = self.k if self.s is None else self.s
        windows = slide(self.name, x, self.k, stride, self.p, same=self.same, ceil=self.ceil)
        for window in windows:
            if not self.same and window.before > window.kernel // 2:
                raise Refused(PaddingTooLarge(None, self.name, window.before, window.kernel))
        return windows

    def shape(self, *inputs: Value) -> Value:
        return Value((inputs[0].shape[0], *(w.output for w in self.windows(inputs[0]))))

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        return tuple(w.derivation for w in self.windows(inputs[0]))

    def remarks(self, *inputs: Value) -> tuple[Mistake, ...]:
        return unseen(self.name, self.windows(inputs[0]))


class MaxPool(Pool):
    """The largest number in each window; padding never wins, a tie belongs to the first."""

    name = "maxpool"
    source = "CS231n, convolutional networks, 'Pooling layer'"
    samples = ("2x8x8 -> maxpool2", "2x9x7 -> maxpool3 s2 ceil", "2x8 -> maxpool3 s1 p1")

    def needs(self, batch: int, *inputs: Value) -> Needs:
        output = (batch, *self.shape(*inputs).shape)
        taps = math.prod(w.kernel for w in self.windows(inputs[0]))
        index = Needed(output, "uint8" if taps <= 255 else "int64")
        mask = Needed(output, "bool")
        return Needs(
            saved={"winner": index},
            scratch={"mask": mask, "index": index},
            scratch_back={"mask": mask, "share": Needed(output)},
        )


class AvgPool(Pool):
    """The mean of each window, padding counted as zeros (as PyTorch does)."""

    name = "avgpool"
    traits = frozenset({Trait.POOLS, Trait.LINEAR})
    source = "CS231n, convolutional networks, 'General pooling'"
    samples = ("2x8x8 -> avgpool2", "2x9x7 -> avgpool3 s2 ceil", "2x8 -> avgpool3 s1 p1")

    def needs(self, batch: int, *inputs: Value) -> Needs:
        share = Needed((batch, *self.shape(*inputs).shape))
        return Needs(scratch_back={"share": share})


class GlobalAverage(Op):
    """The mean of each channel over all its places: CxHxW to C."""

    name = "gap"
    traits = frozenset({Trait.POOLS, Trait.LINEAR})
    source = "Lin et al. 2013, network in network"
    samples = ("2x4x4 -> gap", "3x5 -> gap")

    def shape(self, *inputs: Value) -> Value:
        return collapsed(self.name, *inputs)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class GlobalMax(Op):
    """The largest number of each channel over all its places: CxHxW to C; a tie belongs to the
    first."""

    name = "gmp"
    traits = frozenset({Trait.POOLS})
    source = "Oquab et al. 2015, is object localization for free?"
    samples = ("2x4x4 -> gmp", "3x5 -> gmp")

    def shape(self, *inputs: Value) -> Value:
        return collapsed(self.name, *inputs)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        rows = {"rows": Needed((batch, x.channels, x.size // x.channels))}
        return Needs(
            saved={"winner": Needed((batch, x.channels), "int64")},
            scratch={
                **(rows if x.channels_last else {}),
                "index": Needed((batch, x.channels), "int64"),
            },
        )


def collapsed(operator: str, x: Value) -> Value:
    """The channels alone, of a value that has places too; raises `Refused`."""
    if x.rank < 2:
        raise Refused(WrongRank(None, operator, str(x), "channels and places, as in 3x32x32"))
    return Value((x.channels,))
