"""Examples that stay where they are: rows of a large array, read and converted where asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..grammar.diagnostics import SpecError
from .data_errors import DataChanged
from .kernels import Array

LARGE = 64 * 2**20
"""Bytes from which an array stays where it is: in its file, or whole where it is split."""


class Table(Protocol):
    """What rows are taken from: an array, in memory or in a file, or pictures that are decoded."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, chosen: Any, /) -> Any: ...


@dataclass(frozen=True)
class Seal:
    """A file as it was when it was opened. Reading what is mapped of a file that has been written
    over gives other numbers, and beyond the end of a shorter one it ends the process."""

    path: Path
    size: int
    modified: int

    def check(self) -> None:
        """Raise SpecError when the file is no longer the same."""
        try:
            found = sealed(self.path)
        except OSError:
            found = None
        if found != self:
            raise SpecError([DataChanged(None, str(self.path))])


def sealed(path: Path) -> Seal:
    """The file as it is now, under a path that holds wherever the process goes."""
    state = os.stat(path)
    return Seal(path.absolute(), state.st_size, state.st_mtime_ns)


@dataclass(frozen=True, eq=False)
class Rows:
    """An array (N, ...) by what it takes to read it: ``rows[chosen]`` is read, then converted.

    Attributes
    ----------
    table: where the numbers lie, often an np.memmap.
    shape: the array's that is stood for.
    dtype: what comes of reading.
    convert: makes read rows what they stand for: float32, images of bytes scaled to 0 .. 1.
    places: which rows of the table these are; None for all, in order.
    seal: the file as it was; None where there is none.
    """

    table: Table
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    convert: Callable[[Array], Array]
    places: Array | None = None
    seal: Seal | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """What it would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: Any) -> Array:
        """The rows at an index, a slice, some indices, or where a mask is true."""
        at = self._places(chosen)
        found = self._read(np.atleast_1d(at))
        return found if np.ndim(at) else np.asarray(found[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of it, in memory."""
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=bool(copy))

    def _places(self, chosen: Any) -> Array:
        """Where the chosen rows stand in the table."""
        if self.places is None and isinstance(chosen, np.ndarray) and chosen.dtype.kind == "i":
            return chosen
        places = np.arange(len(self)) if self.places is None else self.places
        return np.asarray(places[chosen])

    def _read(self, at: Array) -> Array:
        if self.seal is not None:
            self.seal.check()
        return self.convert(self.table[at]).reshape(len(at), *self.shape[1:])

    def reshape(self, *shape: int) -> Rows:
        """The same rows, each in another shape; the first axis stays, and may be given as -1."""
        if shape[0] not in (-1, len(self)) or prod(shape[1:]) != prod(self.shape[1:]):
            raise ValueError(f"cannot reshape rows of shape {self.shape} into {shape}")
        return replace(self, shape=(len(self), *shape[1:]))

    def taken(self, chosen: Array) -> Rows:
        """Some of the rows, by indices or a mask: nothing is read."""
        kept = self._places(chosen)
        return replace(self, places=kept, shape=(len(kept), *self.shape[1:]))


def as_they_are(rows: Array) -> Array:
    return rows


def some_of(x: Array | Rows, chosen: Array) -> Array | Rows:
    """The rows at some indices, or where a mask is true; of a large array they are not copied."""
    if isinstance(x, Rows):
        return x.taken(chosen)
    if x.nbytes < LARGE:
        picked: Array = x[chosen]
        return picked
    return Rows(x, x.shape, x.dtype, as_they_are).taken(chosen)
