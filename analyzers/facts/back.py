"""How each operator passes gradients to its inputs: the backward half of `signal`.

Convention: mean squares. The gradient that reaches a law is independent of the number it bends, which
holds where that number is a fresh sum of drawn weights, and is not told elsewhere (Schoenholz et al.
2017, section 4); the numbers of the output's gradient are independent draws.

Source: Glorot and Bengio 2010, section 4.2; He et al. 2015, delving deep into rectifiers, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from itertools import pairwise

from ...compiler.graph import Node
from ...compiler.op import Elementwise, Op
from ...compiler.ops.activation import LRelu, PRelu
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.dense import Fc
from ...compiler.ops.merge import Add, Concat
from ...compiler.ops.noise import Dropout
from ...compiler.ops.norm import BatchNorm, LayerNorm, RMSNorm
from ...compiler.ops.pool import AvgPool, GlobalAverage, MaxPool
from ...compiler.ops.shape import Moving
from .onward import (
    Layout,
    channel_variance,
    drawn_by,
    pairs,
    row_variance,
    scattered,
    swept,
    taps,
)
from .spread import (
    DOUBTFUL,
    Counts,
    Power,
    Spread,
    apart,
    bend,
    blended,
    in_range,
    law,
    mean_of,
    shaped,
    slope,
    united,
)


@dataclass(frozen=True)
class Pull:
    """The gradient at a value.

    Attributes
    ----------
    square: its mean square over all numbers.
    drawn: names of the weights that it came through last.
    power: along each spatial axis the mean square by place, relative to the whole; () where flat.
    level: how many other places of a map get the same gradient, as below a mean of them.
    won: where it lands on the largest of each window, of how many, by the share of windows.
    uneven: how much of it comes from channels whose weights happen to be small, behind a norm: those
        weights pass on less.
    doubt: by how much it may be off, as a share.
    sway: how it goes, as an exponent, by the square that each law bends, times that square's own
        relative standard deviation: of all laws together, as if they swayed as one.
    """

    square: float
    drawn: frozenset[str]
    power: Power = ()
    level: int = 0
    won: Counts = ()
    uneven: float = 1.0
    doubt: float = 0.0
    sway: float = 0.0

    @property
    def told(self) -> float | None:
        """The mean square, where it is sure enough."""
        return self.square if self.doubt + 0.5 * self.sway**2 <= DOUBTFUL else None

    def times(self, factor: float) -> Pull:
        return replace(self, square=self.square * factor)

    def spread_over(self, factor: float, power: Power = ()) -> Pull:
        """Passed on to another value, where it lands anywhere."""
        return replace(self.times(factor), power=power, won=(), uneven=1.0)


def met(pulls: Sequence[Pull | None]) -> Pull | None:
    """The gradient of a value that several read: a sum of independent parts, or not known."""
    known = [pull for pull in pulls if pull is not None]
    if len(known) < len(pulls):
        return None
    whole, drawn = sum(pull.square for pull in known), united([pull.drawn for pull in known])
    if len(known) == 1:
        return known[0] if in_range(whole) else None
    if not apart([p.drawn for p in known]) or drawn is None or not in_range(whole):
        return None
    if any(pull.won for pull in known):
        return None
    return Pull(
        whole,
        drawn,
        blended([(pull.square, pull.power) for pull in known]),
        max(pull.level for pull in known),
        doubt=sum(pull.doubt * pull.square for pull in known) / (whole or 1.0),
        sway=sum(pull.sway * pull.square for pull in known) / (whole or 1.0),
    )


@dataclass(frozen=True)
class Passage:
    """A node with what is known of its inputs and its output going forward.

    beyond: a variance below or above all that is worked with, where the output's is such a one.
    """

    node: Node
    parts: tuple[Spread, ...]
    made: Spread
    layout: Layout
    beyond: float | None = None


Pulls = Sequence[Pull | None]


@singledispatch
def back(op: Op, at: Passage, pull: Pull) -> Pulls:
    """The gradient of each input, from that of the output; None where it is not known."""
    return [None] * len(at.parts)


# ------------------------------------------------------------------------------- affine maps


def _through(at: Passage, pull: Pull, terms: float, power: Power) -> Pulls:
    entry = drawn_by(at.node, at.layout)
    if entry.name in pull.drawn:
        return [None]
    fresh = replace(pull, drawn=frozenset({entry.name}))
    return [fresh.spread_over(entry.variance * terms / pull.uneven, power)]


@back.register
def _(op: Fc, at: Passage, pull: Pull) -> Pulls:
    return _through(at, pull, op.n, ())


@back.register
def _(op: Convolution, at: Passage, pull: Pull) -> Pulls:
    (value,) = at.node.arrivals
    if isinstance(op, TransposedConv):
        return [None]
    sums = swept(scattered, op.windows(value), pull.power)
    filters = at.node.value.shape[0] / op.groups(value)
    meeting = min(1.0, pull.level / math.prod(w.kernel for w in op.windows(value)))
    if not op.pointwise(value):
        # The taps of a filter meet in a level gradient, and they made the numbers it came through:
        # of a sum over C channels a share of 1 / C.
        doubt = meeting * op.groups(value) / value.shape[0]
        pull = replace(pull, doubt=pull.doubt + doubt)
    return _through(at, pull, filters * math.prod(map(mean_of, sums)), shaped(sums))


# ------------------------------------------------------------------------------- activations


@back.register(Elementwise)
@back.register(PRelu)
def _(op: Op, at: Passage, pull: Pull) -> Pulls:
    (x,), bends = at.parts, LRelu.model_construct(a=op.a) if isinstance(op, PRelu) else op
    assert isinstance(bends, Elementwise)
    answers = bend(bends, x) if x.normal else None
    if answers is None:
        return [None]
    steep, doubt = answers.slope, pull.doubt
    factor = _slope_of_largest(bends, x, pull.won) if pull.won else steep.value
    if factor is None:
        return [None]
    if pull.won:
        # Where a unit's mean differs from place to place, so do the chances of being the largest.
        doubt += x.common * (1 / x.steady - 1)
    sums = [
        [
            p**steep.first * (pull.power[axis][i] if pull.power else 1.0)
            for i, p in enumerate(places)
        ]
        for axis, places in enumerate(x.power)
    ]
    return [
        replace(
            pull.times(factor * math.prod(map(mean_of, sums))),
            won=(),
            power=shaped(sums) if sums else pull.power,
            doubt=doubt + steep.doubt(x),
            sway=pull.sway + abs(steep.first) * math.sqrt(x.sway),
        )
    ]


def _slope_of_largest(op: Elementwise, x: Spread, counts: Counts) -> float | None:
    """The mean squared slope where the law is largest; a rising law is largest where its input is."""
    rows, made = x.shape, law(op)
    if rows is None or any(made(a) > made(b) for a, b in pairwise(rows[0].atoms)):
        return None
    return sum(row.chance * row.largest(counts).mapped(slope(op)).moment(2) for row in rows)


# ------------------------------------------------------------------------------------- norms


@back.register
def _(op: BatchNorm, at: Passage, pull: Pull) -> Pulls:
    (x,) = at.parts
    if at.node.frozen:
        return [pull]
    within = channel_variance(x)
    if not within or not x.even or x.terms <= 2:
        return [None]
    # A channel's variance is a sum of `terms` squares: the mean of its inverse is larger than the
    # inverse of its mean, by terms / (terms - 2).
    uneven = 1 / (1 - 2 / x.terms)
    # What all examples share of the sway goes into the variance, and what they share is taken away;
    # and squares that crowd are fewer than they seem.
    off = (x.doubt + x.mean_doubt + x.sway * x.common**2) / (1 - x.common)
    off += (uneven - 1) ** 2 + max(0.0, 2 * (x.crowd - 1 / x.terms))
    found = pull.times(uneven / (within + op.eps))
    return [replace(found, uneven=uneven, doubt=pull.doubt + off, won=())]


@back.register(LayerNorm)
@back.register(RMSNorm)
def _(op: LayerNorm | RMSNorm, at: Passage, pull: Pull) -> Pulls:
    (x,), variance = at.parts, row_variance(op, at.parts[0])
    if variance is None or not x.even:
        return [None]
    # A row of n numbers has a variance of its own, and takes a part of the gradient away: 2 / n more
    # and 2 / n less, which together are left out.
    doubt = pull.doubt + x.doubt + 2 / at.node.value.channels
    return [replace(pull.times(1 / (variance + op.eps)), doubt=doubt, won=())]


# ------------------------------------------------------------------------------------- pools


@back.register
def _(op: MaxPool, at: Passage, pull: Pull) -> Pulls:
    """Each number goes to one of the inputs, the largest."""
    windows = op.windows(at.node.arrivals[0])
    share, won = at.node.value.size / at.node.arrivals[0].size, taps(windows)
    power = shaped(swept(scattered, windows, pull.power))
    doubt = pull.doubt + pairs(at.parts[0], won)
    return [replace(pull.times(share), power=power, won=won, doubt=doubt)]


@back.register
def _(op: AvgPool, at: Passage, pull: Pull) -> Pulls:
    windows = op.windows(at.node.arrivals[0])
    if any(w.before or w.after or w.ceil for w in windows):
        return [None]
    sums = swept(scattered, windows, pull.power)
    count = math.prod(w.kernel for w in windows)
    found = pull.spread_over(math.prod(map(mean_of, sums)) / count**2, shaped(sums))
    return [replace(found, level=max(pull.level, count - 1))]


@back.register
def _(op: GlobalAverage, at: Passage, pull: Pull) -> Pulls:
    (value,) = at.node.arrivals
    places = value.size // value.channels
    return [replace(pull.spread_over(1 / places**2), level=places - 1)]


# ----------------------------------------------------------------- moves, noise, factors, merges


@back.register
def _(op: Moving, at: Passage, pull: Pull) -> Pulls:
    (value,), made = at.node.arrivals, at.node.value
    stays = value.shape[1:] == made.shape[1:] and not value.channels_last
    return [pull.spread_over(min(1.0, made.size / value.size), pull.power if stays else ())]


@back.register
def _(op: Dropout, at: Passage, pull: Pull) -> Pulls:
    return [replace(pull.times(1 / (1 - op.p)), won=())]


@back.register
def _(op: Add, at: Passage, pull: Pull) -> Pulls:
    vectors = any(value.rank < at.node.value.rank for value in at.node.arrivals)
    return [None if vectors else pull.spread_over(1.0, pull.power)] * len(at.parts)


@back.register
def _(op: Concat, at: Passage, pull: Pull) -> Pulls:
    """Each part of the gradient to its own: apart, though of the same weights."""
    return [
        replace(pull.spread_over(1.0), drawn=frozenset({f"{at.node.name}:{index}"}))
        for index in range(len(at.parts))
    ]


def gradients(passages: Sequence[Passage], start: str) -> Mapping[str, Pull | None]:
    """The gradient of every value that leads to `start`, at which it is 1."""
    arrived: dict[str, list[Pull | None]] = {start: [Pull(1.0, frozenset({"output"}))]}
    found: dict[str, Pull | None] = {}
    for at in reversed(passages):
        name = at.node.name
        if name not in arrived:
            continue
        pull = found[name] = met(arrived.pop(name))
        passed = [None] * len(at.parts) if pull is None else back(at.node.op, at, pull)
        for source, part in zip(at.node.inputs, passed, strict=True):
            arrived.setdefault(source, []).append(part)
    return found
