"""How each operator spreads what arrives at it: the forward half of `signal`.

Convention: as in training, noise on and batch norm by the batch's own statistics, over many examples.
What has no rule here is unknown, until a norm makes mean and variance known again.

Source: He et al. 2015, delving deep into rectifiers, section 2.2; Glorot and Bengio 2010.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, reduce, singledispatch
from itertools import product

from ...compiler.graph import Node
from ...compiler.op import Elementwise, Op
from ...compiler.ops.activation import LRelu, PRelu
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.dense import Fc
from ...compiler.ops.merge import Add, Concat
from ...compiler.ops.noise import Dropout
from ...compiler.ops.norm import BatchNorm, LayerNorm, RMSNorm, RowNorm
from ...compiler.ops.pool import AvgPool, GlobalAverage, MaxPool
from ...compiler.ops.shape import Moving, Pad
from ...compiler.plan.parameters import Entry
from ...compiler.shapes import Window
from .spread import (
    Counts,
    Power,
    Spread,
    apart,
    bent,
    blended,
    mean_of,
    of_rows,
    shaped,
    times,
    united,
)

Layout = Mapping[str, Entry]
Sweep = Callable[[Window, tuple[float, ...] | None], tuple[float, ...]]


@singledispatch
def onward(op: Op, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    """What is known of a node's output, from what is known of its inputs."""
    drawn = united([*(part.drawn for part in parts), frozenset(map(node.keeper, node.weights))])
    return Spread(drawn=drawn, clump=math.inf)


# ------------------------------------------------------------------------------- affine maps


def drawn_by(node: Node, layout: Layout) -> Entry:
    """The weight, where it is kept."""
    (weight,) = (w for w in node.weights if w.name == "weight")
    return layout[node.keeper(weight)]


def summed(entry: Entry, terms: float) -> float:
    """Of how many independent numbers a unit's variance is a sum: of none where its weights are a row
    of an orthogonal matrix, which is of one length."""
    rows, columns = entry.weight.matrix
    if entry.draw.kind != "orthogonal":
        return terms
    return terms / (1 - columns / rows) if rows > columns else math.inf


def _mixed(node: Node, x: Spread, layout: Layout, terms: float) -> Spread:
    """Sums of `terms` numbers times as many drawn weights: normal, whatever arrives."""
    entry = drawn_by(node, layout)
    fresh = Spread(0.0, drawn=frozenset({entry.name}), clump=x.clump)
    if x.drawn is None or entry.name in x.drawn or not terms:
        return fresh
    gain = entry.variance * terms
    return replace(
        fresh,
        square=times(x.square, gain),
        shared=times(x.shared, gain),
        normal=True,
        terms=summed(entry, terms),
        sway=x.sway + x.tail / terms,
        crowd=x.crowd + 1 / terms,
        doubt=x.doubt,
    )


@onward.register
def _(op: Fc, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return _raised(node, _mixed(node, parts[0], layout, node.arrivals[0].shape[-1]), layout)


@onward.register
def _(op: Convolution, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    if isinstance(op, TransposedConv):
        return x.lost()
    windows = op.windows(value)
    sums = swept(gathered, windows, x.power)
    terms = value.shape[0] / op.groups(value) * math.prod(map(mean_of, sums))
    found = replace(
        _mixed(node, x, layout, terms),
        power=shaped(sums),
        steady=x.steady * math.prod(map(_steady, windows)),
        clump=max(1.0, x.clump / math.prod(w.stride for w in windows)),
    )
    return _raised(node, found, layout)


def _raised(node: Node, x: Spread, layout: Layout) -> Spread:
    """With a bias that is drawn too: one number a unit, for all examples and places.

    An even draw is not normal: its fourth moment puts the mean square of what a kink makes of the
    sum off by a twelfth of its excess (Edgeworth's series, first term).
    """
    biases = [layout[node.keeper(weight)] for weight in node.weights if weight.name == "bias"]
    variance = sum(entry.variance for entry in biases)
    if not variance or x.moments is None or x.drawn is None:
        return x
    _, before, shared = x.moments
    square = before + variance
    kept, raised = before / square, variance / square
    return replace(
        x,
        square=square,
        shared=shared + variance,
        steady=(shared * x.steady + variance) / (shared + variance),
        drawn=x.drawn.union(entry.name for entry in biases),
        power=blended([(before, x.power), (variance, ())]),
        sway=kept**2 * x.sway + (4 * kept * raised + 0.8 * raised**2) / node.value.channels,
        doubt=kept * x.doubt + 1.2 * raised**2 / 12,
    )


def swept(sweep: Sweep, windows: Sequence[Window], power: Power) -> list[tuple[float, ...]]:
    """Along each axis what reaches every place through the windows' taps."""
    return [sweep(window, power[axis] if power else None) for axis, window in enumerate(windows)]


@lru_cache(maxsize=1024)
def _reads(window: Window) -> tuple[tuple[int, int], ...]:
    """Pairs of an input and an output that reads it; nobody reads the padding."""
    inside = [window.inside(tap) for tap in range(window.kernel)]
    return tuple(
        (at + step * window.stride, first + step)
        for first, last, at in inside
        for step in range(last - first)
    )


@lru_cache(maxsize=1024)
def gathered(window: Window, power: tuple[float, ...] | None) -> tuple[float, ...]:
    """For every output the sum of the power that it reads."""
    sums = [0.0] * window.output
    for at, output in _reads(window):
        sums[output] += 1.0 if power is None else power[at]
    return tuple(sums)


@lru_cache(maxsize=1024)
def scattered(window: Window, power: tuple[float, ...] | None) -> tuple[float, ...]:
    """For every input the sum of the power of the outputs that read it."""
    sums = [0.0] * window.size
    for at, output in _reads(window):
        sums[at] += 1.0 if power is None else power[output]
    return tuple(sums)


def _steady(window: Window) -> float:
    """Two places share what a tap brings where it lies inside at both."""
    inside = [window.inside(tap) for tap in range(window.kernel)]
    shares = [(last - first) / window.output for first, last, _ in inside]
    return sum(share**2 for share in shares) / sum(shares)


# ---------------------------------------------------------------------------- number by number


@onward.register
def _(op: Elementwise, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return bent(op, parts[0])


@onward.register
def _(op: PRelu, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return bent(LRelu.model_construct(a=op.a), parts[0])


@onward.register
def _(op: Dropout, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), kept = parts, 1 - op.p
    if kept == 1:
        return x
    tail = (x.tail + 1) / kept - 1
    return replace(x, square=times(x.square, 1 / kept), rows=None, normal=False, tail=tail)


@onward.register
def _(op: Moving, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), (value,) = parts, node.arrivals
    if isinstance(op, Pad):
        return x if value == node.value else x.lost()
    stays = value.shape[1:] == node.value.shape[1:] and not value.channels_last
    return replace(x, power=x.power if stays else ())


# ------------------------------------------------------------------------------------- norms


@onward.register
def _(op: BatchNorm, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,) = parts
    if node.frozen:
        return x
    within = channel_variance(x)
    whole = 1.0 if within is None else within / (within + op.eps)
    found = replace(x, mean=0.0, square=whole, shared=0.0, steady=1.0, rows=None, even=True)
    return replace(found, terms=math.inf, doubt=0.0, mean_doubt=0.0)


def channel_variance(x: Spread) -> float | None:
    """Within a channel, over examples and places."""
    return None if x.shared is None else times(x.square, max(0.0, 1 - x.common))


@onward.register
def _(op: RowNorm, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    return Spread(0.0, 1.0, drawn=parts[0].drawn, clump=math.inf)


def row_variance(op: LayerNorm | RMSNorm, x: Spread) -> float | None:
    """What a row is divided by, squared, before eps."""
    return x.variance if op.centred else x.square


@onward.register(LayerNorm)
@onward.register(RMSNorm)
def _(op: LayerNorm | RMSNorm, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), variance, channels = parts, row_variance(op, parts[0]), node.value.channels
    mean = 0.0 if op.centred or x.mean == 0.0 else None
    # A row brought to variance 1 is not quite normal: its fourth moment is off by 2 / its length.
    found = Spread(mean, 1.0, drawn=x.drawn, clump=x.clump, crowd=x.crowd, doubt=1 / channels)
    if variance is None or x.moments is None:
        return found
    factor, taken = 1 / (variance + op.eps), x.moments[0] if op.centred else 0.0
    return replace(
        found,
        mean=(x.moments[0] - taken) * math.sqrt(factor),
        square=variance * factor,
        shared=max(0.0, x.moments[2] - taken**2) * factor,
        normal=x.normal,
        even=x.even,
    )


# ------------------------------------------------------------------------------------- pools


@onward.register
def _(op: MaxPool, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    """The largest of so many places, which have to be known to be independent."""
    (x,), windows = parts, op.windows(node.arrivals[0])
    rows, clump = x.shape, _overlap(windows, x.clump)
    if rows is None or x.moments is None or not x.even or x.clump > 1:
        return x.lost(clump)
    counts = taps(windows)
    found = of_rows(tuple(row.largest(counts) for row in rows), x)
    close, of_mean = pairs(x, counts), (found.mean or 0.0) ** 2 / (found.square or 1.0)
    return replace(
        found,
        clump=clump,
        power=shaped(_averaged(windows, x.power)),
        doubt=x.doubt + close + x.moments[2] * (1 - x.steady) / (x.moments[1] or 1.0),
        mean_doubt=x.mean_doubt + close * of_mean,
    )


def taps(windows: Sequence[Window]) -> Counts:
    """How many numbers windows hold, with the share of windows that hold so many; most first."""
    shares = [Counter(gathered(window, None)).items() for window in windows]
    outputs = math.prod(window.output for window in windows)
    found = (
        (round(math.prod(n for n, _ in axes)), math.prod(count for _, count in axes) / outputs)
        for axes in product(*shares)
    )
    return tuple(sorted(found, reverse=True))


def pairs(x: Spread, counts: Counts) -> float:
    """How far the square of the mean of the largest of n places is off, relatively, by what any two
    have in common: of two normal numbers it goes by 1 - ρ, to second order by ρ² / 4, and for each
    of n - 1 pairs ρ² is `crowd`."""
    return 0.25 * (counts[0][0] - 1) * x.crowd


def _averaged(windows: Sequence[Window], power: Power) -> list[tuple[float, ...]]:
    """Along each axis the mean power of the taps that lie inside."""
    return [
        tuple(p / n for p, n in zip(sums, gathered(window, None), strict=True))
        for sums, window in zip(swept(gathered, windows, power), windows, strict=True)
    ]


def _overlap(windows: Sequence[Window], clump: float) -> float:
    """With how many places an output has inputs in common."""
    own = math.prod(2 * -(-w.reach // w.stride) - 1 for w in windows)
    return own * max(1.0, clump / math.prod(w.stride for w in windows))


@onward.register
def _(op: AvgPool, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (x,), windows = parts, op.windows(node.arrivals[0])
    clump = _overlap(windows, x.clump)
    if any(w.before or w.after or w.ceil for w in windows):
        return x.lost(clump)
    found = _mean(x, math.prod(w.kernel for w in windows))
    return replace(found, clump=clump, power=shaped(_averaged(windows, x.power)))


@onward.register
def _(op: GlobalAverage, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    (value,), (x,) = node.arrivals, parts
    steady = replace(x, shared=times(x.shared, x.steady), steady=1.0)
    return replace(_mean(steady, value.size // value.channels), clump=1.0, power=())


def _mean(x: Spread, count: int) -> Spread:
    """The mean of `count` places."""
    if x.moments is None:
        return x.lost()
    _, square, shared = x.moments
    own = (square - shared) / count
    # As many of the places may be the same number as clump together.
    off = own * (min(x.clump, count) - 1) + shared * (1 - x.steady) + x.mean_doubt * square
    doubt = x.doubt + off / (shared + own or 1.0)
    found = replace(x, square=shared + own, rows=None, normal=False, terms=math.inf)
    return replace(found, doubt=doubt, mean_doubt=0.0)


# ------------------------------------------------------------------------------------ merges


@onward.register
def _(op: Add, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    vectors = any(value.rank < node.value.rank for value in node.arrivals)
    if vectors or not apart(part.drawn for part in parts):
        return Spread(drawn=united(p.drawn for p in parts), clump=math.inf)
    return reduce(_added, parts)


def _added(a: Spread, b: Spread) -> Spread:
    """The sum of two independent parts."""
    found = _side_by_side([a, b], [1, 1])
    if a.moments is None or b.moments is None:
        return found
    (m, q, p), (n, r, s) = a.moments, b.moments
    shared, cross = p + s + 2 * m * n, 2 * m * n
    steady = (p * a.steady + s * b.steady + cross) / shared if shared > 0 else 1.0
    found = replace(found, mean=m + n, square=q + r + cross, shared=shared)
    return replace(found, steady=min(1.0, steady), even=a.even and b.even)


def _side_by_side(parts: Sequence[Spread], sizes: Sequence[int]) -> Spread:
    """A mixture: so many numbers of each."""
    drawn, clump = united(part.drawn for part in parts), max(part.clump for part in parts)
    known = [part.moments for part in parts if part.moments]
    if len(known) < len(parts):
        return Spread(drawn=drawn, clump=clump)
    mean, square, shared = (_weighed(moments, sizes) for moments in zip(*known, strict=True))
    weights = [size * q for size, (_, q, _) in zip(sizes, known, strict=True)]
    return Spread(
        mean,
        square,
        shared,
        normal=all(part.normal for part in parts),
        even=all(math.isclose(q, square, rel_tol=1e-3) for _, q, _ in known),
        drawn=drawn,
        power=blended([(w, part.power) for w, part in zip(weights, parts, strict=True)]),
        clump=clump,
        steady=_weighed([part.steady for part in parts], weights),
        tail=_weighed([part.tail for part in parts], weights),
        sway=_weighed([part.sway for part in parts], weights),
        crowd=_weighed([part.crowd for part in parts], weights),
        doubt=_weighed([part.doubt for part in parts], weights),
        mean_doubt=_weighed([part.mean_doubt for part in parts], weights),
    )


def _weighed(numbers: Sequence[float], weights: Sequence[float]) -> float:
    return sum(w * n for w, n in zip(weights, numbers, strict=True)) / (sum(weights) or 1.0)


@onward.register
def _(op: Concat, node: Node, parts: Sequence[Spread], layout: Layout) -> Spread:
    found = _side_by_side(parts, [value.size for value in node.arrivals])
    if op.along(node.arrivals[0]) == node.value.channel_axis:
        return found
    return found.lost()
