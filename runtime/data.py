"""Data sets: what they are, where they come from, how they are split and fitted to a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from errno import ENAMETOOLONG, ENOENT, ENOTDIR
from math import floor, prod
from operator import index
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from types import MappingProxyType
from typing import Any, get_args

import numpy as np

from ..compiler.errors import BadSetting
from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from . import bundled
from .data_errors import (
    AxesOrder,
    BadSeed,
    CannotSplit,
    ClassesDisagree,
    DataShape,
    DataUnfit,
    EmptyData,
    NoSuchData,
    OneClass,
    UnknownFormat,
)
from .dataset import Dataset
from .kernels import Array
from .names import counted_as
from .npy import holds_npy, npy_inputs, npz_inputs, read_npy, read_npz
from .parquet import parquet_inputs, read_parquet
from .pictures import holds_images, image_inputs, is_image, read_folder
from .readers import (
    Truth,
    csv_inputs,
    holds_idx,
    idx_inputs,
    is_idx,
    read_csv,
    read_idx,
    reading,
    visible,
)
from .rows import Rows
from .teaching import TEACHING, teaching

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
    resize: tuple[int, int] | None = None,
) -> Dataset:
    """A data set by name, or from a file or folder.

    Names: `digits`, `iris`, `spiral`, `moons` ship; `wine`, `breast_cancer`, `diabetes` come with
    scikit-learn (extra `sklearn`).

    Files: `.npz` with arrays x and y (or x_train and y_train, or x_test and y_test: `source` says
    which); `.npy` with the truth in another beside it, x.npy and y.npy; `.csv` and `.parquet`
    (extra `parquet`) whose last column, or the one called `target`, is the truth; IDX images (`.gz`
    too) with their labels beside them; a folder that holds a pair of IDX or .npy files, or a folder
    of images for each class (extra `images`; `resize`, (height, width), brings them to one size).
    Images of bytes come as (N, channels, H, W), 0 to 1.

    Words are classes, in sorted order. Whole numbers are class labels as they stand, counted from
    0. Numbers of which one has a decimal point, or that are stored as floats, are values to
    predict. `truth` ("classes", "values") overrules this for numbers; IDX holds classes unless it
    does. The drawn sets differ by `seed`.

    Arrays of 64 MiB and more that are not compressed (.npz as np.savez writes it, .npy, IDX) stay
    in their file: x is then `Rows`, which reads what is asked for, and finds NaN when it does.

    Raises SpecError when there is no such set, or when its file is wrong in any way.
    """
    seed = as_seed(seed)
    if target is not None and not isinstance(target, str):
        raise _unknown("target", f"is a column's name, not {target!r}")
    if truth is not None and truth not in get_args(Truth):
        raise _unknown("truth", f"cannot be {truth!r}", " or ".join(get_args(Truth)))
    text = str(name)
    ships = text in BUNDLED or text in TEACHING
    if target is not None and (ships or Path(name).suffix.lower() not in COLUMNED):
        advice = "`target` is for .csv and .parquet files"
        raise SpecError([DataUnfit(None, text, "has no columns", advice)])
    if resize is not None and (ships or not Path(name).is_dir()):
        advice = "`resize` is for folders of images"
        raise SpecError([DataUnfit(None, text, "has no images to resize", advice)])
    if text in BUNDLED:
        return BUNDLED[text](seed)
    if text in TEACHING:
        return teaching(text)
    path = _found(text)
    with reading(path):
        return _read(path, target, truth, resize)


COLUMNED = frozenset({".csv", ".parquet"})
"""Files whose columns have names."""


def _read(
    path: Path, target: str | None, truth: Truth | None, resize: tuple[int, int] | None
) -> Dataset:
    ending = path.suffix.lower()
    if ending == ".npz":
        return read_npz(path, truth)
    if ending == ".csv":
        return read_csv(path, target, truth)
    if ending == ".parquet":
        return read_parquet(path, target, truth)
    if path.is_dir():
        return _read_folder(path, truth, resize)
    if ending == ".npy":
        return read_npy(path, truth)
    if is_idx(path):
        return read_idx(path, truth)
    raise SpecError([UnknownFormat(None, str(path))])


def _read_folder(folder: Path, truth: Truth | None, resize: tuple[int, int] | None) -> Dataset:
    if holds_idx(folder):
        return read_idx(folder, truth)
    if holds_npy(folder):
        return read_npy(folder, truth)
    if not visible(folder):
        raise SpecError([EmptyData(None, str(folder), "files")])
    if not holds_images(folder):
        advice = "a folder holds IDX files, x.npy and y.npy, or a folder of images for each class"
        raise SpecError([DataUnfit(None, str(folder), "holds no data that is read", advice)])
    if truth == "values":
        raise SpecError([DataUnfit(None, str(folder), "holds classes of images, not values")])
    return read_folder(folder, resize)


def load_inputs(
    name: str,
    shape: tuple[int, ...],
    *,
    target: str | None = None,
    resize: tuple[int, int] | None = None,
) -> Dataset:
    """Examples to predict, of the shape a net takes: their truth need not be there.

    Where there is one, it is left out, but for the sets that ship and their classes' names. An
    image, or a folder of images without classes, serves too.
    """
    if name in BUNDLED or name in TEACHING:
        return fitted(load(name, target=target), shape)
    path = _found(name)
    with reading(path):
        x, names = _inputs(path, prod(shape), target, resize)
    truth = np.zeros(len(x), np.int64)
    return fitted(Dataset(path.name, x, truth, source=str(path), features=names), shape)


def _inputs(
    path: Path, size: int, target: str | None, resize: tuple[int, int] | None
) -> tuple[Array | Rows, tuple[str, ...]]:
    """Examples, and the names of their columns where they have some."""
    ending = path.suffix.lower()
    if ending == ".csv":
        return csv_inputs(path, size, target)
    if ending == ".parquet":
        return parquet_inputs(path, size, target)
    return _nameless(path, ending, resize), ()


def _nameless(path: Path, ending: str, resize: tuple[int, int] | None) -> Array | Rows:
    if ending == ".npz":
        return npz_inputs(path)
    if path.is_dir() and not (holds_idx(path) or holds_npy(path)):
        return image_inputs(path, resize)
    if ending == ".npy" or (path.is_dir() and not holds_idx(path)):
        return npy_inputs(path)
    if is_image(path):
        return image_inputs(path, resize)
    if is_idx(path) or path.is_dir():
        return idx_inputs(path)
    raise SpecError([UnknownFormat(None, str(path))])


def _found(text: str) -> Path:
    """The path of a file or folder that is there."""
    known = (*BUNDLED, *TEACHING)
    missing = SpecError([NoSuchData(None, text, nearest(text.lower(), known), known)])
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


def _unknown(argument: str, problem: str, choices: str = "") -> SpecError:
    return SpecError([BadSetting(None, argument, problem, choices and f"choose {choices}")])


def as_seed(given: object) -> int:
    """A seed, from any whole number; raises SpecError for what is none, or below 0."""
    try:
        seed = index(given)  # type: ignore[arg-type]
    except TypeError:
        raise SpecError([BadSeed(None, given)]) from None
    if seed < 0:
        raise SpecError([BadSeed(None, seed)])
    return seed


def split(data: Dataset, held_out: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Two parts, the second of about `held_out` of the examples; every class keeps its share.

    The same seed gives the same parts; the first has every class. Raises SpecError when a part
    would be empty, or when all labels are the same.
    """
    seed = as_seed(seed)
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


def parted(x: Any, y: Any, share: float, seed: int) -> tuple[Any, Any, Any]:
    """What to learn from (x, y), and a share of it to judge by, as `split` parts a set.

    Raises SpecError for what is neither a set nor an array with its truth.
    """
    if isinstance(x, Dataset) and y is None:
        learned, held = split(x, share, seed)
        return learned, None, held
    if y is None or isinstance(x, Mapping):
        advice = "give the examples to judge by themselves: validation=(x, y)"
        raise SpecError([BadSetting(None, "validation", "parts a set, or an array x", advice)])
    truth = np.asarray(y)
    labels = truth.astype(np.int64) if truth.dtype.kind in "iu" else truth
    learned, held = split(Dataset("x", np.asarray(x), labels), share, seed)
    return learned.x, learned.y, (held.x, held.y)


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
    return replace(data, x=data.x.reshape(len(data), *shape), came=data.came or found)


def alike(data: Dataset, learned: Dataset) -> Dataset:
    """The same examples, their labels counted as another set counts them: classes go by name.

    Raises SpecError when it has classes that the other lacks, or values in place of classes.
    """
    kinds = ["values to predict" if one.classes == () else "classes" for one in (data, learned)]
    if kinds[0] != kinds[1]:
        problem = f"it holds {kinds[0]}, the other {kinds[1]}"
        raise SpecError([ClassesDisagree(None, data.name, learned.name, problem)])
    known = set(learned.classes)
    unknown = [name for name in data.classes if name not in known]
    if unknown:
        shown = ", ".join(f"`{name}`" for name in unknown[:5]) + (", ..." if unknown[5:] else "")
        problem = f"the other does not know {shown}"
        raise SpecError([ClassesDisagree(None, data.name, learned.name, problem)])
    return counted_as(data, learned.classes) if data.classes else data


def described(data: Dataset) -> dict[str, Any]:
    """What a report says of a set."""
    return {
        "name": data.name,
        "examples": len(data),
        "shape": list(data.x.shape[1:]),
        "classes": len(data.classes) if data.classes else None,
        "source": data.source,
    }
