"""What weights cost for being large: l2, l1, and the length that no neuron may pass."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..compiler.training import Training
from .constants import scalar
from .kernels import Array, Calls
from .length import length


def penalty(training: Training, decaying: Array, block: Array) -> float:
    """What l2 and l1 add to the loss: l2/2 times the squares, l1 times the absolute values."""
    total = 0.0
    if training.l2:
        norm = length(decaying, block)
        total += 0.5 * training.l2 * norm * norm
    if training.l1:
        total += training.l1 * sum(_absolute(decaying, block))
    return total


def _absolute(vector: Array, block: Array) -> Iterator[float]:
    """The sums of absolute values, block by block."""
    for start in range(0, vector.size, block.size):
        part = vector[start : start + block.size]
        yield float(np.abs(part, out=block[: part.size]).sum())


def pulls(training: Training, decaying: Array, gradient: Array, block: Array) -> Calls:
    """Their gradient, added to that of the loss: l2 w, and l1 sign(w), which is 0 at 0."""
    pull, onto = block[: decaying.size], gradient[: decaying.size]
    if training.l2 and decaying.size:
        yield np.multiply, (decaying, scalar(training.l2, pull.dtype), pull)
        yield np.add, (onto, pull, onto)
    if training.l1 and decaying.size:
        yield np.sign, (decaying, pull)
        yield np.multiply, (pull, scalar(training.l1, pull.dtype), pull)
        yield np.add, (onto, pull, onto)


def limit(weight: Array, most: float, block: Array) -> None:
    """Shorten to `most` what comes into any one neuron and is longer.

    `weight`: over (rows, summed, columns, summed), as `Weight.by_neuron` has it.
    """
    for rows, columns in _tiles(weight.shape[0], weight.shape[2], block.size):
        part = weight[rows, :, columns]
        count = part.shape[0] * part.shape[2]
        lengths = block[:count].reshape(part.shape[0], part.shape[2])
        np.einsum("aibj,aibj->ab", part, part, out=lengths)
        if not float(lengths.max()) < math.inf:
            _shrink(part, lengths, most)
            np.einsum("aibj,aibj->ab", part, part, out=lengths)
        np.sqrt(lengths, out=lengths)
        if float(lengths.max()) > most:
            np.maximum(lengths, most, out=lengths)
            np.divide(most, lengths, out=lengths)
            np.multiply(part, lengths[:, None, :, None], out=part)


def _shrink(weight: Array, squares: Array, most: float) -> None:
    """Bring what is so long that its squares overflow near to `most`, from above."""
    fine = np.isfinite(squares)
    largest = np.where(fine, 1, np.abs(weight).max(axis=(1, 3)))
    np.divide(weight, largest[:, None, :, None], out=weight)
    np.multiply(weight, np.where(fine, 1, most)[:, None, :, None], out=weight, casting="same_kind")


def _tiles(rows: int, columns: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Pieces of a table that hold at most so many numbers."""
    wide = min(columns, most)
    high = max(1, most // wide)
    for left in range(0, columns, wide):
        for top in range(0, rows, high):
            yield slice(top, top + high), slice(left, left + wide)
