"""Where the time of a pass goes: every step measured, beside what its work must take at least."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np

from ..compiler.errors import BadSetting
from ..compiler.graph import Graph
from ..compiler.plan.schedule import Mode, Phase, Schedule
from ..compiler.plan.work import Machine, Work, update, work
from ..grammar.diagnostics import SpecError
from .answering import quiet
from .bind import Bound
from .budget import MaxMemory
from .kernels import Array, Call
from .machine import measured
from .net import Net
from .threads import suited

SECONDS = 1.0
"""How long passes are repeated."""
LEAST, MOST = 3, 1000
"""How many passes are measured."""

Direction = Literal["forward", "backward", "update"]


@dataclass(frozen=True)
class Part:
    """What one layer does in one direction.

    Attributes
    ----------
    layer: empty for the optimiser's update of all weights.
    seconds: the median over passes. least: what the work takes on this machine at best.
    flops, bytes: of the whole batch (see compiler/plan/work.py). calls: of NumPy.
    """

    layer: str
    direction: Direction
    seconds: float
    least: float
    flops: int
    bytes: int
    calls: int


@dataclass(frozen=True)
class Profile:
    """A measured pass over a batch: inference, or a training step."""

    mode: Mode
    batch: int
    passes: int
    machine: Machine
    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def least(self) -> float:
        return sum(part.least for part in self.parts)


def profile(
    graph: Graph,
    mode: Mode,
    batch: int | None = None,
    max_memory: MaxMemory = None,
    *,
    jit: bool = False,
) -> Profile:
    """Run a net on numbers drawn at random, step by step, with the clock in hand.

    `batch` is 1 for inference and the spec's for training where None. Raises SpecError when the net
    cannot train and that is asked for, or when there is no memory for it.
    """
    if batch is not None and (not isinstance(batch, int) or batch < 1):
        problem = f"cannot be {batch!r}"
        raise SpecError([BadSetting(None, "batch", problem, "a whole number from 1")])
    net = Net(graph, seed=0, max_memory=max_memory, jit=jit)
    batch = batch or (net.training.batch if mode == "train" else 1)
    machine = measured()
    with suited(graph, batch), quiet():
        if mode == "train":
            if mistakes := net.untrainable():
                raise SpecError(mistakes)
            learner = net.learner
            bound = learner.bound(batch)
            learner.update()
            last: tuple[Call, ...] = learner.updates
        else:
            bound, last = net.inference(batch), ()
        given = _drawn(net, bound)
        passes = _passes([*_steps(bound), last], given)
    plan = bound.schedule
    works = [work(plan, step) for step in plan.steps]
    medians = [statistics.median(times) for times in zip(*passes, strict=True)]
    parts = _by_layer(graph, plan, works, medians, machine, _lengths(bound))
    if mode == "train":
        sweep = update(plan, net.training.optimizer.slots)
        least = machine.seconds(sweep)
        parts += (Part("", "update", medians[-1], least, sweep.flops, sweep.bytes, len(last)),)
    return Profile(mode, batch, len(passes), machine, parts)


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


def _steps(bound: Bound) -> list[tuple[Call, ...]]:
    starts = (0, *bound.ends[:-1])
    return [bound.calls[start:end] for start, end in zip(starts, bound.ends, strict=True)]


def _lengths(bound: Bound) -> list[int]:
    return [len(calls) for calls in _steps(bound)]


def _passes(steps: list[tuple[Call, ...]], given: list[tuple[Array, Array]]) -> list[list[float]]:
    """The seconds of every step, pass by pass; the first pass warms up and is left out."""
    passes: list[list[float]] = []
    begun = perf_counter()
    while len(passes) <= LEAST or (perf_counter() - begun < SECONDS and len(passes) <= MOST):
        # A pass writes over its inputs once nobody reads them any more.
        for array, numbers in given:
            array[:] = numbers
        passes.append(_timed(steps))
    return passes[1:]


def _timed(steps: list[tuple[Call, ...]]) -> list[float]:
    found = []
    for calls in steps:
        begun = perf_counter()
        for function, arguments in calls:
            function(*arguments)
        found.append(perf_counter() - begun)
    return found


def _by_layer(
    graph: Graph,
    plan: Schedule,
    works: Iterable[Work],
    medians: Iterable[float],
    machine: Machine,
    lengths: Iterable[int],
) -> tuple[Part, ...]:
    """The loss belongs to the layer that it judges; a sum of gradients to the layer whose backward
    comes next."""
    found: dict[tuple[str, Direction], Part] = {}
    waiting = Part("", "backward", 0.0, 0.0, 0, 0, 0)
    for step, done, seconds, calls in zip(plan.steps, works, medians, lengths, strict=False):
        direction: Direction = "forward" if step.phase is Phase.FORWARD else "backward"
        part = Part(
            step.node.layer if step.node else "",
            direction, seconds, machine.seconds(done), done.flops, done.bytes, calls,
        )  # fmt: skip
        if step.node is None:
            waiting = _both(waiting, part)
            continue
        if direction == "backward":
            part, waiting = _both(part, waiting), Part("", "backward", 0.0, 0.0, 0, 0, 0)
        key = part.layer, direction
        found[key] = _both(found[key], part) if key in found else part
    order: Mapping[str, int] = {layer.name: i for i, layer in enumerate(graph.layers)}
    return tuple(sorted(found.values(), key=lambda p: (order[p.layer], p.direction == "backward")))


def _both(one: Part, other: Part) -> Part:
    return Part(
        one.layer,
        one.direction,
        one.seconds + other.seconds,
        one.least + other.least,
        one.flops + other.flops,
        one.bytes + other.bytes,
        one.calls + other.calls,
    )
