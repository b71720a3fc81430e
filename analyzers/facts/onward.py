"""How each operator spreads what arrives at it: the forward half of `signal`.

Convention: as in training, noise on and batch norm by the batch's own statistics, over many examples.
What cannot be derived is unknown, until a norm makes mean and variance known again.

Source: He et al. 2015, delving deep into rectifiers, section 2.2; Glorot and Bengio 2010.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, singledispatch
from itertools import product

from ...compiler.graph import Node
from ...compiler.op import Elementwise, Op
from ...compiler.ops.activation import LRelu, PRelu
from ...compiler.ops.attention import Attention
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.dense import Embed, Fc
from ...compiler.ops.learned import ClassToken, Positions, Scale, Shift
from ...compiler.ops.merge import Add, Concat, Mean, Mul, Sub
from ...compiler.ops.noise import Dropout, DropPath, Noise
from ...compiler.ops.norm import BatchNorm, LocalResponseNorm, RowNorm
from ...compiler.ops.pool import AvgPool, GlobalAverage, GlobalMax, MaxPool
from ...compiler.ops.resample import AdaptiveAverage, Upsample
from ...compiler.ops.shape import Moving, Pad
from ...compiler.plan.parameters import Entry
from ...compiler.shapes import Value, Window
from .spread import (
    UNKNOWN,
    Row,
    Spread,
    apart,
    bent,
    blended,
    level,
    of_rows,
    placed,
    summed,
    times,
    united,
)

Layout = Mapping[str, Entry]
Power = tuple[tuple[float, ...], ...]
MATTERS = 0.05
"""A share of the mean square that may be left out of account."""
MANY = 8
"""So many channels in a row that its statistics are those of all."""


@singledispatch
def onward(op: Op, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    """What is known of a node's output, from what is known of its inputs."""
    drawn = united([*(part.drawn for part in parts), frozenset(map(node.keeper, node.weights))])
    return replace(UNKNOWN, drawn=drawn, origin=node.name)


def drawn_by(node: Node, layout: Layout, name: str = "weight") -> Entry:
    """The weight of that name, where it is kept."""
    (weight,) = (w for w in node.weights if w.name == name)
    return layout[node.keeper(weight)]


# ------------------------------------------------------------------------------- affine maps


def _mixed(node: Node, x: Spread, layout: Layout, terms: float, power: Power) -> Spread:
    """Sums of `terms` numbers times as many drawn weights: normal, whatever arrives."""
    entry = drawn_by(node, layout)
    # A uniform draw's square varies 0.8 times its mean squared, a normal one's twice.
    freedom = terms / (0.8 if entry.uniform else 2.0)
    fresh = Spread(
        mean=0.0, normal=True, drawn=frozenset({entry.name}), origin=node.name, freedom=freedom
    )
    if x.drawn is None or entry.name in x.drawn:
        return fresh
    gain = entry.variance * terms
    return replace(fresh, square=times(x.square, gain), shared=times(x.shared, gain), power=power)


@onward.register
def _(op: Fc, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    found = _mixed(node, parts[0], layout, node.arrivals[0].shape[-1], ())
    return replace(found, alike=parts[0].alike, clump=parts[0].clump)


@onward.register
def _(op: Convolution, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    transposed = isinstance(op, TransposedConv)
    windows = op.windows(value)
    sums = swept(scattered if transposed else gathered, windows, x.power)
    terms = value.channels / op.groups(value) * math.prod(map(mean_of, sums))
    found = _mixed(node, x, layout, terms, shaped(sums))
    steady = 1.0 if transposed else math.prod(_steady(w) for w in windows)
    stride = math.prod(w.stride for w in windows)
    return replace(
        found,
        steady=x.steady * steady,
        alike=x.alike and not transposed,
        clump=x.clump * stride if transposed else max(1.0, x.clump / stride),
    )


def swept(direction: object, windows: Sequence[Window], power: Power) -> list[tuple[float, ...]]:
    """Along each axis what reaches every place through the windows' taps."""
    assert callable(direction)
    return [
        direction(window, power[axis] if power else None) for axis, window in enumerate(windows)
    ]


@lru_cache(maxsize=1024)
def gathered(window: Window, power: tuple[float, ...] | None) -> tuple[float, ...]:
    """For every output the sum of the power that its taps read; what lies in the padding is 0."""
    sums = [0.0] * window.output
    for tap in range(window.kernel):
        first, last, at = window.inside(tap)
        for output in range(first, last):
            sums[output] += 1.0 if power is None else power[at]
            at += window.stride
    return tuple(sums)


@lru_cache(maxsize=1024)
def scattered(window: Window, power: tuple[float, ...] | None) -> tuple[float, ...]:
    """For every input the sum of the power of the outputs that read it."""
    sums = [0.0] * window.size
    for tap in range(window.kernel):
        first, last, at = window.inside(tap)
        for output in range(first, last):
            sums[at] += 1.0 if power is None else power[output]
            at += window.stride
    return tuple(sums)


def _steady(window: Window) -> float:
    """Two places share what a tap brings where it lies inside at both."""
    shares = []
    for tap in range(window.kernel):
        first, last, _ = window.inside(tap)
        shares.append((last - first) / window.output)
    return sum(share**2 for share in shares) / sum(shares)


def mean_of(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def shaped(sums: Sequence[tuple[float, ...]]) -> Power:
    """Power by place, brought to mean 1; () where it is the same everywhere."""
    if all(max(axis) - min(axis) <= 1e-9 * max(axis) for axis in sums):
        return ()
    return tuple(map(level, sums))


@onward.register
def _(op: Attention, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    entry = drawn_by(node, layout, "out_weight")
    return Spread(mean=0.0, normal=True, drawn=frozenset({entry.name}), origin=node.name)


@onward.register
def _(op: Embed, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    entry = drawn_by(node, layout)
    shared = entry.variance / op.v
    drawn = frozenset({entry.name})
    return Spread(0.0, entry.variance, shared, None, True, drawn=drawn, origin=node.name)


# ------------------------------------------------------------------------------- activations


@onward.register
def _(op: Elementwise, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return bent(op, parts[0])


@onward.register
def _(op: PRelu, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return bent(LRelu.model_construct(a=op.a), parts[0])


# ------------------------------------------------------------------------------------- norms


@onward.register
def _(op: BatchNorm, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,) = parts
    within = channel_variance(x)
    whole = 1.0 if within is None else within / (within + op.eps)
    found = replace(x, mean=0.0, square=whole, shared=0.0, even=True, freedom=None, joint=True)
    found = replace(found, steady=1.0, power=_centred_power(x))
    if x.normal:
        return found
    if x.rows is None or not (x.joint or _single(x)):
        return replace(found, rows=None)
    return of_rows(tuple(_standard(row, op.eps) for row in x.rows), found)


def channel_variance(x: Spread) -> float | None:
    """Within a channel, over examples and places."""
    if x.square is None or x.common is None:
        return None
    return max(0.0, x.square - x.common)


def _centred_power(x: Spread) -> Power:
    """Power by place once each channel's mean is gone: a place at the rim has its own mean less in
    common with the channel's, by as much as it has less power."""
    if x.square is None or x.common is None or not x.power or x.square <= x.common:
        return x.power
    taken = x.common / x.square
    return tuple(
        level([max(0.0, place * (1 - 2 * taken) + taken) for place in axis]) for axis in x.power
    )


def _single(x: Spread) -> bool:
    """Whether examples share nothing but the mean."""
    return x.moments is not None and x.moments[2] - x.moments[0] ** 2 < MATTERS * x.moments[1]


def _standard(row: Row, eps: float) -> Row:
    factor = 1 / math.sqrt(max(0.0, row.square - row.mean**2) + eps)
    return row.moved(factor, -factor * row.mean)


def in_a_row(op: RowNorm, value: Value) -> tuple[int, int]:
    """How many channels, and how many places, one statistic is of."""
    _, count, beside = op.rows(value)
    if beside > 1 or value.channels_last:
        return count, 1
    places = value.size // value.channels
    return count // places, places


def row_variance(op: RowNorm, x: Spread, value: Value) -> float | None:
    """What a row is divided by, squared, before eps."""
    channels, places = in_a_row(op, value)
    if x.moments is None:
        return None if op.centred else x.square
    mean, square, shared = x.moments
    if not op.centred:
        return square
    if places > 1 and channels < MANY and not (x.alike and x.clump == 1.0):
        return None
    common = shared if places == 1 else shared * x.steady
    of_mean = (common - mean**2 + (square - common) / places) / channels
    return max(0.0, square - mean**2 - of_mean)


@onward.register
def _(op: RowNorm, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    channels, places = in_a_row(op, value)
    variance = row_variance(op, x, value)
    eps: float = op.eps  # type: ignore[attr-defined]
    if variance is None or x.moments is None:
        mean = 0.0 if op.centred or x.mean == 0.0 else None
        power = () if places == 1 else x.power
        kept = replace(UNKNOWN, drawn=x.drawn, origin=node.name, normal=x.normal, alike=x.alike)
        return replace(kept, mean=mean, square=1.0, clump=x.clump, power=power)
    mean, _, shared = x.moments
    factor = 1 / math.sqrt(variance + eps)
    taken = mean if op.centred else 0.0
    left = (shared - taken**2) * ((1 - 1 / channels) if op.centred else 1.0)
    rows = x.rows
    if rows is not None:
        rows = tuple(row.moved(factor, -taken * factor) for row in rows)
    return replace(
        x,
        mean=(mean - taken) * factor,
        square=variance * factor**2,
        shared=max(0.0, left) * factor**2,
        rows=rows if channels >= MANY else None,
        freedom=None,
        even=True,
        power=() if places == 1 else x.power,
    )


@onward.register
def _(op: LocalResponseNorm, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    factor = response(op, parts[0])
    if factor is None:
        return replace(UNKNOWN, drawn=parts[0].drawn, origin=node.name)
    return parts[0].scaled(factor)


def response(op: LocalResponseNorm, x: Spread) -> float | None:
    """What a local response norm multiplies by, where neighbours change it little."""
    if x.square is None or op.alpha * x.square > 0.2 * op.k:
        return None
    return float((op.k + op.alpha * x.square) ** -op.beta)


# ------------------------------------------------------------------------------------- pools


@onward.register
def _(op: MaxPool, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), windows = parts, op.windows(node.arrivals[0])
    power = shaped(averaged(windows, x.power))
    found = replace(x, origin=node.name, clump=overlap(windows, x.clump), power=power)
    shares = [Counter(gathered(window, None)) for window in windows]
    counts = [
        (
            round(math.prod(n for n, _ in combination)),
            math.prod(count / w.output for (_, count), w in zip(combination, windows, strict=True)),
        )
        for combination in product(*(share.items() for share in shares))
    ]
    return _largest(x, found, counts)


@onward.register
def _(op: GlobalMax, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    found = replace(x, origin=node.name, clump=1.0, power=())
    return _largest(x, found, [(value.size // value.channels, 1.0)])


def _largest(x: Spread, found: Spread, counts: Sequence[tuple[int, float]]) -> Spread:
    """The largest of so many places, which have to be known to be independent."""
    rows = x.shape
    joint = (x.joint or _single(x)) and _level_means(x)
    if rows is None or not (joint and x.alike and x.even and x.clump == 1.0):
        return replace(UNKNOWN, drawn=x.drawn, origin=found.origin, clump=found.clump)
    return placed(of_rows(tuple(row.largest(counts) for row in rows), replace(found, joint=True)))


def _level_means(x: Spread) -> bool:
    """Whether a unit's mean is nearly the same at all places."""
    if x.moments is None:
        return False
    mean, square, shared = x.moments
    return (shared - mean**2) * (1 - x.steady) < 2 * MATTERS * square


def averaged(windows: Sequence[Window], power: Power) -> list[tuple[float, ...]]:
    """Along each axis the mean power of the taps that lie inside."""
    return [
        tuple(p / n for p, n in zip(sums, gathered(window, None), strict=True))
        for sums, window in zip(swept(gathered, windows, power), windows, strict=True)
    ]


def overlap(windows: Sequence[Window], clump: float) -> float:
    """With how many places an output has inputs in common."""
    own = math.prod(2 * -(-w.reach // w.stride) - 1 for w in windows)
    return own * max(1.0, clump / math.prod(w.stride for w in windows))


@onward.register
def _(op: AvgPool, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), windows = parts, op.windows(node.arrivals[0])
    if any(w.ceil and w.room % w.stride for w in windows):
        return replace(UNKNOWN, drawn=x.drawn, origin=node.name)
    inside = [gathered(window, None) for window in windows]
    taps = math.prod(w.kernel for w in windows)
    mean = math.prod(map(mean_of, inside)) / taps
    square = math.prod(mean_of([n * n for n in axis]) for axis in inside) / taps**2
    found = _mean(x, taps, mean, square)
    power = shaped(swept(gathered, windows, x.power))
    return replace(found, origin=node.name, clump=overlap(windows, x.clump), power=power)


@onward.register
def _(op: GlobalAverage, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (value,) = node.arrivals
    (x,) = parts
    flat = replace(x, shared=x.common, steady=1.0)
    found = _mean(flat, value.size // value.channels, 1.0, 1.0)
    if found.variance is not None and found.variance < MATTERS * (found.square or 0.0):
        # A small difference of large numbers.
        found = replace(found, mean=None)
    return replace(found, origin=node.name, clump=1.0, power=())


@onward.register
def _(op: AdaptiveAverage, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    taps = evenly(op, value)
    if taps == 1:
        return x
    if taps is None:
        return replace(UNKNOWN, drawn=x.drawn, origin=node.name)
    return replace(_mean(x, taps, 1.0, 1.0), origin=node.name, power=())


def evenly(op: AdaptiveAverage, value: Value) -> int | None:
    """How many numbers a mean is of; None where that differs from place to place."""
    pairs = list(zip(value.shape[1:], op.sizes(value), strict=True))
    if any(old % new for old, new in pairs):
        return None
    return math.prod(old // new for old, new in pairs)


def _mean(x: Spread, taps: int, mean: float, square: float) -> Spread:
    """The mean of `taps` places of which the padding leaves the shares `mean`, `square`."""
    found = replace(x, rows=None, freedom=None)
    if x.moments is None or x.own is None:
        return replace(found, mean=None, square=None, shared=None)
    shared = x.moments[2] * square
    own = x.own * mean / taps
    close = own * (min(x.clump, taps) - 1)
    if not x.alike or close > MATTERS * (shared + own):
        return replace(found, mean=None, square=None, shared=None, normal=x.normal)
    return replace(found, mean=x.moments[0] * mean, square=shared + own, shared=shared)


@onward.register
def _(op: Upsample, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    if op.bilinear:
        return replace(UNKNOWN, drawn=x.drawn, origin=node.name)
    times_larger = node.value.size // value.size
    return replace(x, origin=node.name, clump=x.clump * times_larger, power=())


# ---------------------------------------------------------------------------------- moves


@onward.register
def _(op: Moving, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    stays = value.shape[1:] == node.value.shape[1:] and not value.channels_last
    return replace(x, origin=node.name, power=x.power if stays else ())


@onward.register
def _(op: Pad, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    share = value.size / node.value.size
    if share == 1:
        return x
    _, *margins = op.before(value)
    rims = [
        (0.0,) * margin + (x.power[axis] if x.power else (1.0,) * size) + (0.0,) * margin
        for axis, (margin, size) in enumerate(zip(margins, value.shape[1:], strict=True))
    ]
    return Spread(
        times(x.mean, share),
        times(x.square, share),
        times(x.shared, share),
        drawn=x.drawn,
        origin=node.name,
        clump=x.clump,
        alike=x.alike,
        even=node.value.channels == value.channels,
        power=shaped(rims),
    )


# ------------------------------------------------------------------------- noise and learned


@onward.register(Dropout)
@onward.register(DropPath)
def _(op: Dropout | DropPath, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,) = parts
    if op.p == 0:
        return x
    return replace(
        x,
        square=times(x.square, 1 / (1 - op.p)),
        rows=None,
        normal=False,
        origin=node.name,
        alike=x.alike and not isinstance(op, DropPath),
    )


@onward.register
def _(op: Noise, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    drawn = frozenset({node.name})
    noise = Spread(0.0, op.sd**2, 0.0, normal=True, drawn=drawn)
    return replace(summed([parts[0], noise]), origin=node.name)


@onward.register
def _(op: Scale, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return parts[0].scaled(op.start)


@onward.register
def _(op: Shift, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return parts[0]


@onward.register
def _(op: Positions, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), entry = parts, drawn_by(node, layout)
    table = Spread(0.0, entry.variance, entry.variance, normal=True, drawn=frozenset({entry.name}))
    if not apart([x.drawn, table.drawn]):
        return replace(UNKNOWN, drawn=united([x.drawn, table.drawn]), origin=node.name)
    found = summed([x, table])
    little = found.square is not None and entry.variance < MATTERS * found.square
    return replace(found, origin=node.name, alike=x.alike and little)


@onward.register
def _(op: ClassToken, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), entry = parts, drawn_by(node, layout)
    token = Spread(0.0, entry.variance, entry.variance, normal=True, drawn=frozenset({entry.name}))
    sizes = [node.arrivals[0].size, node.value.channels]
    return replace(_side_by_side([x, token], sizes), origin=node.name)


# ------------------------------------------------------------------------------------ merges


@onward.register(Add)
@onward.register(Sub)
@onward.register(Mean)
def _(op: Add | Sub | Mean, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    signed = _signed(op, parts)
    if len(parts) == 1:
        return parts[0]
    if bent_alike(parts):
        return replace(_pointwise(signed, sum), power=signed[0].power)
    if not apart([part.drawn for part in parts]):
        return replace(UNKNOWN, drawn=united([p.drawn for p in parts]), origin=node.name)
    return replace(summed(signed), origin=node.name, alike=_still_alike(node, parts))


def _signed(op: Op, parts: Sequence[Spread]) -> list[Spread]:
    match op:
        case Mean():
            return [part.scaled(1 / len(parts)) for part in parts]
        case Sub():
            return [parts[0], *(part.scaled(-1.0) for part in parts[1:])]
        case _:
            return list(parts)


def bent_alike(parts: Sequence[Spread]) -> bool:
    """Whether all are the same numbers under different laws."""
    shapes = [part.shape for part in parts]
    known = [shape for shape in shapes if shape is not None]
    return (
        len({part.origin for part in parts}) == 1
        and bool(parts[0].origin)
        and len(known) == len(parts)
        and all(part.joint for part in parts)
        and len({tuple(len(row.atoms) for row in shape) for shape in known}) == 1
    )


def _pointwise(parts: Sequence[Spread], together: object) -> Spread:
    """Numbers of one origin joined one by one."""
    assert callable(together)
    shapes = [part.shape or () for part in parts]
    rows = tuple(
        replace(
            rows[0],
            atoms=tuple(map(together, zip(*(row.atoms for row in rows), strict=True))),
            slopes=None,
        )
        for rows in zip(*shapes, strict=True)
    )
    return of_rows(rows, parts[0])


def _still_alike(node: Node, parts: Sequence[Spread]) -> bool:
    """Whether far places stay independent: a vector that goes with a map is the same at all."""
    vectors = [
        part
        for part, value in zip(parts, node.arrivals, strict=True)
        if value.rank < node.value.rank
    ]
    steady = all(
        part.own is not None and part.square is not None and part.own < MATTERS * part.square
        for part in vectors
    )
    return steady and all(part.alike for part in parts)


@onward.register
def _(op: Mul, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    if bent_alike(parts):
        return replace(_pointwise(parts, math.prod), power=())
    drawn = united([part.drawn for part in parts])
    known = [part.moments for part in parts if part.moments is not None]
    if not apart([part.drawn for part in parts]) or len(known) < len(parts):
        return replace(UNKNOWN, drawn=drawn, origin=node.name)
    widest = max(parts, key=lambda part: len(part.power))
    mean, square, shared = (math.prod(moment) for moment in zip(*known, strict=True))
    return Spread(
        mean,
        square,
        shared,
        drawn=drawn,
        origin=node.name,
        clump=max(part.clump for part in parts),
        alike=_still_alike(node, parts),
        power=widest.power,
    )


@onward.register
def _(op: Concat, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    found = _side_by_side(parts, [value.size for value in node.arrivals])
    channels = op.along(node.arrivals[0]) == node.value.channel_axis
    return replace(
        found,
        origin=node.name,
        alike=found.alike and channels,
        power=found.power if channels else (),
    )


def _side_by_side(parts: Sequence[Spread], sizes: Sequence[int]) -> Spread:
    """A mixture: so many numbers of each."""
    drawn = united([part.drawn for part in parts])
    normal = all(part.normal for part in parts)
    known = [part.moments for part in parts if part.moments is not None]
    if len(known) < len(parts):
        return replace(UNKNOWN, drawn=drawn, normal=normal, even=False)
    whole = sum(sizes)
    mean, square, shared = (
        sum(size * moment for size, moment in zip(sizes, moments, strict=True)) / whole
        for moments in zip(*known, strict=True)
    )
    even = all(math.isclose(q, square, rel_tol=1e-3) for _, q, _ in known)
    weights = [size * q for size, (_, q, _) in zip(sizes, known, strict=True)]
    return Spread(
        mean,
        square,
        shared,
        normal=normal,
        drawn=drawn,
        clump=max(part.clump for part in parts),
        alike=all(part.alike for part in parts),
        even=even,
        power=blended([(w, part.power) for w, part in zip(weights, parts, strict=True)]),
    )
