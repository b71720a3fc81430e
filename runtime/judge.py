"""Scores against the truth, outside training."""

from __future__ import annotations

import numpy as np

from ..compiler.shapes import Value
from ..compiler.training import Bce, Hinge, Loss
from .history import Scores
from .kernels import Array
from .losses import COMPUTE


def judge(loss: Loss, scores: Array, truth: Array) -> Scores:
    """Loss and accuracy of scores (N, ...) against truth as `as_truth` returns it."""
    return Scores(mean_loss(loss, scores, truth), accuracy(loss, scores, truth))


def mean_loss(loss: Loss, scores: Array, truth: Array) -> float:
    """The mean over the examples, by the very calls that training makes."""
    value = np.zeros((), scores.dtype)
    shape = scores.shape[1:]
    needed = loss.scratch(len(scores), Value(shape))
    names = {"float": scores.dtype, "bool": np.dtype(bool), "int64": np.dtype(np.int64)}
    scratch = {name: np.empty(n.shape, names[n.dtype]) for name, n in needed.items()}
    gradient = np.empty_like(scores)
    for function, arguments in COMPUTE[type(loss)](loss, scores, truth, value, gradient, scratch):
        function(*arguments)
    return float(value)


def accuracy(loss: Loss, scores: Array, truth: Array) -> float | None:
    """The share of right answers: the largest score, or the sign where there is one score."""
    if loss.target == "labels" and scores.shape[1] > 1:
        return float(np.mean(scores.argmax(axis=1) == truth))
    if isinstance(loss, Bce | Hinge):
        return float(np.mean((scores.reshape(truth.shape) > 0) == (truth > 0.5)))
    return None
