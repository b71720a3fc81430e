"""A data set in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .kernels import Array


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and their truth.

    Attributes
    ----------
    x: (N, *shape) floats, or whole numbers.
    y: (N,) int64 class labels, or (N, ...) float values.
    classes: the classes' names in the order of their labels; empty where y holds values.
    source: where it comes from, in a line.
    """

    name: str
    x: Array
    y: Array
    classes: tuple[str, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_labelled(self) -> bool:
        return self.y.dtype == np.int64 and self.y.ndim == 1

    def taken(self, chosen: Array) -> Dataset:
        """The examples at some indices, or where a mask is true."""
        return replace(self, x=self.x[chosen], y=self.y[chosen])
