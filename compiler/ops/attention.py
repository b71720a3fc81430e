"""Attention: every step of a sequence looks at the others."""

from __future__ import annotations

import math
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
from ..shape_errors import NotDivisible, WrongRank
from ..shapes import Value
from .activation import Softmax
from .dense import affine

SCORES = 8 * BLOCK
"""Scores that a block of examples aims to hold: they stay in a core's cache."""


class Attention(Op):
    """Multi-head self-attention on TxD: softmax(q kᵀ / √width) v in every head, between a projection
    to queries, keys and values (in that order in one matrix) and one back to D.

    `causal` hides later steps. With `kv=` fewer heads of keys and values serve the heads of queries
    in groups (Ainslie et al. 2023). With `rope` queries and keys are turned by their position: the
    i-th number of a head's first half with the i-th of its second by t · base^(-2i/width)
    (Su et al. 2021).
    """

    name, places = "attn", ("heads",)
    traits = frozenset({Trait.NEURONS})
    implied = frozenset({"init"})
    letters = {
        "in_weight": ("W", ""),
        "in_bias": ("b", ""),
        "out_weight": ("W", "O"),
        "out_bias": ("b", "O"),
    }
    source = "Vaswani et al. 2017, attention is all you need"
    samples = ("5x4 -> attn2", "4x6 -> attn3 causal nobias rope", "3x8 -> attn4 kv=2 width=3")

    heads: Count = Field(description="number of heads")
    kv: Count | None = Field(default=None, description="heads of keys and values")
    width: Count | None = Field(default=None, description="numbers in a head")
    causal: bool = Field(default=False, description="hide later steps")
    rope: bool = Field(default=False, description="rotary positions")
    base: float = Field(default=10_000.0, gt=1, description="base of the rotary positions")
    nobias: bool = Field(default=False, description="leave out b")
    init: Initialiser | None = None

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (arrival,) = terms.arrivals
        q, k, v, i = m.name("Q"), m.name("K"), m.name("V"), "i"
        j = i if self.kv is None else m.floor(m.name("i") / float(self.heads // self.pairs()))
        width = self.head(arrival)
        query, key = (m.call("rope", m.at(q, i)), m.call("rope", m.at(k, j)))
        if not self.rope:
            query, key = m.at(q, i), m.at(k, j)
        scores = query @ m.transposed(key) / m.root(float(width))
        scores = scores + m.name("M") if self.causal else scores
        heads = m.name("A")
        mixed = Terms((heads,), terms.arrivals, terms.weights)
        said = [
            m.equals(self.called(m, terms), affine(m, mixed, "out_weight", "out_bias")),
            m.equals(
                m.at(heads, i),
                m.call("softmax", scores) @ m.at(v, j),
                f"i < {self.heads}: heads of {width} numbers side by side",
            ),
            m.equals(m.row(q, k, v), affine(m, terms, "in_weight", "in_bias")),
        ]
        if self.causal:
            hidden = m.at(m.name("M"), "t", "u")
            said.append(m.equals(hidden, None, "−∞ for later steps u > t, else 0"))
        if self.rope:
            turned = (
                f"at step t the pair (i, i + {width // 2}) turned by t·{self.base:g}^(−2i/{width})"
            )
            said.append(m.equals(m.call("rope", q), None, turned))
        return *said, *Softmax().meaning(m, Terms((m.name("x"),), ()))

    def settings(self, *inputs: Value) -> tuple[str, ...]:
        return f"{self.heads} head{'s' * (self.heads > 1)}", *super().settings(*inputs)[1:]

    def pairs(self) -> int:
        """Heads of keys and values."""
        return self.heads if self.kv is None else self.kv

    def head(self, x: Value) -> int:
        """Numbers in a head: D / heads unless written."""
        return x.shape[1] // self.heads if self.width is None else self.width

    def mixed(self, x: Value) -> int:
        """The features of all heads together."""
        return self.heads * self.head(x)

    def projected(self, x: Value) -> int:
        """Queries, keys and values side by side."""
        return (self.heads + 2 * self.pairs()) * self.head(x)

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if not x.channels_last:
            wanted = "steps and features, as in 128x768"
            advice = "`tokens` makes a sequence of maps" if x.rank > 1 else ""
            raise Refused(WrongRank(None, self.name, str(x), wanted, advice))
        if self.width is None and x.shape[1] % self.heads:
            found = NotDivisible(None, self.name, "features", x.shape[1], self.heads, "heads")
            raise Refused(found)
        if self.heads % self.pairs():
            counts = self.heads, self.pairs(), "groups"
            raise Refused(NotDivisible(None, self.name, "heads", *counts))
        if self.rope and self.head(x) % 2:
            found = NotDivisible(None, self.name, "numbers of a head", self.head(x), 2, "halves")
            raise Refused(found)
        return x

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        (x,) = inputs
        d, inner, outer = x.shape[1], self.projected(x), self.mixed(x)
        glorot = Draw("uniform", math.sqrt(6 / (inner + d)))
        fan_out = self.head(x) * self.heads
        matrices = (
            Weight("in_weight", (inner, d), d, fan_out, decays=True, torch=glorot),
            Weight("out_weight", (d, outer), outer, d, decays=True, torch=even(outer)),
        )
        biases = (
            Weight("in_bias", (inner,), d, inner, constant=0.0),
            Weight("out_bias", (d,), outer, d, constant=0.0),
        )
        return matrices if self.nobias else (*matrices, *biases)

    def _products(self, x: Value) -> tuple[tuple[int, ...], ...]:
        steps, d = x.shape
        between = (2, self.heads, steps, steps, self.head(x))
        return (steps, d, self.projected(x)), between, (steps, self.mixed(x), d)

    def macs(self, *inputs: Value) -> int:
        return sum(map(math.prod, self._products(inputs[0])))

    def macs_formula(self, *inputs: Value) -> str:
        return " + ".join("·".join(map(str, terms)) for terms in self._products(inputs[0]))

    def macs_to_input(self, *inputs: Value) -> int:
        return math.prod(self._products(inputs[0])[0])

    def macs_to_weights(self, *inputs: Value) -> int:
        first, _, last = map(math.prod, self._products(inputs[0]))
        return first + last

    def examples(self, batch: int, x: Value) -> int:
        """How many are attended to at a time."""
        return max(1, min(batch, SCORES // (self.heads * x.shape[0] ** 2)))

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        steps, m, kv = x.shape[0], self.examples(batch, x), self.pairs()
        scores = (kv, self.heads // kv, steps, steps)
        projected = Needed((batch, steps, self.projected(x)))
        mixed = Needed((batch, steps, self.mixed(x)))
        halves = (batch, steps, self.heads + kv, self.head(x) // 2)
        turned = {"first": Needed(halves), "second": Needed(halves)} if self.rope else {}
        row = {"row": Needed((m, *scores[:3], 1))}
        return Needs(
            saved={
                "projected": projected,
                "chances": Needed((batch, *scores)),
                "mixed": mixed,
            },
            scratch={**row, **turned},
            scratch_infer={
                "projected": projected,
                "chances": Needed((m, *scores)),
                "mixed": mixed,
                **row,
                **turned,
            },
            scratch_back={
                "d_projected": projected,
                "d_mixed": mixed,
                "agreement": mixed,
                "sums": Needed((batch, steps, self.heads)),
                "slopes": Needed((m, *scores)),
                "part": Needed((m, kv, 1, steps, self.head(x))),
                **turned,
            },
            reads_back=frozenset({"x", "in_weight", "out_weight"}),
            to_learn=frozenset({"x"}),
            product=batch * max(map(math.prod, self._products(x))),
        )
