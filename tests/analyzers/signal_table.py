"""What the fact `signal` foretells, beside what PyTorch measures.

    python -m tests.analyzers.signal_table [part of a name] [seconds a pair]

Every pair of a net and its initialisers is drawn anew, seed by seed, and run on random normal inputs in
training mode; the gradient at its scores is drawn too. It goes on until the standard error of every
number that is foretold is at most 2.5 %, or the time is over. Printed are, for each pair, how many numbers
are told, and the one that is furthest off; with part of a name, every node. What it printed last, the
largest nets with more time, is kept in signal_table.txt.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nnspec.analyzers.facts.signal import Travel, scores, signal
from nnspec.compiler.graph import Graph, Node
from nnspec.compiler.plan.build import schedule
from nnspec.runtime.bind import allocate
from nnspec.runtime.initialise import fill

from ..runtime.in_torch import OPERATIONS, values
from .signal_pairs import PAIRS, Pair

ENOUGH = 0.025
"""The standard error, relative, at which measuring ends."""


@dataclass(frozen=True)
class Number:
    """One number that is told, as measured.

    Attributes
    ----------
    what: variance or gradient, and of which node.
    told: None where it is not.
    error: the standard error of what was measured, relative.
    """

    what: str
    told: float | None
    measured: float
    error: float

    @property
    def off(self) -> float:
        """Foretold over measured, less 1; 0 where nothing is foretold, or both are 0."""
        if self.told is None or (self.told < 1e-20 and self.measured < 1e-20):
            return 0.0
        return self.told / self.measured - 1 if self.measured else math.inf


@dataclass(frozen=True)
class Measured:
    """A pair beside what is told of it."""

    pair: Pair
    seeds: int
    numbers: tuple[Number, ...]
    zeros: Mapping[str, float]
    """By node the share of numbers that are 0."""

    @property
    def told(self) -> tuple[Number, ...]:
        return tuple(number for number in self.numbers if number.told is not None)


def measured(pair: Pair, enough: float = ENOUGH, seconds: float = math.inf) -> Measured:
    """Until the standard error of every number that is told is at most `enough`, or the time is over:
    without one the same draws on every machine."""
    graph, told = pair.graph, signal(pair.graph)
    begun, wanted, draws = time.monotonic(), 8, []
    for draw in _draws(graph, pair.batch):
        draws.append(draw)
        late = time.monotonic() - begun > seconds
        if len(draws) < wanted and not (late and len(draws) > 1):
            continue
        numbers = _numbers(graph, draws, told)
        if late or all(n.error <= enough for n in numbers if n.told is not None):
            break
        wanted = int(wanted * 1.4)
    zeros = {name: float(np.mean([draw[name][3] for draw in draws])) for name in draws[0]}
    return Measured(pair, len(draws), tuple(numbers), zeros)


Draw = dict[str, tuple[float, float, float, float]]


def _numbers(graph: Graph, draws: Sequence[Draw], told: Mapping[str, Travel]) -> list[Number]:
    """Over all draws, with errors by leaving one out at a time (the jackknife)."""
    names = list(draws[0])
    table = np.array([[draw[name] for name in names] for draw in draws])
    end, count = names.index(scores(graph).name), len(draws)
    without = (table.sum(axis=0) - table) / (count - 1)
    tables = (table.mean(axis=0)[None], without)
    found = []
    for kind, (whole, parts) in {
        "variance": [t[..., 1] - t[..., 0] ** 2 for t in tables],
        "gradient": [t[..., 2] / t[:, end, None, 2] for t in tables],
    }.items():
        errors = np.sqrt((count - 1) / count * ((parts - parts.mean(axis=0)) ** 2).sum(axis=0))
        for name, number, error in zip(names, whole[0], errors, strict=True):
            known = getattr(told[name], kind)
            share = float(error / abs(number)) if abs(number) > 1e-20 else 0.0
            found.append(Number(f"{kind} {name}", known, float(number), share))
    return found


def _dropped(node: Node, x: list[Tensor], _: dict[str, Tensor]) -> Tensor:
    return F.dropout(x[0], node.op.p)  # type: ignore[attr-defined]


TRAINING = OPERATIONS | {"dropout": _dropped}


def _draws(graph: Graph, batch: int) -> Iterator[Draw]:
    """By node the mean, the mean square, the gradient's mean square and the share of zeros, of one draw
    of weights, inputs and the scores' gradient after another."""
    torch.manual_seed(0)
    plan, end = schedule(graph, 1, "infer", float_bytes=4), scores(graph).name
    memory, seed = allocate(plan), 0
    weights = {n: torch.from_numpy(np.asarray(w)) for n, w in memory.weights.items()}
    if all(node.value.integer for node in graph.inputs):
        weights = {name: weight.requires_grad_() for name, weight in weights.items()}
    while True:
        fill(plan.parameters, memory.parameters, memory.state, seed)
        inputs = {node.name: _input(graph, node, batch) for node in graph.inputs}
        found = values(graph, inputs, weights, TRAINING)
        real = {name: value for name, value in found.items() if value.requires_grad}
        pulled = torch.randn_like(found[end])
        pulls = torch.autograd.grad(
            found[end], list(real.values()), pulled, allow_unused=True, materialize_grads=True
        )
        yield {
            name: _moments(value.detach(), pull)
            for (name, value), pull in zip(real.items(), pulls, strict=True)
        }
        seed += 1


def _input(graph: Graph, node: Node, batch: int) -> Tensor:
    if node.value.integer:
        return torch.randint(0, graph.vocabularies.get(node.name, 2), (batch, *node.value.shape))
    return torch.randn(batch, *node.value.shape, requires_grad=True)


def _moments(value: Tensor, pull: Tensor) -> tuple[float, float, float, float]:
    squares = (float(tensor.double().square().mean()) for tensor in (value, pull))
    return float(value.mean()), *squares, float((value == 0).double().mean())  # type: ignore[return-value]


def main() -> None:
    torch.set_num_threads(1)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    told = numbers = off = unsure = 0
    for pair in PAIRS:
        if wanted not in pair.name:
            continue
        row = measured(pair, seconds=seconds)
        worst = max(row.told, key=lambda number: abs(number.off))
        error = max(number.error for number in row.told)
        print(
            f"{pair.name:28} told {len(row.told):3} of {len(row.numbers):3}, furthest off"
            f" {worst.off:+6.1%} {worst.what:34} ± {error:.1%} at most, {row.seeds} seeds",
            flush=True,
        )
        told, numbers = told + len(row.told), numbers + len(row.numbers)
        off += sum(abs(number.off) > 0.1 and number.error <= 0.03 for number in row.told)
        unsure += sum(number.error > 0.03 for number in row.told)
        for number in row.numbers if wanted else ():
            known = "-" if number.told is None else f"{number.told:.4g}"
            print(f"    {number.what:36} {known:>10} {number.measured:10.4g} {number.off:+6.1%}")
    print(
        f"told {told} of {numbers} numbers, {off} of them more than a tenth off;"
        f" {unsure} not measured to 3 %"
    )


if __name__ == "__main__":
    main()
