"""How good predictions are, told in numbers people use: each a function of arrays.

What is not a number ranks worst, never best: a row of scores that holds a NaN chooses no class, so it
is wrong whatever the truth; an error over numbers of which one is NaN is infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .kernels import Array

NONE = -1
"""What a row of scores chooses that holds a NaN."""


def chosen(scores: Array, axis: int = 1) -> Array:
    """The class with the largest score, the first of several; `NONE` where a score is NaN."""
    found = scores.argmax(axis=axis)
    return np.where(np.isnan(scores).any(axis=axis), NONE, found)


def said(scores: Array) -> Array:
    """1 for yes where the score is above 0, else 0; `NONE` where it is NaN."""
    return np.where(np.isnan(scores), NONE, scores > 0)


def accuracy(found: Array, truth: Array) -> float:
    """The share of choices that are right."""
    return float(np.mean(found == truth))


def top(scores: Array, truth: Array, most: int, axis: int = 1) -> float:
    """The share of rows whose true class is among the `most` largest scores; of equal scores the
    first class comes first, as in `chosen`."""
    rows = np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])
    labels = truth.reshape(-1, 1)
    own = np.take_along_axis(rows, labels, 1)
    earlier = np.arange(rows.shape[1]) < labels
    ahead = ((rows > own) | ((rows == own) & earlier)).sum(axis=1)
    return float(np.mean((ahead < most) & ~np.isnan(rows).any(axis=1)))


def mse(found: Array, truth: Array) -> float:
    """The mean squared error over every number."""
    return worst(float(np.mean(np.square(found.astype(float) - truth))))


def mae(found: Array, truth: Array) -> float:
    """The mean absolute error over every number."""
    return worst(float(np.mean(np.abs(found.astype(float) - truth))))


def r2(found: Array, truth: Array) -> float | None:
    """1 less the share of the variance that stays unexplained: the mean over the outputs.

    An output that never varies has 1 where it is met, else 0; fewer than two examples have none.
    Convention: sklearn.metrics.r2_score.
    """
    if len(truth) < 2:
        return None
    found, truth = (array.reshape(len(array), -1).astype(float) for array in (found, truth))
    left = np.square(truth - found).sum(axis=0)
    whole = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    flat = whole == 0
    each = np.where(flat, left == 0, 1 - left / np.where(flat, 1, whole))
    return -worst(-float(np.mean(each)))


def worst(error: float) -> float:
    """An error, infinite where it is no number."""
    return math.inf if math.isnan(error) else error


def confusion(found: Array, truth: Array, classes: int) -> Array:
    """Counts by (true class, chosen class); rows that chose none are in no column."""
    known = found != NONE
    pairs = truth[known] * classes + found[known]
    return np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class OfClass:
    """How one class is told from the others.

    Attributes
    ----------
    precision: of the rows called so, the share that are so. recall: of the rows that are so, the
        share called so. f1: the harmonic mean of both. Each is 0 where there is nothing to share.
    support: rows that are so.
    """

    precision: float
    recall: float
    f1: float
    support: int


def by_class(counts: Array, truth: Array) -> tuple[OfClass, ...]:
    """Of every class in a confusion matrix; rows that chose no class count against recall."""
    right, called = counts.diagonal(), counts.sum(axis=0)
    support = np.bincount(truth.ravel(), minlength=len(counts))
    return tuple(
        OfClass(_share(hit, all_so), _share(hit, so), _share(2 * hit, all_so + so), int(so))
        for hit, all_so, so in zip(right, called, support, strict=True)
    )


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else 0.0
