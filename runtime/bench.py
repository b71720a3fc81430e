"""How long a pass takes through the public interface, beside the same net in PyTorch where asked."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.asked import counted
from ..compiler.plan.schedule import Mode
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from ..grammar.version import VERSION
from .asked import asked
from .bench_lines import lines
from .budget import Budget, MaxMemory
from .errors import OutputsDiffer, TooMuchMemory
from .kernels import Array
from .machine import BUSY, Neighbours
from .net import Net
from .threads import blas, limited
from .torch_twin import Twin, as_tensors, loss_of, optimizer_of

Pass: TypeAlias = Callable[[], object]

ROUNDS = 11
SECONDS = 0.25
"""How long a side runs in each round."""
SETTLE = 0.03
"""Seconds between two turns: threads of BLAS and of PyTorch spin for a while after their last job."""
ALIKE = 1e-3
"""By how much of their largest number outputs may differ: float32 sums in another order."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """Seconds of a pass, and examples a second at the median."""

    name: str
    seconds: Spread
    examples: float


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes
    ----------
    sides: nnspec, and PyTorch behind it where it was asked for.
    ratio: PyTorch's time over nnspec's, round by round: above 1 nnspec is faster.
    difference: by how much of their largest number the outputs differ at most.
    versions: of what ran, by name.
    others: cores that other processes used meanwhile; None where that is not known. Threads that wait
        for one whose core is taken lose much more than its share: past `BUSY` no ratio can be trusted.
    """

    mode: Mode
    batch: int
    threads: int
    rounds: int
    sides: tuple[Side, ...]
    ratio: Spread | None
    difference: float | None
    versions: Mapping[str, str]
    others: float | None

    @property
    def disturbed(self) -> bool:
        return self.others is not None and self.others > BUSY

    def __str__(self) -> str:
        return "\n".join(lines(self))


def bench(
    graph: Graph,
    *,
    mode: Mode | None = None,
    batch: int | None = None,
    threads: int | None = None,
    rounds: int | None = None,
    versus: str = "",
    max_memory: MaxMemory = None,
    jit: bool = False,
) -> Bench:
    """Time passes over numbers drawn at random; with `versus` "torch" beside a twin there, in turns.

    A training step where the net can train and no mode is given, at the spec's batch; inference of
    one example. Raises SpecError where it cannot train and is to, where PyTorch has no like of it, or
    where the twin's outputs are others.
    """
    batch, threads = counted("batch", batch), counted("threads", threads)
    rounds = counted("rounds", rounds) or ROUNDS
    with limited(threads) as count, ExitStack() as stack:
        net = Net(graph, seed=0, max_memory=max_memory, jit=jit)
        chosen, number = asked(net, mode, batch)
        if chosen == "train":
            # Refuses what there is no memory for before any number is drawn.
            net.learner.bound(number)
        _check_room(graph, number)
        inputs = _inputs(net, number)
        fed = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        truth = _truth(net.learner.loss, net, number) if chosen == "train" else None
        passes: dict[str, Pass] = {"nnspec": partial(net, fed)}
        difference = None
        if versus:
            twin = Twin(net)
            stack.callback(twin.torch.set_num_threads, twin.torch.get_num_threads())
            twin.torch.set_num_threads(count)
            difference = _difference(net, twin, fed, inputs)
            passes["PyTorch"] = partial(twin.answers, as_tensors(net, inputs))
        if truth is not None:
            passes["nnspec"] = partial(net.step, fed, truth)
        if versus and truth is not None:
            passes["PyTorch"] = _step(net, twin, as_tensors(net, inputs), truth)
        neighbours = Neighbours()
        times = in_turns(passes, rounds)
        others = neighbours.cores()
    ours, theirs = times["nnspec"], times.get("PyTorch")
    return Bench(
        chosen,
        number,
        count,
        rounds,
        tuple(_side(name, taken, number) for name, taken in times.items()),
        spread([t / o for t, o in zip(theirs, ours, strict=True)]) if theirs else None,
        difference,
        _versions(twin if versus else None),
        others,
    )


def in_turns(passes: Mapping[str, Pass], rounds: int) -> dict[str, list[float]]:
    """Seconds of a pass by side and round; who begins a round ends the next."""
    for run in passes.values():
        _timed(run, SECONDS / 2)
    times: dict[str, list[float]] = {name: [] for name in passes}
    names = list(passes)
    for _ in range(rounds):
        for name in names:
            time.sleep(SETTLE)
            times[name].append(_timed(passes[name], SECONDS))
        names.reverse()
    return times


def _timed(run: Pass, seconds: float) -> float:
    """Seconds of one pass, over about so many."""
    count, begun = 0, time.perf_counter()
    while True:
        run()
        count += 1
        passed = time.perf_counter() - begun
        if passed > seconds:
            return passed / count


def spread(numbers: Sequence[float]) -> Spread:
    if len(numbers) < 2:
        return Spread(numbers[0], numbers[0], numbers[0])
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Spread(middle, low, high)


def _side(name: str, times: Sequence[float], batch: int) -> Side:
    found = spread(times)
    return Side(name, found, batch / found.median)


# ------------------------------------------------------------------------------------ numbers


def _check_room(graph: Graph, batch: int) -> None:
    """Raise SpecError where the machine has no memory for what goes in and comes out, before any number
    is drawn; a net answers a few at a time, and `max_memory` is for what it takes itself."""
    nodes = (*graph.inputs, *(graph[name] for name in graph.outputs.values()))
    each = 4 * sum(node.value.size for node in nodes)
    if batch * each > (left := Budget().left()):
        what = f"a batch of {batch:,}"
        raise SpecError([TooMuchMemory(None, batch * each, left, False, what, left // each)])


def _inputs(net: Net, batch: int) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    found: dict[str, Array] = {}
    for node in net.graph.inputs:
        shape = (batch, *node.value.shape)
        if node.value.integer:
            found[node.name] = rng.integers(0, net.graph.vocabularies.get(node.name, 2), shape)
        else:
            found[node.name] = rng.standard_normal(shape, np.float32)
    return found


def _truth(loss: Loss, net: Net, batch: int) -> Array:
    """A truth as the loss wants it."""
    output = net.graph.output.value
    rng, shape = np.random.default_rng(1), (batch, *loss.truth(output))
    match loss.target:
        case "labels":
            return rng.integers(0, output.channels, shape)
        case "answers":
            return rng.integers(0, 2, shape).astype(np.float32)
        case "shares":
            shares = rng.random(shape, np.float32)
            whole: Array = shares / shares.sum(axis=1 + output.channel_axis, keepdims=True)
            return whole
    return rng.standard_normal(shape, np.float32)


# ------------------------------------------------------------------------------------ PyTorch


def _step(net: Net, twin: Twin, inputs: Mapping[str, Any], truth: Array) -> Pass:
    """The training step that PyTorch's documentation has; it returns the loss, as `net.step` does."""
    judged, optimizer = loss_of(twin, net.learner.loss), optimizer_of(twin, net.training)
    wanted = twin.torch.tensor(truth)

    def step() -> float:
        optimizer.zero_grad()
        loss = judged(twin.scores(inputs), wanted)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def _difference(net: Net, twin: Twin, given: Any, inputs: Mapping[str, Array]) -> float:
    """By how much of its largest number an output differs at most; raises SpecError past `ALIKE`."""
    found = net(given)
    ours = found if isinstance(found, Mapping) else {[*net.graph.outputs][-1]: found}
    theirs = twin.answers(as_tensors(net, inputs))
    largest = 0.0
    for name, output in ours.items():
        off = np.abs(output - theirs[name].numpy()).max() / max(1e-6, np.abs(output).max())
        if not off <= ALIKE:
            raise SpecError([OutputsDiffer(None, name, float(off), ALIKE)])
        largest = max(largest, float(off))
    return largest


def _versions(twin: Twin | None) -> dict[str, str]:
    products = {str(library.internal_api): str(library.version) for library in blas()}
    torch = {"torch": str(twin.torch.__version__)} if twin else {}
    python = platform.python_version()
    return {"nnspec": VERSION, "python": python, "numpy": np.__version__, **products, **torch}
