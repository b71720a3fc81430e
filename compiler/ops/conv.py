"""Convolutions: one filter slides over every place. Rank is data: 1, 2 or 3 spatial axes."""

from __future__ import annotations

import math

from pydantic import Field

from ...grammar.diagnostics import Mistake
from ..errors import NotDivisible
from ..op import Count, Initialiser, Margins, Needed, Needs, Op, Refused, Sizes, Trait, Weight
from ..shapes import Value, Window
from ..windows import slide, unseen

COLUMNS = 128 * 1024
"""Numbers that a block of gathered columns aims to hold: they stay in a core's cache."""


class Conv(Op):
    """A bank of n filters slid over CxHxW, CxL or CxDxHxW.

    One number of a filter meets the same input channel everywhere; with `groups=` filters see only
    their share of the channels. Padding is 0 unless written; `same` keeps ceil(H / stride).
    """

    name, places = "conv", ("n", "k")
    traits = frozenset({Trait.NEURONS, Trait.LINEAR})
    source = "CS231n, convolutional networks, 'Convolutional layer'"
    samples = (
        "2x5x5 -> conv3 3x3",
        "2x6x7 -> conv4 3x2 s2 p1 nobias",
        "4x5x5 -> conv4 3 same g2",
        "2x9 -> conv3 3 d2",
        "2x4x4x4 -> conv2 2 s2",
        "3x4x4 -> conv2 1x1",
    )

    n: Count = Field(description="number of filters")
    k: Sizes = Field(description="kernel")
    s: Sizes = Field(default=(1,), description="stride")
    p: Margins = Field(default=(0,), description="padding")
    d: Sizes = Field(default=(1,), description="dilation")
    g: Count = Field(default=1, description="groups")
    same: bool = Field(default=False, description="pad so that ceil(size / stride) remain")
    nobias: bool = Field(default=False, description="leave out b")
    init: Initialiser | None = None

    def windows(self, x: Value) -> tuple[Window, ...]:
        return slide(self.name, x, self.k, self.s, self.p, self.d, same=self.same)

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        windows = self.windows(x)
        for what, count in (("input channels", x.shape[0]), ("filters", self.n)):
            if count % self.g:
                raise Refused(NotDivisible(None, self.name, what, count, self.g, "groups"))
        return Value((self.n, *(w.output for w in windows)))

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        return tuple(w.derivation for w in self.windows(inputs[0]))

    def remarks(self, *inputs: Value) -> tuple[Mistake, ...]:
        return unseen(self.name, self.windows(inputs[0]))

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        kernel = tuple(w.kernel for w in self.windows(inputs[0]))
        shape = (self.n, inputs[0].shape[0] // self.g, *kernel)
        fan_in = math.prod(shape[1:])
        fan_out = self.n // self.g * math.prod(kernel)
        factors = (*kernel, shape[1], self.n)
        w = Weight("weight", shape, fan_in, fan_out, decays=True, factors=factors)
        if self.nobias:
            return (w,)
        return w, Weight("bias", (self.n,), fan_in, fan_out, constant=0.0)

    def macs(self, *inputs: Value) -> int:
        return math.prod(self._macs(*inputs))

    def macs_formula(self, *inputs: Value) -> str:
        return "·".join(map(str, self._macs(*inputs)))

    def _macs(self, *inputs: Value) -> tuple[int, ...]:
        windows = self.windows(inputs[0])
        outputs, kernel = [w.output for w in windows], [w.kernel for w in windows]
        return (*outputs, *kernel, inputs[0].shape[0] // self.g, self.n)

    def pointwise(self, x: Value) -> bool:
        """A 1x1 kernel that visits every place: its input is its columns."""
        return all(w.kernel == w.stride == 1 and w.before == w.after == 0 for w in self.windows(x))

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        windows = self.windows(x)
        places = math.prod(w.output for w in windows)
        taps = x.shape[0] // self.g * math.prod(w.kernel for w in windows)
        images = max(1, min(batch, COLUMNS // max(1, self.g * taps * places)))
        columns = {"columns": Needed((images, self.g, taps, places))}
        padded = Needed((images, x.shape[0], *(w.size + w.before + w.after for w in windows)))
        pads = any(w.before or w.after for w in windows)
        filters = (self.g, self.n // self.g, taps)
        products = {"products": Needed((images, *filters)), "total": Needed(filters)}
        bias = {} if self.nobias else {"sums": Needed((batch, self.n))}
        gather = {} if self.pointwise(x) else columns
        return Needs(
            scratch={**gather, **({"padded": padded} if pads else {})},
            scratch_back={
                **gather,
                **products,
                **bias,
                **({"padded": padded, "padded_gradient": padded} if pads else {}),
            },
            reads_back=frozenset({"x", "weight"}),
            product=self.macs(*inputs) // self.g,
        )
