"""A process of its own that trains a module a few steps and prints what it held:
`python -m tests.bench.growth_of_torch KEY BATCH`."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from . import THREADS, modules
from .resident import grown

MADE = {
    "c": lambda: modules.mlp(3072, 1024, 1024, 10),
    "d": modules.lenet,
    "e": modules.vgg,
    "f": modules.resnet20,
}
INPUTS = {"c": (3072,), "d": (1, 28, 28), "e": (3, 32, 32), "f": (3, 32, 32)}


def trained(module: nn.Module, x: Tensor, y: Tensor) -> Callable[[], object]:
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss(module(x), y).backward()
        optimizer.step()

    return step


def main(key: str, batch: int) -> None:
    torch.set_num_threads(THREADS)
    x, y = torch.randn(batch, *INPUTS[key]), torch.randint(0, 10, (batch,))

    small = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(36, 4),
    )  # fmt: skip
    trained(small, torch.zeros(2, 1, 8, 8), torch.zeros(2, dtype=torch.long))()
    print(grown(lambda: trained(MADE[key](), x, y)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
