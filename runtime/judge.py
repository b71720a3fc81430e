"""Scores against the truth, outside training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..compiler.shapes import Value
from ..compiler.training.losses import Loss, Mse
from .history import Scores
from .kernels import Array
from .losses import computed
from .metrics import OfClass, accuracy, by_class, chosen, confusion, mse, r2, said, top, worst

ROOM = 0.05
"""The share of what guessing leaves to be won that a net must win to be better than it."""
MANY = 10
"""Classes from which on it is told whether the true one is among the first five."""


@dataclass(frozen=True)
class Tally:
    """Which classes were taken for which.

    Attributes
    ----------
    counts: by (true class, chosen class). classes: precision, recall and f1 of each.
    """

    counts: Array
    classes: tuple[OfClass, ...]


def judge(loss: Loss, output: Value, scores: Array, truth: Array) -> Scores:
    """How scores (N, *output) do against truth as `as_truth` returns it."""
    mean = worst(mean_loss(loss, output, scores, truth))
    if loss.target == "values":
        squared = mean if isinstance(loss, Mse) else mse(scores, truth)
        return Scores(mean, mse=squared, r2=r2(scores, truth))
    found = choices(loss, output, scores, truth)
    assert found is not None
    many = loss.compares and output.channels >= MANY
    five = top(scores, truth, 5, output.channel_axis + 1) if many else None
    return Scores(mean, accuracy(*found), five)


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


def guesses(accuracy: float, counts: Sequence[int]) -> bool:
    """Whether always saying the most frequent class does as well; `counts` are the examples of each
    class. Of a single class nothing can be told."""
    share = max(counts) / sum(counts)
    return share < 1 and accuracy <= share + ROOM * (1 - share)


def choices(loss: Loss, output: Value, scores: Array, truth: Array) -> tuple[Array, Array] | None:
    """What the net chose, and what is true, as whole numbers; None where there are no classes.

    Of a loss of answers they are 0 and 1, a true share of a half or less being a no.
    """
    if loss.compares:
        return chosen(scores, output.channel_axis + 1), truth
    if loss.target == "answers":
        return said(scores.reshape(truth.shape)), (truth > 0.5).astype(np.int64)
    return None


def tally(loss: Loss, output: Value, scores: Array, truth: Array) -> Tally | None:
    """Counts by (true class, chosen class), and what follows for each class; None where there are no
    classes, or many answers."""
    found = choices(loss, output, scores, truth)
    if found is None or (loss.target == "answers" and output.size > 1):
        return None
    counts = confusion(*found, max(2, output.channels))
    return Tally(counts, by_class(counts, found[1]))
