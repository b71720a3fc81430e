"""Where the time of a pass goes: every step measured, beside what its work must take at least."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Literal

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.asked import counted
from ..compiler.plan.schedule import Mode, Phase, Schedule
from ..compiler.plan.work import Machine, Work, least, update, work
from .answering import quiet
from .asked import asked
from .bind import Bound, Group
from .budget import MaxMemory
from .kernels import Array, Call
from .machine import BUSY, Neighbours, measured
from .net import Net
from .profile_table import table
from .threads import blas_threads, run, suited, together

SECONDS = 1.0
"""How long passes are repeated."""
LEAST, MOST = 3, 1000
"""How many passes are measured."""

Direction = Literal["forward", "backward", "threads", "update"]


@dataclass(frozen=True)
class Part:
    """What one layer does in one direction.

    Attributes
    ----------
    layer: empty for the optimiser's update of all weights, and for what several threads take to share
        the work: they begin, wait for each other, add their gradients up.
    seconds: the median over passes, the mean over threads. least: what it takes on this machine at
        best, as it is computed.
    flops, bytes: of the whole batch (see compiler/plan/work.py). calls: of NumPy.
    blocks: that the layer stands in, the outermost first.
    """

    layer: str
    direction: Direction
    seconds: float = 0.0
    least: float = 0.0
    flops: int = 0
    bytes: int = 0
    calls: int = 0
    blocks: tuple[str, ...] = ()

    def __add__(self, other: Part) -> Part:
        return replace(
            self,
            seconds=self.seconds + other.seconds,
            least=self.least + other.least,
            flops=self.flops + other.flops,
            bytes=self.bytes + other.bytes,
            calls=self.calls + other.calls,
        )


@dataclass(frozen=True)
class Profile:
    """A measured pass over a batch: inference, or a training step.

    Attributes
    ----------
    passes: how many were measured. machine: its rates with as many threads as were at work.
    lanes: how many examples each thread had; one number where BLAS alone shares work out.
    """

    mode: Mode
    batch: int
    lanes: tuple[int, ...]
    threads: int
    passes: int
    machine: Machine
    parts: tuple[Part, ...]
    others: float | None = None
    """Cores that other processes used meanwhile; None where that is not known."""

    @property
    def disturbed(self) -> bool:
        return self.others is not None and self.others > BUSY

    @property
    def by_layer(self) -> tuple[tuple[Part, ...], ...]:
        """What belongs to one layer together; what belongs to none by itself."""
        found: dict[str, tuple[Part, ...]] = {}
        for part in self.parts:
            key = part.layer or f" {part.direction}"
            found[key] = (*found.get(key, ()), part)
        return tuple(found.values())

    def __str__(self) -> str:
        return table(self, width=100, colour=False)

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def least(self) -> float:
        return sum(part.least for part in self.parts)


def profile(
    graph: Graph,
    mode: Mode | None = None,
    batch: int | None = None,
    max_memory: MaxMemory = None,
    *,
    jit: bool = False,
) -> Profile:
    """Run a net on numbers drawn at random, step by step, with the clock in hand.

    A training step where the net can train and no mode is given; `batch` is 1 for inference and the
    spec's for training where None. Raises SpecError when the net cannot train and that is asked for, or
    when there is no memory for it.
    """
    batch = counted("batch", batch)
    net = Net(graph, seed=0, max_memory=max_memory, jit=jit)
    mode, batch = asked(net, mode, batch)
    with suited(graph, batch), quiet():
        if mode == "train":
            learner = net.learner
            bound = learner.bound(batch)
            learner.update()
            last, swept = learner.sweep, sum(map(len, (*learner.updates, learner.limits)))
        else:
            bound, last, swept = net.inference(batch), nothing, 0
        count = len(bound.schedule.lanes)
        threads = count if count > 1 else blas_threads()
        neighbours = Neighbours()
        passes = _passes(Clock(bound), last, _drawn(net, bound))
    others = neighbours.cores()
    machine = measured(threads)
    plan = bound.schedule
    *steps, shared, updated = (statistics.median(times) for times in zip(*passes, strict=True))
    parts = _by_layer(graph, bound, steps, machine)
    if count > 1:
        sharing = sum((p for p in parts if p.direction == "threads"), Part("", "threads"))
        own = tuple(part for part in parts if part.direction != "threads")
        parts = (*own, replace(sharing, seconds=sharing.seconds + shared))
    if mode == "train":
        sweep = update(plan, net.training.optimizer.slots)
        least = machine.seconds(sweep)
        parts += (Part("", "update", updated, least, sweep.flops, sweep.bytes, swept),)
    return Profile(mode, batch, plan.lanes, threads, len(passes), machine, parts, others)


def _drawn(net: Net, bound: Bound) -> list[tuple[Array, Array]]:
    """Where a pass begins, with what to put there: inputs of mean 0 and variance 1, whole numbers and
    labels within their bounds."""
    rng = np.random.default_rng(0)
    places = [(a, net.graph.vocabularies.get(name, 2)) for name, a in bound.inputs.items()]
    if bound.target is not None:
        places.append((bound.target, net.graph.output.value.channels))
    return [(array, _numbers(rng, array, top)) for array, top in places]


def _numbers(rng: np.random.Generator, array: Array, top: int) -> Array:
    if array.dtype.kind == "i":
        return rng.integers(0, max(1, top), array.shape)
    return rng.standard_normal(array.shape)


class Clock:
    """The calls of a bound schedule, with a look at the clock behind each group of steps.

    Every lane looks at it for itself, while they run together.
    """

    def __init__(self, bound: Bound) -> None:
        self.stamps: list[list[float]] = [[] for _ in bound.lanes]
        self.sharing = len(bound.schedule.lanes)
        self.lanes = [
            tuple(_stamped(bound.groups, lane, stamps)) for lane, stamps in enumerate(self.stamps)
        ]

    def seconds(self) -> list[float]:
        """Run once: of each group the mean over lanes, and what is left of the whole."""
        for stamps in self.stamps:
            stamps.clear()
        begun = perf_counter()
        if len(self.lanes) == 1:
            run(self.lanes[0])
        else:
            together(self.lanes)
        whole = perf_counter() - begun
        # A thread that only helps does not know what it waits for.
        sharing = self.stamps[: self.sharing]
        by_lane = [[stop - start for start, stop in pairwise(stamps)] for stamps in sharing]
        groups = [statistics.fmean(times) for times in zip(*by_lane, strict=True)]
        return [*groups, max(0.0, whole - sum(groups))]


def _stamped(groups: Sequence[Group], lane: int, stamps: list[float]) -> Iterator[Call]:
    stamp: Call = (_look, (stamps.append, perf_counter))
    yield stamp
    for group in groups:
        for calls in group.calls[lane : lane + 1]:
            yield from calls
        yield stamp


def _look(note: Callable[[float], None], clock: Callable[[], float]) -> None:
    note(clock())


def nothing() -> None:
    """What inference updates."""


def _passes(
    clock: Clock, last: Callable[[], None], given: list[tuple[Array, Array]]
) -> list[list[float]]:
    """The seconds of every group, of what is left and of what comes last, pass by pass; the first pass
    warms up and is left out."""
    passes: list[list[float]] = []
    begun = perf_counter()
    while len(passes) <= LEAST or (perf_counter() - begun < SECONDS and len(passes) <= MOST):
        # A pass writes over its inputs once nobody reads them any more.
        for array, numbers in given:
            array[:] = numbers
        found = clock.seconds()
        updating = perf_counter()
        last()
        passes.append([*found, perf_counter() - updating])
    return passes[1:]


TOGETHER = frozenset({Phase.GATHER, Phase.MEET, Phase.JOIN})
"""What only several threads do."""


def _by_layer(
    graph: Graph, bound: Bound, seconds: Sequence[float], machine: Machine
) -> tuple[Part, ...]:
    """The loss belongs to the layer that it judges; a sum of gradients to the layer whose backward
    comes next."""
    found: dict[tuple[str, Direction], Part] = {}
    waiting = Part("", "backward")
    layers = {layer.name: number for number, layer in enumerate(graph.layers)}
    blocks = {layer.name: tuple(use.name for use in layer.blocks) for layer in graph.layers}
    for group, taken in zip(bound.groups, seconds, strict=True):
        part = _part(bound.schedule, group, taken, machine)
        if group.steps[0].phase is Phase.ACCUMULATE:
            waiting += part
            continue
        if part.direction == "backward":
            part, waiting = part + waiting, Part("", "backward")
        part = replace(part, blocks=blocks.get(part.layer, ()))
        key = part.layer, part.direction
        found[key] = found[key] + part if key in found else part

    def place(part: Part) -> tuple[int, bool]:
        return layers.get(part.layer, len(layers)), part.direction == "backward"

    return tuple(sorted(found.values(), key=place))


def _part(plan: Schedule, group: Group, seconds: float, machine: Machine) -> Part:
    step = group.steps[0]
    direction: Direction = "forward" if step.phase is Phase.FORWARD else "backward"
    if step.phase in TOGETHER:
        direction = "threads"
    done = sum((work(plan, one) for one in group.steps), Work())
    spared = machine.seconds(sum((least(plan, one) for one in group.steps), Work()))
    layer = step.node.layer if step.node and direction != "threads" else ""
    calls = sum(map(len, group.calls))
    return Part(layer, direction, seconds, spared, done.flops, done.bytes, calls)
