"""How many bytes a net takes, read off the schedule that the runtime executes.

Convention: bytes in float32; inference at batch 1: weights, running statistics and the peak of
activations; training at the spec's batch: weights, gradients, the optimiser's memory, statistics,
what varies the batches, and the peak of activations and their gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from ...compiler.graph import Graph
from ...compiler.plan.build import (
    Memory,
    augmentation_memory,
    inference_memory,
    schedule,
    training_memory,
)
from ...compiler.plan.schedule import ALIGNMENT, Mode, Phase, Schedule

CONVENTION = (
    "bytes in float32 of weights, gradients, optimiser, statistics, augmentation and the arena; constants that all "
    "nets of a process share, and what Python takes, are not counted"
)


def planned(graph: Graph, mode: Mode, batch: int | None = None) -> Schedule:
    """The schedule of a pass; `batch` is 1 for inference and the spec's for training where None."""
    if mode == "infer":
        return schedule(graph, batch or 1, "infer")
    loss = graph.training.learned_by(graph.output.value)
    return schedule(graph, batch or graph.training.batch, "train", loss)


def of_schedule(graph: Graph, plan: Schedule) -> Memory:
    """What the runtime allocates for it, by what it holds."""
    if plan.mode == "infer":
        return inference_memory(plan)
    varied = augmentation_memory(graph, plan.batch, plan.float_bytes)
    return training_memory(plan, graph.training.optimizer.slots, varied)


def of_inference(graph: Graph) -> int:
    return of_schedule(graph, planned(graph, "infer")).total


def of_training(graph: Graph) -> int:
    return of_schedule(graph, planned(graph, "train")).total


@dataclass(frozen=True)
class Moment:
    """One step of a pass, and the bytes of the arena that are in use while it runs.

    node, layer: whose step it is; empty for a sum of gradients.
    """

    phase: Phase
    node: str
    bytes: int
    layer: str = ""


def over_time(plan: Schedule) -> tuple[Moment, ...]:
    """Step by step, the bytes in use: values, gradients, what is kept for backward, scratch.

    Weights, their gradients and the optimiser's memory are there all the time and left out. The
    arena is as large as the largest of them, and a little more where no hole was large enough.
    """
    changes = [0] * (len(plan.steps) + 1)
    for life in plan.lifetimes:
        taken = -(-life.bytes // ALIGNMENT) * ALIGNMENT
        changes[max(life.first, 0)] += taken
        changes[min(life.last + 1, len(plan.steps))] -= taken
    return tuple(
        Moment(step.phase, step.node.name, used, step.node.layer)
        if step.node
        else Moment(step.phase, "", used)
        for step, used in zip(plan.steps, accumulate(changes), strict=False)
    )
