"""Matrix products that are large enough for several threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import Array, Call

WORTH_SHARING = 50_000_000
"""Multiply-adds from which a second thread pays for its hand-over."""


def multiplied(left: Array, right: Array, out: Array) -> Call:
    """out = left right, of two matrices."""
    if left.size * right.shape[1] < WORTH_SHARING:
        return left.dot, (right, out)
    return product, (left, right, out)


def product(left: Array, right: Array, out: Array) -> None:
    """A product that threads may share: who binds it may put its `parts` in its place."""
    left.dot(right, out)


def parts(left: Array, right: Array, out: Array, count: int) -> Iterator[Call]:
    """As many products that make the same, by rows or by columns, whichever are more.

    One library's threads spin for a while when they have no more to do, beside whoever works then;
    those of the net sleep.
    """
    by_rows = len(out) >= out.shape[1]
    length = len(out) if by_rows else out.shape[1]
    for number in range(count):
        part = slice(length * number // count, length * (number + 1) // count)
        if by_rows:
            yield np.matmul, (left[part], right, out[part])
        else:
            yield np.matmul, (left, right[:, part], out[:, part])
