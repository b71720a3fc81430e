"""A schedule bound to memory: one arena, views into it, and one flat list of calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, cast

import numpy as np

from ..compiler.graph import Graph, Node
from ..compiler.outermost import MANY
from ..compiler.plan import schedule as planning
from ..compiler.plan.build import SWEEP, schedule
from ..compiler.plan.parameters import Entry, Parameters
from ..compiler.plan.schedule import ALIGNMENT, Kind, Mode, Phase, Schedule, Step
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from .budget import Budget, zeros
from .engine import NUMPY, Engine
from .errors import TooMuchMemory
from .kernels import MEET, NOTHING, Array, Arrays, Behind, Call, Calls, Folded, Preparing
from .kernels.products import parts, product
from .losses import computed
from .threads import (
    WORTH_HURRYING,
    WORTH_LIMITING,
    available,
    run,
    together,
    with_one_blas_thread,
)

UNKNOWN = -1
"""No count of changes: never made, or made while somebody was writing."""

LOOKS = 16
"""Batches that are tried at a time where the largest one that fits is looked for."""

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
    threads: int = 1
    """How many the net may use, for good: each has its own streams of noise."""


@dataclass(frozen=True)
class Group:
    """Steps that all lanes make at the same time, and the calls of each; where one lane makes them all,
    those of the threads that help it."""

    steps: tuple[Step, ...]
    calls: tuple[tuple[Call, ...], ...]

    def run(self) -> None:
        """Lane by lane in this thread, up to where they meet, and on from there."""
        if len(self.calls) == 1:
            run(self.calls[0])
            return
        lanes = [list(rounds(calls)) for calls in self.calls]
        for number in range(max(map(len, lanes))):
            for lane in lanes:
                if number < len(lane):
                    run(lane[number])


def rounds(calls: Sequence[Call]) -> Iterator[tuple[Call, ...]]:
    """A lane's calls from one meeting to the next."""
    begun = 0
    for number, call in enumerate(calls):
        if call is MEET:
            yield tuple(calls[begun:number])
            begun = number + 1
    yield tuple(calls[begun:])


@dataclass
class Preparations:
    """Calls that are made again when weights or statistics change; `changes`: how many there had been
    when they were made last."""

    calls: tuple[Call, ...]
    changes: int = UNKNOWN


class Shortcut(NamedTuple):
    """All that an answer takes, looked up once: what a batch has to be like, where it goes, where its
    answer will be, and what makes the calls, with what it takes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    given: Array
    made: Array
    preparations: Preparations
    function: Callable[[Any], None]
    calls: Any


@dataclass(frozen=True)
class Bound:
    """A schedule that can run: `run()` makes every call in order.

    Attributes
    ----------
    arena: the one allocation behind all arrays, in bytes.
    preparations: what inference makes of the weights first.
    groups: the steps in order, those of several lanes together.
    lanes: for each lane all of its calls, or for each thread that helps the only one.
    gradients: for each lane, by name, what it finds of them; the first's are the net's own.
    inputs, outputs: by name, batch first. `target`, `loss`: the truth and the mean loss.
    """

    schedule: Schedule
    arena: Array
    preparations: Preparations
    groups: tuple[Group, ...]
    lanes: tuple[tuple[Call, ...], ...]
    gradients: tuple[Mapping[str, Array], ...]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    target: Array | None
    loss: Array | None

    @cached_property
    def shortcut(self) -> Shortcut | None:
        """Where an answer is given to one input by one output, both of floats."""
        if self.schedule.mode == "train" or len(self.inputs) > 1 or len(self.outputs) > 1:
            return None
        (given,), (made,) = self.inputs.values(), self.outputs.values()
        if given.dtype.kind != "f":
            return None
        return Shortcut(given.shape, given.dtype, given, made, self.preparations, *self.runner)

    @cached_property
    def pair(self) -> tuple[Array, Array] | None:
        """The input and the truth, where one input of floats is all that is given."""
        inputs = tuple(self.inputs.values())
        if len(inputs) > 1 or self.target is None or inputs[0].dtype.kind != "f":
            return None
        return inputs[0], self.target

    @cached_property
    def runner(self) -> tuple[Callable[[Any], None], Any]:
        """What makes the calls, and what it takes."""
        if len(self.lanes) > 1:
            return together, self.lanes
        products = (
            step.node.applied.needs(step.examples).product
            for step in self.schedule.steps
            if step.node is not None and step.phase is Phase.FORWARD
        )
        largest = max(products, default=0)
        hurries = largest >= WORTH_HURRYING and available() > 1
        modest = largest >= WORTH_LIMITING and not hurries
        return (with_one_blas_thread if modest else run), self.lanes[0]

    def run(self) -> None:
        function, calls = self.runner
        function(calls)


def allocate(
    schedule: Schedule,
    budget: Budget | None = None,
    engine: Engine = NUMPY,
    threads: int | None = None,
) -> Memory:
    """Zeroed vectors for a net's parameters and running statistics; raises SpecError when the budget
    has no room for them."""
    budget = budget or Budget()
    parameters = schedule.parameters
    dtype = FLOATS[schedule.float_bytes]
    vector = aligned(parameters.size, dtype, budget)
    state = aligned(parameters.state_size, dtype, budget)
    statistics = _views(state, parameters.state)
    weights = _views(vector, parameters.entries)
    threads = threads or available()
    return Memory(vector, vector[:0], state, weights, {}, statistics, budget, engine, threads)


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
    """Plan a batch and bind the plan: in as many lanes as pay, in fewer where the budget has room for
    those alone. Raises SpecError when it has room for none, with the largest batch that would fit."""

    def plans(examples: int) -> Iterator[Schedule]:
        """From the most lanes to one, for each has memory of its own."""
        lanes = memory.threads
        while lanes:
            found = schedule(graph, examples, mode, loss, memory.parameters.itemsize, lanes)
            yield found
            lanes = len(found.lanes) - 1

    budget, tried = memory.budget, []
    for planned in plans(batch):
        if _taken(planned) <= budget.left():
            return bind(planned, memory, streams)
        tried.append(planned)
    # What other batches hold is let go only where none fits beside it.
    for planned in tried:
        if budget.room_for(_taken(planned)):
            return bind(planned, memory, streams)
    left = budget.left()
    fits = _largest(plans, left, planned)
    what = f"a batch of {batch:,}"
    raise SpecError([TooMuchMemory(None, _taken(planned), left, budget.asked, what, fits)])


def _taken(plan: Schedule) -> int:
    return plan.arena_bytes + ALIGNMENT


def _largest(plans: Callable[[int], Iterable[Schedule]], left: int, too_large: Schedule) -> int:
    """The largest batch, smaller than that of a plan of one lane, that `left` bytes hold; 0 where they
    hold none.

    A larger batch may take less: its scratch depends on the blocks that it falls into. So what bisection
    finds is where the search begins, and what the examples alone take is where it ends. Where many lie
    between, `LOOKS` of them are tried, and then as many between the largest of these and the next.
    """

    def fits(examples: int) -> bool:
        return any(_taken(plan) <= left for plan in plans(examples))

    low, high = 0, too_large.batch
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    most = left * too_large.batch // max(1, _of_examples(too_large))
    # Few examples may lie in another way, which takes less.
    most = min(too_large.batch - 1, max(most, MANY * available()))
    while most > low:
        step = max(1, (most - low) // LOOKS)
        low = next((examples for examples in range(most, low, -step) if fits(examples)), low)
        most = min(most, low + step - 1)
    return low


def _of_examples(plan: Schedule) -> int:
    """The most bytes in use at once of what is as long as the batch: twice as many for twice the batch."""
    changes = [0] * (len(plan.steps) + 2)
    for life in plan.lifetimes:
        array = plan.arrays[life.arrays[0]]
        if array.kind not in (Kind.SCRATCH, Kind.PREPARED) and _as_long(array, plan.batch):
            changes[life.first + 1] += life.bytes
            changes[min(life.last, len(plan.steps) - 1) + 2] -= life.bytes
    return max(accumulate(changes))


def _as_long(array: planning.Array, batch: int) -> bool:
    """Of every array of a batch the first axis or, where channels lie outermost, the last is as long."""
    return batch in (*array.shape[:1], *array.shape[1:][-1:])


def bind(schedule: Schedule, memory: Memory, streams: Mapping[str, np.random.Generator]) -> Bound:
    """Allocate the arena and turn every step into calls on views of it.

    `streams`: the random stream of each node that draws.
    """
    arena = aligned(schedule.arena_bytes, np.dtype(np.uint8), memory.budget)
    arrays = [view(schedule, arena, index) for index in range(len(schedule.arrays))]
    lanes = _lanes(schedule, arrays, memory, streams)
    steps = [_calls(schedule, step, arrays, lanes[step.lane]) for step in schedule.steps]
    groups = tuple(_grouped(schedule.steps, steps))
    # At inference nobody else has work while the library's threads spin.
    if len(lanes) == 1 and schedule.mode == "train":
        groups = tuple(_shared_out(group, memory.threads) for group in groups)
    return Bound(
        schedule,
        arena,
        Preparations(tuple(_preparations(schedule, arrays, lanes))),
        groups,
        tuple(
            tuple(
                call for group in groups for calls in group.calls[lane : lane + 1] for call in calls
            )
            for lane in range(max((len(group.calls) for group in groups), default=1))
        ),
        tuple(lane.gradients for lane in lanes),
        {name: arrays[index] for name, index in schedule.inputs.items()},
        {name: arrays[index] for name, index in schedule.outputs.items()},
        None if schedule.target is None else arrays[schedule.target],
        None if schedule.loss_value is None else arrays[schedule.loss_value],
    )


@dataclass(frozen=True)
class Lane:
    """What a thread has beside the arena: the net's memory, gradients of its own, streams of its own."""

    memory: Memory
    gradient: Array
    gradients: Mapping[str, Array]
    streams: Mapping[str, np.random.Generator]


def _lanes(
    schedule: Schedule,
    arrays: Sequence[Array],
    memory: Memory,
    streams: Mapping[str, np.random.Generator],
) -> list[Lane]:
    learned = schedule.parameters.learned
    found = [Lane(memory, memory.gradient, memory.gradients, streams)]
    for number in range(1, len(schedule.lanes)):
        own = {
            name: streams[key] for name in streams if (key := lane_stream(name, number)) in streams
        }
        trains = bool(schedule.gradients)
        vector = arrays[schedule.gradients[number - 1]] if trains else memory.gradient
        found.append(Lane(memory, vector, _views(vector, learned) if trains else {}, own))
    return found


def lane_stream(name: str, lane: int) -> str:
    """What the random stream of a node is called in a lane."""
    return f"{name} {lane + 1}" if lane else name


def _grouped(steps: Sequence[Step], calls: Sequence[tuple[Call, ...]]) -> Iterator[Group]:
    """Each lane's next step goes with the first's."""
    begun = 0
    for number in range(1, len(steps) + 1):
        if number == len(steps) or steps[number].lane == 0:
            yield Group(tuple(steps[begun:number]), tuple(calls[begun:number]))
            begun = number


def _shared_out(group: Group, threads: int) -> Group:
    """The same where one lane has the whole batch and other threads do their part of its large products."""
    (calls,) = group.calls
    if threads == 1 or not any(function is product for function, _ in calls):
        return group
    lanes: list[list[Call]] = [[] for _ in range(threads)]
    for call in calls:
        if call[0] is product:
            left, right, out = cast(tuple[Array, Array, Array], call[1])
            for lane, part in zip(lanes, parts(left, right, out, threads), strict=True):
                lane += (MEET, part, MEET)
        else:
            lanes[0].append(call)
    return Group(group.steps, tuple(map(tuple, lanes)))


def view(schedule: Schedule, arena: Array, index: int) -> Array:
    array = schedule.arrays[index]
    floats = FLOATS[schedule.float_bytes]
    dtype = floats if array.dtype == "float" else np.dtype(array.dtype)
    start = schedule.offsets[index]
    stop = start + math.prod(array.shape) * dtype.itemsize
    view: Array = arena[start:stop].view(dtype).reshape(array.shape)
    return view


def _calls(schedule: Schedule, step: Step, arrays: Sequence[Array], lane: Lane) -> tuple[Call, ...]:
    """What a step does for every batch."""

    def of(index: int | None) -> Any:
        return None if index is None else arrays[index]

    inputs = tuple(of(index) for index in step.inputs)
    scratch = {name: arrays[index] for name, index in step.scratch.items()}
    output, d_output = of(step.output), of(step.d_output)
    match step.phase:
        case Phase.ACCUMULATE:
            return ((np.add, (inputs[0], inputs[1], output)),)
        case Phase.GATHER:
            return ((np.copyto, (output, inputs[0])),)
        case Phase.MEET:
            return (MEET,)
        case Phase.JOIN:
            return tuple(_joined(schedule, step, inputs, lane.memory.gradient))
    node = step.node
    assert node is not None
    if step.phase is Phase.LOSS:
        scores, truth = inputs
        assert schedule.loss is not None
        judged = node.value, scores, truth, output, d_output
        return tuple(computed(schedule.loss, *judged, scratch))
    kernel = lane.memory.engine.kernel_of(node.op, step.algorithm)
    bundle = _bundle(schedule, step, arrays, lane)
    law = bundle.behind
    if step.phase is Phase.BACKWARD:
        aside = {name: arrays[index] for name, index in step.aside.items()}
        whole = {w.name: lane.gradients[node.keeper(w)] for w in node.weights if w.name in aside}
        sums = [(np.add, (whole[name], part, whole[name])) for name, part in aside.items()]
        calls = tuple(kernel.backward(node.op, bundle))
        early = () if law.met else law.ready(slice(None))
        return (*early, *calls, *sums)
    compute = kernel.forward if schedule.mode == "train" else kernel.infer
    calls = tuple(compute(node.op, bundle))
    return calls if law.met else (*calls, *law.finish(output))


def _preparations(
    schedule: Schedule, arrays: Sequence[Array], lanes: Sequence[Lane]
) -> Iterator[Call]:
    """What inference makes of the weights, once for all lanes that share it."""
    made: set[int] = set()
    for step in schedule.steps:
        if schedule.mode == "train" or step.phase is not Phase.FORWARD or step.node is None:
            continue
        lane = lanes[step.lane]
        kernel = lane.memory.engine.kernel_of(step.node.op, step.algorithm)
        own = {i for i in step.scratch.values() if schedule.arrays[i].kind is Kind.PREPARED}
        if own - made:
            made |= own
            bundle = _bundle(schedule, step, arrays, lane)
            yield from cast(Preparing, kernel).prepare(step.node.op, bundle)


def _bundle(schedule: Schedule, step: Step, arrays: Sequence[Array], lane: Lane) -> Arrays:
    """What a kernel gets for a step."""

    def of(index: int | None) -> Any:
        return None if index is None else arrays[index]

    node, memory = step.node, lane.memory
    assert node is not None
    forward = step.phase is Phase.FORWARD
    kept = [w for w in node.weights if forward or w.name in step.weights]
    learned = [w for w in node.weights if w.name in step.learned]
    gradients = {w.name: lane.gradients[node.keeper(w)] for w in learned}
    aside = {name: arrays[index] for name, index in step.aside.items()}
    return Arrays(
        values=node.arrivals,
        inputs=tuple(of(index) for index in step.inputs),
        output=of(step.output),
        weights={w.name: memory.weights[node.keeper(w)] for w in kept},
        state={s.name: memory.statistics[node.keeper(s)] for s in node.state},
        saved={name: arrays[index] for name, index in step.saved.items()},
        scratch={name: arrays[index] for name, index in step.scratch.items()},
        d_output=of(step.d_output),
        d_inputs=tuple(of(index) for index in step.d_inputs),
        d_weights={**gradients, **aside},
        rng=lane.streams.get(node.name),
        shared={name: arrays[index] for name, index in step.shared.items()},
        folded=_folded(step.folded, memory),
        behind=_following(step, arrays, lane),
        lane=step.lane,
        lanes=schedule.lanes,
    )


class Following(Behind):
    """A law on the memory of the operator before it."""

    def __init__(self, step: Step, node: Node, arrays: Sequence[Array], lane: Lane) -> None:
        self.op, self.values = node.op, node.arrivals
        self.kernel = lane.memory.engine.kernel_of(node.op, "")
        self.scratch = {name: arrays[index] for name, index in step.behind_scratch.items()}
        places = step.output, step.behind_gradient, step.d_output
        self.flat = [None if index is None else arrays[index].reshape(-1) for index in places]

    def finish(self, made: Array) -> Calls:
        self.met = True
        stretch = made.reshape(-1)
        if not np.may_share_memory(stretch, made):
            raise ValueError("a law is done in place: on a stretch without gaps, not on a copy")
        own = Arrays(self.values, (stretch,), stretch, scratch=self.scratch)
        yield from self.kernel.infer(self.op, own)

    def ready(self, stretch: slice) -> Calls:
        self.met = True
        # A law whose slope needs its input is none that can be done here.
        unseen: Any = None
        made, given, wanted = (None if a is None else a[stretch] for a in self.flat)
        own = Arrays(
            self.values, (unseen,), made, scratch=self.scratch, d_output=given, d_inputs=(wanted,)
        )
        yield from self.kernel.backward(self.op, own)


def _following(step: Step, arrays: Sequence[Array], lane: Lane) -> Behind:
    return NOTHING if step.behind is None else Following(step, step.behind, arrays, lane)


def _folded(node: Node | None, memory: Memory) -> Folded | None:
    if node is None:
        return None
    own = {w.name: memory.weights[node.keeper(w)] for w in node.weights}
    own |= {s.name: memory.statistics[node.keeper(s)] for s in node.state}
    eps: float = node.op.eps  # type: ignore[attr-defined]
    return Folded(**own, eps=eps)


def _joined(schedule: Schedule, step: Step, parts: Sequence[Array], gradient: Array) -> Calls:
    """A lane adds up its stretch of the vector, block by block, the other lanes' in their order."""
    count = len(schedule.lanes)
    start, stop = (gradient.size * number // count for number in (step.lane, step.lane + 1))
    for first in range(start, stop, SWEEP):
        stretch = slice(first, min(first + SWEEP, stop))
        for part in parts:
            yield np.add, (gradient[stretch], part[stretch], gradient[stretch])
