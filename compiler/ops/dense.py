"""Fully connected operators: every output sees every input."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from pydantic import Field

from ..algebra import Symbol
from ..op import (
    BLOCK,
    Count,
    Draw,
    Initialiser,
    Needed,
    Needs,
    Op,
    Refused,
    Terms,
    Trait,
    Weight,
    even,
)
from ..shape_errors import RealNumbers, WrongRank
from ..shapes import Value

SMALL = 128 * 1024
"""Numbers of a matrix up to which adding the bias takes a good part of the time of its product with
one vector, and keeping it twice at most half a megabyte in float32. To copy it takes three times as long
as that product: the price of an answer while somebody holds a view of the weights."""
LINE = 16
"""A row of such a matrix of at least four times as many numbers has a multiple of them: rows that begin
where a cache line does are read a tenth sooner."""
TURNED = 256 * 1024
"""Numbers of a matrix that inference keeps turned: BLAS then reads it in the order in which it packs it.
Larger ones would take too much memory twice."""
FEW = ((64, 32 * 1024), (128, 1024 * 1024))
"""Up to so many rows, and from so many weights, W x^T is faster than x W^T, and y^T turned back in the
sum with the bias: by a tenth to a half with OpenBLAS on AVX-512 (tests/bench/products.py)."""


def features(x: Value, operator: str) -> int:
    """The length of the axis a fully connected operator acts on: D of `D` or of `TxD`."""
    if x.rank > 2:
        raise Refused(
            WrongRank(
                None,
                operator,
                f"{x}",
                "a vector, or time x features",
                f"flatten it first: `flatten {operator}...` reads all {x.size:,} numbers",
                "flatten -> ",
            )
        )
    return x.shape[-1]


def affine(m: Any, terms: Terms, weight: str = "weight", bias: str = "bias") -> Symbol:
    """`W x + b`, or `x Wᵀ + b` where every row is a step."""
    (x,), w = terms.x, terms.weights[weight]
    product = x @ m.transposed(w) if terms.arrivals[0].rank == 2 else w @ x
    return product + terms.weights[bias] if bias in terms.weights else product


class Fc(Op):
    """Fully connected: `W x + b`. On TxD it acts on the last axis, at every position alike."""

    name = "fc"
    places = ("n",)
    traits = frozenset({Trait.NEURONS, Trait.LINEAR})
    source = "CS231n, neural networks 1, 'Layer-wise organization'"
    samples = ("3 -> fc4", "5x3 -> fc4 nobias", "6 -> fc3 relu -> fc2")

    n: Count = Field(description="number of neurons")
    nobias: bool = Field(default=False, description="leave out b")
    init: Initialiser | None = None

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        features(x, self.name)
        return Value((*x.shape[:-1], self.n), channels_last=x.rank == 2)

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        fan_in = inputs[0].shape[-1]
        torch = even(fan_in)
        w = Weight("weight", (self.n, fan_in), fan_in, self.n, decays=True, torch=torch)
        if self.nobias:
            return (w,)
        return w, Weight("bias", (self.n,), fan_in, self.n, constant=0.0, torch=torch)

    def macs(self, *inputs: Value) -> int:
        return inputs[0].size * self.n

    def macs_formula(self, *inputs: Value) -> str:
        return "·".join(map(str, (*inputs[0].shape, self.n)))

    def needs(self, batch: int, *inputs: Value) -> Needs:
        needs = Needs(
            reads_back=frozenset({"x", "weight"}),
            product=batch * self.macs(*inputs),
            to_learn=frozenset({"x"}),
        )
        (x,) = inputs
        rows, taken = batch * x.size // x.shape[-1], x.shape[-1]
        if rows > 1:
            return self._of_rows(rows, taken, needs)
        width = x.size + 1
        if width > 4 * LINE:
            width += -width % LINE
        if x.rank > 1 or self.nobias or self.n * width > SMALL:
            return needs
        return replace(
            needs,
            algorithm="one product",
            why_infer=f"{x.size} to {self.n}, one example: b is a column of W",
            scratch_infer={"matrix": Needed((self.n, width)), "row": Needed((width,))},
            prepared=frozenset({"matrix", "row"}),
            around="row",
        )

    def _of_rows(self, rows: int, taken: int, needs: Needs) -> Needs:
        """Which side of the product is turned."""
        weights, sizes = self.n * taken, f"{taken} to {self.n}"
        if any(rows <= most and weights >= least for most, least in FEW):
            output = {"turned output": Needed((self.n, rows))}
            needs = replace(needs, why=f"{sizes}, few rows: W x^T, turned back", scratch=output)
        if weights > TURNED:
            return needs
        return replace(
            needs,
            why_infer=f"{sizes}, W^T kept turned",
            scratch_infer={"turned": Needed((taken, self.n))},
            prepared=frozenset({"turned"}),
        )

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return affine(m, terms)


class Maxout(Op):
    """The largest of `k` affine maps, unit by unit; its weights are counted k times."""

    name = "maxout"
    places = ("n",)
    traits = frozenset({Trait.NEURONS})
    source = "Goodfellow et al. 2013; CS231n, neural networks 1, 'Maxout'"
    samples = ("3 -> maxout4", "5x3 -> maxout2 k3")
    implied = frozenset({"n", "init"})

    n: Count = Field(description="number of neurons")
    k: Count = Field(default=2, description="number of pieces")
    nobias: bool = Field(default=False, description="leave out b")
    init: Initialiser | None = None

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        features(x, self.name)
        return Value((*x.shape[:-1], self.n), channels_last=x.rank == 2)

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        fan_in = inputs[0].shape[-1]
        shape, torch = (self.k, self.n, fan_in), even(fan_in)
        factors, grid = (self.k, fan_in, self.n), (self.k * self.n, 1, 1, fan_in)
        w = Weight("weight", shape, fan_in, self.n, None, True, factors, torch, grid)
        if self.nobias:
            return (w,)
        return w, Weight("bias", shape[:2], fan_in, self.n, 0.0, False, (self.k, self.n), torch)

    def macs(self, *inputs: Value) -> int:
        return self.k * inputs[0].size * self.n

    def macs_formula(self, *inputs: Value) -> str:
        return "·".join(map(str, (self.k, *inputs[0].shape, self.n)))

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        each = {name: m.at(weight, "i") for name, weight in terms.weights.items()}
        piece = affine(m, Terms(terms.x, terms.arrivals, each))
        return (m.equals(self.called(m, terms), m.over("max", f"i < {self.k}", piece)),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        rows = batch * math.prod(inputs[0].shape[:-1])
        piece = Needed((rows, self.n))
        return Needs(
            saved={"winner": Needed((rows, self.n), "uint8" if self.k <= 255 else "int64")},
            scratch={"piece": piece, "mask": Needed((rows, self.n), "bool")},
            scratch_back={
                "piece": piece,
                "mask": Needed((rows, self.n), "bool"),
                "dx": Needed((rows, inputs[0].shape[-1])),
            },
            reads_back=frozenset({"x", "weight"}),
            product=batch * self.macs(*inputs) // self.k,
            to_learn=frozenset({"x"}),
        )


class Embed(Op):
    """A table of v rows of d learned numbers: T whole numbers become the TxD rows they name."""

    name, places = "embed", ("v", "d")
    letters = {"weight": ("E", "")}
    implied = frozenset({"v", "d", "init"})
    traits = frozenset({Trait.INTEGERS})
    source = "Bengio et al. 2003, a neural probabilistic language model"
    samples = ("5 int -> embed7 3", "4 int -> embed10 2 -> flatten fc3")

    v: Count = Field(description="number of rows")
    d: Count = Field(description="length of a row")
    init: Initialiser = Initialiser(word="normal", scale=0.02)

    @property
    def vocabulary(self) -> int:
        return self.v

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if not x.integer:
            raise Refused(RealNumbers(None, self.name, str(x)))
        if x.rank > 1:
            raise Refused(WrongRank(None, self.name, str(x), "a row of whole numbers"))
        return Value((x.shape[0], self.d), channels_last=True)

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        torch = Draw("normal", 1.0)
        return (Weight("weight", (self.v, self.d), self.v, self.d, decays=True, torch=torch),)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        return m.at(terms.weights["weight"], *terms.x)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        row = self.equation(m, terms)
        return (m.equals(row, None, "for every number of x the row of E that it names"),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        rows = max(1, min(batch * inputs[0].size, BLOCK // self.d))
        return Needs(
            scratch_back={"places": Needed((rows, self.d), "int64")},
            reads_back=frozenset({"x"}),
        )
