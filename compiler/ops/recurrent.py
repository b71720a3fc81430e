"""Recurrent operators: a state that is carried from step to step."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from ..algebra import Symbol
from ..op import Count, Initialiser, Needed, Needs, Op, Refused, Terms, Trait, Weight, even
from ..shape_errors import WrongRank
from ..shapes import Value
from .activation import Sigmoid


class Recurrent(Op):
    """A cell of n numbers that reads TxD step by step and tells its state at each: Txn.

    It begins at zero. `reverse` reads from the end, `bi` both ways with weights of their own, side
    by side: Tx(2n). With `last` only the state after the last step read remains.
    """

    places = ("n",)
    traits = frozenset({Trait.NEURONS})
    letters = {
        f"{prefix}{name}": (letter, mark)
        for prefix, mark in (("", ""), ("reverse_", "′"))
        for name, letter in zip(
            ("input_weight", "state_weight", "input_bias", "state_bias"), "WUbd", strict=True
        )
    }
    implied = frozenset({"n", "init"})
    gates: ClassVar[int] = 1
    """How many affine maps of input and state a step takes."""

    n: Count = Field(description="numbers in the state")
    reverse: bool = Field(default=False, description="read from the end")
    bi: bool = Field(default=False, description="read both ways")
    last: bool = Field(default=False, description="keep only the state after the last step")
    nobias: bool = Field(default=False, description="leave out b")
    init: Initialiser | None = None

    def directions(self) -> tuple[tuple[str, bool], ...]:
        """For each direction what its weights' names begin with, and whether it reads backwards."""
        return (("", False), ("reverse_", True)) if self.bi else (("", self.reverse),)

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        if not x.channels_last:
            wanted = "steps and features, as in 28x64"
            advice = "`tokens` makes a sequence of maps" if x.rank > 1 else ""
            raise Refused(WrongRank(None, self.name, str(x), wanted, advice))
        n = self.n * len(self.directions())
        return Value((n,)) if self.last else x.reshaped(x.shape[0], n)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        """The steps in order, the state before the first of them zero."""
        h, before = m.name("h"), "t + 1" if self.reverse and not self.bi else "t − 1"
        result = m.at(self.called(m, terms), *([] if self.last else ["t"]))
        says = "h begins at 0"
        if self.last:
            says += "; t runs to the last step read"
        if self.bi:
            says += "; the same from the end with W′, U′, b′, d′, side by side"
        return m.equals(result, m.at(h, "t"), says), *self.steps(m, terms, before)

    def steps(self, m: Any, terms: Terms, before: str) -> tuple[Symbol, ...]:
        """One step, from the state at `before`."""
        raise NotImplementedError(f"operator {self.name} does not state its step")

    def affine(self, m: Any, terms: Terms, name: str, x: Symbol) -> Symbol:
        """`W x + b` of the input, `U h + d` of the state."""
        product = terms.weights[f"{name}_weight"] @ x
        return product if self.nobias else product + terms.weights[f"{name}_bias"]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        d, n, rows = inputs[0].shape[1], self.n, self.gates * self.n
        torch = even(n)
        found: list[Weight] = []
        for prefix, _ in self.directions():
            found += [
                Weight(f"{prefix}input_weight", (rows, d), d, n, decays=True, torch=torch),
                Weight(f"{prefix}state_weight", (rows, n), n, n, decays=True, torch=torch),
            ]
            if not self.nobias:
                found += [
                    Weight(f"{prefix}input_bias", (rows,), d, n, constant=0.0, torch=torch),
                    Weight(f"{prefix}state_bias", (rows,), n, n, constant=0.0, torch=torch),
                ]
        return tuple(found)

    def macs(self, *inputs: Value) -> int:
        steps, d = inputs[0].shape
        return steps * (d + self.n) * self.gates * self.n * len(self.directions())

    def macs_formula(self, *inputs: Value) -> str:
        steps, d = inputs[0].shape
        ways = "2·" if self.bi else ""
        return f"{ways}{steps}·({d} + {self.n})·{self.gates * self.n}"

    def macs_to_input(self, *inputs: Value) -> int:
        steps, d = inputs[0].shape
        return steps * d * self.gates * self.n * len(self.directions())

    def needs(self, batch: int, *inputs: Value) -> Needs:
        """Time comes first, so that a step is one matrix."""
        (x,) = inputs
        steps, d = x.shape
        gates = Needed((steps, batch, self.gates * self.n))
        states = Needed((steps, batch, self.n))
        one, whole = Needed((batch, self.n)), Needed((batch, self.gates * self.n))
        kept = {
            f"{prefix}{name}": needed
            for prefix, _ in self.directions()
            for name, needed in {"gates": gates, "states": states, **self.keeps(states)}.items()
        }
        forward = {"inputs": Needed((steps, batch, d)), "whole": whole, "one": one}
        back = {"d_state": one, "d_carry": one, "other": one, **self.slopes(gates)}
        return Needs(
            saved=kept,
            scratch=forward,
            scratch_infer={**kept, **forward},
            scratch_back={
                **forward,
                **back,
                "d_inputs": Needed((steps, batch, d)),
                **({"d_inputs_two": Needed((steps, batch, d))} if self.bi else {}),
            },
            reads_back=frozenset({"x", *(w.name for w in self.weights(x) if w.decays)}),
            product=batch * steps * d * self.gates * self.n,
            to_learn=frozenset({"x", "inputs"}),
        )

    def keeps(self, states: Needed) -> dict[str, Needed]:
        """What backward needs beside gates and states."""
        return {}

    def slopes(self, gates: Needed) -> dict[str, Needed]:
        """The gradients of the gates at every step."""
        return {"d_gates": gates}


def squashing(m: Any) -> tuple[Symbol, ...]:
    """What σ of a gate is."""
    return Sigmoid().meaning(m, Terms((m.name("x"),), ()))


class Rnn(Recurrent):
    """h = tanh(W x + b + U h' + c), with h' the state before."""

    name, gates = "rnn", 1
    source = "Elman 1990, finding structure in time; PyTorch, torch.nn.RNN"
    samples = ("5x3 -> rnn4", "4x3 -> rnn2 last -> fc2", "4x3 -> rnn2 bi")

    def steps(self, m: Any, terms: Terms, before: str) -> tuple[Symbol, ...]:
        (x,), h = terms.x, m.name("h")
        total = self.affine(m, terms, "input", m.at(x, "t"))
        total = total + self.affine(m, terms, "state", m.at(h, before))
        return (m.equals(m.at(h, "t"), m.tanh(total)),)


class Lstm(Recurrent):
    """c = f c' + i g and h = o tanh(c), with gates i, f, o = sigmoid and g = tanh of
    W x + b + U h' + c, in the order i, f, g, o."""

    name, gates = "lstm", 4
    source = "Hochreiter and Schmidhuber 1997; PyTorch, torch.nn.LSTM"
    samples = ("5x3 -> lstm4", "4x3 -> lstm2 last -> fc2", "4x3 -> lstm2 bi nobias")

    def steps(self, m: Any, terms: Terms, before: str) -> tuple[Symbol, ...]:
        (x,), h, c = terms.x, m.name("h"), m.name("c")
        i, f, g, o = (m.name(letter) for letter in "ifgo")
        total = self.affine(m, terms, "input", m.at(x, "t"))
        total = total + self.affine(m, terms, "state", m.at(h, before))
        cell = m.each(m.call("σ", f), m.at(c, before)) + m.each(m.call("σ", i), m.tanh(g))
        return (
            m.equals(m.at(h, "t"), m.each(m.call("σ", o), m.tanh(m.at(c, "t")))),
            m.equals(m.at(c, "t"), cell, "c begins at 0"),
            m.equals(m.column(i, f, g, o), total),
            *squashing(m),
        )

    def keeps(self, states: Needed) -> dict[str, Needed]:
        return {"cells": states, "squashed": states}


class Gru(Recurrent):
    """h = (1 - z) n + z h', with r, z = sigmoid(W x + b + U h' + c) and
    n = tanh(W x + b + r (U h' + c)), in the order r, z, n."""

    name, gates = "gru", 3
    source = "Cho et al. 2014; PyTorch, torch.nn.GRU"
    samples = ("5x3 -> gru4", "4x3 -> gru2 last -> fc2", "4x3 -> gru2 reverse")

    def steps(self, m: Any, terms: Terms, before: str) -> tuple[Symbol, ...]:
        (x,), h, r, z, n = terms.x, *(m.name(letter) for letter in "hrzn")
        r_h, z_h, n_h = (m.name(letter, "′") for letter in "rzn")
        update = m.call("σ", z + z_h)
        new = m.tanh(n + m.each(m.call("σ", r + r_h), n_h))
        return (
            m.equals(m.at(h, "t"), m.each(1.0 - update, new) + m.each(update, m.at(h, before))),
            m.equals(m.column(r, z, n), self.affine(m, terms, "input", m.at(x, "t"))),
            m.equals(m.column(r_h, z_h, n_h), self.affine(m, terms, "state", m.at(h, before))),
            *squashing(m),
        )

    def keeps(self, states: Needed) -> dict[str, Needed]:
        return {"candidates": states}

    def slopes(self, gates: Needed) -> dict[str, Needed]:
        return {"d_gates": gates, "d_state_gates": gates}
