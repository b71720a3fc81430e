"""Training as PyTorch does it, from a net's own weights: its autograd, optimisers and schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler

import nnspec
from nnspec.runtime.learner import Horizon
from nnspec.runtime.net import Net

from .in_torch import run

Groups: TypeAlias = list[dict[str, Any]]

OPTIMIZERS: Mapping[str, Callable[[Groups], Optimizer]] = {
    "gd(lr=0.05)": lambda p: SGD(p, lr=0.05),
    "sgd(lr=0.05)": lambda p: SGD(p, lr=0.05),
    "momentum(lr=0.02, momentum=0.8)": lambda p: SGD(p, lr=0.02, momentum=0.8),
    "nesterov(lr=0.02, momentum=0.8)": lambda p: SGD(p, lr=0.02, momentum=0.8, nesterov=True),
    "adagrad": lambda p: Adagrad(p, lr=0.01),
    "adagrad(lr=0.1, eps=1e-4)": lambda p: Adagrad(p, lr=0.1, eps=1e-4),
    "rmsprop": lambda p: RMSprop(p, lr=0.01),
    "rmsprop(lr=2e-3, alpha=0.9, eps=1e-4, momentum=0.7)": lambda p: RMSprop(
        p, lr=2e-3, alpha=0.9, eps=1e-4, momentum=0.7
    ),
    "adam": lambda p: Adam(p, lr=1e-3),
    "adam(lr=0.01, beta1=0.5, beta2=0.9, eps=1e-3)": lambda p: Adam(
        p, lr=0.01, betas=(0.5, 0.9), eps=1e-3
    ),
    "adamw": lambda p: decoupled(p, lr=1e-3, decay=0.01),
    "adamw(lr=0.01, decay=0.3, beta1=0.8)": lambda p: decoupled(
        p, lr=0.01, decay=0.3, betas=(0.8, 0.999)
    ),
}
"""As `train(...)` writes them, and PyTorch's; each takes what decays and what does not."""


def decoupled(groups: Groups, decay: float, **settings: Any) -> Optimizer:
    """AdamW; it takes over `weight_decay`, so it goes without l2."""
    heavy, light = groups
    assert not heavy["weight_decay"]
    return AdamW([{**heavy, "weight_decay": decay}, {**light, "weight_decay": 0.0}], **settings)


class Twin:
    """A net's weights in PyTorch, in double precision, with an optimiser over them."""

    def __init__(self, net: Net, make: Callable[[Groups], Optimizer], l2: float = 0.0) -> None:
        self.graph = net.graph
        self.weights = {
            name: torch.tensor(weight, requires_grad=True) for name, weight in net.weights.items()
        }
        decays = {f"{node.name}.{w.name}" for node in net.graph.nodes for w in node.own if w.decays}
        self.heavy = [weight for name, weight in self.weights.items() if name in decays]
        light = [weight for name, weight in self.weights.items() if name not in decays]
        self.optimizer = make([{"params": self.heavy, "weight_decay": l2}, {"params": light}])

    def backward(self, x: Any, y: Any) -> float:
        """The loss of a batch; its gradient stands with the weights."""
        self.optimizer.zero_grad()
        scores = run(self.graph, {self.graph.inputs[0].name: torch.tensor(x)}, self.weights)
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()


MLP = "5 -> fc7 tanh -> fc6 gelu -> fc3"
CONVNET = (
    "2x6x6 -> conv4 3x3 p1 nobias bn relu -> maxpool2 -> conv5 3x3 nobias bn gelu -> flatten fc3"
)
NETS = (MLP, CONVNET)


def together(
    spec: str,
    optimizer: str,
    steps: int = 200,
    plan: Callable[[Optimizer], LRScheduler] | None = None,
    touch: Callable[[Twin], None] = lambda twin: None,
    after: Callable[[Twin], None] = lambda twin: None,
    **settings: Any,
) -> tuple[Net, Twin]:
    """Both after training from the same weights on the same batches.

    `plan`: PyTorch's schedule of the learning rate, stepped after every step, of a run of 10 epochs.
    `touch`: what becomes of PyTorch's gradients before its step, `after` of its weights behind it.
    """
    net = nnspec.compile(
        spec, seed=1, dtype="float64", loss="cross_entropy", optimizer=optimizer, **settings
    )
    twin = Twin(net, OPTIMIZERS[optimizer], settings.get("l2", 0.0))
    schedule = plan(twin.optimizer) if plan else None
    net.learner.horizon = Horizon(steps // 10, 10)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        x = rng.standard_normal((8, *net.graph.inputs[0].value.shape))
        y = rng.integers(0, 3, 8)
        net.step(x, y)
        assert net.learner.rate == rate(twin.optimizer)
        twin.backward(x, y)
        touch(twin)
        twin.optimizer.step()
        after(twin)
        if schedule:
            schedule.step()
    return net, twin


def rate(optimizer: Optimizer) -> Any:
    """The learning rate of the next step, to twelve places."""
    return pytest.approx(float(optimizer.param_groups[0]["lr"]), abs=1e-12, rel=1e-12)


def same(net: Net, twin: Twin, atol: float = 1e-10) -> None:
    for name, weight in twin.weights.items():
        np.testing.assert_allclose(
            net.weights[name], weight.detach().numpy(), rtol=0, atol=atol, err_msg=name
        )
