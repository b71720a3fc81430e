"""Operators that only move numbers: some are left out, some zeros are put in."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field

from ..algebra import Symbol
from ..op import Count, Index, Margins, Needs, Op, Refused, Sizes, Terms, Trait
from ..shape_errors import BadAxis, CannotCut, NotDivisible, WrongOrder, WrongRank, WrongTotal
from ..shapes import Value, written
from ..windows import each_axis, spatial_axes


class Moving(Op):
    """An operator whose kernel needs no memory of its own."""

    traits: ClassVar[frozenset[Trait]] = frozenset({Trait.MOVES, Trait.LINEAR, Trait.INTEGERS})

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class Flatten(Moving):
    """CxHxW to one vector, in memory order."""

    name = "flatten"
    traits = Moving.traits | {Trait.VIEW}
    source = "CS231n, convolutional networks, 'Converting fully-connected layers'"
    samples = ("2x4x4 -> flatten fc3", "5 -> flatten")

    def shape(self, *inputs: Value) -> Value:
        return Value((inputs[0].size,), integer=inputs[0].integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        says = "the numbers in memory order as one vector"
        return (m.equals(m.call(self.name, *terms.x), None, says),)


class Reshape(Moving):
    """The same numbers in memory order under another shape of as many."""

    name, places = "reshape", ("sizes",)
    traits = Moving.traits | {Trait.VIEW}
    source = "NumPy, numpy.reshape"
    samples = ("12 -> reshape 3x2x2", "3x2x2 -> reshape 6x2 fc3", "2x6 -> reshape 12")

    sizes: Sizes = Field(description="shape")

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if math.prod(self.sizes) != x.size:
            raise Refused(WrongTotal(None, str(x), x.size, written(self.sizes)))
        return Value.read(self.sizes, integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        says = "the numbers in memory order under another shape"
        return (m.equals(m.call(self.name, *terms.x), None, says),)


class Permute(Moving):
    """The axes in another order: `permute (1, 0)` makes TxD of DxT. Axes count from 0, without
    the batch."""

    name, places = "permute", ("axes",)
    source = "NumPy, numpy.transpose"
    samples = ("3x4 -> permute (1, 0) fc2", "2x3x4 -> permute (2, 0, 1)")

    axes: Margins = Field(description="axes")

    def settings(self, *inputs: Value) -> tuple[str, ...]:
        return tuple(map(str, self.axes))

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if sorted(self.axes) != list(range(x.rank)):
            raise Refused(WrongOrder(None, ", ".join(map(str, self.axes)), str(x), x.rank))
        return Value.read(tuple(x.shape[axis] for axis in self.axes), integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        says = "the axes in another order, counted from 0"
        return (m.equals(m.call(self.name, *terms.x), None, says),)


class Tokens(Moving):
    """CxHxW to (H·W)xC: every place becomes a token, row by row."""

    name = "tokens"
    source = "Dosovitskiy et al. 2020, an image is worth 16x16 words"
    samples = ("3x2x4 -> tokens fc2", "2x5 -> conv3 1 -> tokens")

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if x.rank < 2:
            raise Refused(WrongRank(None, self.name, str(x), "channels and places, as in 3x32x32"))
        return Value((math.prod(x.shape[1:]), x.shape[0]), channels_last=True, integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        moved = m.at(*terms.x, "c", "i")
        return (
            m.equals(m.at(m.call(self.name, *terms.x), "i", "c"), moved, "place i becomes row i"),
        )


class Pad(Moving):
    """Zeros around each map, or whole maps of zeros up to `channels=`, half of them in front."""

    name, places = "pad", ("p",)
    source = "He et al. 2015, deep residual learning, option A"
    samples = ("2x3x3 -> pad1", "2x3x4 -> pad 1x2", "2x3x3 -> pad channels=5", "2x5 -> pad2")

    p: Margins = Field(default=(0,), description="padding")
    channels: Count | None = Field(default=None, description="channels in all")

    def before(self, x: Value) -> tuple[int, ...]:
        """Zeros in front along every axis."""
        more = (self.channels or x.shape[0]) - x.shape[0]
        if more < 0:
            asked, advice = f"fills up to {self.channels} channels", "`slice` takes some of them"
            raise Refused(CannotCut(None, self.name, asked, str(x), advice))
        return more // 2, *each_axis(self.name, x, "padding", self.p)

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        _, *spatial = self.before(x)
        padded = (size + 2 * p for size, p in zip(x.shape[1:], spatial, strict=True))
        return Value((self.channels or x.shape[0], *padded), integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        moved = m.at(*terms.x, "c", "i − p")
        return (
            m.equals(
                m.at(m.call(self.name, *terms.x), "c", "i"),
                moved,
                "p zeros in front; of new channels half stand in front",
            ),
        )


class Crop(Moving):
    """The middle of each map; of an odd rest the larger half is cut off behind."""

    name, places = "crop", ("size",)
    source = "Ronneberger et al. 2015, U-Net"
    samples = ("2x6x6 -> crop4", "2x5x6 -> crop 2x3", "2x9 -> crop4")

    size: Sizes = Field(description="size")

    def before(self, x: Value) -> tuple[int, ...]:
        """Numbers left out in front along every axis."""
        sizes = each_axis(self.name, x, "size", self.size)
        for size, whole in zip(sizes, x.shape[1:], strict=True):
            if size > whole:
                asked, advice = f"keeps {written(self.size)}", "`pad` makes a map larger"
                raise Refused(CannotCut(None, self.name, asked, str(x), advice))
        return 0, *((whole - size) // 2 for size, whole in zip(sizes, x.shape[1:], strict=True))

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        self.before(x)
        sizes = each_axis(self.name, x, "size", self.size)
        return Value((x.shape[0], *sizes), integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        moved = m.at(*terms.x, "c", "i + p")
        return (
            m.equals(
                m.at(m.call(self.name, *terms.x), "c", "i"),
                moved,
                "p: half of what is cut off, rounded down",
            ),
        )


class Slice(Moving):
    """From `start` up to, not including, `stop` along the channels, or along `axis=` (from 0)."""

    name, places = "slice", ("start", "stop")
    source = "NumPy, basic slicing"
    samples = (
        "4x3x3 -> slice 0 2",
        "5x3 -> slice 0 1 axis=0 -> flatten",
        "7 -> slice 1 s2",
        "2x5x4 -> slice 1 4 axis=1",
    )

    start: Index = Field(description="first index")
    stop: Count | None = Field(default=None, description="index to stop before")
    axis: Index | None = Field(default=None, description="the axis to cut")
    s: Count = Field(default=1, description="stride")

    def along(self, x: Value) -> int:
        return x.channel_axis if self.axis is None else self.axis

    def indices(self, x: Value) -> slice:
        """What is kept of the axis."""
        axis = self.along(x)
        if axis >= x.rank:
            raise Refused(BadAxis(None, self.name, axis, str(x)))
        stop = x.shape[axis] if self.stop is None else self.stop
        if not self.start < stop <= x.shape[axis]:
            asked = f"takes {self.start} up to {stop} along axis {axis}"
            advice = "indices count from 0, and the last one named is left out"
            raise Refused(CannotCut(None, self.name, asked, str(x), advice))
        return slice(self.start, stop, self.s)

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        axis, kept = self.along(x), self.indices(x)
        size = len(range(kept.start, kept.stop, kept.step))
        return x.reshaped(*x.shape[:axis], size, *x.shape[axis + 1 :])

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        says = "the entries from the first index up to, not including, the second"
        return (m.equals(m.call(self.name, *terms.x), None, says),)


class PixelShuffle(Moving):
    """Groups of r·r channels become maps r times as high and wide."""

    name, places = "pixelshuffle", ("factor",)
    source = "Shi et al. 2016, real-time single image super-resolution"
    samples = ("8x3x2 -> pixelshuffle2",)

    factor: Count = Field(description="factor")

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if spatial_axes(self.name, x) != 2:
            raise Refused(WrongRank(None, self.name, str(x), "maps, as in 4x8x8"))
        channels, height, width = x.shape
        square = self.factor**2
        if channels % square:
            raise Refused(NotDivisible(None, self.name, "channels", channels, square, "places"))
        larger = height * self.factor, width * self.factor
        return Value((channels // square, *larger), integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        i, j, r = (m.name(letter) for letter in "ijr")
        moved = m.at(*terms.x, "c r r + r (i mod r) + j mod r", m.floor(i / r), m.floor(j / r))
        return (m.equals(m.at(m.call(self.name, *terms.x), "c", "i", "j"), moved, "r: the factor"),)


class ChannelShuffle(Moving):
    """Channels of g groups dealt out in turn: one of each group, then the next of each."""

    name, places = "chshuffle", ("g",)
    source = "Zhang et al. 2017, ShuffleNet"
    samples = ("6x2x2 -> chshuffle3", "6x4 -> conv6 1 -> chshuffle2")

    g: Count = Field(description="groups")

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        spatial_axes(self.name, x)
        if x.shape[0] % self.g:
            found = NotDivisible(None, self.name, "channels", x.shape[0], self.g, "groups")
            raise Refused(found)
        return Value(x.shape, integer=x.integer)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        moved = m.at(*terms.x, "i + j C / g")
        return (
            m.equals(m.at(m.call(self.name, *terms.x), "i g + j"), moved, "C channels in g groups"),
        )
