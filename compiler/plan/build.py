"""Graph to Schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..graph import Graph
from ..training.augmentations import needed
from ..training.losses import Loss
from .arena import place
from .lifetimes import lifetimes
from .order import order
from .parameters import lay_out
from .schedule import Mode, Schedule


def schedule(
    graph: Graph, batch: int, mode: Mode, loss: Loss | None = None, float_bytes: int = 4
) -> Schedule:
    """Plan one pass over a batch of `batch` examples, in floats of `float_bytes` bytes.

    `mode` "train" plans forward, loss and backward and takes the loss; "infer" plans forward alone.
    """
    plan = order(graph, batch, mode, loss)
    lives = lifetimes(plan, float_bytes)
    offsets, arena_bytes = place(lives)
    return Schedule(
        mode=mode,
        batch=batch,
        float_bytes=float_bytes,
        arrays=tuple(plan.arrays),
        steps=tuple(plan.steps),
        lifetimes=lives,
        offsets=tuple(offsets[array.index] for array in plan.arrays),
        arena_bytes=arena_bytes,
        parameters=lay_out(graph),
        inputs={
            node.name: plan.values[node.name] for node in graph.inputs if node.name in plan.values
        },
        outputs={
            label: plan.values[name] for label, name in plan.graph.outputs.items() if name in plan.values
        },
        loss=loss,
        target=plan.target,
        loss_value=plan.loss_value,
    )


SWEEP = 32 * 1024
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
    """`slots`: vectors of what learns that the optimiser keeps; it works in one block more. Running
    statistics are there twice: a step that is not finite puts back what they were.
    `augmentation`: bytes that varying the batches takes."""
    width = planned.float_bytes
    parameters = planned.parameters
    learned = parameters.trainable * width
    optimizer = slots * learned + min(parameters.trainable, SWEEP) * width
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
