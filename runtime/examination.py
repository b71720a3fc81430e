"""Everything that is worth knowing of a net and its data before a long training: looked at, tried out,
measured. `findings.py` says what it means.

Source: CS231n, neural networks 2, "Data preprocessing" and "Weight initialization"; neural networks 3,
"Before learning" and "Babysitting the learning process".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..compiler.graph import Graph
from ..compiler.op import Trait
from ..grammar.diagnostics import SpecError
from .answering import quiet
from .dataset import Dataset
from .errors import Diverged
from .examples import examples
from .history import Epoch, Scores
from .judge import mean_loss
from .kernels import Array
from .memorise import Memorised, bare, memorised
from .monitor import Probe, probe, vitals
from .net import Net
from .rates import Rates, rates
from .vitals import Vitals

STEPS = 1000
"""Updates of the trial."""
LOOKED_AT = 2000
"""Examples whose numbers are looked at."""


@dataclass(frozen=True)
class Inputs:
    """The numbers that come in.

    Attributes
    ----------
    mean, std: of all of them. apart: of a row of numbers the largest spread of a place as a multiple of
        the median one that is not 0; 1 of pictures and the like.
    normed: whether the net itself brings them to one scale first.
    """

    mean: float
    std: float
    apart: float = 1.0
    normed: bool = False

    @property
    def size(self) -> float:
        """Root mean square."""
        return float(np.hypot(self.mean, self.std))


@dataclass(frozen=True)
class Trial:
    """A training of some hundred steps under the spec's own settings.

    Attributes
    ----------
    epochs: each with its vitals. of: how many the spec wants.
    diverged: what became of it where numbers were no longer finite; empty where all were.
    learned, held: how it does in the end; None where it diverged.
    """

    epochs: tuple[Epoch, ...]
    of: int
    diverged: str
    learned: Scores | None
    held: Scores | None
    net: Net


@dataclass(frozen=True)
class Examination:
    """A net on a data set.

    Attributes
    ----------
    counts: of each class's examples; empty where there are no classes.
    silent, first: the loss of a net whose scores are all 0, and of the net before any training.
    truth: root mean square of the values to predict; None where there are classes, or answers.
    start: vitals before any training.
    alike: layers whose neurons begin alike, and are told the same by their gradient.
    """

    graph: Graph
    learned: Dataset
    held: Dataset
    inputs: Inputs
    counts: tuple[int, ...]
    silent: float
    first: float
    truth: float | None
    start: Vitals
    alike: tuple[str, ...]
    memorised: Memorised
    rates: Rates
    trial: Trial


def examine(
    graph: Graph,
    learned: Dataset,
    held: Dataset,
    *,
    seed: int | None = None,
    steps: int = STEPS,
    tell: Callable[[str], None] = lambda _: None,
) -> Examination:
    """Look at the data and the start, learn a few examples by heart, run through the learning rates,
    and train for a while; `tell` is told what is done. Raises SpecError when the net cannot train on
    these data."""
    tell("looking at the start")
    net = Net(graph, seed=seed)
    seen = examples(graph, net.learner.loss, learned, None, net.dtype)
    with quiet():
        begun = probe(net.learner, seen)
        start = vitals(begun, net.learner.memory)
        first, silent = float(begun.run()), _silent(begun)
    tell("learning a few examples by heart")
    few = memorised(graph, learned, silent, seed)
    tell("running through the learning rates")
    rising = Net(bare(graph), seed=seed)
    plain = examples(graph, rising.learner.loss, learned, None, rising.dtype)
    found = rates(rising, plain)
    return Examination(
        graph,
        learned,
        held,
        _inputs(graph, learned),
        _counts(learned),
        silent,
        first,
        _truth(begun),
        start,
        tuple(_alike(begun)),
        few,
        found,
        _trial(graph, learned, held, seed, steps, tell),
    )


def _silent(begun: Probe) -> float:
    """The loss of scores that are all 0, on the same examples."""
    loss, output = begun.bound.schedule.loss, begun.graph.output.value
    assert loss is not None
    assert begun.bound.target is not None
    zeros = np.zeros_like(begun.values()[begun.graph.output.name])
    return mean_loss(loss, output, zeros, begun.truth)


def _truth(begun: Probe) -> float | None:
    loss = begun.bound.schedule.loss
    if loss is None or loss.target != "values":
        return None
    return float(np.sqrt(np.mean(begun.truth.astype(np.float64) ** 2)))


def _inputs(graph: Graph, data: Dataset) -> Inputs:
    chosen = np.linspace(0, len(data) - 1, min(LOOKED_AT, len(data))).astype(np.int64)
    x = np.asarray(data.taken(chosen).x, np.float64)
    value = graph.inputs[0].value
    if value.integer:
        return Inputs(0.0, 1.0)
    normed = _normed(graph, graph.inputs[0].name)
    spread = x.reshape(len(x), -1).std(axis=0)
    spread = spread[spread > 0]
    row = value.rank == 1 and spread.size
    apart = float(spread.max() / np.median(spread)) if row else 1.0
    return Inputs(float(x.mean()), float(x.std()), apart, normed)


def _normed(graph: Graph, name: str) -> bool:
    """Whether all that reads a value is a norm, if behind operators that move no number."""
    readers = [node for node in graph.nodes if name in node.inputs]
    return bool(readers) and all(
        Trait.NORMALISES in node.op.traits
        or (Trait.VIEW in node.op.traits and _normed(graph, node.name))
        for node in readers
    )


def _counts(data: Dataset) -> tuple[int, ...]:
    if not data.is_labelled:
        return ()
    return tuple(int(n) for n in np.bincount(np.asarray(data.y), minlength=len(data.classes)))


def _alike(begun: Probe) -> list[str]:
    """Hidden layers of several neurons whose weights are all the same, and so are their gradients."""
    found = []
    for node in begun.graph.nodes:
        if Trait.NEURONS not in node.op.traits or node.layer == begun.graph.output.layer:
            continue
        for weight in node.own:
            name = f"{node.name}.{weight.name}"
            if weight.decays and name in begun.memory.gradients:
                grid = weight.by_neuron
                both = (begun.memory.weights[name], begun.memory.gradients[name])
                if grid[0] > 1 and all(_same(array.reshape(grid)) for array in both):
                    found.append(node.layer)
    return list(dict.fromkeys(found))


def _same(rows: Array) -> bool:
    return bool(np.allclose(rows, rows[:1], rtol=1e-5, atol=0))


def _trial(
    graph: Graph,
    learned: Dataset,
    held: Dataset,
    seed: int | None,
    steps: int,
    tell: Callable[[str], None],
) -> Trial:
    net, epochs = Net(graph, seed=seed), list[Epoch]()
    batch = len(learned) if net.training.optimizer.whole_set else net.training.batch
    wanted = net.training.epochs
    count = min(wanted, max(1, steps // -(-len(learned) // batch)))

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        tell(f"training, epoch {epoch.number} of {count}")

    tell(f"training, epoch 1 of {count}")
    try:
        net.fit(learned, validation=held, epochs=count, on_epoch=on_epoch, watch=True)
    except SpecError as error:
        if not isinstance(error.diagnostics[0], Diverged):
            raise
        return Trial(tuple(epochs), wanted, error.diagnostics[0].message(), None, None, net)
    scores = net.evaluate(learned), net.evaluate(held)
    return Trial(tuple(epochs), wanted, "", *scores, net)
