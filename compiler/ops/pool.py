"""Pooling: every channel by itself, one number for each window or for the whole map."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from ...grammar.diagnostics import Mistake
from ..algebra import Symbol
from ..op import BLOCK, Margins, Needed, Needs, Op, Refused, Sizes, Terms, Trait, Wanted
from ..shape_errors import PaddingTooLarge, WrongRank
from ..shapes import Value, Window
from ..windows import slide, unseen

NARROW, NEAR = 64, 3
"""Places of a row, and the largest stride, up to which windows that begin at every place cost less than
those that are meant."""


class Pool(Op):
    """A window slid over each channel; the stride is the window unless written."""

    places = ("k",)
    traits = frozenset({Trait.POOLS})
    takes: ClassVar[Literal["mean", "max"]]
    """What it makes of a window."""

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
        return inputs[0].maps(inputs[0].depth, *(w.output for w in self.windows(inputs[0])))

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,) = terms.x
        place = m.name("s") * m.name("i") + m.name("a") - m.name("p")
        taken = m.over(self.takes, "a", m.at(x, "c", place))
        says = "c: a channel, i: a place, a: a place in the window, s: stride, p: padding"
        says += ", which counts as 0" if self.takes == "mean" else ", which never wins"
        return (m.equals(m.at(m.call(self.name, x), "c", "i"), taken, says),)

    def settings(self, *inputs: Value) -> tuple[str, ...]:
        """The window in full, the stride where it is not the window."""
        windows = self.windows(inputs[0])
        kernel = "×".join(str(w.kernel) for w in windows)
        stride = all(w.stride == w.kernel for w in windows)
        return kernel, *(s for s in super().settings()[1:] if not (stride and s[:1] == "s"))

    def passes(self, x: Value) -> tuple[tuple[int, Window], ...]:
        """The axes of a batch that windows slide along, one after the other: rows of rows first.

        What a window takes is taken of its rows, and then of what these gave.
        """
        axes = tuple((x.first_place + i, w) for i, w in enumerate(self.windows(x)))
        return tuple((i, w) for i, w in axes if w.kernel > 1 or w.output < w.size) or axes[-1:]

    def begins_everywhere(self, x: Value) -> bool:
        """Whether to take what a window at every place would see, and then of that what is meant: all
        numbers lie evenly then, though most of them are for nothing. Not where windows see padding, rows
        of numbers are long as it is, or an image leaves the cache."""
        windows = self.windows(x)
        inside = all(
            w.before == 0 and (w.output - 1) * w.stride + w.reach <= w.size for w in windows
        )
        narrow = x.layout == "first" and x.shape[-1] <= NARROW and x.size <= BLOCK
        near = all(w.stride <= NEAR for w in windows)
        return inside and narrow and near and any(w.kernel > 1 for w in windows)

    def between(self, batch: int, x: Value) -> dict[str, Needed]:
        """What is left after each pass, of so many images at a time as stay in cache: of the last only
        where windows begin everywhere."""
        if self.begins_everywhere(x):
            sweeps = sum(window.kernel > 1 for window in self.windows(x))
            return {"everywhere": Needed((min(2, sweeps), min(batch, BLOCK // x.size), x.size))}
        shape, rooms = [*x.batched(batch)], {}
        for axis, window in self.passes(x)[:-1]:
            shape[axis] = window.output
            rooms[f"along axis {axis}"] = tuple(shape[1:])
        most = max(map(math.prod, rooms.values()), default=1)
        together = max(1, min(shape[0], BLOCK // most))
        return {name: Needed((together, *room)) for name, room in rooms.items()}

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "any"

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        return tuple(w.derivation for w in self.windows(inputs[0]))

    def remarks(self, *inputs: Value) -> tuple[Mistake, ...]:
        return unseen(self.name, self.windows(inputs[0]))


class MaxPool(Pool):
    """The largest number in each window; padding never wins, a tie belongs to the first."""

    name, takes = "maxpool", "max"
    traits = frozenset({Trait.POOLS, Trait.CHOOSES})
    source = "CS231n, convolutional networks, 'Pooling layer'"
    samples = ("2x8x8 -> maxpool2", "2x9x7 -> maxpool3 s2 ceil", "2x8 -> maxpool3 s1 p1")

    def needs(self, batch: int, *inputs: Value) -> Needs:
        output = self.shape(*inputs).batched(batch)
        taps = math.prod(w.kernel for w in self.windows(inputs[0]))
        index = Needed(output, "uint8" if taps <= 255 else "int64")
        mask = Needed(output, "bool")
        return Needs(
            saved={"winner": index},
            scratch={"mask": mask, "index": index},
            scratch_infer=self.between(batch, *inputs),
            scratch_back={"mask": mask, "share": Needed(output)},
        )


class AvgPool(Pool):
    """The mean of each window, padding counted as zeros (as PyTorch does)."""

    name, takes = "avgpool", "mean"
    traits = frozenset({Trait.POOLS, Trait.LINEAR})
    source = "CS231n, convolutional networks, 'General pooling'"
    samples = ("2x8x8 -> avgpool2", "2x9x7 -> avgpool3 s2 ceil", "2x8 -> avgpool3 s1 p1")

    def needs(self, batch: int, *inputs: Value) -> Needs:
        share = Needed(self.shape(*inputs).batched(batch))
        return Needs(scratch=self.between(batch, *inputs), scratch_back={"share": share})


class GlobalAverage(Op):
    """The mean of each channel over all its places: CxHxW to C."""

    name = "gap"
    traits = frozenset({Trait.POOLS, Trait.LINEAR})
    source = "Lin et al. 2013, network in network"
    samples = ("2x4x4 -> gap", "3x5 -> gap")

    def shape(self, *inputs: Value) -> Value:
        return collapsed(self.name, *inputs)

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "any"

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        mean = m.over("mean", "i", m.at(*terms.x, "c", "i"))
        return (m.equals(m.at(self.called(m, terms), "c"), mean, "i: every place of channel c"),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class GlobalMax(Op):
    """The largest number of each channel over all its places: CxHxW to C; a tie belongs to the
    first."""

    name = "gmp"
    traits = frozenset({Trait.POOLS, Trait.CHOOSES})
    source = "Oquab et al. 2015, is object localization for free?"
    samples = ("2x4x4 -> gmp", "3x5 -> gmp")

    def shape(self, *inputs: Value) -> Value:
        return collapsed(self.name, *inputs)

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "either"

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        most = m.over("max", "i", m.at(*terms.x, "c", "i"))
        return (m.equals(m.at(self.called(m, terms), "c"), most, "i: every place of channel c"),)

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
