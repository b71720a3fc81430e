"""Operations against PyTorch's own counter; bytes against the arrays that the kernels are given."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.runtime.in_torch import run
from torch.utils.flop_counter import FlopCounterMode

import nnspec
from nnspec.analyzers.facts import cost, memory
from nnspec.compiler.graph import Graph
from nnspec.compiler.plan.schedule import Phase
from nnspec.compiler.plan.work import Machine, Work, update, work

ROOT = Path(__file__).parents[2]
# PyTorch's counter takes every group's share of a grouped kernel's gradient for the whole of it.
UNGROUPED = [
    "vision/alexnet", "vision/vgg16_bn", "vision/resnet18", "vision/resnet50", "vision/googlenet",
    "vision/squeezenet1_0", "vision/densenet121", "vision/unet_padded", "vision/cifar_resnet56_b",
    "language/char_gpt", "language/gpt2",
]  # fmt: skip
SMALL = [
    "5 -> fc4 relu -> fc3",
    "5 -> maxout(4, k=3) -> fc2",
    "7x5 -> attn(1) -> fc2",
    "a: 4x3 -> fc5\nb: 5x6 -> fc6\nmatmul[ @a | @b ]",
    "2x9x9 -> convt3 3 s2 relu -> conv2 3 -> gap fc2",
    "2x9x9 -> conv4 3 freeze relu -> conv3 3 relu -> convt4 3 freeze relu -> conv2 1 -> gap fc2",
    "7x6 -> [fc6 -> attn2] freeze -> fc6 -> attn2 freeze -> maxout(3, k=2) freeze -> fc4 freeze",
]


def counted(graph: Graph, batch: int) -> tuple[int, int]:
    """Forward and backward by torch.utils.flop_counter, on tensors without memory."""
    with torch.device("meta"):
        weights = {
            f"{node.name}.{w.name}": torch.zeros(w.shape, requires_grad=not node.frozen)
            for node in graph.nodes
            for w in node.weights
        }
        inputs = {
            node.name: torch.zeros(
                (batch, *node.value.shape), dtype=torch.int64 if node.value.integer else None
            )
            for node in graph.inputs
        }
        with FlopCounterMode(display=False) as forward:
            output = run(graph, inputs, weights)
        with FlopCounterMode(display=False) as backward:
            output.sum().backward()  # type: ignore[no-untyped-call]
    return forward.get_total_flops(), backward.get_total_flops()


def ours(graph: Graph, batch: int) -> tuple[int, int]:
    plan = memory.planned(graph, "train", batch)
    both = Phase.FORWARD, Phase.BACKWARD
    forward, backward = (
        sum(work(plan, step).flops for step in plan.steps if step.phase is phase) for phase in both
    )
    return forward, backward


@pytest.mark.parametrize("name", UNGROUPED)
def test_the_zoo_against_torch(name: str) -> None:
    graph = nnspec.graph(ROOT / "specs" / f"{name}.nn")
    assert ours(graph, 2) == counted(graph, 2)


@pytest.mark.parametrize("text", SMALL)
def test_operators_against_torch(text: str) -> None:
    graph = nnspec.graph(text)
    assert ours(graph, 3) == counted(graph, 3)


def test_recurrence_by_hand() -> None:
    """An LSTM over 5 steps, 3 in, 4 out: four gates, W x and U h; the first W has no gradient of x."""
    inner, state = 5 * 3 * 16, 5 * 4 * 16
    forward, backward = ours(nnspec.graph("5x3 -> lstm4"), 1)
    assert (forward, backward) == (2 * (inner + state), 2 * (inner + 2 * state))
    deep = ours(nnspec.graph("5x3 -> fc3 -> lstm4"), 1)
    assert deep[1] - backward == 2 * (inner + 5 * 3 * 3)


def test_bytes_by_hand() -> None:
    """fc of 5 to 4 over 2 examples: x, W, b in, y out; then dy, x, dW, db, and no dx."""
    graph = nnspec.graph("5 -> fc4\ntrain(loss=mse)")
    plan = memory.planned(graph, "train", 2)
    found = cost.of_schedule(graph, plan)["fc1"]
    assert found.forward.bytes == 4 * (10 + 20 + 4 + 8)
    loss = work(plan, next(step for step in plan.steps if step.phase is Phase.LOSS))
    weights_read = 4 * 20 if "weight" in plan.steps[-1].weights else 0
    assert found.backward.bytes - loss.bytes == 4 * (8 + 10 + 24) + weights_read
    assert update(plan, 2).bytes == 4 * 24 * 7
    assert found.forward.intensity == 2 * 2 * 20 / found.forward.bytes


@pytest.mark.parametrize("text", ["vision/resnet18", "course/lenet5", "vision/unet_padded"])
def test_layers_add_up_to_the_schedule(text: str) -> None:
    graph = nnspec.graph(ROOT / "specs" / f"{text}.nn")
    plan = memory.planned(graph, "train", 4)
    parts = cost.of_schedule(graph, plan).values()
    whole = sum((part.forward + part.backward for part in parts), Work())
    assert whole == sum((work(plan, step) for step in plan.steps), Work())
    report = nnspec.analyze(ROOT / "specs" / f"{text}.nn", batch=4)
    assert sum(row.flops for row in report.cost) == 4 * report.flops


def test_the_slower_of_products_and_memory_tells() -> None:
    machine = Machine(flops=100.0, bandwidth=10.0)
    assert machine.seconds(Work(200, 10)) == 2
    assert machine.seconds(Work(200, 30)) == 3
