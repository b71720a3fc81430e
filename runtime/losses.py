"""Losses in NumPy: the value, and the gradient on the scores, computed together.

Each is declared under the same name in `compiler/training.py`, which gives the formula's source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.shapes import Value
from ..compiler.training import Bce, CrossEntropy, Hinge, Loss, Mse
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
    yield np.multiply, (value, _scalar(value, 1.0 / scores.size), value)
    yield np.multiply, (gradient, _scalar(value, 2.0 / scores.size), gradient)


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
    true, count = gradient.reshape(-1), _scalar(value, 1.0 / truth.size)
    # Rows of scores lie `places` apart, one behind the other where there is one place.
    places = math.prod(scores.shape[2:])
    first = np.arange(len(scores))[:, None] * places * scores.shape[1] + np.arange(places)
    where, step = np.empty(truth.size, np.int64), np.array(places)
    yield np.multiply, (truth, step, where)
    yield np.add, (where, first.reshape(-1), where)
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
    count = _scalar(value, 1.0 / scores.size)
    yield np.absolute, (scores, soft)
    yield np.negative, (soft, soft)
    yield np.exp, (soft, soft)
    yield np.log1p, (soft, gradient)
    yield np.add.reduce, (gradient.reshape(-1), 0, None, value)
    yield partial(np.maximum, scores, _scalar(value, 0.0), out=gradient), ()
    yield from _add_sum(gradient, value)
    yield np.multiply, (scores, truth, gradient)
    yield np.negative, (gradient, gradient)
    yield from _add_sum(gradient, value)
    yield np.multiply, (value, count, value)
    yield partial(np.minimum, scores, _scalar(value, 0.0), out=gradient), ()
    yield np.exp, (gradient, gradient)
    yield np.add, (soft, _scalar(value, 1.0), soft)
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
    place = np.arange(batch) * classes
    where = np.empty_like(place)
    yield np.add, (truth, place, where)
    yield partial(np.take, scores.reshape(-1), where, out=picked, mode="clip"), ()
    yield np.subtract, (scores, picked.reshape(-1, 1), slack)
    yield np.add, (slack, _scalar(value, loss.margin), slack)
    yield slack.reshape(-1).__setitem__, (where, 0.0)
    yield partial(np.maximum, slack, _scalar(value, 0.0), out=slack), ()
    yield np.add.reduce, (slack.reshape(-1), 0, None, value)
    yield np.multiply, (value, _scalar(value, 1.0 / batch), value)
    yield np.greater, (slack, _scalar(value, 0.0), mask)
    yield np.multiply, (mask, _scalar(value, 1.0 / batch), gradient)
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
    yield np.multiply, (mask, _scalar(value, 2.0), sign)
    yield np.subtract, (sign, _scalar(value, 1.0), sign)
    yield np.multiply, (sign, scores.reshape(-1), slack)
    yield np.subtract, (_scalar(value, loss.margin), slack, slack)
    yield partial(np.maximum, slack, _scalar(value, 0.0), out=slack), ()
    yield np.add.reduce, (slack, 0, None, value)
    yield np.multiply, (value, _scalar(value, 1.0 / batch), value)
    yield np.greater, (slack, _scalar(value, 0.0), mask)
    yield np.multiply, (mask, _scalar(value, -1.0 / batch), flat)
    yield np.multiply, (flat, sign, flat)


def _scalar(like: Array, number: float) -> Array:
    """A 0-d array: ufuncs take it faster than a Python float, and keep the precision."""
    return np.array(number, like.dtype)


def _add_sum(terms: Array, value: Array) -> Iterator[Call]:
    """value += sum of terms."""
    part = np.zeros((), value.dtype)
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
