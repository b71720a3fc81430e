"""Optimisers, compiled: one sweep over the vectors, every number by the formula of
`runtime/optimizers.py` in the same order of operations, so that the bits are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

from ...compiler.plan.build import SWEEP
from ...compiler.training import Training
from ...compiler.training.optimizers import (
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
from ..clips import bounded
from ..kernels import Array, Calls
from ..optimizers import Vectors
from ..penalties import pulls
from .compiled import bound, compiled

Update: TypeAlias = Callable[[Any, Vectors, Mapping[str, Array]], Calls]


@compiled
def _sgd(w: Array, g: Array, lr: Array) -> None:
    rate = lr[()]
    for i in range(w.size):
        w[i] -= g[i] * rate


@compiled
def _momentum(w: Array, g: Array, v: Array, more: Any, lr: Array) -> None:
    rate = lr[()]
    for i in range(w.size):
        v[i] = v[i] * more + g[i]
        w[i] -= v[i] * rate


@compiled
def _nesterov(w: Array, g: Array, v: Array, more: Any, lr: Array) -> None:
    rate = lr[()]
    for i in range(w.size):
        v[i] = v[i] * more + g[i]
        w[i] -= (v[i] * more + g[i]) * rate


@compiled
def _adagrad(w: Array, g: Array, s: Array, eps: Any, lr: Array) -> None:
    rate = lr[()]
    for i in range(w.size):
        s[i] += g[i] * g[i]
        w[i] -= g[i] / (math.sqrt(s[i]) + eps) * rate


@compiled
def _rmsprop(w: Array, g: Array, s: Array, alpha: Any, eps: Array, rate: Array) -> None:
    least, factor = eps[()], rate[()]
    for i in range(w.size):
        s[i] = s[i] * alpha + g[i] * g[i]
        w[i] -= g[i] / (math.sqrt(s[i]) + least) * factor


@compiled
def _rmsprop_momentum(
    w: Array, g: Array, s: Array, v: Array, alpha: Any, more: Any, eps: Array, rate: Array
) -> None:
    least, factor = eps[()], rate[()]
    for i in range(w.size):
        s[i] = s[i] * alpha + g[i] * g[i]
        v[i] = v[i] * more + g[i] / (math.sqrt(s[i]) + least)
        w[i] -= v[i] * factor


@compiled
def _adam(
    w: Array, g: Array, m: Array, s: Array, beta1: Any, beta2: Any, eps: Array, rate: Array
) -> None:
    least, factor = eps[()], rate[()]
    for i in range(w.size):
        m[i] = m[i] * beta1 + g[i]
        s[i] = s[i] * beta2 + g[i] * g[i]
        w[i] -= m[i] / (math.sqrt(s[i]) + least) * factor


@compiled
def _adamw(
    w: Array, g: Array, m: Array, s: Array, beta1: Any, beta2: Any, eps: Array, rate: Array,
    left: Array,
) -> None:  # fmt: skip
    least, factor, kept = eps[()], rate[()], left[()]
    for i in range(w.size):
        m[i] = m[i] * beta1 + g[i]
        s[i] = s[i] * beta2 + g[i] * g[i]
        w[i] = w[i] * kept - m[i] / (math.sqrt(s[i]) + least) * factor


def sgd(optimizer: Sgd | Gd, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    yield bound(_sgd, v.parameters, v.gradient, tempo["lr"])


def momentum(optimizer: Momentum, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    more = v.parameters.dtype.type(optimizer.momentum)
    yield bound(_momentum, v.parameters, v.gradient, *v.slots, more, tempo["lr"])


def nesterov(optimizer: Nesterov, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    more = v.parameters.dtype.type(optimizer.momentum)
    yield bound(_nesterov, v.parameters, v.gradient, *v.slots, more, tempo["lr"])


def adagrad(optimizer: Adagrad, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    eps = v.parameters.dtype.type(optimizer.eps)
    yield bound(_adagrad, v.parameters, v.gradient, *v.slots, eps, tempo["lr"])


def rmsprop(optimizer: RmsProp, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    number = v.parameters.dtype.type
    settings = [number(optimizer.alpha)]
    loop = _rmsprop
    if len(v.slots) > 1:
        loop, settings = _rmsprop_momentum, [*settings, number(optimizer.momentum)]
    yield bound(loop, v.parameters, v.gradient, *v.slots, *settings, tempo["eps"], tempo["rate"])


def adam(optimizer: Adam | AdamW, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    yield bound(_adam, v.parameters, v.gradient, *v.slots, *_adaptive(optimizer, v, tempo))


def adamw(optimizer: AdamW, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """What decays, and then the rest."""
    decaying = v.decaying.size if optimizer.decay else 0
    first, rest = _part(v, slice(0, decaying)), _part(v, slice(decaying, None))
    if first.parameters.size:
        settings = *_adaptive(optimizer, v, tempo), tempo["left"]
        yield bound(_adamw, first.parameters, first.gradient, *first.slots, *settings)
    if rest.parameters.size:
        yield from adam(optimizer, rest, tempo)


def _adaptive(
    optimizer: Adam | AdamW, v: Vectors, tempo: Mapping[str, Array]
) -> tuple[object, ...]:
    number = v.parameters.dtype.type
    return number(optimizer.beta1), number(optimizer.beta2), tempo["eps"], tempo["rate"]


def _part(v: Vectors, part: slice) -> Vectors:
    slots = tuple(slot[part] for slot in v.slots)
    return replace(v, parameters=v.parameters[part], gradient=v.gradient[part], slots=slots)


UPDATES: Mapping[type[Optimizer], Update] = MappingProxyType(
    {
        Gd: sgd,
        Sgd: sgd,
        Momentum: momentum,
        Nesterov: nesterov,
        Adagrad: adagrad,
        RmsProp: rmsprop,
        Adam: adam,
        AdamW: adamw,
    }
)


def sweep(training: Training, v: Vectors, tempo: Mapping[str, Array]) -> Calls:
    """The calls of one update. Where the gradient is bounded or pulled, by NumPy, it goes by blocks
    that stay in cache."""
    if not v.parameters.size:
        return
    update = UPDATES[type(training.optimizer)]
    whole = training.clip is None and not training.l2 and not training.l1
    for part in (v,) if whole else _blocks(v):
        yield from bounded(training.clip, part.gradient, tempo)
        yield from pulls(training, part.decaying, part.gradient, part.step)
        yield from update(training.optimizer, part, tempo)


def _blocks(v: Vectors) -> Iterator[Vectors]:
    return (v.block(start) for start in range(0, v.parameters.size, SWEEP))
