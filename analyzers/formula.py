"""Mathematics as a tree: what an equation says, apart from how it is set.

Operators state theirs over a `Notation`; the one here makes the tree, and `analyzers/render` sets
it as Unicode or LaTeX. Convention: CS231n, neural networks 1: `s = W3 max(0, W2 max(0, W1 x + b1) + b2) + b3`,
with column vectors; of a TxD sequence every step is a row, so there it is `x Wᵀ + b`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Formula:
    """Whatever has a value. Sums and products with numbers that change nothing are left out."""

    def __add__(self, other: Formula | float) -> Formula:
        return Sum((*_terms(self), *_terms(formula(other))))

    def __radd__(self, other: float) -> Formula:
        return formula(other) + self

    def __sub__(self, other: Formula | float) -> Formula:
        return Sum((*_terms(self), -formula(other)))

    def __rsub__(self, other: float) -> Formula:
        return formula(other) - self

    def __mul__(self, other: Formula | float) -> Formula:
        return _times(self, formula(other))

    def __rmul__(self, other: float) -> Formula:
        return _times(formula(other), self)

    def __truediv__(self, other: Formula | float) -> Formula:
        return Quotient(self, formula(other))

    def __rtruediv__(self, other: float) -> Formula:
        return Quotient(formula(other), self)

    def __matmul__(self, other: Formula) -> Formula:
        return Product((*_factors(self), *_factors(other)))

    def __neg__(self) -> Formula:
        return Negative(self)


@dataclass(frozen=True)
class Name(Formula):
    """A symbol: a letter, a number below it, a mark above it: `W`, `W₁`, `σ₁²`, `W₁ᴼ`."""

    letter: str
    index: str = ""
    over: str = ""

    def numbered(self, index: str) -> Name:
        return replace(self, index=index)


@dataclass(frozen=True)
class Number(Formula):
    value: float

    def __neg__(self) -> Formula:
        return Number(-self.value)


@dataclass(frozen=True)
class Sum(Formula):
    terms: tuple[Formula, ...]


@dataclass(frozen=True)
class Negative(Formula):
    of: Formula


Sign: TypeAlias = Literal["", "⊙", "∗", "⊛", "∗ᵀ", "⊛ᵀ"]
"""Of a product: matrices and numbers, number by number, convolutions (⊛ in groups, ᵀ transposed)."""


@dataclass(frozen=True)
class Product(Formula):
    factors: tuple[Formula, ...]
    sign: Sign = ""


@dataclass(frozen=True)
class Quotient(Formula):
    top: Formula
    bottom: Formula


@dataclass(frozen=True)
class Power(Formula):
    base: Formula
    exponent: Formula


@dataclass(frozen=True)
class Transposed(Formula):
    of: Formula


@dataclass(frozen=True)
class Root(Formula):
    of: Formula


@dataclass(frozen=True)
class Floor(Formula):
    of: Formula


@dataclass(frozen=True)
class Above(Formula):
    """1 where it exceeds the bound, 0 elsewhere."""

    of: Formula
    bound: Formula


@dataclass(frozen=True)
class Call(Formula):
    """A function of its arguments, behind a semicolon its settings: `maxpool(x; 3×3, s = 2)`.

    The index is that of its weights: `bn₁` works with `γ₁` and `β₁`.
    """

    word: str
    arguments: tuple[Formula, ...]
    index: str = ""
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class At(Formula):
    """One entry, or one row: `x[c, i]`."""

    base: Formula
    indices: tuple[Formula, ...]


@dataclass(frozen=True)
class Over(Formula):
    """A sum, mean or maximum over what an index runs through."""

    word: Literal["sum", "mean", "max"]
    through: str
    body: Formula


@dataclass(frozen=True)
class Row(Formula):
    """Values side by side, or with `;` one below the other."""

    items: tuple[Formula, ...]
    sign: Literal[",", ";"] = ","


@dataclass(frozen=True)
class Equation:
    """`left = right`; `says` is what symbols leave open, in words. Without a right side words alone."""

    left: Formula
    right: Formula | None
    says: str = ""


ZERO, ONE = Number(0.0), Number(1.0)


def formula(value: Formula | float) -> Formula:
    """A number as it is known: `1 / 6` and `√(2 / π)` instead of their digits."""
    if isinstance(value, Formula):
        return value
    if len(f"{abs(value):.12g}") <= 8:
        return Number(float(value))
    share, square, circle = (_share(worth) for worth in (value, value**2, value**2 * math.pi))
    if share is not None or value < 0:
        return share or Number(float(value))
    match square:
        case Quotient(top, bottom) if top == ONE:
            return Quotient(ONE, Root(bottom))
        case Formula():
            return Root(square)
    match circle:
        case None:
            return Number(float(value))
        case Quotient(top, bottom):
            return Root(Quotient(top, _times(bottom, Name("π"))))
        case _:
            return Root(Quotient(circle, Name("π")))


def _share(value: float) -> Formula | None:
    """A fraction of small numbers, where the value is one."""
    near = Fraction(value).limit_denominator(12)
    if not near or abs(near - value) > 1e-12 * abs(value):
        return None
    top, bottom = Number(float(near.numerator)), Number(float(near.denominator))
    return top if near.denominator == 1 else Quotient(top, bottom)


def walk(whole: Formula) -> Iterator[Formula]:
    """It and everything in it."""
    yield whole
    for field in fields(whole):
        value = getattr(whole, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Formula):
                yield from walk(part)


def _terms(value: Formula) -> tuple[Formula, ...]:
    return value.terms if isinstance(value, Sum) else (value,)


def _times(one: Formula, other: Formula) -> Formula:
    """Numbers first, 1 left out, squares written as squares."""
    if one == ONE or other == ONE:
        return other if one == ONE else one
    if one == other:
        return Power(one, Number(2.0))
    if isinstance(one, Power) and one.base == other and isinstance(one.exponent, Number):
        return Power(other, Number(one.exponent.value + 1.0))
    for share, whole in ((one, other), (other, one)):
        if isinstance(share, Quotient) and isinstance(share.top, Number):
            return Quotient(_times(share.top, whole), share.bottom)
    if isinstance(other, Number) and not isinstance(one, Number):
        one, other = other, one
    return Product((*_factors(one), *_factors(other)))


def _factors(value: Formula) -> tuple[Formula, ...]:
    return value.factors if isinstance(value, Product) and not value.sign else (value,)


class Writer:
    """The notation whose values are formulas: a law or an equation over it writes itself down."""

    def name(self, letter: str, over: str = "") -> Formula:
        return Name(letter, over=over)

    def call(
        self, word: str, *x: Formula, index: str = "", settings: tuple[str, ...] = ()
    ) -> Formula:
        return Call(word, x, index, settings)

    def at(self, x: Formula, *indices: Formula | str) -> Formula:
        if not indices:
            return x
        return At(x, tuple(Name(i) if isinstance(i, str) else i for i in indices))

    def over(self, word: Literal["sum", "mean", "max"], through: str, body: Formula) -> Formula:
        return Over(word, through, body)

    def row(self, *items: Formula) -> Formula:
        return Row(items)

    def column(self, *items: Formula) -> Formula:
        return Row(items, ";")

    def root(self, x: Formula | float) -> Formula:
        return Root(formula(x))

    def power(self, x: Formula, exponent: Formula | float) -> Formula:
        return Power(x, formula(exponent))

    def transposed(self, x: Formula) -> Formula:
        return Transposed(x)

    def floor(self, x: Formula) -> Formula:
        return Floor(x)

    def each(self, *x: Formula) -> Formula:
        return Product(x, "⊙")

    def convolved(self, sign: Sign, w: Formula, x: Formula) -> Formula:
        return Product((w, x), sign)

    def plain(self, x: Formula) -> bool:
        parts = [part for part in walk(x) if not isinstance(part, Number)]
        symbols = [part for part in parts if isinstance(part, Name)]
        calls = all(isinstance(part, Name | Call | Above) for part in parts)
        return calls and len(symbols) == len(set(symbols))

    def equals(self, left: Formula, right: Formula | None, says: str = "") -> Equation:
        return Equation(left, right, says)

    def exp(self, x: Formula) -> Formula:
        return Call("exp", (x,))

    def expm1(self, x: Formula) -> Formula:
        return self.exp(x) - 1.0

    def log1p(self, x: Formula) -> Formula:
        return Call("log", (1.0 + x,))

    def tanh(self, x: Formula) -> Formula:
        return Call("tanh", (x,))

    def erf(self, x: Formula) -> Formula:
        return Call("erf", (x,))

    def abs(self, x: Formula) -> Formula:
        return Call("abs", (x,))

    def maximum(self, x: Formula, bound: float) -> Formula:
        return Call("max", (Number(float(bound)), x))

    def minimum(self, x: Formula, bound: float) -> Formula:
        return Call("min", (x, Number(float(bound))))

    def above(self, x: Formula, bound: float) -> Formula:
        return Above(x, Number(float(bound)))
