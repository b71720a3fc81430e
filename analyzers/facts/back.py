"""How each operator passes gradients to its inputs: the backward half of `signal`.

Convention: mean squares, the gradient being independent of what the weights made of the input
(Schoenholz et al. 2017, section 4); the numbers of the output's gradient are independent draws.

Source: Glorot and Bengio 2010, section 4.2; He et al. 2015, delving deep into rectifiers, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

from ...compiler.graph import Node
from ...compiler.op import Elementwise, Op
from ...compiler.ops.activation import PRelu
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.dense import Fc
from ...compiler.ops.learned import ClassToken, Positions, Scale, Shift
from ...compiler.ops.merge import Add, Concat, Mean, Mul, Sub
from ...compiler.ops.noise import Dropout, DropPath, Noise
from ...compiler.ops.norm import BatchNorm, LocalResponseNorm, RowNorm
from ...compiler.ops.pool import AvgPool, GlobalAverage, GlobalMax, MaxPool
from ...compiler.ops.resample import AdaptiveAverage, Upsample
from ...compiler.ops.shape import Moving
from .onward import (
    Layout,
    Power,
    channel_variance,
    drawn_by,
    evenly,
    gathered,
    in_a_row,
    mean_of,
    response,
    row_variance,
    scattered,
    shaped,
    swept,
)
from .spread import (
    Spread,
    Weighting,
    apart,
    blended,
    coarse,
    in_range,
    squared_slope,
    steepness,
    united,
    weighting,
)

TOO_FEW = 3.0
"""Of so few independent terms a variance has no useful mean of its inverse."""
FEW_CHANNELS = 12
"""Of so few channels, what a filter makes of neighbouring places has its weights in common: a gradient
that is level over them adds up."""

NEARLY_ALIKE = 0.02
"""Where examples differ by less of the mean square, what differs is not known well enough."""
DOUBTFUL, RIM, LANDING = 0.1, 0.008, 0.04
"""A doubt past which a gradient is not known; what a norm over a map with a rim adds to it, and what a
maximum adds, whose gradient lands on few."""


@dataclass(frozen=True)
class Part:
    """A share of the gradient at a value.

    Attributes
    ----------
    square: its mean square over all numbers.
    slope: the mean squared slope of the law that made the value, where this share lands on the
        largest of each window; None elsewhere.
    weights: how its square goes by the value it lands on; None where it does not.
    """

    square: float
    slope: float | None = None
    weights: Weighting | None = None


@dataclass(frozen=True)
class Pull:
    """The gradient at a value.

    Attributes
    ----------
    parts: of which it is the sum.
    drawn: names of the weights that it came through last.
    level: whether the places of a map get the same gradient, as below a global mean.
    power: along each spatial axis the mean square by place, relative to the whole; () where flat.
    uneven: how much of it comes from channels whose weights happen to be small, behind a norm: those
        weights pass on less.
    doubt: by how much it may be off, as a share: norms of few terms and rims of maps add to it.
    """

    parts: tuple[Part, ...]
    drawn: frozenset[str]
    level: bool = False
    power: Power = ()
    uneven: float = 1.0
    doubt: float = 0.0

    @property
    def square(self) -> float:
        return sum(part.square for part in self.parts)

    def times(self, factor: float, power: Power = ()) -> Pull:
        """Passed on to another value, where it lands anywhere."""
        return replace(self, parts=(Part(self.square * factor),), power=power, uneven=1.0)

    def scaled(self, factor: float) -> Pull:
        """Passed on number by number."""
        parts = tuple(Part(part.square * factor, part.slope) for part in self.parts)
        return replace(self, parts=parts)


def met(pulls: Sequence[Pull | None]) -> Pull | None:
    """The gradient of a value that several read: a sum of independent parts, or not known."""
    known = [pull for pull in pulls if pull is not None]
    if len(known) < len(pulls) or not apart([pull.drawn for pull in known]):
        return None
    drawn = united([pull.drawn for pull in known])
    whole = sum(pull.square for pull in known)
    doubt = sum(pull.doubt * pull.square for pull in known) / whole if whole else 0.0
    if drawn is None or doubt > DOUBTFUL or not in_range(whole):
        return None
    return Pull(
        tuple(part for pull in known for part in pull.parts),
        drawn,
        any(pull.level for pull in known),
        blended([(pull.square, pull.power) for pull in known]),
        known[0].uneven if len(known) == 1 else 1.0,
        doubt,
    )


@dataclass(frozen=True)
class Passage:
    """A node with what is known of its inputs and its output going forward."""

    node: Node
    parts: tuple[Spread, ...]
    made: Spread
    layout: Layout


Pulls = Sequence[Pull | None]


@singledispatch
def back(op: Op, at: Passage, pull: Pull) -> Pulls:
    """The gradient of each input, from that of the output; None where it is not known."""
    return [None] * len(at.parts)


# ------------------------------------------------------------------------------- affine maps


def _through(at: Passage, pull: Pull, terms: float, power: Power) -> Pulls:
    entry = drawn_by(at.node, at.layout)
    fresh = replace(pull, drawn=frozenset({entry.name}))
    gain = entry.variance * terms / pull.uneven
    return [None if entry.name in pull.drawn else fresh.times(gain, power)]


@back.register
def _(op: Fc, at: Passage, pull: Pull) -> Pulls:
    return _through(at, pull, op.n, ())


@back.register
def _(op: Convolution, at: Passage, pull: Pull) -> Pulls:
    (value,) = at.node.arrivals
    direction = gathered if isinstance(op, TransposedConv) else scattered
    sums = swept(direction, op.windows(value), pull.power)
    filters = at.node.value.channels / op.groups(value)
    if pull.level and value.channels / op.groups(value) < FEW_CHANNELS and not op.pointwise(value):
        return [None]
    return _through(at, pull, filters * math.prod(map(mean_of, sums)), shaped(sums))


# ------------------------------------------------------------------------------- activations


@back.register(Elementwise)
@back.register(PRelu)
def _(op: Op, at: Passage, pull: Pull) -> Pulls:
    square = 0.0
    for part in pull.parts:
        slope = part.slope if part.slope is not None else squared_slope(at.made, part.weights)
        if slope is None:
            return [None]
        square += part.square * slope
    (x,) = at.parts
    weights = None if x.normal else _by_value(at, pull, square)
    found = replace(pull, parts=(Part(square, weights=weights),))
    exponent = steepness(op, x, at.made) if isinstance(op, Elementwise) else 0.0
    return [_by_place(found, x.power, exponent) if exponent else found]


def _by_place(pull: Pull, power: Power, exponent: float) -> Pull:
    """The gradient behind a law that is steeper where less arrives, as at the rim of a map."""
    sums = [
        tuple(
            place**exponent * (pull.power[axis][i] if pull.power else 1.0)
            for i, place in enumerate(places)
        )
        for axis, places in enumerate(power)
    ]
    return replace(pull.scaled(math.prod(map(mean_of, sums))), power=shaped(sums))


def _by_value(at: Passage, pull: Pull, square: float) -> Weighting | None:
    """How the gradient that passed a law goes by the law's input: it is large where that is steep."""
    (x,), bent = at.parts, at.made.rows
    if x.rows is None or bent is None or len(bent) > 1 or square <= 0:
        return None
    (before,), (after,) = x.rows, bent
    return weighting(
        (
            atom,
            sum(p.square * (p.weights.at(y) if p.weights else 1.0) for p in pull.parts)
            * slope
            / square,
        )
        for atom, y, slope in zip(before.atoms, after.atoms, after.slopes or (), strict=True)
    )


# ------------------------------------------------------------------------------------- norms


@back.register
def _(op: BatchNorm, at: Passage, pull: Pull) -> Pulls:
    (x,) = at.parts
    variance = channel_variance(x)
    few = x.freedom is not None and x.freedom < TOO_FEW
    if variance is None or x.square is None or not x.even or few:
        return [None]
    if variance < NEARLY_ALIKE * x.square:
        return [None]
    # A variance of few terms is often small: the mean of its inverse is larger than the inverse.
    uneven = 1.0 if x.freedom is None else x.freedom / (x.freedom - 1)
    found = pull.scaled(uneven / (variance + op.eps))
    doubt = pull.doubt + (uneven - 1) / 4 + (RIM if x.power or pull.power else 0.0)
    return [replace(found, uneven=uneven, doubt=doubt)]


@back.register
def _(op: RowNorm, at: Passage, pull: Pull) -> Pulls:
    (x,), (value,) = at.parts, at.node.arrivals
    variance = row_variance(op, x, value)
    channels, places = in_a_row(op, value)
    terms = math.inf if x.freedom is None else x.freedom * channels
    if variance is None or not x.even or terms < TOO_FEW or (places > 1 and pull.level):
        return [None]
    eps: float = op.eps  # type: ignore[attr-defined]
    taken = (2 if op.centred else 1) / (channels * places)
    uneven = 1.0 if math.isinf(terms) else terms / (terms - 1)
    found = pull.scaled(max(0.0, 1 - taken) * uneven / (variance + eps))
    return [replace(found, uneven=uneven)]


@back.register
def _(op: LocalResponseNorm, at: Passage, pull: Pull) -> Pulls:
    factor = response(op, at.parts[0])
    return [None if factor is None else pull.scaled(factor**2)]


# ------------------------------------------------------------------------------------- pools


@back.register
def _(op: MaxPool, at: Passage, pull: Pull) -> Pulls:
    power = shaped(swept(scattered, op.windows(at.node.arrivals[0]), pull.power))
    return _won(at, pull, power)


@back.register
def _(op: GlobalMax, at: Passage, pull: Pull) -> Pulls:
    return _won(at, pull, ())


def _won(at: Passage, pull: Pull, power: Power) -> Pulls:
    """Each number goes to one of the inputs, the largest: where the law before is steep."""
    share = at.node.value.size / at.node.arrivals[0].size
    if at.made.rows is None:
        return [None]
    part = Part(pull.square * share, squared_slope(at.made))
    return [replace(pull, parts=(part,), power=power, doubt=pull.doubt + LANDING)]


@back.register
def _(op: AvgPool, at: Passage, pull: Pull) -> Pulls:
    windows = op.windows(at.node.arrivals[0])
    if any(w.ceil and w.room % w.stride for w in windows):
        return [None]
    sums = swept(scattered, windows, pull.power)
    taps = math.prod(w.kernel for w in windows)
    return [pull.times(math.prod(map(mean_of, sums)) / taps**2, shaped(sums))]


@back.register
def _(op: GlobalAverage, at: Passage, pull: Pull) -> Pulls:
    (value,) = at.node.arrivals
    places = value.size // value.channels
    return [replace(pull.times(1 / places**2), level=True)]


@back.register
def _(op: AdaptiveAverage, at: Passage, pull: Pull) -> Pulls:
    taps = evenly(op, at.node.arrivals[0])
    if taps is None:
        return [None]
    return [pull if taps == 1 else pull.times(1 / taps**2)]


@back.register
def _(op: Upsample, at: Passage, pull: Pull) -> Pulls:
    copies = at.node.value.size // at.node.arrivals[0].size
    if op.bilinear:
        return [None]
    return [pull.times(copies**2 if pull.level else copies)]


# ------------------------------------------------------------------------ moves, noise, learned


@back.register
def _(op: Moving, at: Passage, pull: Pull) -> Pulls:
    (value,), made = at.node.arrivals, at.node.value
    stays = value.shape[1:] == made.shape[1:] and not value.channels_last
    return [pull.times(min(1.0, made.size / value.size), pull.power if stays else ())]


@back.register(Dropout)
@back.register(DropPath)
def _(op: Dropout | DropPath, at: Passage, pull: Pull) -> Pulls:
    return [pull.scaled(1 / (1 - op.p))]


@back.register(Noise)
@back.register(Shift)
@back.register(Positions)
@back.register(ClassToken)
def _(op: Op, at: Passage, pull: Pull) -> Pulls:
    return [pull]


@back.register
def _(op: Scale, at: Passage, pull: Pull) -> Pulls:
    return [pull.scaled(op.start**2)]


# ------------------------------------------------------------------------------------ merges


@back.register(Add)
@back.register(Sub)
@back.register(Mean)
def _(op: Add | Sub | Mean, at: Passage, pull: Pull) -> Pulls:
    factor = 1 / len(at.parts) ** 2 if isinstance(op, Mean) else 1.0
    copies = _copies(at, pull)
    if isinstance(op, Add) and copies == [1, 1]:
        return [_added(pull, *at.parts), _added(pull, *reversed(at.parts))]
    return [
        None if n is None else pull.times(factor * n, pull.power if n == 1 else ()) for n in copies
    ]


def _added(pull: Pull, part: Spread, other: Spread) -> Pull:
    """The gradient of one of two branches: by its own value, where the sum's goes by the sum."""
    if part.normal or all(p.weights is None for p in pull.parts):
        return pull.times(1.0, pull.power)
    own, rest = coarse(part), coarse(other)
    if own is None or rest is None:
        return pull.times(1.0, pull.power)
    beside = tuple(zip(rest.atoms, rest.chances, strict=True))

    def seen(weights: Weighting | None) -> Weighting | None:
        if weights is None:
            return None
        return weighting(
            (atom, sum(weights.at(atom + a) * chance for a, chance in beside)) for atom in own.atoms
        )

    parts = tuple(replace(p, slope=None, weights=seen(p.weights)) for p in pull.parts)
    return replace(pull, parts=parts)


def _copies(at: Passage, pull: Pull) -> list[int | None]:
    """How many independent gradients each input sums: a vector that goes with a map, one a place."""
    copies = [at.node.value.size // value.size for value in at.node.arrivals]
    return [None if n > 1 and pull.level else n for n in copies]


@back.register
def _(op: Mul, at: Passage, pull: Pull) -> Pulls:
    found: list[Pull | None] = []
    for index, copies in enumerate(_copies(at, pull)):
        others = [part.square for i, part in enumerate(at.parts) if i != index]
        known = [square for square in others if square is not None]
        if copies is None or len(known) < len(others) or not _independent(at):
            found.append(None)
        else:
            found.append(pull.times(copies * math.prod(known)))
    return found


def _independent(at: Passage) -> bool:
    return apart([part.drawn for part in at.parts])


@back.register
def _(op: Concat, at: Passage, pull: Pull) -> Pulls:
    return [
        replace(pull.times(1.0), drawn=frozenset({f"{at.node.name}:{index}"}))
        for index in range(len(at.parts))
    ]


def gradients(
    passages: Sequence[Passage], start: str, output_drawn: str = "output"
) -> Mapping[str, Pull | None]:
    """The gradient of every value that leads to `start`, at which it is 1."""
    arrived: dict[str, list[Pull | None]] = {start: [Pull((Part(1.0),), frozenset({output_drawn}))]}
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
