"""The loop: epochs, shuffled batches, validation, and a stop when the loss is no number."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..grammar.diagnostics import SpecError
from .augmentations import Augmenter
from .bind import Bound, Memory
from .errors import Diverged, Untrainable
from .history import Epoch, History, Scores
from .initialise import stream
from .kernels import Array
from .learner import Learner
from .threads import suited


@dataclass(frozen=True)
class Watch:
    """Who is told what while training goes on.

    Attributes
    ----------
    validate: scores on held-out data, asked after every epoch.
    on_epoch: called with each finished epoch.
    on_step: called with (step, steps of the epoch, loss).
    """

    validate: Callable[[], Scores] | None = None
    on_epoch: Callable[[Epoch], None] | None = None
    on_step: Callable[[int, int, float], None] | None = None


def train(
    learner: Learner, inputs: Mapping[str, Array], truth: Array, seed: int, watch: Watch
) -> History:
    """Train for the learner's epochs; raises SpecError when the loss diverges."""
    count = len(truth)
    if not count:
        raise SpecError([Untrainable(None, "there are no examples to train on", "")])
    settings = learner.training
    batch = count if settings.optimizer.whole_set else min(settings.batch, count)
    shuffle = stream(seed, "shuffle")
    dtype = learner.memory.parameters.dtype
    augmenter = Augmenter(settings.augment, learner.graph, seed, dtype)
    epochs: list[Epoch] = []
    good = _kept(learner.memory)
    for number in range(1, settings.epochs + 1):
        begun = time.perf_counter()
        order = np.arange(count) if batch == count else shuffle.permutation(count)
        with suited(learner.graph, batch):
            loss = _epoch(learner, inputs, truth, order, batch, number, watch, good, augmenter)
        seconds = time.perf_counter() - begun
        scores = watch.validate() if watch.validate else None
        epoch = Epoch(number, loss, seconds, count, scores)
        epochs.append(epoch)
        good = _kept(learner.memory)
        if watch.on_epoch:
            watch.on_epoch(epoch)
    return History(tuple(epochs))


def _epoch(
    learner: Learner,
    inputs: Mapping[str, Array],
    truth: Array,
    order: Array,
    batch: int,
    number: int,
    watch: Watch,
    good: tuple[Array, Array],
    augmenter: Augmenter,
) -> float:
    """One sweep; returns the mean loss."""
    total = 0.0
    steps = -(-len(order) // batch)
    for step in range(steps):
        chosen = order[step * batch : (step + 1) * batch]
        bound = learner.bound(len(chosen))
        _gather(bound, inputs, truth, chosen)
        assert bound.target is not None
        augmenter(bound.inputs, bound.target)
        loss = learner.step(bound)
        if not math.isfinite(loss):
            raise _restored(learner.memory, good, f"the loss became {loss}", number, step + 1)
        total += loss * len(chosen)
        if watch.on_step:
            watch.on_step(step + 1, steps, loss)
    # A loss tells of the weights before its step: the last step of an epoch has none to tell.
    if not np.isfinite(learner.memory.parameters).all():
        raise _restored(learner.memory, good, "a weight became infinite", number, steps)
    return total / len(order)


def _restored(
    memory: Memory, good: tuple[Array, Array], what: str, epoch: int, step: int
) -> SpecError:
    """Put the last good weights back; the error that says why."""
    memory.parameters[:], memory.state[:] = good
    return SpecError([Diverged(None, what, epoch, step)])


def _gather(bound: Bound, inputs: Mapping[str, Array], truth: Array, chosen: Array) -> None:
    assert bound.target is not None
    for name, array in bound.inputs.items():
        np.take(inputs[name], chosen, axis=0, out=array, mode="clip")
    np.take(truth, chosen, axis=0, out=bound.target, mode="clip")


def _kept(memory: Memory) -> tuple[Array, Array]:
    return memory.parameters.copy(), memory.state.copy()
