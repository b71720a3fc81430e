"""How a step moves the weights, declared. `runtime/optimizers.py` computes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat

from .choice import Choice


class Optimizer(Choice):
    """How a step moves the weights along the gradient."""

    slots: ClassVar[int] = 0
    """Arrays of the parameters' size that it keeps between steps."""
    whole_set: ClassVar[bool] = False
    """One step sees the whole training set."""

    lr: NonNegativeFloat = 0.01


class Gd(Optimizer):
    """Gradient descent on the whole training set at once."""

    name, whole_set, places = "gd", True, ("lr",)
    source = "CS231n, optimization 1, 'Gradient descent'"

    lr: NonNegativeFloat = 0.1


class Sgd(Optimizer):
    """Stochastic gradient descent, a mini-batch at a time."""

    name, places = "sgd", ("lr",)
    source = "CS231n, optimization 1, 'Mini-batch gradient descent'"


class Momentum(Optimizer):
    """Steps along a decaying sum of gradients: v = momentum v + g; w = w - lr v."""

    name, slots, places = "momentum", 1, ("lr", "momentum")
    source = "CS231n, neural networks 3, 'Momentum update'"

    momentum: float = Field(default=0.9, ge=0, lt=1)


class Adam(Optimizer):
    """Momentum over a running root mean square of gradients, both corrected for their start."""

    name, slots, places = "adam", 2, ("lr",)
    source = "Kingma and Ba 2014"

    lr: NonNegativeFloat = 1e-3
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    eps: PositiveFloat = 1e-8


OPTIMIZERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {optimizer.name: optimizer for optimizer in (Gd, Sgd, Momentum, Adam)}
)
