"""Graph to Schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..graph import Graph
from ..training.augmentations import needed
from ..training.losses import Loss
from .arena import place
from .lanes import lanes, sweepers
from .lifetimes import lifetimes
from .order import Order, order
from .parameters import lay_out
from .schedule import Lifetime, Mode, Schedule


def schedule(
    graph: Graph,
    batch: int,
    mode: Mode,
    loss: Loss | None = None,
    float_bytes: int = 4,
    threads: int = 1,
) -> Schedule:
    """Plan one pass over a batch of `batch` examples, in floats of `float_bytes` bytes.

    `mode` "train" plans forward, loss and backward and takes the loss; "infer" plans forward alone.
    `threads` may share the batch, where that pays.
    """
    parameters = lay_out(graph)
    counts = lanes(graph, batch, threads)
    plan = order(graph, batch, mode, loss, counts, parameters.trainable)
    lives = lifetimes(plan, float_bytes)
    offsets, arena_bytes = _placed(plan, lives, float_bytes)
    return Schedule(
        mode=mode,
        batch=batch,
        float_bytes=float_bytes,
        arrays=tuple(plan.arrays),
        steps=tuple(plan.steps),
        lifetimes=lives,
        offsets=tuple(offsets[array.index] for array in plan.arrays),
        arena_bytes=arena_bytes,
        parameters=parameters,
        inputs=plan.inputs,
        outputs=plan.outputs,
        loss=loss,
        target=plan.target,
        loss_value=plan.loss_value,
        threads=threads,
        lanes=counts,
        gradients=plan.gradients,
    )


def _placed(plan: Order, lives: Sequence[Lifetime], float_bytes: int) -> tuple[dict[int, int], int]:
    """An offset for every array: what belongs to all lanes, then lane by lane, for no lane knows
    which step another one is at."""
    if not plan.split:
        return place(lives)
    offsets: dict[int, int] = {}
    top = 0
    owners = {life.arrays[0]: plan.arrays[life.arrays[0]] for life in lives}
    inside = {life for life in lives if _base(plan, life) is not None}
    for lane in sorted({array.lane for array in owners.values()}):
        own = [life for life in lives if owners[life.arrays[0]].lane == lane and life not in inside]
        placed, size = place(own)
        offsets.update((index, top + offset) for index, offset in placed.items())
        top += size
    for life in inside:
        base = _base(plan, life)
        assert base is not None
        whole, first = base
        array = plan.arrays[whole]
        start = offsets[whole] + first * (array.bytes(float_bytes) // array.shape[0])
        offsets.update((index, start) for index in life.arrays)
    return offsets, top


def _base(plan: Order, life: Lifetime) -> tuple[int, int] | None:
    """Of which array it is a part, and from which example."""
    return next((p for index in life.arrays if (p := plan.arrays[index].part)), None)


SWEEP = 64 * 1024
"""Numbers that an update of the weights handles at a time: parameters, gradient and slots of a block
share a core's cache."""


@dataclass(frozen=True)
class Memory:
    """Bytes that the runtime allocates for one batch size, by what they hold."""

    parameters: int
    gradients: int
    optimizer: int
    state: int
    arena: int
    augmentation: int = 0

    @property
    def total(self) -> int:
        kept = self.parameters + self.gradients + self.optimizer + self.state
        return kept + self.arena + self.augmentation


def inference_memory(planned: Schedule) -> Memory:
    width = planned.float_bytes
    parameters = planned.parameters
    return Memory(parameters.size * width, 0, 0, parameters.state_size * width, planned.arena_bytes)


def training_memory(planned: Schedule, slots: int, augmentation: int = 0) -> Memory:
    """`slots`: vectors of what learns that the optimiser keeps; each thread works in one block more.
    Running statistics are there twice: a step that is not finite puts back what they were.
    `augmentation`: bytes that varying the batches takes."""
    width = planned.float_bytes
    parameters = planned.parameters
    learned = parameters.trainable * width
    blocks = sweepers(parameters.trainable, planned.threads) * min(parameters.trainable, SWEEP)
    optimizer = slots * learned + blocks * width
    return Memory(
        parameters.size * width,
        learned,
        optimizer,
        2 * parameters.state_size * width,
        planned.arena_bytes,
        augmentation,
    )


def augmentation_memory(graph: Graph, batch: int, float_bytes: int = 4) -> int:
    """Bytes that varying batches of this size takes."""
    inputs = {node.name: node.value for node in graph.inputs}
    sizes = {"float": float_bytes, "bool": 1, "uint8": 1, "int64": 8}
    arrays = needed(graph.training.augment, inputs, graph.output.value, batch)
    return sum(math.prod(array.shape) * sizes[array.dtype] for array in arrays)
