"""Data sets: what they are, where they come from, how they are split and fitted to a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..grammar.diagnostics import SpecError
from . import bundled
from .dataset import Dataset
from .errors import CannotSplit, DataShape, NoSuchData
from .kernels import Array
from .readers import read_csv, read_idx, read_npz

BUNDLED: Mapping[str, Callable[[int], Dataset]] = MappingProxyType(
    {
        "digits": lambda seed: bundled.digits(),
        "iris": lambda seed: bundled.iris(),
        "spiral": bundled.spiral,
        "moons": bundled.moons,
    }
)
"""Sets that need no file; the generated ones are drawn from a seed."""


def load(name: str | Path, *, target: str | None = None, seed: int = 0) -> Dataset:
    """A data set by name (`digits`, `iris`, `spiral`, `moons`) or from a file.

    Files: `.npz` with arrays x and y; `.csv` whose last column, or the one called `target`, is the
    truth; IDX images (`.gz` too) with their labels beside them, or a folder that holds a pair.
    Raises SpecError when there is no such set, or when its file is wrong in any way.
    """
    text = str(name)
    if text in BUNDLED:
        return BUNDLED[text](seed)
    path = Path(name)
    if not path.exists():
        near = get_close_matches(text, BUNDLED, 1)
        raise SpecError([NoSuchData(None, text, near[0] if near else None, tuple(BUNDLED))])
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix == ".csv":
        return read_csv(path, target)
    return read_idx(path)


def split(data: Dataset, held_out: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Two parts, the second of about `held_out` of the examples; every class keeps its share.

    The same seed gives the same parts. Raises SpecError when a part would be empty.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    groups = (
        [np.flatnonzero(data.y == label) for label in np.unique(data.y)]
        if data.is_labelled
        else [np.arange(len(data))]
    )
    held: list[Array] = []
    for group in groups:
        shuffled = rng.permutation(group)
        held.append(shuffled[: round(len(group) * held_out)])
    away = np.zeros(len(data), bool)
    away[np.concatenate(held)] = True
    if away.all() or not away.any():
        raise SpecError([CannotSplit(None, data.name, len(data), held_out)])
    return data.taken(~away), data.taken(away)


def fitted(data: Dataset, shape: tuple[int, ...]) -> Dataset:
    """The same examples in the shape a net takes: 1x8x8 as 64, in memory order.

    Raises SpecError when the sizes differ.
    """
    wanted = int(np.prod(shape, dtype=object))
    if data.x[:1].size != wanted and len(data):
        raise SpecError([DataShape(None, data.name, data.x.shape[1:], shape)])
    return replace(data, x=data.x.reshape(len(data), *shape))


def described(data: Dataset) -> dict[str, Any]:
    """What a report says of a set."""
    return {
        "name": data.name,
        "examples": len(data),
        "shape": list(data.x.shape[1:]),
        "classes": len(data.classes) if data.classes else None,
        "source": data.source,
    }
