"""How a step moves the weights, declared. `runtime/optimizers.py` computes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat

from .choice import Choice


class Optimizer(Choice):
    """How a step moves the weights along the gradient."""

    keeps: ClassVar[tuple[str, ...]] = ()
    """What it keeps between steps, each an array of the parameters' size."""
    whole_set: ClassVar[bool] = False
    """One step sees the whole training set."""

    lr: NonNegativeFloat = 0.01

    @property
    def slots(self) -> int:
        """Arrays of the parameters' size that it keeps between steps."""
        return len(self.keeps)


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

    name, keeps, places = "momentum", ("velocity",), ("lr", "momentum")
    source = "CS231n, neural networks 3, 'Momentum update'"

    momentum: float = Field(default=0.9, ge=0, lt=1)


class Nesterov(Optimizer):
    """Momentum that looks ahead: v = momentum v + g; w = w - lr (g + momentum v).

    The weights are those of the place ahead, as in PyTorch.
    """

    name, keeps, places = "nesterov", ("velocity",), ("lr", "momentum")
    source = "CS231n, neural networks 3, 'Nesterov Momentum'; Sutskever et al. 2013"

    momentum: float = Field(default=0.9, ge=0, lt=1)


class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far: s = s + g^2;
    w = w - lr g / (sqrt(s) + eps)."""

    name, keeps, places = "adagrad", ("squares",), ("lr",)
    source = "Duchi et al. 2011; CS231n, neural networks 3, 'Adagrad'"

    eps: PositiveFloat = 1e-10


class RmsProp(Optimizer):
    """Steps divided by a running root mean square: s = alpha s + (1 - alpha) g^2;
    w = w - lr g / (sqrt(s) + eps). With `momentum` above 0, v = momentum v + g / (sqrt(s) + eps);
    w = w - lr v."""

    name, keeps, places = "rmsprop", ("squares", "velocity"), ("lr", "alpha")
    source = "Tieleman and Hinton 2012; CS231n, neural networks 3, 'RMSprop'"

    alpha: float = Field(default=0.99, ge=0, lt=1)
    eps: PositiveFloat = 1e-8
    momentum: float = Field(default=0.0, ge=0, lt=1)

    @property
    def slots(self) -> int:
        """A velocity is kept only where there is a momentum."""
        return 2 if self.momentum else 1


class Adam(Optimizer):
    """Momentum over a running root mean square of gradients, both corrected for their start."""

    name, keeps, places = "adam", ("mean", "squares"), ("lr",)
    source = "Kingma and Ba 2014"

    lr: NonNegativeFloat = 1e-3
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    eps: PositiveFloat = 1e-8


class AdamW(Optimizer):
    """Adam whose weight decay passes the gradient by: w = (1 - lr decay) w, and then adam's step.

    `decay` acts on matrices and kernels, not on biases; it is no part of the loss, unlike `l2`.
    """

    name, keeps, places = "adamw", ("mean", "squares"), ("lr", "decay")
    source = "Loshchilov and Hutter 2017"

    lr: NonNegativeFloat = 1e-3
    decay: NonNegativeFloat = 0.01
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    eps: PositiveFloat = 1e-8


OPTIMIZERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {
        optimizer.name: optimizer
        for optimizer in (Gd, Sgd, Momentum, Nesterov, Adagrad, RmsProp, Adam, AdamW)
    }
)
