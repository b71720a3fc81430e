"""Recurrent cells: the inputs of all steps in one product, then step by step; backward likewise,
through time and then in one product.

Arrays of steps are (T, N, ...), so that each step is a matrix by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...compiler.ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ..constants import ones, scalar
from . import Array, Arrays, Calls, kernel
from .dense import rows


@dataclass(frozen=True)
class Way:
    """One direction of one use: its arrays by their plain names, and the steps in reading order."""

    steps: tuple[int, ...]
    weights: Mapping[str, Array]
    kept: Mapping[str, Array]
    scratch: Mapping[str, Array]
    d_weights: Mapping[str, Array]
    place: slice
    """Where its state stands among the output's numbers."""

    def gate(self, name: str, step: int, index: int) -> Array:
        """One gate's numbers at one step."""
        whole = (self.kept if name in self.kept else self.scratch)[name][step]
        size = self.kept["states"].shape[2]
        gate: Array = whole[:, index * size : (index + 1) * size]
        return gate


def ways(op: Recurrent, a: Arrays, kept: Mapping[str, Array]) -> list[Way]:
    def own(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
        return {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }

    steps = range(a.values[0].shape[0])
    return [
        Way(
            tuple(reversed(steps) if backwards else steps),
            own(a.weights, prefix),
            own(kept, prefix),
            a.scratch,
            own(a.d_weights, prefix),
            slice(i * op.n, (i + 1) * op.n),
        )
        for i, (prefix, backwards) in enumerate(op.directions())
    ]


def sigmoid(x: Array) -> Calls:
    """In place, as (tanh(x / 2) + 1) / 2, which cannot overflow."""
    half = scalar(0.5, x.dtype)
    yield np.multiply, (x, half, x)
    yield np.tanh, (x, x)
    yield np.multiply, (x, half, x)
    yield np.add, (x, half, x)


def times_slope(target: Array, y: Array, other: Array) -> Calls:
    """target times the sigmoid's slope y (1 - y)."""
    yield np.multiply, (target, y, target)
    yield np.subtract, (scalar(1, y.dtype), y, other)
    yield np.multiply, (target, other, target)


def times_tanh_slope(target: Array, y: Array, other: Array) -> Calls:
    """target times the tanh's slope 1 - y²."""
    yield np.multiply, (y, y, other)
    yield np.subtract, (scalar(1, y.dtype), other, other)
    yield np.multiply, (target, other, target)


class RecurrentKernel:
    """What the cells share; each says what happens at one step."""

    def step(self, way: Way, now: int, before: int | None) -> Calls:
        """Fill the state at `now`; `gates` holds W x + b there, `whole` U h' + c."""
        raise NotImplementedError

    def step_back(self, way: Way, now: int, before: int | None) -> Calls:
        """From `d_state`, the gradient of the state at `now`, fill the gates' gradients there, and
        leave in `d_state` what reaches the state before past the gates."""
        raise NotImplementedError

    state_gates = "d_gates"
    """Where the gradients of U h' + c are found."""

    def forward(self, op: Recurrent, a: Arrays) -> Calls:
        yield from self.computed(op, a, a.saved)

    def infer(self, op: Recurrent, a: Arrays) -> Calls:
        yield from self.computed(op, a, a.scratch)

    def computed(self, op: Recurrent, a: Arrays, kept: Mapping[str, Array]) -> Calls:
        y, inputs, whole = a.output, a.scratch["inputs"], a.scratch["whole"]
        assert y is not None
        yield np.copyto, (inputs, a.inputs[0].swapaxes(0, 1))
        for way in ways(op, a, kept):
            gates, states = way.kept["gates"], way.kept["states"]
            yield rows(inputs).dot, (way.weights["input_weight"].T, rows(gates))
            if not op.nobias:
                yield np.add, (gates, way.weights["input_bias"], gates)
            before: int | None = None
            for now in way.steps:
                if before is None:
                    yield whole.fill, (0,)
                else:
                    yield states[before].dot, (way.weights["state_weight"].T, whole)
                if not op.nobias:
                    yield np.add, (whole, way.weights["state_bias"], whole)
                yield from self.step(way, now, before)
                before = now
            if op.last:
                yield np.copyto, (y[:, way.place], states[way.steps[-1]])
            else:
                yield np.copyto, (y[..., way.place], states.swapaxes(0, 1))

    def backward(self, op: Recurrent, a: Arrays) -> Calls:
        dy, (dx,), s = a.d_output, a.d_inputs, a.scratch
        assert dy is not None
        if a.d_weights:
            yield np.copyto, (s["inputs"], a.inputs[0].swapaxes(0, 1))
        for number, way in enumerate(ways(op, a, a.saved)):
            yield from self.through_time(op, way, dy)
            if way.d_weights:
                yield from self.learned(op, way, s["inputs"])
            if dx is not None:
                target = s["d_inputs_two"] if number else s["d_inputs"]
                yield rows(s["d_gates"]).dot, (way.weights["input_weight"], rows(target))
                if number:
                    yield np.add, (s["d_inputs"], target, s["d_inputs"])
        if dx is not None:
            yield np.copyto, (dx, s["d_inputs"].swapaxes(0, 1))

    def through_time(self, op: Recurrent, way: Way, dy: Array) -> Calls:
        """The gradients of all gates, from the last step read to the first."""
        s = way.scratch
        d_state, carry, end = s["d_state"], s["d_carry"], way.steps[-1]
        yield carry.fill, (0,)
        yield from self.begin_back(way)
        for i, now in reversed(tuple(enumerate(way.steps))):
            before = way.steps[i - 1] if i else None
            if not op.last:
                yield np.add, (dy[:, now, way.place], carry, d_state)
            elif now == end:
                yield np.copyto, (d_state, dy[:, way.place])
            else:
                yield np.copyto, (d_state, carry)
            yield from self.step_back(way, now, before)
            if before is not None:
                yield s[self.state_gates][now].dot, (way.weights["state_weight"], carry)
                yield np.add, (carry, d_state, carry)

    def begin_back(self, way: Way) -> Calls:
        """What a cell puts to zero before it goes back."""
        return iter(())

    def learned(self, op: Recurrent, way: Way, inputs: Array) -> Calls:
        s, states = way.scratch, way.kept["states"]
        gates, state_gates = s["d_gates"], s[self.state_gates]
        yield rows(gates).T.dot, (rows(inputs), way.d_weights["input_weight"])
        # The states before: all but the last one read, each beside the gates that read it.
        ahead = way.steps[0] < way.steps[-1] or len(way.steps) == 1
        past, readers = (states[:-1], state_gates[1:]) if ahead else (states[1:], state_gates[:-1])
        if len(past):
            yield rows(readers).T.dot, (rows(past), way.d_weights["state_weight"])
        else:
            yield way.d_weights["state_weight"].fill, (0,)
        if not op.nobias:
            column = ones(len(rows(gates)), gates.dtype)
            yield column.dot, (rows(gates), way.d_weights["input_bias"])
            yield column.dot, (rows(state_gates), way.d_weights["state_bias"])


@kernel(Rnn)
class RnnKernel(RecurrentKernel):
    def step(self, way: Way, now: int, before: int | None) -> Calls:
        gates, state = way.kept["gates"][now], way.kept["states"][now]
        yield np.add, (gates, way.scratch["whole"], gates)
        yield np.tanh, (gates, state)

    def step_back(self, way: Way, now: int, before: int | None) -> Calls:
        s, state, d_gates = way.scratch, way.kept["states"][now], way.scratch["d_gates"][now]
        yield np.copyto, (d_gates, s["d_state"])
        yield from times_tanh_slope(d_gates, state, s["other"])
        yield s["d_state"].fill, (0,)


@kernel(Lstm)
class LstmKernel(RecurrentKernel):
    def step(self, way: Way, now: int, before: int | None) -> Calls:
        kept, one = way.kept, way.scratch["one"]
        cell, squashed = kept["cells"][now], kept["squashed"][now]
        yield np.add, (kept["gates"][now], way.scratch["whole"], kept["gates"][now])
        i, f, g, o = (way.gate("gates", now, index) for index in range(4))
        for gate in (i, f, o):
            yield from sigmoid(gate)
        yield np.tanh, (g, g)
        yield np.multiply, (i, g, cell)
        if before is not None:
            yield np.multiply, (f, kept["cells"][before], one)
            yield np.add, (cell, one, cell)
        yield np.tanh, (cell, squashed)
        yield np.multiply, (o, squashed, kept["states"][now])

    def begin_back(self, way: Way) -> Calls:
        yield way.scratch["one"].fill, (0,)

    def step_back(self, way: Way, now: int, before: int | None) -> Calls:
        """`one` carries the gradient of the cell from step to step."""
        s, squashed = way.scratch, way.kept["squashed"][now]
        d_state, d_cell, other = s["d_state"], s["one"], s["other"]
        i, f, g, o = (way.gate("gates", now, index) for index in range(4))
        di, df, dg, do = (way.gate("d_gates", now, index) for index in range(4))
        yield np.multiply, (d_state, squashed, do)
        yield from times_slope(do, o, other)
        yield np.multiply, (d_state, o, d_state)
        yield from times_tanh_slope(d_state, squashed, other)
        yield np.add, (d_cell, d_state, d_cell)
        yield np.multiply, (d_cell, g, di)
        yield from times_slope(di, i, other)
        yield np.multiply, (d_cell, i, dg)
        yield from times_tanh_slope(dg, g, other)
        if before is None:
            yield df.fill, (0,)
        else:
            yield np.multiply, (d_cell, way.kept["cells"][before], df)
            yield from times_slope(df, f, other)
        yield np.multiply, (d_cell, f, d_cell)
        yield d_state.fill, (0,)


@kernel(Gru)
class GruKernel(RecurrentKernel):
    state_gates = "d_state_gates"

    def step(self, way: Way, now: int, before: int | None) -> Calls:
        kept, whole = way.kept, way.scratch["whole"]
        state, candidate = kept["states"][now], kept["candidates"][now]
        n = state.shape[1]
        both, first = kept["gates"][now][:, : 2 * n], whole[:, : 2 * n]
        yield np.add, (both, first, both)
        yield from sigmoid(both)
        r, z, new = (way.gate("gates", now, index) for index in range(3))
        yield np.copyto, (candidate, whole[:, 2 * n :])
        yield np.multiply, (r, candidate, state)
        yield np.add, (new, state, new)
        yield np.tanh, (new, new)
        # (1 - z) n + z h' = n + z (h' - n)
        if before is None:
            yield np.multiply, (z, new, state)
            yield np.subtract, (new, state, state)
        else:
            yield np.subtract, (kept["states"][before], new, state)
            yield np.multiply, (state, z, state)
            yield np.add, (state, new, state)

    def step_back(self, way: Way, now: int, before: int | None) -> Calls:
        s, kept = way.scratch, way.kept
        d_state, other = s["d_state"], s["other"]
        r, z, new = (way.gate("gates", now, index) for index in range(3))
        dr, dz, dn = (way.gate("d_gates", now, index) for index in range(3))
        n = d_state.shape[1]
        if before is None:
            yield np.negative, (new, dz)
        else:
            yield np.subtract, (kept["states"][before], new, dz)
        yield np.multiply, (dz, d_state, dz)
        yield from times_slope(dz, z, other)
        yield np.multiply, (d_state, z, other)
        yield np.subtract, (d_state, other, dn)
        yield np.copyto, (d_state, other)
        yield from times_tanh_slope(dn, new, other)
        yield np.multiply, (dn, kept["candidates"][now], dr)
        yield from times_slope(dr, r, other)
        state_gates = s["d_state_gates"][now]
        yield np.copyto, (state_gates, s["d_gates"][now])
        yield np.multiply, (dn, r, state_gates[:, 2 * n :])
