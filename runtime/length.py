"""How long a vector is, told right where the squares of its numbers overflow or vanish."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .kernels import Array

SMALLEST: Mapping[np.dtype[Any], float] = MappingProxyType(
    {width.dtype: float(width.tiny) / float(width.eps) for width in map(np.finfo, ("f4", "f8"))}
)
"""Sums of squares above this have lost nothing to numbers too small for the type."""


def length(vector: Array, block: Array) -> float:
    """The Euclidean norm; infinite or NaN where one of the numbers is. `block` is scratch."""
    square = float(vector.dot(vector))
    if SMALLEST[vector.dtype] < square < math.inf:
        return math.sqrt(square)
    return _scaled(vector, block)


def _scaled(vector: Array, block: Array) -> float:
    """Over numbers that are divided by the largest of them, block by block."""
    largest = float(max(vector.max(), -vector.min()))
    if not 0 < largest < math.inf:
        return largest
    total = 0.0
    for start in range(0, vector.size, block.size):
        part = vector[start : start + block.size]
        small = np.divide(part, largest, out=block[: part.size])
        total += float(small.dot(small))
    return largest * math.sqrt(total)
