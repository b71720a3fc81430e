"""What a net computes for one example, and what it moves to do so.

Convention: multiply-adds (MACs) in affine layers and matrix products; biases, norms, activations
and pooling count 0, as in the published counts. FLOPs are twice the MACs. Of a training step,
forward and backward, operations and bytes are those of the schedule (see compiler/plan/work.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ...compiler.graph import Graph, Layer
from ...compiler.plan.schedule import Phase, Schedule
from ...compiler.plan.work import Work, work

CONVENTION = "multiply-adds of affine layers and matrix products for one example; flops = 2 macs"
MOVED = (
    "flops of matrix products and bytes read and written by the whole batch of a training step, each "
    "array once, scratch twice; backward makes no gradient of the net's own input nor of frozen weights"
)


def of_layer(layer: Layer) -> int:
    return sum(node.macs for node in layer.nodes)


def of_net(graph: Graph) -> int:
    return sum(node.macs for node in graph.nodes if not node.is_input)


@dataclass(frozen=True)
class Cost:
    """What a layer does in one pass over a batch; `backward` is nothing at inference."""

    forward: Work
    backward: Work


def of_schedule(graph: Graph, plan: Schedule) -> Mapping[str, Cost]:
    """By layer, in the net's order. The loss belongs to the layer that it judges; a sum of the
    gradients of several readers to the layer whose backward comes next."""
    forward: dict[str, Work] = defaultdict(Work)
    backward: dict[str, Work] = defaultdict(Work)
    waiting = Work()
    for step in plan.steps:
        done = work(plan, step)
        if step.node is None:
            waiting += done
        elif step.phase is Phase.FORWARD:
            forward[step.node.layer] += done
        else:
            backward[step.node.layer] += done + waiting
            waiting = Work()
    return {layer.name: Cost(forward[layer.name], backward[layer.name]) for layer in graph.layers}
