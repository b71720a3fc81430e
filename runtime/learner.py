"""One training step: a batch in, gradients and an update out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.build import SWEEP, schedule
from ..compiler.plan.parameters import Group, lay_out
from ..compiler.training import Training
from .bind import Bound, Memory, aligned, bind, with_gradient
from .kernels import Call, Calls
from .optimizers import COMPUTE, Vectors, sweep

REMEMBERED = 3
"""Batch sizes whose bound schedules are kept: the full batch, the rest of an epoch, one more."""


class Learner:
    """The moving parts of training: bound schedules, the optimiser's slots, the step count.

    Attributes
    ----------
    steps: updates made so far.
    slots: what the optimiser remembers, each of the parameters' size.
    updates: the calls that move the weights.
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
        self.loss = training.judged_by(graph.output.value)
        layout = lay_out(graph)
        trains = memory.gradient.size == layout.trainable
        self.memory = memory if trains else with_gradient(memory, layout)
        memory = self.memory
        self.steps = 0
        self._streams = streams
        self._bound: OrderedDict[int, Bound] = OrderedDict()
        dtype = memory.parameters.dtype
        size = layout.trainable
        self.slots = tuple(aligned(size, dtype) for _ in range(training.optimizer.slots))
        _, self._pace = COMPUTE[type(training.optimizer)]
        self._groups = layout.groups
        self._tempi = {
            group.learning.factor: {
                name: np.zeros((), dtype) for name in self._pace(training.optimizer, 1)
            }
            for group in self._groups
        }
        scratch = (aligned(min(size, SWEEP), dtype),)
        vectors = Vectors(memory.parameters[:size], memory.gradient, self.slots, scratch)
        self.updates: tuple[Call, ...] = tuple(
            call for group in self._groups for call in self._sweep(group, vectors)
        )

    def _sweep(self, group: Group, vectors: Vectors) -> Calls:
        return sweep(
            self.training.optimizer,
            vectors.part(group.start, group.stop),
            self._tempi[group.learning.factor],
            group.decayed - group.start,
            self.training.of(group.learning).l2,
        )

    def penalty(self) -> float:
        """What l2 adds to the loss: half its share of the squared weights that it acts on."""
        total = 0.0
        for group in self._groups:
            if l2 := self.training.of(group.learning).l2:
                weights = self.memory.parameters[group.start : group.decayed]
                total += 0.5 * l2 * float(weights.dot(weights))
        return total

    def bound(self, batch: int) -> Bound:
        """The schedule for this many examples; fill its inputs and target, then call `gradient`."""
        found = self._bound.get(batch)
        if found is None:
            width = self.memory.parameters.itemsize
            plan = schedule(self.graph, batch, "train", self.loss, width)
            found = self._bound[batch] = bind(plan, self.memory, self._streams)
            if len(self._bound) > REMEMBERED:
                self._bound.popitem(last=False)
        self._bound.move_to_end(batch)
        return found

    def gradient(self, bound: Bound) -> float:
        """Run forward and backward over the filled batch; returns the mean loss, l2 included.

        The gradient vector then holds the loss's gradient without l2's part, which the update adds.
        """
        bound.run()
        assert bound.loss is not None
        return float(bound.loss) + self.penalty()

    def update(self) -> None:
        """Move the weights along the gradient."""
        self.steps += 1
        optimizer = self.training.optimizer
        for factor, tempo in self._tempi.items():
            slowed = optimizer.model_copy(update={"lr": optimizer.lr * factor})
            for name, value in self._pace(slowed, self.steps).items():
                tempo[name][()] = value
        for function, arguments in self.updates:
            function(*arguments)

    def step(self, bound: Bound) -> float:
        loss = self.gradient(bound)
        self.update()
        return loss

    def continued(self, training: Training) -> Learner:
        """A learner with other settings, which remembers what it can when the optimiser stays."""
        other = Learner(self.graph, training, self.memory, self._streams)
        if training.optimizer == self.training.optimizer:
            other.steps = self.steps
            for new, old in zip(other.slots, self.slots, strict=True):
                new[:] = old
        return other
