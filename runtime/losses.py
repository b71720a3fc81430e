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
from ..compiler.training.losses import (
    STRETCH,
    Bce,
    BinaryHinge,
    CrossEntropy,
    Hinge,
    Huber,
    Loss,
    Mae,
    MixedCrossEntropy,
    Mse,
    SquaredHinge,
)
from .constants import filled, scalar, table
from .kernels import Array, Call, Calls
from .kernels.bounds import maximum, minimum

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
    yield from _dot(flat, flat, value, scratch)
    yield np.multiply, (value, scalar(1.0 / scores.size, value.dtype), value)
    yield np.multiply, (gradient, scalar(2.0 / scores.size, value.dtype), gradient)


def mae(
    loss: Mae,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean |s - t|; its gradient is the sign of s - t over the count, 0 where they are equal."""
    off, count = scratch["off"], scalar(1.0 / scores.size, value.dtype)
    yield np.subtract, (scores, truth, off)
    yield np.sign, (off, gradient)
    yield np.absolute, (off, off)
    yield np.add.reduce, (off.reshape(-1), 0, None, value)
    yield np.multiply, (value, count, value)
    yield np.multiply, (gradient, count, gradient)


def huber(
    loss: Huber,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """With d = s - t and c = d cut off at +-delta: mean c (d - c/2); its gradient is c / count."""
    off, part, flat = scratch["off"].reshape(-1), scratch["part"], gradient.reshape(-1)
    count = scalar(1.0 / scores.size, value.dtype)
    yield np.subtract, (scores, truth, scratch["off"])
    yield minimum, (off, scalar(loss.delta, value.dtype), flat)
    yield maximum, (flat, scalar(-loss.delta, value.dtype), flat)
    yield from _dot(flat, off, value, scratch)
    yield from _dot(flat, flat, part, scratch)
    yield np.multiply, (part, scalar(0.5, value.dtype), part)
    yield np.subtract, (value, part, value)
    yield np.multiply, (value, count, value)
    yield np.multiply, (gradient, count, gradient)


def cross_entropy(
    loss: CrossEntropy,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean log(sum exp(s)) - s_t, with the row's maximum taken out first."""
    total, picked, where = scratch["row"], scratch["picked"], scratch["where"]
    row, true = _beside(total, scores), gradient.reshape(-1)
    yield from _find(truth, where, scores)
    yield from _shift(scores, row, gradient)
    yield partial(np.take, true, where, out=picked, mode="clip"), ()
    if loss.smoothing:
        yield from _class_sums(gradient, _class_shares(loss, scores), scratch["even"])
    yield from _softmax(gradient, row)
    yield np.log, (total, total)
    finish = _plain if loss.weights is None else _weighted
    yield from finish(loss, scores, truth, value, gradient, scratch)


def _plain(
    loss: CrossEntropy,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """Rows that count alike: log sum - (1 - smoothing) s_t - smoothing mean(s)."""
    total, picked, true = scratch["row"], scratch["picked"], gradient.reshape(-1)
    count = scalar(1.0 / truth.size, value.dtype)
    if loss.smoothing:
        even, share = scratch["even"], scalar(loss.smoothing, value.dtype)
        yield np.multiply, (picked, scalar(1.0 - loss.smoothing, value.dtype), picked)
        yield np.multiply, (even, share, even)
        yield np.subtract, (total, even, total)
        yield (
            np.subtract,
            (gradient, scalar(loss.smoothing / scores.shape[1], value.dtype), gradient),
        )
    yield np.subtract, (total, picked, picked)
    yield partial(np.add.reduce, picked, out=value), ()
    yield np.multiply, (value, count, value)
    yield np.subtract.at, (true, scratch["where"], 1.0 - loss.smoothing)
    yield np.multiply, (gradient, count, gradient)


def _weighted(
    loss: CrossEntropy,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """Rows that count as their true class's weight v does, over the sum of these:
    (1 - smoothing) v_t (log sum - s_t) + smoothing mean(v (log sum - s))."""
    assert loss.weights is not None
    weight, heavy, total, picked = (scratch[n] for n in ("weight", "heavy", "row", "picked"))
    smoothing, kept = loss.smoothing, scalar(1.0 - loss.smoothing, value.dtype)
    yield partial(np.take, _weights(loss, value), truth, out=weight, mode="clip"), ()
    yield partial(np.add.reduce, weight, out=heavy), ()
    # A batch of classes that count nothing has the loss 0.
    smallest = scalar(float(np.finfo(value.dtype).tiny), value.dtype)
    yield maximum, (heavy, smallest, heavy)
    yield np.divide, (scalar(1.0, value.dtype), heavy, heavy)
    yield np.subtract, (total, picked, picked)
    yield np.multiply, (weight, kept, weight)
    yield np.multiply, (picked, weight, picked)
    if smoothing:
        mean = sum(loss.weights) / len(loss.weights)
        even = scratch["even"]
        yield np.multiply, (total, scalar(mean, value.dtype), total)
        yield np.subtract, (total, even, even)
        yield np.multiply, (even, scalar(smoothing, value.dtype), even)
        yield np.add, (picked, even, picked)
        yield np.add, (weight, scalar(smoothing * mean, value.dtype), total)
    yield partial(np.add.reduce, picked, out=value), ()
    yield np.multiply, (value, heavy, value)
    pull = total if smoothing else weight
    yield np.multiply, (gradient, _beside(pull, scores), gradient)
    if smoothing:
        spread = _class_shares(loss, scores, smoothing)
        yield np.subtract, (gradient, _by_class(spread, scores), gradient)
    yield np.subtract.at, (gradient.reshape(-1), scratch["where"], weight)
    yield np.multiply, (gradient, heavy, gradient)


def mixed_cross_entropy(
    loss: MixedCrossEntropy,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean sum a (log(sum exp(s)) - s), with the aim a = v ((1 - smoothing) q + smoothing / classes)
    of shares q and weights v; its gradient is (sum(a) softmax(s) - a) / rows."""
    total, weight, part = scratch["row"], scratch["weight"], scratch["part"]
    row, flat = _beside(total, scores), gradient.reshape(-1)
    aimed = scratch["aimed"].reshape(scores.shape)
    count = scalar(1.0 / total.size, value.dtype)
    yield np.multiply, (truth, scalar(1.0 - loss.smoothing, value.dtype), aimed)
    yield np.add, (aimed, scalar(loss.smoothing / scores.shape[1], value.dtype), aimed)
    if loss.weights is not None:
        yield np.multiply, (aimed, _by_class(_weights(loss, value), scores), aimed)
    yield from _class_sums(aimed, filled(1.0, scores.shape[1], value.dtype), weight)
    yield from _shift(scores, row, gradient)
    yield from _dot(flat, aimed.reshape(-1), part, scratch)
    yield from _softmax(gradient, row)
    yield np.log, (total, total)
    yield from _dot(total, weight, value, scratch)
    yield np.subtract, (value, part, value)
    yield np.multiply, (value, count, value)
    yield np.multiply, (gradient, _beside(weight, scores), gradient)
    yield np.subtract, (gradient, aimed, gradient)
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
    yield maximum, (scores, scalar(0.0, value.dtype), gradient)
    yield from _add_sum(gradient, value, scratch)
    yield np.multiply, (scores, truth, gradient)
    yield np.negative, (gradient, gradient)
    yield from _add_sum(gradient, value, scratch)
    yield np.multiply, (value, count, value)
    yield minimum, (scores, scalar(0.0, value.dtype), gradient)
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
    """The mean over rows of the wrong classes' slack; a slack pulls by 1 wherever it is above 0."""
    slack = scratch["slack"].reshape(scores.shape)
    yield from _slack(loss, scores, truth, scratch)
    yield np.add.reduce, (slack.reshape(-1), 0, None, value)
    yield np.sign, (slack, gradient)
    yield from _pull(1.0, scores, truth, value, gradient, scratch)


def squared_hinge(
    loss: SquaredHinge,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """The mean over rows of the wrong classes' squared slack; a slack pulls by twice itself."""
    slack = scratch["slack"].reshape(scores.shape)
    yield from _slack(loss, scores, truth, scratch)
    flat = slack.reshape(-1)
    yield from _dot(flat, flat, value, scratch)
    yield np.copyto, (gradient, slack)
    yield from _pull(2.0, scores, truth, value, gradient, scratch)


def _slack(loss: Hinge, scores: Array, truth: Array, scratch: Mapping[str, Array]) -> Calls:
    """max(0, s - s_t + margin) of every class, 0 of the true one."""
    slack, picked, where = (
        scratch["slack"].reshape(scores.shape),
        scratch["picked"],
        scratch["where"],
    )
    yield from _find(truth, where, scores)
    yield partial(np.take, scores.reshape(-1), where, out=picked, mode="clip"), ()
    yield np.subtract, (scores, _beside(picked, scores), slack)
    yield np.add, (slack, scalar(loss.margin, scores.dtype), slack)
    yield slack.reshape(-1).__setitem__, (where, 0.0)
    yield maximum, (slack, scalar(0.0, scores.dtype), slack)


def _pull(
    factor: float,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """Turn sums into means; what pushes the wrong classes down pushes the true one up."""
    row, flat = scratch["row"], gradient.reshape(-1)
    yield np.multiply, (value, scalar(1.0 / truth.size, value.dtype), value)
    yield np.multiply, (gradient, scalar(factor / truth.size, value.dtype), gradient)
    beside = _beside(row, scores)
    yield partial(np.add.reduce, gradient, axis=1, keepdims=True, out=beside), ()
    yield np.subtract.at, (flat, scratch["where"], row)


def binary_hinge(
    loss: BinaryHinge,
    scores: Array,
    truth: Array,
    value: Array,
    gradient: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """mean max(0, margin - t s) with t = 2 truth - 1; its gradient is -t / count where above 0."""
    slack, count = scratch["slack"], scalar(1.0 / scores.size, value.dtype)
    yield np.multiply, (truth, scalar(-2.0, value.dtype), gradient)
    yield np.add, (gradient, scalar(1.0, value.dtype), gradient)
    yield np.multiply, (gradient, scores, slack)
    yield np.add, (slack, scalar(loss.margin, value.dtype), slack)
    yield maximum, (slack, scalar(0.0, value.dtype), slack)
    yield np.add.reduce, (slack.reshape(-1), 0, None, value)
    yield np.multiply, (value, count, value)
    yield np.sign, (slack, slack)
    yield np.multiply, (gradient, slack, gradient)
    yield np.multiply, (gradient, count, gradient)


# ------------------------------------------------------------------------------ rows of classes


def _beside(rows: Array, scores: Array) -> Array:
    """A number a row, shaped to meet the scores of its row."""
    return rows.reshape(len(scores), 1, *scores.shape[2:])


def _by_class(numbers: Array, scores: Array) -> Array:
    """A number a class, shaped to meet the scores of its class."""
    return numbers.reshape(-1, *(1,) * (scores.ndim - 2))


def _weights(loss: CrossEntropy, value: Array) -> Array:
    key = "class weights", loss.weights, value.dtype.str
    return table(key, lambda: np.array(loss.weights, value.dtype))


def _class_shares(loss: CrossEntropy, scores: Array, whole: float = 1.0) -> Array:
    """What each class has of a mean over classes, as much as its weight says."""
    classes = scores.shape[1]
    weights = loss.weights or (1.0,) * classes
    key = "class shares", weights, whole, scores.dtype.str
    return table(key, lambda: np.array(weights, scores.dtype) * (whole / classes))


def _class_sums(scores: Array, shares: Array, target: Array) -> Calls:
    """The sum over the classes of share times score, for every row."""
    if scores.ndim == 2:
        yield scores.dot, (shares, target)
    else:
        yield np.matmul, (shares, scores, target.reshape(len(scores), -1))


def _find(truth: Array, where: Array, scores: Array) -> Calls:
    """Where each row's true score stands in the flat array of all."""
    # Rows of scores lie `places` apart, one behind the other where there is one place.
    places = math.prod(scores.shape[2:])
    yield np.multiply, (truth, scalar(places, truth.dtype), where)
    yield np.add, (where, _beginnings(len(scores), scores.shape[1], places), where)


def _shift(scores: Array, row: Array, shifted: Array) -> Calls:
    """The scores less the largest of their row."""
    yield partial(np.maximum.reduce, scores, axis=1, keepdims=True, out=row), ()
    yield np.subtract, (scores, row, shifted)


def _softmax(shifted: Array, row: Array) -> Calls:
    """Shifted scores to chances; `row` then holds the sums of powers."""
    yield np.exp, (shifted, shifted)
    yield partial(np.add.reduce, shifted, axis=1, keepdims=True, out=row), ()
    yield np.divide, (shifted, row, shifted)


def _beginnings(rows: int, classes: int, places: int) -> Array:
    """Where the scores of each row and place begin in the flat array of all."""

    def make() -> Array:
        first = np.arange(rows)[:, None] * places * classes + np.arange(places)
        return first.flatten()

    return table(("beginnings", rows, classes, places), make)


def _dot(one: Array, other: Array, value: Array, scratch: Mapping[str, Array]) -> Calls:
    """The sum of products, of many numbers by stretches."""
    if one.size <= STRETCH:
        yield one.dot, (other, value)
        return
    whole, rest = divmod(one.size, STRETCH)
    sums = scratch["stretches"][: whole + bool(rest)]
    rows = [array[: whole * STRETCH].reshape(whole, STRETCH) for array in (one, other)]
    yield partial(np.vecdot, *rows, out=sums[:whole]), ()
    if rest:
        yield one[-rest:].dot, (other[-rest:], sums[whole:].reshape(()))
    yield np.add.reduce, (sums, 0, None, value)


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

    A loss that compares classes sees scores as (rows, classes), a row for each example or step; of
    maps as (examples, classes, places).
    """
    compute = COMPUTE[type(loss)]
    if not loss.compares:
        return compute(loss, scores, truth, value, gradient, scratch)
    maps = output.rank > 1 and not output.channels_last
    shape = (len(scores), output.channels, -1) if maps else (-1, output.channels)
    rows, slopes = scores.reshape(shape), gradient.reshape(shape)
    true = truth.reshape(-1 if loss.target == "labels" else shape)
    return compute(loss, rows, true, value, slopes, scratch)


COMPUTE: Mapping[type[Loss], Compute] = MappingProxyType(
    {
        Mse: mse,
        Mae: mae,
        Huber: huber,
        CrossEntropy: cross_entropy,
        MixedCrossEntropy: mixed_cross_entropy,
        Bce: bce,
        Hinge: hinge,
        SquaredHinge: squared_hinge,
        BinaryHinge: binary_hinge,
    }
)
