"""Optimisers in NumPy: the update of one flat vector, in blocks that stay in cache.

Each is declared under the same name in `compiler/training/optimizers.py`. `slots` are vectors of the
parameters' size that live from step to step; `tempo` are 0-d arrays that `pace` sets before a step,
from the step's number, from 1, and its learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.plan.build import SWEEP
from ..compiler.training import Training
from ..compiler.training.optimizers import (
    Adagrad,
    Adam,
    AdamW,
    Gd,
    Momentum,
    Nesterov,
    Optimizer,
    RmsProp,
    Sgd,
)
from .clips import bounded
from .constants import scalar
from .kernels import Array, Calls
from .penalties import pulls


@dataclass(frozen=True)
class Vectors:
    """The flat vectors of one net, all of one length.

    Attributes
    ----------
    decaying: those of the parameters that decay, which come first.
    step: scratch; as long as the others, or as a block of them.
    """

    parameters: Array
    decaying: Array
    gradient: Array
    slots: tuple[Array, ...]
    step: Array

    def block(self, start: int) -> Vectors:
        """The same of the SWEEP numbers from `start`."""
        part = slice(start, start + SWEEP)
        parameters = self.parameters[part]
        return Vectors(
            parameters,
            self.decaying[part],
            self.gradient[part],
            tuple(slot[part] for slot in self.slots),
            self.step[: parameters.size],
        )


Update: TypeAlias = Callable[[Any, Vectors, Mapping[str, Array]], Calls]
Pace: TypeAlias = Callable[[Any, int, float], Mapping[str, float]]


def sgd(optimizer: Sgd | Gd, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """w = w - lr g."""
    yield np.multiply, (v.gradient, tempo["lr"], v.step)
    yield np.subtract, (v.parameters, v.step, v.parameters)


def momentum(optimizer: Momentum, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """v = momentum v + g; w = w - lr v."""
    (velocity,) = v.slots
    yield np.multiply, (velocity, scalar(optimizer.momentum, velocity.dtype), velocity)
    yield np.add, (velocity, v.gradient, velocity)
    yield np.multiply, (velocity, tempo["lr"], v.step)
    yield np.subtract, (v.parameters, v.step, v.parameters)


def nesterov(optimizer: Nesterov, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """v = momentum v + g; w = w - lr (g + momentum v)."""
    (velocity,) = v.slots
    more = scalar(optimizer.momentum, velocity.dtype)
    yield np.multiply, (velocity, more, velocity)
    yield np.add, (velocity, v.gradient, velocity)
    yield np.multiply, (velocity, more, v.step)
    yield np.add, (v.step, v.gradient, v.step)
    yield np.multiply, (v.step, tempo["lr"], v.step)
    yield np.subtract, (v.parameters, v.step, v.parameters)


def adagrad(optimizer: Adagrad, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """s = s + g^2; w = w - lr g / (sqrt(s) + eps)."""
    (s,) = v.slots
    yield np.square, (v.gradient, v.step)
    yield np.add, (s, v.step, s)
    yield np.sqrt, (s, v.step)
    yield np.add, (v.step, scalar(optimizer.eps, s.dtype), v.step)
    yield np.divide, (v.gradient, v.step, v.step)
    yield np.multiply, (v.step, tempo["lr"], v.step)
    yield np.subtract, (v.parameters, v.step, v.parameters)


def rmsprop(optimizer: RmsProp, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """s = alpha s + g^2, kept without the factor 1 - alpha, which is folded into the 0-d `rate` and
    `eps`; so is the velocity, where there is a momentum."""
    s, *velocities = v.slots
    yield np.multiply, (s, scalar(optimizer.alpha, s.dtype), s)
    yield np.square, (v.gradient, v.step)
    yield np.add, (s, v.step, s)
    yield np.sqrt, (s, v.step)
    yield np.add, (v.step, tempo["eps"], v.step)
    yield np.divide, (v.gradient, v.step, v.step)
    for velocity in velocities:
        yield np.multiply, (velocity, scalar(optimizer.momentum, s.dtype), velocity)
        yield np.add, (velocity, v.step, velocity)
    yield np.multiply, (velocities[0] if velocities else v.step, tempo["rate"], v.step)
    yield np.subtract, (v.parameters, v.step, v.parameters)


def adam(optimizer: Adam | AdamW, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """m = b1 m + g and s = b2 s + g^2, kept without the factors 1 - b1 and 1 - b2: these, and the
    correction for the start, are folded into the 0-d `rate` and `eps`, which saves two sweeps."""
    (m, s), step = v.slots, v.step
    yield np.multiply, (m, scalar(optimizer.beta1, m.dtype), m)
    yield np.add, (m, v.gradient, m)
    yield np.multiply, (s, scalar(optimizer.beta2, s.dtype), s)
    yield np.square, (v.gradient, step)
    yield np.add, (s, step, s)
    yield np.sqrt, (s, step)
    yield np.add, (step, tempo["eps"], step)
    yield np.divide, (m, step, step)
    yield np.multiply, (step, tempo["rate"], step)
    yield np.subtract, (v.parameters, step, v.parameters)


def adamw(optimizer: AdamW, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """w = (1 - lr decay) w for what decays, and then adam's step."""
    if optimizer.decay and v.decaying.size:
        yield np.multiply, (v.decaying, tempo["left"], v.decaying)
    yield from adam(optimizer, v, tempo)


def plain_pace(optimizer: Optimizer, step: int, rate: float) -> Mapping[str, float]:
    return {"lr": rate}


def rmsprop_pace(optimizer: RmsProp, step: int, rate: float) -> Mapping[str, float]:
    """For squares kept without their factor."""
    root = math.sqrt(1 - optimizer.alpha)
    return {"rate": rate / root, "eps": optimizer.eps / root}


def adam_pace(optimizer: Adam | AdamW, step: int, rate: float) -> Mapping[str, float]:
    """Kingma and Ba, end of section 2, for moments kept without their factors."""
    first = (1 - optimizer.beta1) / (1 - optimizer.beta1**step)
    second = math.sqrt((1 - optimizer.beta2) / (1 - optimizer.beta2**step))
    return {"rate": rate * first / second, "eps": optimizer.eps / second}


def adamw_pace(optimizer: AdamW, step: int, rate: float) -> Mapping[str, float]:
    return {**adam_pace(optimizer, step, rate), "left": 1 - rate * optimizer.decay}


COMPUTE: Mapping[type[Optimizer], tuple[Update, Pace]] = MappingProxyType(
    {
        Gd: (sgd, plain_pace),
        Sgd: (sgd, plain_pace),
        Momentum: (momentum, plain_pace),
        Nesterov: (nesterov, plain_pace),
        Adagrad: (adagrad, plain_pace),
        RmsProp: (rmsprop, rmsprop_pace),
        Adam: (adam, adam_pace),
        AdamW: (adamw, adamw_pace),
    }
)


FADING = 128
"""Steps from one look to the next at what an optimiser keeps."""


def faded(slots: tuple[Array, ...], step: Array) -> Calls:
    """The calls that make 0 of what lies below the normal numbers. `step` is scratch, a block.

    A processor takes many times as long for these, and the smallest of them, times 0.9, are rounded back
    to what they were: the means of a unit that is dead would stay there for ever.
    """
    for slot in slots:
        normal = scalar(float(np.finfo(slot.dtype).smallest_normal), slot.dtype)
        for start in range(0, slot.size, SWEEP):
            kept = slot[start : start + SWEEP]
            stays = step[: kept.size]
            yield np.absolute, (kept, stays)
            yield np.greater_equal, (stays, normal, stays)
            yield np.multiply, (kept, stays, kept)


def sweep(training: Training, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """The calls of one update, by blocks: the gradient bounded, l2 and l1, then the optimiser."""
    update, _ = COMPUTE[type(training.optimizer)]
    for start in range(0, v.parameters.size, SWEEP):
        block = v.block(start)
        yield from bounded(training.clip, block.gradient, tempo)
        yield from pulls(training, block.decaying, block.gradient, block.step)
        yield from update(training.optimizer, block, tempo)
