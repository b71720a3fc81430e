"""How the numbers of a value are spread at initialisation: over units, places and examples.

What is assumed, and when it is not told:
- Mean field. A number is a draw that all examples share (its unit's weights) and one of the example's
  own; far places of a map stand for further examples. A sum of many numbers times fresh weights is
  normal in both and of mean 0. A law bends the two draws on a grid, so that any law is covered.
- A layer of n units is finite. The mean square of one example sways about its expectation by a relative
  variance of about tail / n a layer, and the numbers of a layer come to lie in fewer directions
  than it has units, by 1 / n a layer. Both are kept as fields. They are not corrected for: what a
  curved law, a norm or a maximum makes of them to second order is a doubt, and so is what is worked
  out for the mean of all places where places differ. Doubts add up, and past `DOUBTFUL` nothing is
  told. None of it is fitted to measurements.

Source: Poole et al. 2016, exponential expressivity in deep neural networks through transient chaos,
equations 3 and 5; Schoenholz et al. 2017, deep information propagation; Hanin and Rolnick 2018, how to
start training: the effect of initialization and architecture, for finite layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from ...compiler.op import Elementwise

Power = tuple[tuple[float, ...], ...]
Counts = tuple[tuple[int, float], ...]

DOUBTFUL = 0.07
"""Past this doubt nothing is told: what is told is to be within a tenth, of which doubts, being of
leading order, do not get all."""
SHARED, OWN, FINE = 17, 60, 400
"""Cells of the grids for the two draws, and for one that is raised to a high power."""
REACH = 4.6
"""How many standard deviations a grid covers."""
STEP = 0.2
"""The relative step in the mean square by which a law's answers to it are found."""
LARGEST = 1e60
"""Mean squares past this, or below its inverse, are given up."""
DEAD_ON = 1000
"""A unit counts as dead when its activation is 0 on this many examples."""


@dataclass(frozen=True)
class Row:
    """What is left open once the shared draw is known: atoms and their chances."""

    chance: float
    atoms: tuple[float, ...]
    chances: tuple[float, ...]

    def moment(self, power: int) -> float:
        return sum(c * a**power for a, c in zip(self.atoms, self.chances, strict=True))

    def mapped(self, law: Callable[[float], float]) -> Row:
        return replace(self, atoms=tuple(map(law, self.atoms)))

    def largest(self, counts: Counts) -> Row:
        """The largest of n independent draws, n by the given shares."""
        order = sorted(range(len(self.atoms)), key=self.atoms.__getitem__)
        below, before, chances = 0.0, 0.0, [0.0] * len(order)
        for index in order:
            below += self.chances[index]
            now = sum(share * min(below, 1.0) ** n for n, share in counts)
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
    rows: the distribution, a row for each shared draw; None where it is not known, or normal.
    normal: whether both draws are normal, of mean 0.
    even: whether all channels have the same variance.
    drawn: the weights whose draw makes the numbers what they are; None where too many.
    power: along each spatial axis the mean square by place, relative to `square`; () where flat.
    clump: with how many places of a map a number has draws in common.
    terms: of how many numbers each is a sum; infinite where that does not matter.
    tail: the relative variance of one number's square: 2 for a normal one.
    sway: the relative variance of an example's mean square, over examples and draws.
    crowd: of the covariance of the units, by how much squared trace of the square over square of the
        trace is past that of as many independent numbers.
    doubt: by how much `square` may be off, as a share of it.
    mean_doubt: by how much mean² and `shared` may be off, as a share of `square`.
    """

    mean: float | None = None
    square: float | None = None
    shared: float | None = None
    steady: float = 1.0
    rows: tuple[Row, ...] | None = None
    normal: bool = False
    even: bool = True
    drawn: frozenset[str] | None = None
    power: Power = ()
    clump: float = 1.0
    terms: float = math.inf
    tail: float = 2.0
    sway: float = 0.0
    crowd: float = 0.0
    doubt: float = 0.0
    mean_doubt: float = 0.0

    @property
    def moments(self) -> tuple[float, float, float] | None:
        if self.mean is None or self.square is None or self.shared is None:
            return None
        return self.mean, self.square, self.shared

    @property
    def common(self) -> float:
        """The share of the mean square that a channel's own mean makes up; 0 where not known."""
        return self.shared * self.steady / self.square if self.square and self.shared else 0.0

    @property
    def variance(self) -> float | None:
        if self.mean is None or self.square is None:
            return None
        return max(0.0, self.square - self.mean**2)

    @property
    def told(self) -> bool:
        """Whether mean and variance are sure enough to be told."""
        if self.variance is None or self.square is None:
            return False
        return (self.doubt + self.mean_doubt) * self.square <= DOUBTFUL * self.variance

    @property
    def shape(self) -> tuple[Row, ...] | None:
        """The rows, worked out for a normal one."""
        if not self.normal:
            return self.rows
        return normal_rows(*digits(*self.moments[1:])) if self.moments and self.even else None

    def lost(self, clump: float = math.inf) -> Spread:
        """What is left where no number is known."""
        return Spread(drawn=self.drawn, clump=clump)


def in_range(number: float | None) -> bool:
    """Whether it can be worked on with: not infinite, not lost; None can."""
    return number is None or number == 0 or 1 / LARGEST <= abs(number) <= LARGEST


def times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def mean_of(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def shaped(sums: Sequence[Sequence[float]]) -> Power:
    """Power by place, brought to mean 1; () where it is the same everywhere."""
    if all(max(axis) - min(axis) <= 1e-9 * max(axis) for axis in sums):
        return ()
    means = map(mean_of, sums)
    return tuple(tuple(p / mean for p in axis) for axis, mean in zip(sums, means, strict=True))


def blended(parts: Sequence[tuple[float, Power]]) -> Power:
    """Power by place of a sum of parts with the given mean squares."""
    bumpy = [power for _, power in parts if power]
    if not bumpy or sum(weight for weight, _ in parts) <= 0:
        return ()

    def at(axis: int, place: int) -> float:
        return sum(w * (power[axis][place] if power else 1.0) for w, power in parts)

    axes = enumerate(bumpy[0])
    return shaped([[at(axis, place) for place in range(len(row))] for axis, row in axes])


def united(parts: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """The names of all; None where one is not known."""
    known = list(parts)
    return None if None in known else frozenset().union(*(part for part in known if part))


def apart(parts: Iterable[frozenset[str] | None]) -> bool:
    """Whether no two have a draw in common."""
    known = list(parts)
    found = united(known)
    return found is not None and sum(len(part or ()) for part in known) == len(found)


# ------------------------------------------------------------------------------------- grids


def _bell(cells: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Midpoints of even cells over a standard normal draw, and the chance of each."""
    points = tuple((2 * i + 1 - cells) * REACH / cells for i in range(cells))
    density = [math.exp(-0.5 * x * x) for x in points]
    return points, tuple(d / sum(density) for d in density)


OWN_DRAW, SHARED_DRAW, FINE_DRAW = _bell(OWN), _bell(SHARED), _bell(FINE)
CERTAIN = (0.0,), (1.0,)


@lru_cache(maxsize=64)
def normal_rows(square: float, shared: float) -> tuple[Row, ...]:
    own, common = math.sqrt(max(0.0, square - shared)), math.sqrt(max(0.0, shared))
    points, chances = OWN_DRAW if own else CERTAIN
    return tuple(
        Row(chance, tuple(common * s + own * e for e in points), chances)
        for s, chance in zip(*(SHARED_DRAW if common else CERTAIN), strict=True)
    )


def digits(*moments: float) -> tuple[float, ...]:
    """To four digits, so that uses that are nearly alike are worked out once."""
    return tuple(float(f"{moment:.4g}") for moment in moments)


def of_rows(rows: tuple[Row, ...], like: Spread) -> Spread:
    """A spread by its rows; `like` for what they do not tell."""
    mean, square, fourth = (sum(r.chance * r.moment(power) for r in rows) for power in (1, 2, 4))
    shared = sum(row.chance * row.moment(1) ** 2 for row in rows)
    tail = max(0.0, fourth / square**2 - 1) if square**2 > 0 else 0.0
    found = replace(like, mean=mean, square=square, shared=shared, rows=rows, tail=tail)
    return replace(found, normal=False, terms=math.inf)


# ------------------------------------------------------------------------------------- laws


class Numbers:
    """The algebra in which a law is worked out at a point; past the largest float is the largest."""

    tanh, erf, log1p, abs, maximum, minimum = math.tanh, math.erf, math.log1p, abs, max, min

    def exp(self, x: float) -> float:
        return math.exp(min(x, 300.0))

    def expm1(self, x: float) -> float:
        return math.expm1(min(x, 300.0))

    def above(self, x: float, bound: float) -> float:
        return 1.0 if x > bound else 0.0


NUMBERS = Numbers()


def law(op: Elementwise) -> Callable[[float], float]:
    return lambda x: float(op.law(NUMBERS, x))


def slope(op: Elementwise) -> Callable[[float], float]:
    return lambda x: float(op.slope(NUMBERS, x, op.law(NUMBERS, x)))


@dataclass(frozen=True)
class Answer:
    """How a quantity behind a law goes by the mean square q before it.

    Attributes
    ----------
    value: the quantity.
    first: its exponent, q value' / value.
    second: q² value'' / value.
    """

    value: float
    first: float
    second: float

    def doubt(self, x: Spread) -> float:
        """By how much, relatively, the doubt about q and its sway, over places as well, put it off."""
        places = sum((p - 1) ** 2 / len(axis) for axis in x.power for p in axis)
        return abs(self.first) * x.doubt + 0.5 * abs(self.second) * (x.sway + places)


@dataclass(frozen=True)
class Bend:
    """What a law makes of a distribution: mean, mean square, and mean squared slope; and the plain
    mean of the slope."""

    mean: Answer
    square: Answer
    slope: Answer
    lean: float


def bend(op: Elementwise, x: Spread) -> Bend | None:
    """What the law makes of `x`; None where that is not known."""
    if x.normal and x.moments and x.even:
        return _bend(op, normal_rows(*digits(x.moments[1], 0.0)))
    return None if x.rows is None else _bend(op, x.rows)


@lru_cache(maxsize=256)
def _bend(op: Elementwise, rows: tuple[Row, ...]) -> Bend:
    def moments(q: float) -> tuple[float, ...]:
        scaled = [row.mapped(lambda a: a * math.sqrt(q)) for row in rows]
        bent, steep = ([row.mapped(f(op)) for row in scaled] for f in (law, slope))
        kinds = ((bent, 1), (bent, 2), (steep, 2), (steep, 1))
        return tuple(sum(r.chance * r.moment(power) for r in seen) for seen, power in kinds)

    *seen, lean = zip(moments(1 - STEP), moments(1.0), moments(1 + STEP), strict=True)
    mean, square, steepness = (_answer(*values) for values in seen)
    return Bend(mean, square, steepness, lean[1])


def _answer(less: float, value: float, more: float) -> Answer:
    """From the quantity at (1 - STEP) q, q and (1 + STEP) q."""
    if abs(value) < 1e-12:
        return Answer(0.0, 0.0, 0.0)
    second = (more - 2 * value + less) / (STEP**2 * value)
    return Answer(value, (more - less) / (2 * STEP * value), second)


def bent(op: Elementwise, x: Spread) -> Spread:
    """The spread of `law(x)`."""
    answers, rows = bend(op, x), x.shape
    if answers is None or rows is None or x.moments is None:
        return x.lost()
    found = _rows_bent(op, rows)
    mean, square, shared = found.moments or (0.0, 0.0, 0.0)
    # What differs from place to place of a unit's mean before the law does so behind it.
    differs = (1 - x.steady) * (shared - mean**2)
    own, left = x.moments[1] - x.moments[2], square - shared
    straight = min(1.0, answers.lean**2 * own / left) if left > 0 else 1.0
    flat = math.prod(mean_of([p**answers.mean.first for p in axis]) for axis in x.power)
    of_mean = 2 * answers.mean.doubt(x) * mean**2
    return replace(
        found,
        mean=mean * flat,
        steady=1 - differs / shared if shared > 0 else 1.0,
        even=x.even,
        drawn=x.drawn,
        power=shaped([[p**answers.square.first for p in axis] for axis in x.power]),
        clump=x.clump,
        sway=answers.square.first**2 * x.sway,
        crowd=straight**2 * x.crowd,
        doubt=answers.square.doubt(x),
        mean_doubt=x.mean_doubt + of_mean / (square or 1.0),
    )


@lru_cache(maxsize=256)
def _rows_bent(op: Elementwise, rows: tuple[Row, ...]) -> Spread:
    return of_rows(tuple(row.mapped(law(op)) for row in rows), Spread())


# ------------------------------------------------------------------------------------- zeros


@cache
def threshold(op: Elementwise) -> float | None:
    """Up to where the law is 0; None where it is not 0 on one side."""
    made = law(op)
    low, high = -50.1, 49.7
    if made(low) != 0.0 or made(high) == 0.0:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if made(middle) == 0.0 else (low, middle)
    # A law that only comes too near to 0 for a float has no such place.
    return low if abs(made(low + 1)) > 1e-6 else None


def below(bound: float, x: Spread) -> float | None:
    """The share of numbers at most `bound`."""
    if x.normal and x.moments:
        return _under(bound, 0.0, x.moments[1])
    if x.rows is None:
        return None
    step = [row.mapped(lambda atom: float(atom <= bound)) for row in x.rows]
    return sum(row.chance * row.moment(1) for row in step)


def always_below(bound: float, x: Spread) -> float | None:
    """The share of units whose numbers for `DEAD_ON` examples are all at most `bound`."""
    if not x.normal or x.moments is None:
        return None
    return _always_below(bound, *digits(*x.moments[1:]))


@lru_cache(maxsize=256)
def _always_below(bound: float, square: float, shared: float) -> float:
    return sum(
        chance * _under(bound, math.sqrt(shared) * s, max(0.0, square - shared)) ** DEAD_ON
        for s, chance in zip(*(FINE_DRAW if shared else CERTAIN), strict=True)
    )


def _under(bound: float, mean: float, variance: float) -> float:
    if variance <= 0:
        return 1.0 if mean <= bound else 0.0
    return 0.5 * math.erfc((mean - bound) / math.sqrt(2 * variance))
