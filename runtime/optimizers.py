"""Optimisers in NumPy: the update of one flat vector, in blocks that stay in cache.

Each is declared under the same name in `compiler/training/optimizers.py`. `slots` are vectors of the
parameters' size that live from step to step; `tempo` are 0-d arrays that `pace` sets before a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.plan.build import SWEEP
from ..compiler.training.optimizers import Adam, Gd, Momentum, Optimizer, Sgd
from .constants import scalar
from .kernels import Array, Calls


@dataclass(frozen=True)
class Vectors:
    """The flat vectors of one net, all of one length, and two scratch blocks."""

    parameters: Array
    gradient: Array
    slots: tuple[Array, ...]
    scratch: tuple[Array, ...]

    def part(self, start: int, stop: int) -> Vectors:
        """The same of the numbers from `start` to `stop`."""
        return Vectors(
            self.parameters[start:stop],
            self.gradient[start:stop],
            tuple(slot[start:stop] for slot in self.slots),
            self.scratch,
        )


Update: TypeAlias = Callable[[Any, Vectors, Mapping[str, Array]], Calls]
Pace: TypeAlias = Callable[[Any, int], Mapping[str, float]]


def sgd(optimizer: Sgd | Gd, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """w = w - lr g."""
    (step,) = v.scratch[:1]
    yield np.multiply, (v.gradient, tempo["lr"], step)
    yield np.subtract, (v.parameters, step, v.parameters)


def momentum(optimizer: Momentum, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """v = momentum v + g; w = w - lr v."""
    (velocity,), (step, *_) = v.slots, v.scratch
    yield np.multiply, (velocity, scalar(optimizer.momentum, velocity.dtype), velocity)
    yield np.add, (velocity, v.gradient, velocity)
    yield np.multiply, (velocity, tempo["lr"], step)
    yield np.subtract, (v.parameters, step, v.parameters)


def adam(optimizer: Adam, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """m = b1 m + g and s = b2 s + g^2, kept without the factors 1 - b1 and 1 - b2: these, and the
    correction for the start, are folded into the 0-d `rate` and `eps`, which saves two sweeps."""
    (m, s), (step, *_) = v.slots, v.scratch
    yield np.multiply, (m, scalar(optimizer.beta1, m.dtype), m)
    yield np.add, (m, v.gradient, m)
    yield np.multiply, (s, scalar(optimizer.beta2, s.dtype), s)
    yield np.multiply, (v.gradient, v.gradient, step)
    yield np.add, (s, step, s)
    yield np.sqrt, (s, step)
    yield np.add, (step, tempo["eps"], step)
    yield np.divide, (m, step, step)
    yield np.multiply, (step, tempo["rate"], step)
    yield np.subtract, (v.parameters, step, v.parameters)


def plain_pace(optimizer: Optimizer, step: int) -> Mapping[str, float]:
    return {"lr": optimizer.lr}


def adam_pace(optimizer: Adam, step: int) -> Mapping[str, float]:
    """Kingma and Ba, end of section 2, for moments kept without their factors."""
    first = (1 - optimizer.beta1) / (1 - optimizer.beta1**step)
    second = math.sqrt((1 - optimizer.beta2) / (1 - optimizer.beta2**step))
    return {"rate": optimizer.lr * first / second, "eps": optimizer.eps / second}


COMPUTE: Mapping[type[Optimizer], tuple[Update, Pace]] = MappingProxyType(
    {
        Gd: (sgd, plain_pace),
        Sgd: (sgd, plain_pace),
        Momentum: (momentum, plain_pace),
        Adam: (adam, adam_pace),
    }
)


def sweep(
    optimizer: Optimizer, v: Vectors, tempo: Mapping[str, Array], decayed: int, l2: float
) -> Calls:
    """The calls of one update: l2 on the first `decayed` numbers, then the optimiser, by blocks."""
    update, _ = COMPUTE[type(optimizer)]
    for start in range(0, v.parameters.size, SWEEP):
        stop = min(start + SWEEP, v.parameters.size)
        scratch = tuple(block[: stop - start] for block in v.scratch)
        pulled = min(stop, decayed)
        if l2 and pulled > start:
            pull = scratch[0][: pulled - start]
            yield np.multiply, (v.parameters[start:pulled], scalar(l2, pull.dtype), pull)
            yield np.add, (v.gradient[start:pulled], pull, v.gradient[start:pulled])
        block = Vectors(
            v.parameters[start:stop],
            v.gradient[start:stop],
            tuple(slot[start:stop] for slot in v.slots),
            scratch,
        )
        yield from update(optimizer, block, tempo)


def _scalar(like: Array, number: float) -> Array:
    return np.array(number, like.dtype)
