"""Losses in NumPy: the value, and the gradient on the scores, computed together.

Each is declared under the same name in `compiler/training/losses.py`, which gives the formula's source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.shapes import Value
from ..compiler.training.losses import Bce, CrossEntropy, Hinge, Loss, Mse
from .constants import scalar, table
from .kernels import Array, Call, Calls

Compute: TypeAlias = Callable[[Any, Array, Array, Array, Array, Mapping[str, Array]], Calls]
"""(loss, scores, truth, value, gradient, scratch): fills `value` (0-d) and `gradient`."""


def mse(
    loss: Mse,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean (s - t)^2 over every number; its gradient is 2 (s - t) / count."""
    flat = gradient.reshape(-1)
    yield np.subtract, (scores, truth, gradient)
    yield flat.dot, (flat, value)
    yield np.multiply, (value, scalar(1.0 / scores.size, value.dtype), value)
    yield np.multiply, (gradient, scalar(2.0 / scores.size, value.dtype), gradient)


def cross_entropy(
    loss: CrossEntropy,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean log(sum exp(s)) - s_t, with the row's maximum taken out first."""
    total, picked = scratch["row"], scratch["picked"]
    row = total.reshape(len(scores), 1, *scores.shape[2:])
    true, count = gradient.reshape(-1), scalar(1.0 / truth.size, value.dtype)
    # Rows of scores lie `places` apart, one behind the other where there is one place.
    places = math.prod(scores.shape[2:])
    where, step = scratch["where"], scalar(places, truth.dtype)
    first = _beginnings(len(scores), scores.shape[1], places)
    yield np.multiply, (truth, step, where)
    yield np.add, (where, first, where)
    yield partial(np.maximum.reduce, scores, axis=1, keepdims=True, out=row), ()
    yield np.subtract, (scores, row, gradient)
    yield partial(np.take, true, where, out=picked, mode="clip"), ()
    yield np.exp, (gradient, gradient)
    yield partial(np.add.reduce, gradient, axis=1, keepdims=True, out=row), ()
    yield np.divide, (gradient, row, gradient)
    yield np.log, (total, total)
    yield np.subtract, (total, picked, picked)
    yield partial(np.add.reduce, picked, out=value), ()
    yield np.multiply, (value, count, value)
    yield np.subtract.at, (true, where, 1.0)
    yield np.multiply, (gradient, count, gradient)


def bce(
    loss: Bce,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean max(s, 0) - s t + log(1 + exp(-|s|)); its gradient is (sigmoid(s) - t) / count.

    sigmoid(s) = 1 / (1 + exp(-s)) is taken as exp(min(s, 0)) / (1 + exp(-|s|)).
    """
    soft = scratch["soft"]
    count = scalar(1.0 / scores.size, value.dtype)
    yield np.absolute, (scores, soft)
    yield np.negative, (soft, soft)
    yield np.exp, (soft, soft)
    yield np.log1p, (soft, gradient)
    yield np.add.reduce, (gradient.reshape(-1), 0, None, value)
    yield partial(np.maximum, scores, scalar(0.0, value.dtype), out=gradient), ()
    yield from _add_sum(gradient, value, scratch)
    yield np.multiply, (scores, truth, gradient)
    yield np.negative, (gradient, gradient)
    yield from _add_sum(gradient, value, scratch)
    yield np.multiply, (value, count, value)
    yield partial(np.minimum, scores, scalar(0.0, value.dtype), out=gradient), ()
    yield np.exp, (gradient, gradient)
    yield np.add, (soft, scalar(1.0, value.dtype), soft)
    yield np.divide, (gradient, soft, gradient)
    yield np.subtract, (gradient, truth, gradient)
    yield np.multiply, (gradient, count, gradient)


def hinge(
    loss: Hinge,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """Several outputs: mean over examples of the wrong classes' slack. One: the binary SVM."""
    judge = _binary_hinge if scores.shape[1] == 1 else _multi_hinge
    return judge(loss, scores, truth, value, gradient, scratch)


def _multi_hinge(
    loss: Hinge,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    batch, classes = scores.shape
    slack, mask, row, picked = (scratch[name] for name in ("slack", "mask", "row", "picked"))
    where = scratch["where"]
    yield np.add, (truth, _beginnings(batch, classes, 1), where)
    yield partial(np.take, scores.reshape(-1), where, out=picked, mode="clip"), ()
    yield np.subtract, (scores, picked.reshape(-1, 1), slack)
    yield np.add, (slack, scalar(loss.margin, value.dtype), slack)
    yield slack.reshape(-1).__setitem__, (where, 0.0)
    yield partial(np.maximum, slack, scalar(0.0, value.dtype), out=slack), ()
    yield np.add.reduce, (slack.reshape(-1), 0, None, value)
    yield np.multiply, (value, scalar(1.0 / batch, value.dtype), value)
    yield np.greater, (slack, scalar(0.0, value.dtype), mask)
    yield np.multiply, (mask, scalar(1.0 / batch, value.dtype), gradient)
    yield partial(np.add.reduce, gradient, axis=1, keepdims=True, out=row), ()
    yield np.subtract.at, (gradient.reshape(-1), where, row.reshape(-1))


def _binary_hinge(
    loss: Hinge,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    batch = scores.shape[0]
    slack, mask, sign = scratch["slack"].reshape(-1), scratch["mask"].reshape(-1), scratch["picked"]
    flat = gradient.reshape(-1)
    yield np.greater, (truth, 0, mask)
    yield np.multiply, (mask, scalar(2.0, value.dtype), sign)
    yield np.subtract, (sign, scalar(1.0, value.dtype), sign)
    yield np.multiply, (sign, scores.reshape(-1), slack)
    yield np.subtract, (scalar(loss.margin, value.dtype), slack, slack)
    yield partial(np.maximum, slack, scalar(0.0, value.dtype), out=slack), ()
    yield np.add.reduce, (slack, 0, None, value)
    yield np.multiply, (value, scalar(1.0 / batch, value.dtype), value)
    yield np.greater, (slack, scalar(0.0, value.dtype), mask)
    yield np.multiply, (mask, scalar(-1.0 / batch, value.dtype), flat)
    yield np.multiply, (flat, sign, flat)


def _beginnings(rows: int, classes: int, places: int) -> Array:
    """Where the scores of each row and place begin in the flat array of all."""

    def make() -> Array:
        first = np.arange(rows)[:, None] * places * classes + np.arange(places)
        return first.flatten()

    return table(("beginnings", rows, classes, places), make)


def _add_sum(terms: Array, value: Array, scratch: Mapping[str, Array]) -> Iterator[Call]:
    """value += sum of terms."""
    part = scratch["part"]
    yield np.add.reduce, (terms.reshape(-1), 0, None, part)
    yield np.add, (value, part, value)


def computed(
    loss: Loss,
    output: Value,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """The calls that fill `value` and `gradient` for a batch of outputs.

    A loss of labels sees scores as (rows, classes), a row for each example or step; of maps as
    (examples, classes, places).
    """
    compute = COMPUTE[type(loss)]
    if loss.target == "values":
        return compute(loss, scores, truth, value, gradient, scratch)
    maps = output.rank > 1 and not output.channels_last
    shape = (len(scores), output.channels, -1) if maps else (-1, output.channels)
    rows, slopes = scores.reshape(shape), gradient.reshape(shape)
    return compute(loss, rows, truth.reshape(-1), value, slopes, scratch)


COMPUTE: Mapping[type[Loss], Compute] = MappingProxyType(
    {Mse: mse, CrossEntropy: cross_entropy, Bce: bce, Hinge: hinge}
)
