"""One operator by itself: its arrays made from what it declares, its kernel run on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnspec.compiler.op import Needed, Needs, Op, Trait
from nnspec.compiler.shapes import Value
from nnspec.runtime.kernels import KERNELS, Array, Arrays, Call, kernel_of

assert KERNELS
TYPES = {"float": np.float64, "bool": np.bool_, "uint8": np.uint8, "int64": np.int64}
STEP = 1e-5
REACH = 8.0
"""Activations are tried from -REACH to REACH, past every place where a slope breaks or dies."""
MAPS = frozenset(
    {"conv", "dwconv", "convt", "maxpool", "avgpool", "gap", "apool", "upsample"}
    | {"pad", "crop", "chshuffle"}
)
"""Operators on CxHxW, and of rank 2 on CxL."""
BREAKS = (-3.0, 0.0, 3.0, 6.0)


def poisoned(needed: Needed) -> Array:
    """Memory as it is found: NaN, or garbage where there is no NaN."""
    if needed.dtype == "float":
        return np.full(needed.shape, np.nan)
    return np.full(needed.shape, 1 if needed.dtype == "bool" else 77, TYPES[needed.dtype])


def all_poisoned(needed: Mapping[str, Needed]) -> dict[str, Array]:
    return {name: poisoned(n) for name, n in needed.items()}


def all_shared(needed: Mapping[str, Needed]) -> dict[str, Array]:
    """Where one lane has the whole batch."""
    return {name: array[None] for name, array in all_poisoned(needed).items()}


@dataclass
class Bench:
    """An operator, a batch of inputs and weights, and a direction to measure the output along."""

    op: Op
    values: tuple[Value, ...]
    inputs: list[Array]
    weights: dict[str, Array]
    direction: Array

    @property
    def batch(self) -> int:
        axis = -1 if self.values[0].outermost else 0
        return int(self.inputs[0].shape[axis])

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self.op.shape(*self.values).batched(self.batch)

    def state(self) -> dict[str, Array]:
        return {w.name: np.full(w.shape, w.constant or 0.0) for w in self.op.state(*self.values)}

    def forward(
        self, *, onto_input: bool = False, state: Mapping[str, Array] | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """The output, and what was saved; every array it may write is poisoned first."""
        needs = self.op.needs(self.batch, *self.values)
        inputs = tuple(x.copy() for x in self.inputs) if onto_input else tuple(self.inputs)
        output = inputs[0] if onto_input else np.full(self.output_shape, np.nan)
        arrays = self.arrays(needs, inputs, output)
        if state is not None:
            arrays = replace(arrays, state=state)
        self.run(kernel_of(self.op, needs.algorithm).forward(self.op, arrays))
        return output, dict(arrays.saved)

    def infer(self, state: Mapping[str, Array] | None = None) -> Array:
        """The output at inference, where nothing is saved."""
        needs = self.op.needs(self.batch, *self.values)
        output = np.full(self.output_shape, np.nan)
        arrays = replace(
            self.arrays(needs, tuple(self.inputs), output),
            saved={},
            scratch=all_poisoned(needs.scratch_in("infer")),
            state=self.state() if state is None else state,
            rng=None,
        )
        kernel: Any = kernel_of(self.op, needs.algorithm)
        if needs.prepared & arrays.scratch.keys():
            self.run(kernel.prepare(self.op, arrays))
        self.run(kernel.infer(self.op, arrays))
        return output

    def arrays(self, needs: Needs, inputs: tuple[Array, ...], output: Array) -> Arrays:
        """What forward gets, saved and scratch poisoned."""
        return Arrays(
            values=self.values,
            inputs=inputs,
            output=output,
            weights=self.weights,
            state=self.state(),
            saved=all_poisoned(needs.saved),
            scratch=all_poisoned(needs.scratch),
            rng=np.random.default_rng(7),
            shared=all_shared(needs.shared),
            lanes=(self.batch,),
        )

    def backward(self, *, onto_gradient: bool = False) -> tuple[list[Array], dict[str, Array]]:
        """Gradients of inputs and weights along the direction."""
        arrays = self.arrays_back(onto_gradient=onto_gradient)
        self.run(self.calls_back(arrays))
        return list(arrays.d_inputs), dict(arrays.d_weights)  # type: ignore[arg-type]

    def calls_back(self, arrays: Arrays) -> list[Call]:
        algorithm = self.op.needs(self.batch, *self.values).algorithm
        return list(kernel_of(self.op, algorithm).backward(self.op, arrays))

    def arrays_back(self, *, onto_gradient: bool = False) -> Arrays:
        """What backward gets after a forward: only what it declared, the rest poisoned."""
        output, saved = self.forward()
        needs = self.op.needs(self.batch, *self.values)
        reads = needs.reads_back
        d_output = self.direction.copy()
        d_inputs = [
            None if value.integer else np.full(x.shape, np.nan)
            for x, value in zip(self.inputs, self.values, strict=True)
        ]
        if onto_gradient:
            d_inputs[0] = d_output
        d_weights = {name: np.full(w.shape, np.nan) for name, w in self.weights.items()}
        return Arrays(
            values=self.values,
            inputs=tuple(x if "x" in reads else None for x in self.inputs),  # type: ignore[misc]
            output=output if "y" in reads else None,
            weights={name: w for name, w in self.weights.items() if name in reads},
            saved=saved,
            scratch=all_poisoned(needs.scratch_back),
            shared=all_shared(needs.shared_back),
            lanes=(self.batch,),
            d_output=d_output,
            d_inputs=tuple(d_inputs),
            d_weights=d_weights,
        )

    def run(self, calls: object) -> None:
        with np.errstate(over="ignore"):
            for function, arguments in list(calls):  # type: ignore[call-overload]
                function(*arguments)

    def along(self) -> float:
        return float((self.forward()[0] * self.direction).sum())

    def measured(self, array: Array) -> Array:
        """Central differences of the output along the direction, for every element of `array`."""
        found = np.empty(array.size)
        flat = array.reshape(-1)
        for index in range(array.size):
            kept = flat[index]
            flat[index] = kept + STEP
            above = self.along()
            flat[index] = kept - STEP
            below = self.along()
            flat[index] = kept
            found[index] = (above - below) / (2 * STEP)
        return found.reshape(array.shape)

    def error(self) -> float:
        """The largest error of any gradient, relative to the larger of the two and to 1e-2."""
        d_inputs, d_weights = self.backward()
        pairs = [
            (d, self.measured(x))
            for d, x in zip(d_inputs, self.inputs, strict=True)
            if d is not None
        ]
        pairs += [(d_weights[name], self.measured(w)) for name, w in self.weights.items()]
        return max((relative(computed, measured) for computed, measured in pairs), default=0.0)


def relative(computed: Array, measured: Array) -> float:
    scale = np.maximum(np.maximum(np.abs(computed), np.abs(measured)), 1e-2)
    worst = float(np.max(np.abs(computed - measured) / scale, initial=0.0))
    return math.inf if math.isnan(worst) else worst


def distinct(rng: np.random.Generator, count: int, op: Op) -> Array:
    """Numbers in random order, all at least 1e-3 from each other and from the breaks; up to
    4,000 of them."""
    step = 2 * REACH / count if Trait.ACTIVATION in op.traits else min(0.013, 6 / count)
    numbers = (rng.permutation(count) - count // 2 + 0.3) * step
    for place in BREAKS:
        close = np.abs(numbers - place) < 1e-3
        numbers[close] = place + 0.0015
    return numbers


def bench(op: Op, *shapes: tuple[int, ...], batch: int, seed: int, last: bool = False) -> Bench:
    """Random inputs, all at least 1e-3 apart from each other and from where slopes break."""
    rng = np.random.default_rng(seed)
    values = tuple(
        Value(
            s,
            channels_last=last or (len(s) == 2 and op.name not in MAPS),
            integer=op.vocabulary is not None,
        )
        for s in shapes
    )
    sizes = [batch * value.size for value in values]
    cuts = np.split(distinct(rng, sum(sizes), op), np.cumsum(sizes)[:-1])
    inputs = [c.reshape(batch, *v.shape) for c, v in zip(cuts, values, strict=True)]
    if op.vocabulary is not None:
        inputs = [rng.integers(op.vocabulary, size=x.shape) for x in inputs]
    weights = {w.name: rng.standard_normal(w.shape) * 0.7 for w in op.weights(*values)}
    made = Bench(op, values, inputs, weights, np.empty(0))
    return replace(made, direction=rng.standard_normal(made.output_shape))
