"""One training step: a batch in, gradients and an update out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from ..compiler.graph import Graph
from ..compiler.plan.build import SWEEP, schedule
from ..compiler.plan.parameters import lay_out
from ..compiler.training import Training
from .bind import Bound, Memory, aligned, bind, with_gradient
from .kernels import Array, Call
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
        self.loss = training.learned_by(graph.output.value)
        trains = memory.gradient.size == memory.parameters.size
        self.memory = memory if trains else with_gradient(memory, lay_out(graph))
        memory = self.memory
        self.steps = 0
        self._streams = streams
        self._bound: OrderedDict[int, Bound] = OrderedDict()
        dtype = memory.parameters.dtype
        size = memory.parameters.size
        self.slots = tuple(aligned(size, dtype) for _ in range(training.optimizer.slots))
        _, self._pace = COMPUTE[type(training.optimizer)]
        self._tempo = {name: np.zeros((), dtype) for name in self._pace(training.optimizer, 1)}
        self._decayed = memory.parameters[: sum(w.size for w in self._decaying())]
        scratch = (aligned(min(size, SWEEP), dtype),)
        vectors = Vectors(memory.parameters, memory.gradient, self.slots, scratch)
        self.updates: tuple[Call, ...] = tuple(
            sweep(training.optimizer, vectors, self._tempo, self._decayed.size, training.l2)
        )

    def _decaying(self) -> tuple[Array, ...]:
        decaying = {
            f"{node.name}.{w.name}" for node in self.graph.nodes for w in node.own if w.decays
        }
        return tuple(a for name, a in self.memory.weights.items() if name in decaying)

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
        penalty = (
            0.5 * self.training.l2 * float(self._decayed.dot(self._decayed))
            if self.training.l2
            else 0.0
        )
        return float(bound.loss) + penalty

    def update(self) -> None:
        """Move the weights along the gradient."""
        self.steps += 1
        for name, value in self._pace(self.training.optimizer, self.steps).items():
            self._tempo[name][()] = value
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
