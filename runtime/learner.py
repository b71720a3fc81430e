"""One training step: a batch in, gradients and an update out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.build import SWEEP
from ..compiler.plan.lanes import sweepers
from ..compiler.plan.parameters import Entry, Group, lay_out
from ..compiler.training import Training
from .autopsy import first_broken
from .bind import Bound, Memory, aligned, bind_batch, with_gradient
from .clips import pace
from .errors import Broken
from .kernels import Array, Call, Calls
from .length import length
from .optimizers import COMPUTE, FADING, Vectors, faded
from .penalties import limit, penalty
from .remembered import Remembered
from .threads import run, together

REMEMBERED = 3
"""Batch sizes whose bound schedules are kept: the full batch, the rest of an epoch, one more."""


class NotFinite(Exception):
    """A step met what is no finite number; weights, statistics and streams are as they were.

    Attributes
    ----------
    what: in the user's words, `the loss became nan`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True)
class Horizon:
    """How far a run goes, which schedules of the learning rate ask for.

    Attributes
    ----------
    steps: of an epoch.
    begun: updates that the learner had made when the run began.
    """

    steps: int
    epochs: int
    begun: int = 0


class Learner:
    """The moving parts of training: bound schedules, the optimiser's slots, the step count.

    Attributes
    ----------
    steps: updates made so far.
    streams: the random stream of each node that draws.
    slots: what the optimiser remembers, each of the parameters' size.
    updates: the calls that move the weights, of each thread. limits: those that then shorten them.
    fading: the calls that forget what in `slots` is next to nothing.
    horizon: of the run that is going on; without one the rate is the optimiser's own, constantly.
    rate: the learning rate of the last update.
    gradient_norm: the length of the last gradient of the loss, before clipping, l2 and l1.
    """

    def __init__(
        self,
        graph: Graph,
        training: Training,
        memory: Memory,
        streams: Mapping[str, np.random.Generator],
    ) -> None:
        self.graph = graph
        self.training = training
        self.loss = training.learned_by(graph.output.value)
        self._classes = graph.output.value.channels
        layout = lay_out(graph)
        trains = memory.gradient.size == layout.trainable
        vectors_more = training.optimizer.slots + (not trains)
        memory.budget.check(
            vectors_more * layout.trainable * memory.parameters.itemsize, "training"
        )
        self.memory = memory if trains else with_gradient(memory, layout)
        memory = self.memory
        self.steps = 0
        self.streams = streams
        self.horizon: Horizon | None = None
        self.rate = training.optimizer.lr
        self.gradient_norm = 0.0
        self._bound = Remembered(REMEMBERED)
        memory.budget.may_clear(self._bound)
        dtype = memory.parameters.dtype
        size = layout.trainable
        self.slots = tuple(
            aligned(size, dtype, memory.budget) for _ in range(training.optimizer.slots)
        )
        self._statistics = memory.state.copy() if memory.state.size else memory.state
        self._drawn = self._states()
        self._blocks = tuple(
            aligned(min(size, SWEEP), dtype) for _ in range(sweepers(size, memory.threads))
        )
        self._block = self._blocks[0]
        self._tempi = {
            group.learning.factor: {name: np.zeros((), dtype) for name in self._pace(1, 1.0)}
            for group in layout.groups
        }
        self._decaying = tuple(
            (training.of(group.learning), memory.parameters[group.start : group.decayed])
            for group in layout.groups
        )
        self.updates: tuple[tuple[Call, ...], ...] = tuple(
            tuple(
                call
                for group in layout.groups
                for call in self._sweep(group, _stretch(group, size, lane, len(self._blocks)), lane)
            )
            for lane in range(len(self._blocks))
        )
        self.fading = tuple(faded(self.slots, self._block))
        self.limits: tuple[Call, ...] = tuple(
            call for entry in layout.learned for call in self._limit(entry)
        )

    def _sweep(self, group: Group, part: slice, lane: int) -> Calls:
        """The update of a lane's part of the weights that learn in one way."""
        vectors = Vectors(
            self.memory.parameters[part],
            self.memory.parameters[part.start : max(part.start, min(part.stop, group.decayed))],
            self.memory.gradient[part],
            tuple(slot[part] for slot in self.slots),
            self._blocks[lane],
        )
        training, tempo = self.training.of(group.learning), self._tempi[group.learning.factor]
        return self.memory.engine.sweep(training, vectors, tempo)

    def _limit(self, entry: Entry) -> Calls:
        """Every neuron's incoming weights kept to `max_norm`."""
        most = self.training.of(entry.learning).max_norm
        if entry.weight.decays and most:
            grid = self.memory.weights[entry.name].reshape(entry.weight.by_neuron)
            yield limit, (grid, most, self._block)

    def _pace(self, step: int, factor: float) -> Mapping[str, float]:
        """What the updates' calls read, for the step of this number, from 1, at so much of the rate."""
        optimizer = self.training.optimizer
        _, told = COMPUTE[type(optimizer)]
        clipped = pace(self.training.clip, self.gradient_norm)
        return {**told(optimizer, step, self.rate * factor), **clipped}

    def bound(self, batch: int) -> Bound:
        """The schedule for this many examples; fill its inputs and target, then call `gradient`."""
        bind = partial(bind_batch, self.graph, batch, "train", self.memory, self.streams, self.loss)
        return self._bound.asked(batch, bind)

    def filled(self, x: Any, y: Any) -> Bound | None:
        """The schedule with a batch in place that is made like one before it, so that nothing but its
        labels is left to look at; None where there is more to see."""
        if type(x) is not np.ndarray or type(y) is not np.ndarray or not x.ndim:
            return None
        bound = self._bound.get(len(x))
        if bound is None or bound.pair is None or self.loss.target not in ("values", "labels"):
            return None
        given, truth = bound.pair
        if x.shape != given.shape or y.shape != truth.shape:
            return None
        if x.dtype != given.dtype or y.dtype != truth.dtype:
            return None
        # A negative label is a large one without its sign.
        if self.loss.target == "labels" and y.view(np.uint64).max() >= self._classes:
            return None
        np.copyto(given, x)
        np.copyto(truth, y)
        return bound

    def gradient(self, bound: Bound) -> float:
        """Run forward and backward over the filled batch; returns the mean loss, l2 and l1 included.

        The gradient vector then holds the loss's gradient without their part, which the update adds.
        """
        bound.run()
        assert bound.loss is not None
        self.gradient_norm = length(self.memory.gradient, self._block)
        penalties = (penalty(own, part, self._block) for own, part in self._decaying)
        return float(bound.loss) + sum(penalties)

    def update(self) -> None:
        """Move the weights along the gradient."""
        self.rate = self._scheduled()
        self.steps += 1
        for factor, tempo in self._tempi.items():
            for name, value in self._pace(self.steps, factor).items():
                tempo[name][()] = value
        self.sweep()
        if self.steps % FADING == 0:
            run(self.fading)

    def sweep(self) -> None:
        """Make the calls that move the weights, at the pace that is set."""
        if len(self.updates) == 1:
            run(self.updates[0])
        else:
            together(self.updates)
        run(self.limits)

    def _scheduled(self) -> float:
        """The learning rate of the next update."""
        rate, horizon = self.training.optimizer.lr, self.horizon
        if horizon is None:
            return rate
        step = self.steps - horizon.begun
        return rate * self.training.schedule.factor(step, horizon.steps, horizon.epochs)

    def step(self, bound: Bound) -> float:
        """Gradient and update; returns the loss before it. Raises NotFinite, with weights, running
        statistics and random streams as they were, when the loss or its gradient is no finite number.
        """
        self._remember()
        loss = self.gradient(bound)
        if not (math.isfinite(loss) and math.isfinite(self.gradient_norm)):
            self._back()
            which, worth = "loss", loss
            if math.isfinite(loss):
                which, worth = "gradient's norm", self.gradient_norm
            raise NotFinite(f"the {which} became {worth}")
        self.update()
        return loss

    def broken(self, bound: Bound, chosen: Array | None = None) -> Broken:
        """What was the first number that is not finite in the step that failed, its batch filled
        again. `chosen`: the examples' places in the data they come from."""
        found = first_broken(bound, self.memory, chosen)
        self._back()
        return found

    def _remember(self) -> None:
        """Keep what `_back` needs; a net without statistics or noise has nothing to keep."""
        if self._statistics.size:
            np.copyto(self._statistics, self.memory.state)
        if self.streams:
            self._drawn = self._states()

    def _states(self) -> dict[str, Any]:
        """Where each random stream stands."""
        return {name: rng.bit_generator.state for name, rng in self.streams.items()}

    def _back(self) -> None:
        """Statistics and streams as they were before the last step."""
        np.copyto(self.memory.state, self._statistics)
        for name, rng in self.streams.items():
            rng.bit_generator.state = self._drawn[name]

    @contextmanager
    def towards(self, horizon: Horizon) -> Iterator[None]:
        """Follow the schedule of the learning rate over a run."""
        self.horizon = horizon
        try:
            yield
        finally:
            self.horizon = None

    def continued(self, training: Training) -> Learner:
        """A learner with other settings, which remembers what it can when the optimiser stays, or
        differs in nothing but its rate."""
        other = Learner(self.graph, training, self.memory, self.streams)
        if training.optimizer == self.training.optimizer.model_copy(
            update={"lr": training.optimizer.lr}
        ):
            other.steps, other.horizon = self.steps, self.horizon
            for new, old in zip(other.slots, self.slots, strict=True):
                new[:] = old
        return other


def _stretch(group: Group, size: int, lane: int, lanes: int) -> slice:
    """What of a group lies in a lane's part of all `size` numbers."""
    first, last = (size * number // lanes for number in (lane, lane + 1))
    start = min(max(group.start, first), group.stop)
    return slice(start, max(start, min(group.stop, last)))
