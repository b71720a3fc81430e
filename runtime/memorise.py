"""Whether a net can learn a handful of examples by heart: one that cannot will not learn a thousand.

Source: CS231n, neural networks 3, "Before learning: sanity checks tips/tricks": overfit a tiny subset
of the data, without regularisation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np

from ..compiler.graph import Graph
from ..compiler.op import Trait
from ..compiler.training import Training
from ..compiler.training.schedules import Constant
from ..grammar.diagnostics import SpecError
from .dataset import Dataset
from .errors import Diverged
from .kernels import Array
from .net import Net

COUNT = 16
STEPS = 500
ENOUGH = 0.05
"""The share of the loss of a net that says nothing, below which the examples are known by heart."""
OTHERS = ("adam(lr=0.01)", "adam(lr=0.001)", "momentum(lr=0.01)")
"""What is tried where the spec's own optimiser does not get there."""


@dataclass(frozen=True)
class Memorised:
    """A few examples, learned again and again without noise and penalties.

    Attributes
    ----------
    optimizer: which got there, or came nearest. own: whether it is the spec's.
    steps: how many it took; all that it had where it failed.
    loss, goal: the last loss, and what it had to come below.
    contradictions: how many of the examples have the input of another, and another truth.
    """

    examples: int
    optimizer: str
    own: bool
    steps: int
    loss: float
    goal: float
    contradictions: int

    @property
    def ok(self) -> bool:
        return self.loss <= self.goal


def bare(graph: Graph) -> Graph:
    """The same net without dropout and its kin, penalties and augmentation."""
    instead: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(instead.get(name, name) for name in node.inputs)
        if Trait.RANDOM in node.op.traits:
            instead[node.name] = inputs[0]
        else:
            nodes.append(replace(node, inputs=inputs))
    outputs = {label: instead.get(name, name) for label, name in graph.outputs.items()}
    return Graph(graph.source, nodes, outputs, unpenalised(graph.training))


def unpenalised(training: Training) -> Training:
    """The settings without what holds a net back from learning its examples by heart."""
    nothing = {"l2": 0.0, "l1": 0.0, "max_norm": 0.0, "augment": (), "early_stop": None}
    return training.model_copy(update={**nothing, "ensemble": 1, "schedule": Constant()})


def memorised(graph: Graph, data: Dataset, silent: float, seed: int | None = None) -> Memorised:
    """Try it with the optimiser of the spec, and where that fails with some others.

    `silent` is the loss of a net whose scores are all 0.
    """
    chosen = np.linspace(0, len(data) - 1, min(COUNT, len(data))).astype(np.int64)
    few = data.taken(chosen)
    best: Memorised | None = None
    for optimizer in (None, *OTHERS):
        found = _tried(bare(graph), few, ENOUGH * silent, optimizer, seed)
        if best is None or found.loss < best.loss:
            best = found
        if found.ok:
            break
    assert best is not None
    return best


def _tried(
    graph: Graph, few: Dataset, goal: float, optimizer: str | None, seed: int | None
) -> Memorised:
    net = Net(graph, seed=seed)
    if optimizer:
        net.set(optimizer=optimizer)
    loss, steps = inf, 0
    try:
        while steps < STEPS and not loss <= goal:
            loss, steps = net.step(few.x, few.y), steps + 1
    except SpecError as error:
        if not isinstance(error.diagnostics[0], Diverged):
            raise
        loss = inf
    chosen = net.training.optimizer
    name = f"{chosen.name}(lr={chosen.lr:g})"
    same = _contradictions(np.asarray(few.x), np.asarray(few.y))
    return Memorised(
        len(few), name, optimizer is None, steps, loss if isfinite(loss) else inf, goal, same
    )


def _contradictions(x: Array, y: Array) -> int:
    """How many examples share their input with one of another truth."""
    _, group = np.unique(x.reshape(len(x), -1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    return sum(
        len(np.unique(y[group == one].reshape((group == one).sum(), -1), axis=0)) > 1
        for one in group
    )
