"""Scores against the truth, outside training."""

from __future__ import annotations

import numpy as np

from ..compiler.shapes import Value
from ..compiler.training.losses import Bce, Hinge, Loss
from .history import Scores
from .kernels import Array
from .losses import computed


def judge(loss: Loss, output: Value, scores: Array, truth: Array) -> Scores:
    """Loss and accuracy of scores (N, *output) against truth as `as_truth` returns it."""
    right = accuracy(loss, output, scores, truth)
    return Scores(mean_loss(loss, output, scores, truth), right)


def mean_loss(loss: Loss, output: Value, scores: Array, truth: Array) -> float:
    """The mean over the examples, by the very calls that training makes."""
    value = np.zeros((), scores.dtype)
    needed = loss.scratch(len(scores), output)
    names = {"float": scores.dtype, "bool": np.dtype(bool), "int64": np.dtype(np.int64)}
    scratch = {name: np.empty(n.shape, names[n.dtype]) for name, n in needed.items()}
    gradient = np.empty_like(scores)
    calls = computed(loss, output, scores, truth, value, gradient, scratch)
    for function, arguments in calls:
        function(*arguments)
    return float(value)


def accuracy(loss: Loss, output: Value, scores: Array, truth: Array) -> float | None:
    """The share of right answers: the largest score, or the sign where there is one score."""
    if loss.target == "labels" and output.channels > 1:
        return float(np.mean(scores.argmax(axis=output.channel_axis + 1) == truth))
    if isinstance(loss, Bce | Hinge):
        return float(np.mean((scores.reshape(truth.shape) > 0) == (truth > 0.5)))
    return None
