"""The nets that are compared: the spec's text, and its twin in PyTorch with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import nnspec
from nnspec.runtime.net import Net

from ..vision import get_model
from . import modules

SPECS = Path(__file__).parents[2] / "specs"
BATCHES = 8
"""Different batches that a training goes round: on a single one units die, and what Adam remembers
of them decays into numbers so small that processors handle them slowly."""


@dataclass(frozen=True)
class Case:
    """A net, and the batch it is trained with."""

    key: str
    name: str
    spec: str
    batch: int
    module: Callable[[], nn.Module]

    @property
    def title(self) -> str:
        return f"{self.key} {self.name}"

    def compiled(self) -> Net:
        return nnspec.compile(self.spec, seed=0, optimizer="adam(lr=1e-3)", loss=self.loss)

    @property
    def loss(self) -> str:
        return "mse" if self.key == "a" else "cross_entropy"


CASES = (
    Case(
        "a", "MLP 3-4-4-1", "3 -> fc4 relu -> fc4 relu -> fc1", 32, lambda: modules.mlp(3, 4, 4, 1)
    ),
    Case("b", "MLP 784-100-10", "784 -> fc100 relu -> fc10", 64, lambda: modules.mlp(784, 100, 10)),
    Case(
        "c",
        "MLP 3072-1024-1024-10",
        "3072 -> fc1024 relu -> fc1024 relu -> fc10",
        128,
        lambda: modules.mlp(3072, 1024, 1024, 10),
    ),
    Case(
        "d",
        "LeNet-5",
        "1x28x28 -> conv6 5x5 p2 relu -> maxpool2 -> conv16 5x5 relu -> maxpool2 "
        "-> flatten -> fc120 relu -> fc84 relu -> fc10",
        64,
        modules.lenet,
    ),
    Case(
        "e",
        "VGG-like",
        "3x32x32 -> conv64 3x3 p1 relu -> conv64 3x3 p1 relu -> maxpool2 "
        "-> conv128 3x3 p1 relu -> conv128 3x3 p1 relu -> maxpool2 -> flatten -> fc256 relu -> fc10",
        64,
        modules.vgg,
    ),
    Case("f", "ResNet-20", str(SPECS / "vision" / "cifar_resnet20_a.nn"), 64, modules.resnet20),
)
RESNET18 = Case(
    "g", "ResNet-18", str(SPECS / "vision" / "resnet18.nn"), 1, lambda: get_model("resnet18")
)


def chosen(keys: str) -> list[Case]:
    """The nets of these letters: "abf"; all of them where there are none."""
    return [case for case in CASES if not keys or case.key in keys]


@dataclass(frozen=True)
class Batch:
    """Inputs (n, *input), and labels (n,) or values (n, *output)."""

    x: Any
    y: Any


def batches(net: Net, size: int, count: int = BATCHES) -> list[Batch]:
    """Noise with labels at random, the same for every side."""
    rng = np.random.default_rng(0)
    shape = (size, *net.graph.inputs[0].value.shape)
    classes = net.graph.output.value.size
    made = []
    for _ in range(count):
        x = rng.standard_normal(shape).astype(np.float32)
        values = rng.standard_normal((size, 1)).astype(np.float32)
        made.append(Batch(x, rng.integers(0, classes, size) if classes > 1 else values))
    return made


def as_torch(batch: Batch) -> Batch:
    return Batch(torch.tensor(batch.x), torch.tensor(batch.y))


def layers(net: Net) -> Iterator[list[tuple[str, Any]]]:
    """What each operator has learned and counted, in the order of the graph; a weight's name says
    whose it is."""
    for node in net.graph.nodes:
        found = [
            (name.rpartition(".")[2], array)
            for kept in (net.weights, net.state)
            for name, array in kept.items()
            if name.rpartition(".")[0] == node.name
        ]
        if found:
            yield found


THEIR_NAMES = {
    "scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var",
}  # fmt: skip


@torch.no_grad()
def twin(case: Case, net: Net) -> nn.Module:
    """The case's module, holding copies of the net's weights and statistics.

    Both list layers in the order of the paper; shapes and the count of parameters must agree.
    """
    module = case.module()
    assert modules.parameters(module) == net.params, f"{case.title}: other parameters"
    theirs = [part for part in module.modules() if part._parameters]
    for part, arrays in zip(theirs, layers(net), strict=True):
        for name, array in arrays:
            tensor = getattr(part, THEIR_NAMES.get(name, name))
            assert tensor.shape == array.shape, f"{case.title}: {name} has another shape"
            tensor.copy_(torch.tensor(array))
    return module
