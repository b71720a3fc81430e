"""Recurrent operators: a state that is carried from step to step."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..op import Count, Initialiser, Needed, Needs, Op, Refused, Trait, Weight
from ..shape_errors import WrongRank
from ..shapes import Value


class Recurrent(Op):
    """A cell of n numbers that reads TxD step by step and tells its state at each: Txn.

    It begins at zero. `reverse` reads from the end, `bi` both ways with weights of their own, side
    by side: Tx(2n). With `last` only the state after the last step read remains.
    """

    places = ("n",)
    traits = frozenset({Trait.NEURONS})
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

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        d, rows = inputs[0].shape[1], self.gates * self.n
        found: list[Weight] = []
        for prefix, _ in self.directions():
            found += [
                Weight(f"{prefix}input_weight", (rows, d), d, self.n, decays=True),
                Weight(f"{prefix}state_weight", (rows, self.n), self.n, self.n, decays=True),
            ]
            if not self.nobias:
                found += [
                    Weight(f"{prefix}input_bias", (rows,), d, self.n, constant=0.0),
                    Weight(f"{prefix}state_bias", (rows,), self.n, self.n, constant=0.0),
                ]
        return tuple(found)

    def macs(self, *inputs: Value) -> int:
        steps, d = inputs[0].shape
        return steps * (d + self.n) * self.gates * self.n * len(self.directions())

    def macs_formula(self, *inputs: Value) -> str:
        steps, d = inputs[0].shape
        ways = "2·" if self.bi else ""
        return f"{ways}{steps}·({d} + {self.n})·{self.gates * self.n}"

    def onward(self, *inputs: Value) -> int:
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
        )

    def keeps(self, states: Needed) -> dict[str, Needed]:
        """What backward needs beside gates and states."""
        return {}

    def slopes(self, gates: Needed) -> dict[str, Needed]:
        """The gradients of the gates at every step."""
        return {"d_gates": gates}


class Rnn(Recurrent):
    """h = tanh(W x + b + U h' + c), with h' the state before."""

    name, gates = "rnn", 1
    source = "Elman 1990, finding structure in time; PyTorch, torch.nn.RNN"
    samples = ("5x3 -> rnn4", "4x3 -> rnn2 last -> fc2", "4x3 -> rnn2 bi")


class Lstm(Recurrent):
    """c = f c' + i g and h = o tanh(c), with gates i, f, o = sigmoid and g = tanh of
    W x + b + U h' + c, in the order i, f, g, o."""

    name, gates = "lstm", 4
    source = "Hochreiter and Schmidhuber 1997; PyTorch, torch.nn.LSTM"
    samples = ("5x3 -> lstm4", "4x3 -> lstm2 last -> fc2", "4x3 -> lstm2 bi nobias")

    def keeps(self, states: Needed) -> dict[str, Needed]:
        return {"cells": states, "squashed": states}


class Gru(Recurrent):
    """h = (1 - z) n + z h', with r, z = sigmoid(W x + b + U h' + c) and
    n = tanh(W x + b + r (U h' + c)), in the order r, z, n."""

    name, gates = "gru", 3
    source = "Cho et al. 2014; PyTorch, torch.nn.GRU"
    samples = ("5x3 -> gru4", "4x3 -> gru2 last -> fc2", "4x3 -> gru2 reverse")

    def keeps(self, states: Needed) -> dict[str, Needed]:
        return {"candidates": states}

    def slopes(self, gates: Needed) -> dict[str, Needed]:
        return {"d_gates": gates, "d_state_gates": gates}
