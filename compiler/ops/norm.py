"""Normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ..algebra import Symbol
from ..convolving import repeats
from ..op import Count, Needed, Needs, Op, Refused, Terms, Trait, Wanted, Weight
from ..shape_errors import NotDivisible, WrongRank
from ..shapes import Value

Epsilon = Annotated[float, Field(ge=1e-30, le=1e6)]
"""What keeps a division from zero: neither 0 nor infinite as a float32."""


class BatchNorm(Op):
    """Each channel to mean 0 and variance 1 over the batch, then scaled and shifted as learned.

    In training by the batch's own mean and (biased) variance; at inference by running ones, which
    move by `momentum` a step, the variance unbiased. One that is frozen keeps its running statistics
    and uses them in training too.
    """

    name = "bn"
    traits = frozenset({Trait.NORMALISES, Trait.HANGS, Trait.FOLDS, Trait.SWEEPS})
    implied = frozenset({"momentum"})
    source = "Ioffe and Szegedy 2015"
    samples = ("3 -> bn", "2x4x4 -> bn", "5x3 -> bn")

    eps: Epsilon = Field(default=1e-5, description="added to the variance")
    momentum: float = Field(default=0.1, gt=0, le=1, description="weight of the newest batch")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        """Where channels lie outermost all examples are one stretch."""
        return "any" if examples * inputs[0].size <= SPAN else "either"

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        c = inputs[0].channels
        return Weight("scale", (c,), constant=1.0), Weight("shift", (c,), constant=0.0)

    def fewest(self, *inputs: Value) -> int:
        """A single number has no spread: of one example every output would be its shift."""
        return 2 if inputs[0].size == inputs[0].channels else 1

    def state(self, *inputs: Value) -> tuple[Weight, ...]:
        c = inputs[0].channels
        return Weight("mean", (c,), constant=0.0), Weight("variance", (c,), constant=1.0)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,), w = terms.x, terms.weights
        normal = (x - w["mean"]) / m.root(w["variance"] + self.eps)
        says = "channel by channel; μ, σ²: running mean and variance, in training the batch's own"
        return (m.equals(self.called(m, terms), w["scale"] * normal + w["shift"], says),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        channel, cut = Needed((x.channels,)), stretches(batch, x)
        room = {"product": Needed((cut.high, *cut.across)), "sums": Needed((2, *cut.sums))}
        few = dict.fromkeys(("first", "second", "third"), channel)
        return Needs(
            saved={"centred": Needed(x.batched(batch)), "inverse": channel, "offset": channel},
            scratch={**room, **few, "wide": Needed((3, cut.length))},
            scratch_back={
                **room,
                "first": channel,
                "both": Needed((2, x.channels)),
                "wide": Needed((3, cut.length)),
            },
            scratch_infer={"first": channel, "wide": Needed((3, cut.length))},
            shared={"moments": Needed((3, x.channels))},
            shared_back={"slopes": Needed((2, x.channels))},
            reads_back=frozenset({"scale"}),
            overwrites=True,
            overwrites_back=True,
        )

    def needs_frozen(self, batch: int, *inputs: Value) -> Needs:
        x = inputs[0]
        room = {"first": Needed((x.channels,)), "wide": Needed((3, stretches(batch, x).length))}
        return Needs(
            algorithm="frozen",
            why="by its running statistics",
            scratch=room,
            scratch_back=room,
            reads_back=frozenset({"scale"}),
            overwrites=True,
            overwrites_back=True,
        )


SPAN = 1024 * 1024
"""Numbers that a norm over the batch sweeps at a time: a few such blocks share a core's cache."""


@dataclass(frozen=True)
class Stretches:
    """How a batch of values is seen for statistics by channel: rows, some at a time.

    Attributes
    ----------
    across: the shape of a row: a stretch of places with all their channels side by side, each
        channel `repeats` times; or an example, or where channels lie outermost all of them, channel by
        channel.
    rows: of the batch; `high` of them are swept at a time.
    """

    across: tuple[int, ...]
    rows: int
    repeats: int
    channels: int

    @property
    def high(self) -> int:
        return max(1, min(self.rows, SPAN // max(1, math.prod(self.across))))

    @property
    def length(self) -> int:
        """How many numbers meet a row, where channels are side by side."""
        return self.repeats * self.channels

    @property
    def sums(self) -> tuple[int, int]:
        """Sums that are added up at the end: of a block by place in the row, or of an example by
        channel."""
        side_by_side = len(self.across) == 1
        return (
            (-(-self.rows // self.high), self.length)
            if side_by_side
            else (self.rows, self.channels)
        )


def stretches(batch: int, x: Value) -> Stretches:
    if x.outermost:
        return Stretches((x.channels, batch * x.size // x.channels), 1, 1, x.channels)
    if x.rank > 1 and not x.channels_last:
        return Stretches((x.channels, x.size // x.channels), batch, 1, x.channels)
    again = repeats(x)
    length = again * x.channels
    return Stretches((length,), batch * x.size // length, again, x.channels)


class RowNorm(Op):
    """What the norms share whose statistics stay within an example: rows of numbers, each brought
    to variance 1, where `centred` to mean 0, then scaled and shifted by channel as learned."""

    traits: ClassVar[frozenset[Trait]] = frozenset({Trait.NORMALISES, Trait.HANGS})
    centred: ClassVar[bool] = True
    within: ClassVar[str] = ""
    """What a row is, for the reader of its equation."""

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,), w, eps = terms.x, terms.weights, getattr(self, "eps", 0.0)
        if self.centred:
            normal = (x - m.call("mean", x)) / m.root(m.call("var", x) + eps)
        else:
            normal = x / m.root(m.call("mean", x * x) + eps)
        scaled = w["scale"] * normal if "scale" in w else normal
        shifted = scaled + w["shift"] if "shift" in w else scaled
        return (m.equals(self.called(m, terms), shifted, self.within),)

    def rows(self, x: Value) -> tuple[int, int, int]:
        """How an example is seen: blocks, the numbers of a row, and rows side by side."""
        raise NotImplementedError(f"operator {self.name} has no rows")

    def shape(self, *inputs: Value) -> Value:
        self.rows(inputs[0])
        return inputs[0]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        c = inputs[0].channels
        return Weight("scale", (c,), constant=1.0), Weight("shift", (c,), constant=0.0)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        blocks, _, beside = self.rows(x)
        whole, row = Needed((batch, *x.shape)), Needed((batch * blocks, beside))
        sums = {} if x.channels_last or x.rank == 1 else {"sums": Needed((batch, x.channels))}
        return Needs(
            saved={"normal": whole, "inverse": row},
            scratch={"square": whole, "statistic": row},
            scratch_back={"product": whole, "statistic": row, **sums},
            reads_back=frozenset({"scale"}),
            to_learn=frozenset({"sums"}),
            overwrites=True,
            overwrites_back=True,
        )


class LayerNorm(RowNorm):
    """The channels at each position to mean 0 and variance 1: of a vector all numbers, of TxD every
    step, of CxHxW every place."""

    name, within = "ln", "mean and var over the channels of each position"
    source = "Ba et al. 2016, layer normalization"
    samples = ("4 -> ln", "5x3 -> ln eps=1e-6", "3x4x4 -> ln")

    eps: Epsilon = Field(default=1e-5, description="added to the variance")

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "either"

    def rows(self, x: Value) -> tuple[int, int, int]:
        return positions(x)


class RMSNorm(RowNorm):
    """The channels at each position divided by their root mean square; no mean, no shift."""

    name, centred, within = "rms", False, "mean over the channels of each position"
    source = "Zhang and Sennrich 2019, root mean square layer normalization"
    samples = ("4 -> rms", "5x3 -> rms")

    eps: Epsilon = Field(default=1e-6, description="added to the mean square")

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "either"

    def rows(self, x: Value) -> tuple[int, int, int]:
        return positions(x)

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        return super().weights(*inputs)[:1]


def positions(x: Value) -> tuple[int, int, int]:
    """A row is what the channels hold at one position."""
    places = x.size // x.channels
    return (places, x.channels, 1) if x.channels_last else (1, x.channels, places)


class GroupNorm(RowNorm):
    """Groups of channels, over all their places, to mean 0 and variance 1."""

    name, places, within = "gn", ("g",), "mean and var over each group of channels"
    source = "Wu and He 2018, group normalization"
    samples = ("4x3x3 -> gn2", "6x4 -> conv6 1 -> gn3", "4 -> gn2")

    g: Count = Field(description="groups")
    eps: Epsilon = Field(default=1e-5, description="added to the variance")

    def rows(self, x: Value) -> tuple[int, int, int]:
        maps(self.name, x)
        if x.shape[0] % self.g:
            found = NotDivisible(None, self.name, "channels", x.shape[0], self.g, "groups")
            raise Refused(found)
        return self.g, x.size // self.g, 1


class InstanceNorm(RowNorm):
    """Each channel of each example, over its places, to mean 0 and variance 1."""

    name, within = "inorm", "mean and var over the places of each channel"
    source = "Ulyanov et al. 2016, instance normalization"
    samples = ("2x4x4 -> inorm", "2x4x4 -> inorm affine")

    affine: bool = Field(default=False, description="scale and shift as learned")
    eps: Epsilon = Field(default=1e-5, description="added to the variance")

    def rows(self, x: Value) -> tuple[int, int, int]:
        maps(self.name, x)
        if x.rank == 1:
            raise Refused(WrongRank(None, self.name, str(x), "channels and places, as in 3x32x32"))
        return x.shape[0], x.size // x.shape[0], 1

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        return super().weights(*inputs) if self.affine else ()


def maps(operator: str, x: Value) -> None:
    """Refuse time x features, whose channels do not come first."""
    if x.channels_last:
        wanted = "channels first, as in 3x32x32"
        advice = "`ln` normalises the features at each step; behind a conv channels come first"
        raise Refused(WrongRank(None, operator, str(x), wanted, advice))


class LocalResponseNorm(Op):
    """x / (k + alpha · mean of x² over `size` neighbouring channels) ^ beta.

    The mean counts channels past the ends as zeros. AlexNet's alpha multiplies the sum, not the
    mean: written here it is size times as large.
    """

    name, places = "lrn", ("size",)
    traits = frozenset({Trait.NORMALISES, Trait.HANGS})
    source = "Krizhevsky et al. 2012, section 3.3; PyTorch, torch.nn.LocalResponseNorm"
    samples = ("6x3x3 -> lrn5", "4 -> lrn(3, alpha=1e-3, k=2)")

    size: Count = Field(default=5, description="neighbouring channels")
    alpha: float = Field(default=1e-4, ge=0, le=1e6, description="weight of the mean square")
    beta: float = Field(default=0.75, description="power")
    k: Epsilon = Field(default=1.0, description="added to the mean square")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,) = terms.x
        near = m.over("mean", f"j < {self.size}", m.power(m.at(x, "c + j − h"), 2.0))
        whole = m.power(self.k + self.alpha * near, self.beta)
        says = f"h = {self.size // 2}; channels past the ends count as 0"
        return (m.equals(m.at(self.called(m, terms), "c"), m.at(x, "c") / whole, says),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        whole = Needed((batch, *inputs[0].shape))
        return Needs(
            saved={"base": whole},
            scratch={"square": whole, "power": whole},
            scratch_back={"power": whole, "ratio": whole, "total": whole},
            reads_back=frozenset({"x"}),
        )
