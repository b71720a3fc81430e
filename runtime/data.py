"""Data sets: what they are, where they come from, how they are split and fitted to a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from errno import ENAMETOOLONG, ENOENT, ENOTDIR
from math import floor, prod
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from types import MappingProxyType
from typing import Any

import numpy as np

from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from . import bundled
from .data_errors import (
    AxesOrder,
    BadSeed,
    CannotSplit,
    DataShape,
    DataUnfit,
    NoSuchData,
    OneClass,
    UnknownFormat,
)
from .dataset import Dataset
from .kernels import Array
from .readers import (
    Truth,
    csv_inputs,
    idx_inputs,
    is_idx,
    npz_inputs,
    read_csv,
    read_idx,
    read_npz,
    reading,
)

BUNDLED: Mapping[str, Callable[[int], Dataset]] = MappingProxyType(
    {
        "digits": lambda seed: bundled.digits(),
        "iris": lambda seed: bundled.iris(),
        "spiral": bundled.spiral,
        "moons": bundled.moons,
    }
)
"""Sets that need no file; the generated ones are drawn from a seed."""


def load(
    name: str | Path,
    *,
    target: str | None = None,
    truth: Truth | None = None,
    seed: int = 0,
) -> Dataset:
    """A data set by name (`digits`, `iris`, `spiral`, `moons`) or from a file.

    Files: `.npz` with arrays x and y (or x_train and y_train, or x_test and y_test: `source` says
    which); `.csv` whose last column, or the one called `target`, is the truth; IDX images (`.gz`
    too) with their labels beside them, or a folder that holds a pair. Images of bytes come as
    (N, 1, H, W), 0 to 1.

    Words are classes, in sorted order. Whole numbers are class labels as they stand, counted from
    0. Numbers of which one has a decimal point, or that are stored as floats, are values to
    predict. `truth` ("classes", "values") overrules this for numbers; IDX holds classes unless it
    does. The drawn sets differ by `seed`.

    Raises SpecError when there is no such set, or when its file is wrong in any way.
    """
    _check_seed(seed)
    text = str(name)
    if target is not None and (text in BUNDLED or Path(name).suffix.lower() != ".csv"):
        raise SpecError([DataUnfit(None, text, "has no columns", "`target` is for .csv files")])
    if text in BUNDLED:
        return BUNDLED[text](seed)
    path = _found(text)
    with reading(path):
        return _read(path, target, truth)


def _read(path: Path, target: str | None, truth: Truth | None) -> Dataset:
    ending = path.suffix.lower()
    if ending == ".npz":
        return read_npz(path, truth)
    if ending == ".csv":
        return read_csv(path, target, truth)
    if is_idx(path) or path.is_dir():
        return read_idx(path, truth)
    raise SpecError([UnknownFormat(None, str(path))])


def load_inputs(name: str, shape: tuple[int, ...], *, target: str | None = None) -> Dataset:
    """Examples to predict, of the shape a net takes: their truth need not be there.

    Where there is one, it is left out, but for the sets that ship and their classes' names.
    """
    if name in BUNDLED:
        return fitted(load(name, target=target), shape)
    path, size = _found(name), prod(shape)
    ending = path.suffix.lower()
    with reading(path):
        if ending == ".npz":
            x = npz_inputs(path)
        elif ending == ".csv":
            x = csv_inputs(path, size, target)
        elif is_idx(path) or path.is_dir():
            x = idx_inputs(path)
        else:
            raise SpecError([UnknownFormat(None, str(path))])
    return fitted(Dataset(path.name, x, np.zeros(len(x), np.int64), (), str(path)), shape)


def _found(text: str) -> Path:
    """The path of a file or folder that is there."""
    near = nearest(text.lower(), BUNDLED)
    missing = SpecError([NoSuchData(None, text, near, tuple(BUNDLED))])
    if not text or "\0" in text:
        raise missing
    path = Path(text)
    with reading(path):
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if error.errno in {ENOENT, ENOTDIR, ENAMETOOLONG}:
                raise missing from None
            raise
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise SpecError([DataUnfit(None, text, "is neither a file nor a folder")])
    return path


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise SpecError([BadSeed(None, seed)])


def split(data: Dataset, held_out: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Two parts, the second of about `held_out` of the examples; every class keeps its share.

    The same seed gives the same parts; the first has every class. Raises SpecError when a part
    would be empty, or when all labels are the same.
    """
    _check_seed(seed)
    if not 0 < held_out < 1:
        raise SpecError([CannotSplit(None, data.name, len(data), held_out)])
    rng = np.random.Generator(np.random.PCG64(seed))
    groups = _by_class(data) if data.is_labelled else [np.arange(len(data))]
    held = _shares([len(group) for group in groups], held_out)
    away = np.zeros(len(data), bool)
    for group, count in zip(groups, held, strict=True):
        away[rng.permutation(group)[:count]] = True
    if not away.any():
        raise SpecError([CannotSplit(None, data.name, len(data), held_out)])
    return data.taken(~away), data.taken(away)


def _by_class(data: Dataset) -> list[Array]:
    """The places of each class's examples, for classes that have any."""
    labels = np.unique(data.y)
    if len(labels) == 1:
        only = int(labels[0])
        named = data.classes[only] if only < len(data.classes) else str(only)
        raise SpecError([OneClass(None, data.name, len(data), named)])
    return [np.flatnonzero(data.y == label) for label in labels]


def _shares(counts: list[int], held_out: float) -> list[int]:
    """How many of each group are held out: the share in whole, by largest remainder."""
    exact = [count * held_out for count in counts]
    shares = [
        min(floor(share), max(0, count - 1)) for share, count in zip(exact, counts, strict=True)
    ]
    by_remainder = sorted(range(len(counts)), key=lambda i: shares[i] - exact[i])
    able = [i for i in by_remainder if shares[i] + 1 < counts[i]]
    for i in able[: round(sum(counts) * held_out) - sum(shares)]:
        shares[i] += 1
    return shares


def fitted(data: Dataset, shape: tuple[int, ...]) -> Dataset:
    """The same examples in the shape a net takes: 1x8x8 as 64, in memory order.

    Raises SpecError when the sizes differ, or when the axes are the same in another order.
    """
    found = data.x.shape[1:]
    if prod(found) != prod(shape):
        raise SpecError([DataShape(None, data.name, found, shape)])
    longer, wanted = ([length for length in axes if length != 1] for axes in (found, shape))
    if longer != wanted and sorted(longer) == sorted(wanted):
        raise SpecError([AxesOrder(None, data.name, found, shape)])
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
