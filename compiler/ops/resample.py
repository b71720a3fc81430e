"""Maps brought to another size, every channel by itself."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from ..algebra import Symbol
from ..op import Needed, Needs, Op, Sizes, Terms, Trait
from ..shapes import Value
from ..windows import each_axis


class Resampling(Op):
    """Separable and linear: along each axis a matrix of its own, one axis after another."""

    traits = frozenset({Trait.POOLS, Trait.LINEAR})

    def sizes(self, x: Value) -> tuple[int, ...]:
        """The output's size along each spatial axis."""
        raise NotImplementedError(f"operator {self.name} has no sizes")

    def shape(self, *inputs: Value) -> Value:
        return Value((inputs[0].shape[0], *self.sizes(inputs[0])))

    def needs(self, batch: int, *inputs: Value) -> Needs:
        """Two arrays to go to and fro between, each as large as any result on the way."""
        (x,) = inputs
        shape, largest = list(x.shape), 0
        for axis, size in enumerate(self.sizes(x)[:-1], start=1):
            shape[axis] = size
            largest = max(largest, math.prod(shape))
        between = {f"between{i}": Needed((batch * largest,)) for i in range(min(2, len(shape) - 2))}
        return Needs(scratch=between, scratch_back=between)


class Upsample(Resampling):
    """Maps `factor` times as large: each number repeated, or with `bilinear` drawn between its
    neighbours (linear along each axis; the centres of the outer pixels stay half a pixel in)."""

    name, places = "upsample", ("factor",)
    source = "PyTorch, torch.nn.Upsample, align_corners=False"
    samples = ("2x3x3 -> upsample2", "2x3x4 -> upsample 2x3 bilinear", "2x5 -> upsample2 bilinear")

    factor: Sizes = Field(description="factor")
    bilinear: bool = Field(default=False, description="draw between neighbours")

    def sizes(self, x: Value) -> tuple[int, ...]:
        factors = each_axis(self.name, x, "factor", self.factor)
        return tuple(size * factor for size, factor in zip(x.shape[1:], factors, strict=True))

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        if self.bilinear:
            result = m.call(self.name, *terms.x, settings=("bilinear",))
            return (
                m.equals(result, None, "each map larger by the factor, linear along each axis"),
            )
        result = m.call(self.name, *terms.x)
        nearest = m.at(*terms.x, "c", m.floor(m.name("i") / m.name("f")))
        return (m.equals(m.at(result, "c", "i"), nearest, "f: the factor"),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return (
            super().needs(batch, *inputs)
            if self.bilinear
            else Needs(algorithm="repeat", why="each place several times")
        )


class AdaptiveAverage(Resampling):
    """Maps of a given size, each place the mean of its share of the input (shares may overlap)."""

    name, places = "apool", ("size",)
    source = "PyTorch, torch.nn.AdaptiveAvgPool2d"
    samples = ("2x7x7 -> apool3", "2x5x6 -> apool 2x3", "2x9 -> apool4", "2x2x2 -> apool3")

    size: Sizes = Field(description="output size")

    def sizes(self, x: Value) -> tuple[int, ...]:
        return each_axis(self.name, x, "size", self.size)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        mean = m.over("mean", "j", m.at(*terms.x, "c", "j"))
        says = "j from ⌊i H / n⌋ up to, not including, ⌈(i + 1) H / n⌉, of H places n"
        return (m.equals(m.at(m.call(self.name, *terms.x), "c", "i"), mean, says),)
