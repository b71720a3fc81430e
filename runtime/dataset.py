"""A data set, in memory or in its file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..grammar.quantity import quantity
from .kernels import Array
from .rows import some_of


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and their truth.

    Attributes
    ----------
    x: (N, *shape) floats, or whole numbers; `Rows` where a large file is read as it is needed.
    y: (N,) int64 class labels, or (N, ...) float values.
    classes: the classes' names in the order of their labels; empty where y holds values.
    source: where it comes from, in a line.
    came: the shape of an example before it was fitted to a net; empty where it was not.
    features: the names of a table's columns, the truth's left out; empty where it has none.
    """

    name: str
    x: Any
    y: Any
    classes: tuple[str, ...] = ()
    source: str = ""
    came: tuple[int, ...] = ()
    features: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.x.shape[1:])) or "1"
        what = f"{len(self.classes)} classes" if self.classes else "values to predict"
        return f"<Dataset {self.name}: {quantity(len(self), 'example')} of {size}, {what}>"

    @property
    def is_labelled(self) -> bool:
        return bool(self.y.dtype == np.int64 and self.y.ndim == 1)

    def taken(self, chosen: Array) -> Dataset:
        """The examples at some indices, or where a mask is true; large arrays are not copied."""
        return replace(self, x=some_of(self.x, chosen), y=some_of(self.y, chosen))
