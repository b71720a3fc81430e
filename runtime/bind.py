"""A schedule bound to memory: one arena, views into it, and one flat list of calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.build import schedule
from ..compiler.plan.parameters import Entry, Parameters
from ..compiler.plan.schedule import ALIGNMENT, Mode, Phase, Schedule, Step
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from .budget import Budget, zeros
from .engine import NUMPY, Engine
from .errors import TooMuchMemory
from .kernels import Array, Arrays, Call
from .losses import computed

FLOATS: Mapping[int, np.dtype[Any]] = {4: np.dtype(np.float32), 8: np.dtype(np.float64)}


@dataclass(frozen=True)
class Memory:
    """The flat vectors that all schedules of one net share, and views of them by name; the gradient
    is empty until something trains. Their calls come from one engine."""

    parameters: Array
    gradient: Array
    state: Array
    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]
    statistics: Mapping[str, Array]
    budget: Budget
    engine: Engine = NUMPY


@dataclass(frozen=True)
class Bound:
    """A schedule that can run: `run()` makes every call in order.

    Attributes
    ----------
    arena: the one allocation behind all arrays, in bytes.
    ends: for each step of the schedule where its calls end.
    inputs, outputs: by name, batch first. `target`, `loss`: the truth and the mean loss.
    """

    schedule: Schedule
    arena: Array
    calls: tuple[Call, ...]
    ends: tuple[int, ...]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    target: Array | None
    loss: Array | None

    def run(self) -> None:
        for function, arguments in self.calls:
            function(*arguments)


def allocate(schedule: Schedule, budget: Budget | None = None, engine: Engine = NUMPY) -> Memory:
    """Zeroed vectors for a net's parameters and running statistics; raises SpecError when the budget
    has no room for them."""
    budget = budget or Budget()
    parameters = schedule.parameters
    dtype = FLOATS[schedule.float_bytes]
    vector = aligned(parameters.size, dtype, budget)
    state = aligned(parameters.state_size, dtype, budget)
    statistics = _views(state, parameters.state)
    weights = _views(vector, parameters.entries)
    return Memory(vector, vector[:0], state, weights, {}, statistics, budget, engine)


def with_gradient(memory: Memory, parameters: Parameters) -> Memory:
    """The same, and a zeroed vector for the gradient of what learns."""
    gradient = aligned(parameters.trainable, memory.parameters.dtype, memory.budget)
    gradients = _views(gradient, parameters.learned)
    return replace(memory, gradient=gradient, gradients=gradients)


def _views(vector: Array, entries: Sequence[Entry]) -> dict[str, Array]:
    return {e.name: vector[e.start : e.stop].reshape(e.weight.shape) for e in entries}


def aligned(count: int, dtype: np.dtype[np.generic], budget: Budget | None = None) -> Array:
    """Zeros that begin on a cache line; raises SpecError when there is no room for them."""
    raw = zeros(count * dtype.itemsize + ALIGNMENT, budget)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + count * dtype.itemsize].view(dtype)


def bind_batch(
    graph: Graph,
    batch: int,
    mode: Mode,
    memory: Memory,
    streams: Mapping[str, np.random.Generator],
    loss: Loss | None = None,
) -> Bound:
    """Plan a batch and bind the plan; raises SpecError when the budget has no room for it, with the
    largest batch that would fit."""

    def plan(examples: int) -> Schedule:
        return schedule(graph, examples, mode, loss, memory.parameters.itemsize)

    planned, budget = plan(batch), memory.budget
    wanted = planned.arena_bytes + ALIGNMENT
    if not budget.room_for(wanted):
        left = budget.left()
        fits = _largest(lambda examples: plan(examples).arena_bytes + ALIGNMENT <= left, batch)
        what = f"a batch of {batch:,}"
        raise SpecError([TooMuchMemory(None, wanted, left, budget.asked, what, fits)])
    return bind(planned, memory, streams)


def _largest(fits: Callable[[int], bool], too_many: int) -> int:
    """The largest number below that fits, 0 where none does."""
    low, high = 0, too_many
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def bind(schedule: Schedule, memory: Memory, streams: Mapping[str, np.random.Generator]) -> Bound:
    """Allocate the arena and turn every step into calls on views of it.

    `streams`: the random stream of each node that draws.
    """
    arena = aligned(schedule.arena_bytes, np.dtype(np.uint8), memory.budget)
    arrays = [view(schedule, arena, index) for index in range(len(schedule.arrays))]
    steps = [_calls(schedule, step, arrays, memory, streams) for step in schedule.steps]
    return Bound(
        schedule,
        arena,
        tuple(call for calls in steps for call in calls),
        tuple(accumulate(map(len, steps))),
        {name: arrays[index] for name, index in schedule.inputs.items()},
        {name: arrays[index] for name, index in schedule.outputs.items()},
        None if schedule.target is None else arrays[schedule.target],
        None if schedule.loss_value is None else arrays[schedule.loss_value],
    )


def view(schedule: Schedule, arena: Array, index: int) -> Array:
    array = schedule.arrays[index]
    floats = FLOATS[schedule.float_bytes]
    dtype = floats if array.dtype == "float" else np.dtype(array.dtype)
    start = schedule.offsets[index]
    stop = start + math.prod(array.shape) * dtype.itemsize
    view: Array = arena[start:stop].view(dtype).reshape(array.shape)
    return view


def _calls(
    schedule: Schedule,
    step: Step,
    arrays: Sequence[Array],
    memory: Memory,
    streams: Mapping[str, np.random.Generator],
) -> tuple[Call, ...]:
    def of(index: int | None) -> Any:
        return None if index is None else arrays[index]

    inputs = tuple(of(index) for index in step.inputs)
    scratch = {name: arrays[index] for name, index in step.scratch.items()}
    output, d_output = of(step.output), of(step.d_output)
    if step.phase is Phase.ACCUMULATE:
        return ((np.add, (inputs[0], inputs[1], output)),)
    node = step.node
    assert node is not None
    if step.phase is Phase.LOSS:
        scores, truth = inputs
        assert schedule.loss is not None
        judged = node.value, scores, truth, output, d_output
        return tuple(computed(schedule.loss, *judged, scratch))
    forward = step.phase is Phase.FORWARD
    kept = [w for w in node.weights if forward or w.name in step.weights]
    learned = [w for w in node.weights if w.name in step.learned]
    gradients = {w.name: memory.gradients[node.keeper(w)] for w in learned}
    aside = {name: arrays[index] for name, index in step.aside.items()}
    bundle = Arrays(
        values=node.arrivals,
        inputs=inputs,
        output=output,
        weights={w.name: memory.weights[node.keeper(w)] for w in kept},
        state={s.name: memory.statistics[node.keeper(s)] for s in node.state},
        saved={name: arrays[index] for name, index in step.saved.items()},
        scratch=scratch,
        d_output=d_output,
        d_inputs=tuple(of(index) for index in step.d_inputs),
        d_weights={**gradients, **aside},
        rng=streams.get(node.name),
    )
    kernel = memory.engine.kernel_of(node.op, step.algorithm)
    if not forward:
        sums = [(np.add, (gradients[name], part, gradients[name])) for name, part in aside.items()]
        return (*kernel.backward(node.op, bundle), *sums)
    run = kernel.forward if schedule.mode == "train" else kernel.infer
    return tuple(run(node.op, bundle))
