"""How many bytes a net takes, read off the schedule that the runtime executes.

Convention: bytes in float32; inference at batch 1: weights, running statistics and the peak of
activations; training at the spec's batch: weights, gradients, the optimiser's memory, statistics
and the peak of activations and their gradients.
"""

from __future__ import annotations

from ...compiler.graph import Graph
from ...compiler.plan.build import inference_memory, schedule, training_memory

CONVENTION = "bytes in float32: inference at batch 1, a training step at the spec's batch"


def of_inference(graph: Graph) -> int:
    return inference_memory(schedule(graph, 1, "infer")).total


def of_training(graph: Graph) -> int:
    training = graph.training
    loss = training.judged_by(graph.output.value)
    plan = schedule(graph, training.batch, "train", loss)
    return training_memory(plan, training.optimizer.slots).total
