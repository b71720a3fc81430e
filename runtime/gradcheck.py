"""The gradient of a net held against central differences.

Source: CS231n, neural networks 3, "Gradient checks": float64, (f(w + h) - f(w - h)) / 2h, relative
errors, few examples, the loss of the data apart from the penalties, and an eye on kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.parameters import Entry, lay_out
from ..compiler.plan.schedule import Phase
from ..compiler.training import Training
from ..grammar.diagnostics import SpecError
from ..grammar.quantity import quantity
from .answering import quiet
from .examples import Examples
from .examples import examples as read
from .initialise import stream
from .kernels import Array
from .monitor import Probe
from .net import Net
from .penalties import penalty, pulls

STEP = 1e-5
SMALLER = 1e-7
"""What is tried where a kink may lie between w - h and w + h: a wrong gradient stays wrong."""
WRONG = 1e-4
"""The relative error from which a gradient is wrong."""
RIGHT = 1e-7
"""The relative error that central differences in float64 can show at best."""
SAMPLES = 20
EXAMPLES = 16
PENALTIES = "l2 and l1"

Judged = Literal["agrees", "kink", "wrong"]


@dataclass(frozen=True)
class Sample:
    """One number of a weight.

    Attributes
    ----------
    place: its index. analytic: its gradient by backpropagation. numeric: by central differences.
    error: |analytic - numeric| as a share of the larger; of what can be told from rounding, where
        both are smaller.
    judged: `kink` where a relu, a max or a margin turns within h of it: there smaller steps agree,
        or the gradient is one of the two slopes that meet.
    """

    place: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    judged: Judged


@dataclass(frozen=True)
class WeightCheck:
    """The numbers of one weight that were checked."""

    weight: str
    size: int
    samples: tuple[Sample, ...]

    @property
    def kinks(self) -> int:
        return sum(sample.judged == "kink" for sample in self.samples)

    @property
    def wrong(self) -> int:
        return sum(sample.judged == "wrong" for sample in self.samples)

    @property
    def error(self) -> float:
        """The largest; kinks left out."""
        return max((s.error for s in self.samples if s.judged != "kink"), default=0.0)

    @property
    def silent(self) -> bool:
        """Whether every gradient is 0, so that nothing was checked."""
        return not any(sample.analytic or sample.numeric for sample in self.samples)

    @property
    def worst(self) -> Sample:
        def badness(sample: Sample) -> tuple[bool, bool, float]:
            return sample.judged == "wrong", sample.judged != "kink", sample.error

        return max(self.samples, key=badness)


@dataclass(frozen=True)
class GradCheck:
    """A net's gradient, weight by weight.

    Attributes
    ----------
    loss: of the examples, penalties left out; they are checked apart, as one more row.
    """

    examples: int
    loss: float
    weights: tuple[WeightCheck, ...]

    @property
    def checked(self) -> int:
        return sum(len(weight.samples) for weight in self.weights)

    @property
    def kinks(self) -> int:
        return sum(weight.kinks for weight in self.weights)

    @property
    def wrong(self) -> int:
        return sum(weight.wrong for weight in self.weights)

    @property
    def error(self) -> float:
        return max((weight.error for weight in self.weights), default=0.0)

    @property
    def ok(self) -> bool:
        return not self.wrong

    @property
    def verdict(self) -> str:
        """In words, with the course's thresholds."""
        if self.wrong:
            return f"the gradient is wrong: {self.wrong:,} of {quantity(self.checked, 'number')} differ"
        if all(weight.silent for weight in self.weights):
            return "every gradient is 0: there was nothing to check"
        if self.error <= RIGHT:
            return "the gradient is right"
        return (
            "the gradient is right as far as central differences tell: deep nets and strongly "
            "curved ones lose some digits"
        )


def gradcheck(
    graph: Graph,
    examples: Examples | None = None,
    *,
    seed: int | None = None,
    samples: int = SAMPLES,
    after: int = 0,
) -> GradCheck:
    """Check the gradient of a net in float64 on a few examples, or on numbers drawn at random.

    Of every weight `samples` numbers are checked, all where there are no more. `after` steps of
    training come first: gradients right at the start can be right by chance. Raises SpecError when
    the net cannot train.
    """
    net = Net(graph, seed=seed, dtype="float64")
    if mistakes := net.untrainable():
        raise SpecError(mistakes)
    given = drawn(net) if examples is None else examples
    count = min(EXAMPLES, len(given))
    probe = Probe(graph, net.learner.loss, count, 8, net.seed)
    probe.fill(given, np.linspace(0, len(given) - 1, count).astype(np.int64))
    with quiet():
        for _ in range(after):
            bound = net.learner.bound(count)
            assert bound.target is not None
            chosen = np.linspace(0, len(given) - 1, count).astype(np.int64)
            given.fill(chosen, bound.inputs, bound.target)
            net.learner.step(bound)
        probe.copy(net.learner.memory)
        loss = probe.run()
        checks = [_of_weight(probe, entry, samples, net.seed) for entry in _in_order(graph)]
        checks += _of_penalties(net, samples)
    return GradCheck(count, loss, tuple(checks))


def drawn(net: Net) -> Examples:
    """Inputs of mean 0 and variance 1, whole numbers below their bounds, and truth that suits the
    loss."""
    rng = stream(net.seed, "gradcheck")
    inputs: dict[str, Array] = {}
    for node in net.graph.inputs:
        shape = (EXAMPLES, *node.value.shape)
        below = net.graph.vocabularies.get(node.name, 2)
        whole = node.value.integer
        inputs[node.name] = rng.integers(0, below, shape) if whole else rng.standard_normal(shape)
    output = net.graph.output.value
    loss = net.training.judged_by(output)
    truth = (EXAMPLES, *loss.truth(output))
    classes = max(2, output.channels) if loss.target == "labels" else 2
    return read(net.graph, net.learner.loss, inputs, rng.integers(0, classes, truth), net.dtype)


def _in_order(graph: Graph) -> Iterator[Entry]:
    """The weights that learn, as the net has them, not as memory has."""
    learned = {entry.name: entry for entry in lay_out(graph).learned}
    for node in graph.nodes:
        for weight in node.own:
            if f"{node.name}.{weight.name}" in learned:
                yield learned[f"{node.name}.{weight.name}"]


def _of_weight(probe: Probe, entry: Entry, samples: int, seed: int) -> WeightCheck:
    weight = probe.memory.weights[entry.name]
    probe.run()
    gradient = probe.memory.gradients[entry.name].copy()
    scale = max(1.0, *(float(np.abs(a).max()) for a in probe.bound.outputs.values() if a.size))
    flat = weight.reshape(-1)
    rng = stream(seed, "gradcheck", entry.name)
    found = []
    for index in _chosen(gradient.reshape(-1), samples, rng):

        def at(offset: float, index: int = index) -> float:
            was = flat[index]
            flat[index] = was + offset
            loss = _loss(probe)
            flat[index] = was
            return loss

        place = tuple(int(i) for i in np.unravel_index(index, weight.shape))
        found.append(compared(place, float(gradient.reshape(-1)[index]), at, scale))
    return WeightCheck(entry.name, weight.size, tuple(found))


def _loss(probe: Probe) -> float:
    """The loss alone: the way back is not gone."""
    bound = probe.ready()
    for group in bound.groups:
        group.run()
        if group.steps[0].phase is Phase.LOSS:
            break
    assert bound.loss is not None
    return float(bound.loss)


def _chosen(gradient: Array, samples: int, rng: np.random.Generator) -> Sequence[int]:
    """Places to check: all where they are few; else half of them where the gradient is not 0."""
    if gradient.size <= samples:
        return range(gradient.size)
    felt = np.flatnonzero(gradient)
    half = rng.choice(felt, min(len(felt), (samples + 1) // 2), replace=False)
    rest = np.setdiff1d(np.arange(gradient.size), half)
    anywhere = rng.choice(rest, samples - len(half), replace=False)
    return sorted(int(i) for i in (*half, *anywhere))


def compared(
    place: tuple[int, ...], analytic: float, at: Callable[[float], float], scale: float
) -> Sample:
    """Hold one gradient against differences of `at`, the loss as a function of an offset.

    `scale` is the size of the largest number on the way to the loss, whose rounding the loss carries.
    """
    numeric = (at(STEP) - at(-STEP)) / (2 * STEP)
    judged: Judged = "agrees"
    if _excess(analytic, numeric, scale, STEP) > WRONG:
        judged = "kink" if _by_a_kink(analytic, at, scale) else "wrong"
    # Below this size rounding alone makes relative errors of more than RIGHT.
    floor = _noise(scale, STEP) / RIGHT
    error = abs(analytic - numeric) / max(abs(analytic), abs(numeric), floor)
    return Sample(place, analytic, numeric, error, judged)


def _noise(scale: float, step: float) -> float:
    """What rounding makes of a difference quotient of 0."""
    return 8 * float(np.finfo(np.float64).eps) * scale / step


def _excess(one: float, other: float, scale: float, step: float) -> float:
    """The relative error that rounding does not explain."""
    beyond = abs(one - other) - _noise(scale, step)
    if not np.isfinite(beyond):
        return float("inf")
    return max(0.0, beyond) / max(abs(one), abs(other), 1e-300)


def _by_a_kink(analytic: float, at: Callable[[float], float], scale: float) -> bool:
    """Whether the gradient lies between the slopes close by on both sides, which are one where no kink
    is."""
    step, here = SMALLER, at(0.0)
    sides = (at(step) - here) / step, (here - at(-step)) / step
    near = WRONG / 4 * max(map(abs, sides)) + 2 * _noise(scale, step)
    return min(sides) - near <= analytic <= max(sides) + near


def _of_penalties(net: Net, samples: int) -> list[WeightCheck]:
    """l2 and l1, whose gradient the update adds to that of the loss."""
    found: list[Sample] = []
    parameters, count = net.learner.memory.parameters, 0
    for group in lay_out(net.graph).groups:
        training = net.training.of(group.learning)
        weights = parameters[group.start : group.decayed]
        if not (training.l2 or training.l1) or not weights.size:
            continue
        gradient, block = np.zeros_like(weights), np.empty_like(weights)
        for function, arguments in pulls(training, weights, gradient, block):
            function(*arguments)
        count += weights.size
        for index in _chosen(gradient, samples, stream(net.seed, "gradcheck", PENALTIES)):
            at = _penalised(training, weights, index)
            place = (group.start + index,)
            found.append(compared(place, float(gradient[index]), at, max(1.0, at(0.0))))
    return [WeightCheck(PENALTIES, count, tuple(found))] if found else []


def _penalised(training: Training, weights: Array, index: int) -> Callable[[float], float]:
    changed, block = weights.copy(), np.empty_like(weights)

    def at(offset: float) -> float:
        changed[index] = weights[index] + offset
        return penalty(training, changed, block)

    return at
