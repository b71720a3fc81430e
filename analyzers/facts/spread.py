"""How the numbers of a value are spread at initialisation: over units, places and examples.

Convention: mean field. A number is told by a draw that all examples share (its unit's weights) and one
of the example's own, far places of a map standing for further examples. Behind a layer with many
drawn weights both are normal; what bends them is followed on a grid, so that any law is covered.

Source: Poole et al. 2016, exponential expressivity in deep neural networks through transient chaos;
Schoenholz et al. 2017, deep information propagation.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

from ...compiler.op import Elementwise

Law = Callable[[float], float]

ALIKE = 1e-9
"""Shares of the mean square below this count as none."""
SHARED, OWN = 17, 60
"""Cells of the grids for the two draws."""
REACH = 4.6
"""How many standard deviations a grid covers."""
ATOMS = 48
"""Cells that a distribution is brought to before it is added to another."""
DEAD_ON = 1000
"""A unit counts as dead when its activation is 0 on this many examples."""


class Numbers:
    """The algebra in which a law is worked out at a point; past the largest float is the largest."""

    tanh, erf, log1p, abs = math.tanh, math.erf, math.log1p, abs

    def exp(self, x: float) -> float:
        return math.exp(min(x, 300.0))

    def expm1(self, x: float) -> float:
        return math.expm1(min(x, 300.0))

    def maximum(self, x: float, bound: float) -> float:
        return max(x, bound)

    def minimum(self, x: float, bound: float) -> float:
        return min(x, bound)

    def above(self, x: float, bound: float) -> float:
        return 1.0 if x > bound else 0.0


NUMBERS = Numbers()


@dataclass(frozen=True)
class Row:
    """What is left open once the shared draw is known: atoms, their chances, and the squared slope
    of the last law at each; None where no law bent them."""

    chance: float
    atoms: tuple[float, ...]
    chances: tuple[float, ...]
    slopes: tuple[float, ...] | None = None

    @cached_property
    def mean(self) -> float:
        return sum(a * c for a, c in zip(self.atoms, self.chances, strict=True))

    @cached_property
    def square(self) -> float:
        return sum(a * a * c for a, c in zip(self.atoms, self.chances, strict=True))

    @cached_property
    def slope(self) -> float:
        """The mean squared slope."""
        return sum(s * c for s, c in zip(self.slopes or (), self.chances, strict=True))

    def mapped(self, law: Law, slope: Callable[[float, float], float]) -> Row:
        atoms = tuple(map(law, self.atoms))
        slopes = tuple(slope(x, y) ** 2 for x, y in zip(self.atoms, atoms, strict=True))
        return replace(self, atoms=atoms, slopes=slopes)

    def moved(self, factor: float, by: float) -> Row:
        return replace(self, atoms=tuple(factor * a + by for a in self.atoms))

    def largest(self, counts: Iterable[tuple[int, float]]) -> Row:
        """The largest of n independent draws, n by the given shares."""
        order = sorted(range(len(self.atoms)), key=self.atoms.__getitem__)
        shares = tuple(counts)
        below, before, chances = 0.0, 0.0, [0.0] * len(order)
        for index in order:
            below += self.chances[index]
            now = sum(share * min(below, 1.0) ** n for n, share in shares)
            chances[index], before = now - before, now
        return replace(self, chances=tuple(chances))


@dataclass(frozen=True)
class Spread:
    """The distribution of a value's numbers; None stands for what is not known.

    Attributes
    ----------
    mean, square: of all numbers: the expectation, and that of the square.
    shared: the expected product of one unit's numbers for two examples; at least mean².
    steady: what of `shared` is left when the two stand at different places of a map.
    rows: the distribution; None where it is not known. Of a normal one, see `normal`.
    normal: whether both draws are normal.
    joint: whether a row stands for a shared draw; else there is one row, of everything.
    drawn: names of the weights whose draw makes the numbers what they are; None where too many.
    origin: the node whose numbers these are, one for one, bent at most.
    freedom: how many independent terms a channel's variance is made of; None for many.
    clump: with how many places of a map a number has draws in common.
    alike: whether far places are as independent as examples.
    even: whether all channels have the same variance.
    power: along each spatial axis the mean square by place, relative to `square`; () where flat.
    """

    mean: float | None = None
    square: float | None = None
    shared: float | None = None
    rows: tuple[Row, ...] | None = None
    normal: bool = False
    joint: bool = True
    drawn: frozenset[str] | None = None
    origin: str = ""
    freedom: float | None = None
    clump: float = 1.0
    alike: bool = True
    even: bool = True
    power: tuple[tuple[float, ...], ...] = ()
    steady: float = 1.0

    @property
    def common(self) -> float | None:
        """The expected product for two examples at two places: what a channel's mean squares to."""
        return times(self.shared, self.steady)

    @property
    def variance(self) -> float | None:
        if self.mean is None or self.square is None:
            return None
        return max(0.0, self.square - self.mean**2)

    @property
    def own(self) -> float | None:
        """The variance within a unit, over examples."""
        if self.square is None or self.shared is None:
            return None
        return max(0.0, self.square - self.shared)

    @property
    def moments(self) -> tuple[float, float, float] | None:
        if self.mean is None or self.square is None or self.shared is None:
            return None
        return self.mean, self.square, self.shared

    @property
    def shape(self) -> tuple[Row, ...] | None:
        """The rows, worked out for a normal one."""
        if not self.normal:
            return self.rows
        if self.mean is None or self.square is None or not self.even:
            return None
        shared = self.mean**2 if self.shared is None else self.shared
        return _normal_rows(self.mean, self.square, shared)

    def scaled(self, factor: float, power: tuple[tuple[float, ...], ...] | None = None) -> Spread:
        """Every number times a constant."""
        return replace(
            self,
            mean=times(self.mean, factor),
            square=times(self.square, factor**2),
            shared=times(self.shared, factor**2),
            rows=self.rows and tuple(row.moved(factor, 0.0) for row in self.rows),
            power=self.power if power is None else power,
        )


UNKNOWN = Spread()
LARGEST = 1e60
"""Mean squares past this, or below its inverse, are given up."""


def in_range(number: float | None) -> bool:
    """Whether it can be worked on with: not infinite, not lost; None can."""
    return number is None or number == 0 or 1 / LARGEST <= abs(number) <= LARGEST


def bounded(x: Spread) -> Spread:
    """The spread, or what is left of it where its numbers grow or shrink out of range."""
    if in_range(x.square) and in_range(x.mean) and in_range(x.shared):
        return x
    return replace(UNKNOWN, drawn=x.drawn, origin=x.origin, normal=x.normal)


def times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor


def _bell(cells: int, reach: float = REACH) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Midpoints of even cells over a standard normal draw, and the chance of each."""
    step = 2 * reach / cells
    points = tuple((i + 0.5) * step - reach for i in range(cells))
    density = [math.exp(-0.5 * x * x) for x in points]
    whole = sum(density)
    return points, tuple(d / whole for d in density)


OWN_DRAW, SHARED_DRAW, FINE_DRAW = _bell(OWN), _bell(SHARED), _bell(400)


@lru_cache(maxsize=64)
def _normal_rows(mean: float, square: float, shared: float) -> tuple[Row, ...]:
    own, common = math.sqrt(max(0.0, square - shared)), math.sqrt(max(0.0, shared - mean**2))
    points, chances = OWN_DRAW if own**2 > ALIKE * square else ((0.0,), (1.0,))
    shared_draw = SHARED_DRAW if common**2 > ALIKE * square else ((0.0,), (1.0,))
    return tuple(
        Row(chance, tuple(mean + common * s + own * e for e in points), chances)
        for s, chance in zip(*shared_draw, strict=True)
    )


def of_rows(rows: tuple[Row, ...], like: Spread) -> Spread:
    """A spread by its rows; `like` for what they do not tell."""
    mean = sum(row.chance * row.mean for row in rows)
    square = sum(row.chance * row.square for row in rows)
    shared = sum(row.chance * row.mean**2 for row in rows)
    return replace(
        like, mean=mean, square=square, shared=shared, rows=rows, normal=False, freedom=None
    )


def placed(flat: Spread) -> Spread:
    """The mean of all places, of a spread whose moments are of a place of mean power."""
    if flat.mean is None:
        return flat
    return replace(flat, mean=flat.mean * _root_mean(flat.power))


def _root_mean(power: tuple[tuple[float, ...], ...]) -> float:
    return math.prod(sum(map(math.sqrt, axis)) / len(axis) for axis in power)


# ------------------------------------------------------------------------------------- laws


def bent(op: Elementwise, x: Spread) -> Spread:
    """The spread of `law(x)`, each row with the slopes it was bent by."""
    bent_rows = _bent_rows(op, x)
    if bent_rows is None:
        return replace(UNKNOWN, drawn=x.drawn, origin=x.origin, clump=x.clump, alike=x.alike)
    law, slope = _read(op)
    found = of_rows(bent_rows, x)
    if x.shared is None:
        found = replace(found, shared=None, joint=False)
    elif not x.joint:
        found = replace(found, shared=_shared_share(law, slope, x, found))
    found = replace(found, power=_bent_power(law, slope, x, found))
    return placed(replace(found, steady=_steady(x, found)))


def _steady(x: Spread, found: Spread) -> float:
    """Behind a law: the mean's share shrinks as the power differs, the rest as it did before."""
    if x.moments is None or found.moments is None or found.moments[2] <= 0:
        return x.steady
    (mean, square, shared), (after, _, shared_after) = x.moments, found.moments
    varied = shared - mean**2
    kept = (shared * x.steady - mean**2) / varied if varied > ALIKE * square else 1.0
    left = after**2 + (shared_after - after**2) * min(1.0, max(0.0, kept))
    return min(1.0, left * _root_mean(found.power) ** 2 / shared_after)


def _bent_rows(op: Elementwise, x: Spread) -> tuple[Row, ...] | None:
    if not x.normal:
        law, slope = _read(op)
        return x.rows and tuple(row.mapped(law, slope) for row in x.rows)
    if x.mean is None or x.square is None or not x.even:
        return None
    shared = x.mean**2 if x.shared is None else x.shared
    return _bent_normal(op, *_digits((x.mean, x.square, shared)))


def _digits(moments: tuple[float, float, float]) -> tuple[float, float, float]:
    """To four digits, so that uses that are nearly alike are worked out once."""
    mean, square, shared = (float(f"{moment:.4g}") for moment in moments)
    return mean, square, shared


@lru_cache(maxsize=256)
def _bent_normal(op: Elementwise, mean: float, square: float, shared: float) -> tuple[Row, ...]:
    law, slope = _read(op)
    return tuple(row.mapped(law, slope) for row in _normal_rows(mean, square, shared))


def _read(op: Elementwise) -> tuple[Law, Callable[[float, float], float]]:
    return (
        lambda x: float(op.law(NUMBERS, x)),
        lambda x, y: float(op.slope(NUMBERS, x, y)),
    )


def _shared_share(
    law: Law, slope: Callable[[float, float], float], x: Spread, found: Spread
) -> float | None:
    """What two examples share behind a law, as if the sum before it were normal."""
    if x.moments is None or found.mean is None or found.variance is None:
        return None
    normal = of_rows(tuple(row.mapped(law, slope) for row in _normal_rows(*x.moments)), x)
    if not normal.variance or normal.shared is None or normal.mean is None:
        return None
    share = (normal.shared - normal.mean**2) / normal.variance
    return float(found.mean**2 + share * found.variance)


def _bent_power(
    law: Law, slope: Callable[[float, float], float], x: Spread, found: Spread
) -> tuple[tuple[float, ...], ...]:
    """Power by place behind a law: the same for one that is straight on both sides of 0, else by how
    much the mean square answers to the input's."""
    straight = all(math.isclose(law(2 * at), 2 * law(at), abs_tol=1e-12) for at in (1.0, -1.0))
    if not x.power or straight or x.shape is None or not found.square:
        return x.power
    louder = tuple(row.moved(1.05, 0.0).mapped(law, slope) for row in x.shape)
    answer = sum(row.chance * row.square for row in louder) / found.square
    exponent = math.log(answer) / (2 * math.log(1.05)) if answer > 0 else 0.0
    return tuple(level([p**exponent for p in axis]) for axis in x.power)


def steepness(op: Elementwise, x: Spread, made: Spread) -> float:
    """How a law's mean squared slope goes by the power of its input: the exponent; 0 for one that is
    straight on both sides of 0."""
    before = squared_slope(made)
    if not x.power or made.power is x.power or x.shape is None or not before:
        return 0.0
    law, slope = _read(op)
    after = squared_slope(
        replace(made, rows=tuple(r.moved(1.05, 0.0).mapped(law, slope) for r in x.shape))
    )
    return math.log(after / before) / (2 * math.log(1.05)) if after else 0.0


def level(power: Sequence[float]) -> tuple[float, ...]:
    """Brought to mean 1."""
    mean = sum(power) / len(power)
    return tuple(p / mean for p in power) if mean else tuple(power)


@dataclass(frozen=True)
class Weighting:
    """How much more of something lies where a number has a value: relative, at rising points."""

    points: tuple[float, ...]
    weights: tuple[float, ...]

    def at(self, point: float) -> float:
        """Straight between the points, level past their ends."""
        right = bisect_left(self.points, point)
        if right in (0, len(self.points)):
            return self.weights[min(right, len(self.points) - 1)]
        low, high = self.points[right - 1], self.points[right]
        share = (point - low) / (high - low)
        return (1 - share) * self.weights[right - 1] + share * self.weights[right]


def weighting(pairs: Iterable[tuple[float, float]]) -> Weighting:
    """From points with their weights, in any order; of one point the last counts."""
    rising = sorted(dict(pairs).items())
    return Weighting(tuple(point for point, _ in rising), tuple(weight for _, weight in rising))


def squared_slope(y: Spread, weights: Weighting | None = None) -> float | None:
    """The mean squared slope of the law that made `y`, weighted by the value of `y`."""
    if y.rows is None or any(row.slopes is None for row in y.rows):
        return None
    if weights is None:
        return sum(row.chance * row.slope for row in y.rows)
    return sum(
        row.chance
        * sum(
            slope * chance * weights.at(atom)
            for atom, slope, chance in zip(row.atoms, row.slopes or (), row.chances, strict=True)
        )
        for row in y.rows
    )


# ------------------------------------------------------------------------------------- zeros


@cache
def threshold(op: Elementwise) -> float | None:
    """Up to where the law is 0; None where it is not 0 on one side."""
    law, _ = _read(op)
    low, high = -50.1, 49.7
    if law(low) != 0.0 or law(high) == 0.0 or law(low) < 0:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if law(middle) == 0.0 else (low, middle)
    return low


def below(bound: float, x: Spread) -> float | None:
    """The share of numbers at most `bound`."""
    if x.normal:
        return None if x.variance is None or x.mean is None else _under(bound, x.mean, x.variance)
    if x.rows is None:
        return None
    return sum(
        row.chance * sum(c for a, c in zip(row.atoms, row.chances, strict=True) if a <= bound)
        for row in x.rows
    )


def always_below(bound: float, x: Spread) -> float | None:
    """The share of units whose numbers for `DEAD_ON` examples are all at most `bound`."""
    if not x.normal or x.moments is None:
        return None
    return _always_below(bound, *_digits(x.moments))


@lru_cache(maxsize=256)
def _always_below(bound: float, mean: float, square: float, shared: float) -> float:
    common, own = math.sqrt(max(0.0, shared - mean**2)), max(0.0, square - shared)
    if common == 0:
        return _under(bound, mean, own) ** DEAD_ON
    return sum(
        chance * _under(bound, mean + common * s, own) ** DEAD_ON
        for s, chance in zip(*FINE_DRAW, strict=True)
    )


def _under(bound: float, mean: float, variance: float) -> float:
    if variance <= 0:
        return 1.0 if mean <= bound else 0.0
    return 0.5 * math.erfc((mean - bound) / math.sqrt(2 * variance))


# ----------------------------------------------------------------------------------- sums


def summed(parts: Sequence[Spread]) -> Spread:
    """The sum of independent parts; their `drawn` must have been found to be apart."""
    total = parts[0]
    for part in parts[1:]:
        total = _pair(total, part)
    return total


def _pair(a: Spread, b: Spread) -> Spread:
    if a.moments is None or b.moments is None:
        return replace(UNKNOWN, drawn=united([a.drawn, b.drawn]))
    (m, q, p), (n, r, s) = a.moments, b.moments
    cross = 2 * m * n
    square = q + r + cross
    shared = p + s + cross
    common = p * a.steady + s * b.steady + cross
    found = Spread(
        m + n,
        square,
        shared,
        drawn=united([a.drawn, b.drawn]),
        clump=max(a.clump, b.clump),
        alike=a.alike and b.alike,
        even=a.even and b.even,
        power=blended([(q, a.power), (r, b.power)]),
        steady=min(1.0, max(0.0, common / shared)) if shared > 0 else 1.0,
    )
    if a.normal and b.normal:
        return replace(found, normal=True)
    left, right = coarse(a), coarse(b)
    if left is None or right is None:
        return found
    pairs = [
        (x + y, c * d)
        for x, c in zip(left.atoms, left.chances, strict=True)
        for y, d in zip(right.atoms, right.chances, strict=True)
    ]
    return replace(found, rows=(_stretched(_binned(pairs), found),), joint=False)


def coarse(x: Spread) -> Row | None:
    """All of a spread as one row of few atoms."""
    rows = x.shape
    if rows is None:
        return None
    if len(rows) == 1 and len(rows[0].atoms) <= ATOMS:
        return rows[0]
    return _binned(
        [(a, row.chance * c) for row in rows for a, c in zip(row.atoms, row.chances, strict=True)]
    )


def _binned(pairs: Sequence[tuple[float, float]]) -> Row:
    """Atoms brought together in even cells, each at its centre of mass; 0 lies between two."""
    kept = [pair for pair in pairs if pair[1] > 1e-9]
    low, high = min(kept)[0], max(kept)[0]
    step = (high - low) / ATOMS or 1.0
    low = math.floor(low / step) * step
    mass, moment = [0.0] * (ATOMS + 2), [0.0] * (ATOMS + 2)
    for atom, chance in kept:
        cell = int((atom - low) / step)
        mass[cell] += chance
        moment[cell] += chance * atom
    cells = [(moment[i] / m, m) for i, m in enumerate(mass) if m]
    whole = sum(mass)
    return Row(1.0, tuple(a for a, _ in cells), tuple(m / whole for _, m in cells))


def _stretched(row: Row, to: Spread) -> Row:
    """The row brought to the known mean and variance, of which cells take a little."""
    spread = row.square - row.mean**2
    if to.mean is None or not to.variance or spread <= 0:
        return row
    factor = math.sqrt(to.variance / spread)
    return row.moved(factor, to.mean - factor * row.mean)


MOST_DRAWN = 4096


def united(parts: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    """The names of all; None where one is not known, or where they are too many to keep."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    found = known[0].union(*known[1:])
    return found if len(found) <= MOST_DRAWN else None


def apart(parts: Sequence[frozenset[str] | None]) -> bool:
    """Whether no two have a draw in common."""
    known = [part for part in parts if part is not None]
    return len(known) == len(parts) and sum(map(len, known)) == len(frozenset().union(*known))


def blended(
    parts: Sequence[tuple[float, tuple[tuple[float, ...], ...]]],
) -> tuple[tuple[float, ...], ...]:
    """Power by place of a sum of parts with the given mean squares."""
    bumpy = [power for _, power in parts if power]
    whole = sum(weight for weight, _ in parts)
    if not bumpy or whole <= 0:
        return ()
    return tuple(
        level(
            [
                sum(weight * (power[axis][i] if power else 1.0) for weight, power in parts)
                for i in range(len(bumpy[0][axis]))
            ]
        )
        for axis in range(len(bumpy[0]))
    )
