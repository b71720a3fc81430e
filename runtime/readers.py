"""Data files: `.npz`, `.csv` and IDX. Whatever is in them, nothing is ever unpickled."""

from __future__ import annotations

import csv
import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..grammar.diagnostics import SpecError
from .dataset import Dataset
from .errors import BadCell, DataDamaged, DataLengths, DataUnfit, MissingArray
from .kernels import Array

BUDGET = 2 * 2**30
"""Bytes that a data file may unfold to."""

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn every way in which a file can fail to be read into one message."""
    try:
        yield
    except OSError as error:
        problem = error.strerror.lower() if error.strerror else "it is damaged"
        raise SpecError([DataDamaged(None, str(path), problem)]) from None
    except (EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        raise SpecError([DataDamaged(None, str(path), "it is cut short or damaged")]) from None
    except UnicodeDecodeError:
        raise SpecError([DataDamaged(None, str(path), "it is not text in UTF-8")]) from None


def unfit(path: Path, problem: str, advice: str = "") -> SpecError:
    return SpecError([DataUnfit(None, str(path), problem, advice)])


def finished(path: Path, x: Array, y: Array, classes: tuple[str, ...] = ()) -> Dataset:
    """A data set from arrays that were read, once they are known to make one."""
    if len(x) != len(y):
        raise SpecError([DataLengths(None, str(path), len(x), len(y))])
    if not len(x):
        raise unfit(path, "holds no examples")
    if x.ndim == 1:
        x = x.reshape(-1, 1)
    if x.dtype == np.uint8 and x.ndim >= 3:
        x = x.astype(np.float32) / np.float32(255)
    elif x.dtype.kind == "f":
        x = x.astype(np.float32)
    for name, array in (("x", x), ("y", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
            problem = (
                f"`{name}` is not finite in {bad.sum():,} rows, first in row {bad.argmax() + 1}"
            )
            raise unfit(path, problem, "remove or fill in missing values")
    if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iub":
        y = y[:, 0]
    if y.ndim == 1 and y.dtype.kind in "iub":
        y = y.astype(np.int64)
        if y.min() < 0:
            raise unfit(path, f"labels begin at {y.min()}", "labels count from 0")
        classes = classes or tuple(str(i) for i in range(int(y.max()) + 1))
    return Dataset(path.name, np.ascontiguousarray(x), y, classes, str(path))


# -------------------------------------------------------------------------------------- .npz


def read_npz(path: Path) -> Dataset:
    """Arrays `x` and `y`, or `x_train` and `y_train`; images of bytes are scaled to 0 .. 1."""
    with reading(path):
        if not zipfile.is_zipfile(path):
            raise unfit(path, "is no .npz archive")
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > BUDGET:
            raise unfit(path, f"unfolds to {size / 2**30:,.0f} GiB", "split it into smaller files")
        with np.load(path, allow_pickle=False) as arrays:
            names = tuple(arrays.files)
            pair = next(
                (p for p in (("x", "y"), ("x_train", "y_train")) if set(p) <= set(names)), None
            )
            if pair is None:
                raise SpecError([MissingArray(None, str(path), names)])
            x, y = (_numbers(path, arrays, name) for name in pair)
    return finished(path, x, y)


def _numbers(path: Path, arrays: np.lib.npyio.NpzFile, name: str) -> Array:
    try:
        array: Array = arrays[name]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError):
        advice = "save plain arrays of numbers; Python objects are never unpickled"
        raise unfit(path, f"holds `{name}` in a form that is not read", advice) from None
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise unfit(path, f"`{name}` is {array.dtype} of shape {array.shape}, not rows of numbers")
    return array


# -------------------------------------------------------------------------------------- .csv


def read_csv(path: Path, target: str | None = None) -> Dataset:
    """Rows of numbers with the truth in the last column, or in the one called `target`.

    A first row without any number is a header. A target of words, or of whole numbers, is classes;
    one with a decimal point anywhere is values.
    """
    with reading(path):
        if path.stat().st_size > BUDGET:
            raise unfit(path, "is larger than 2 GiB", "save it as .npz")
        with path.open(newline="", encoding="utf-8-sig") as file:
            try:
                rows = [row for row in csv.reader(file) if row]
            except csv.Error:
                raise unfit(path, "has a line that is no CSV") from None
    if not rows:
        raise unfit(path, "is empty")
    headed = not any(_is_number(cell) for cell in rows[0])
    header = [cell.strip() for cell in rows[0]] if headed else []
    body = rows[1:] if headed else rows
    if not body:
        raise unfit(path, "holds a header, but no examples")
    width = len(rows[0])
    for number, row in enumerate(body, 1 + headed):
        if len(row) != width:
            raise unfit(path, f"has {len(row)} columns in line {number}, but {width} in line 1")
    if width < 2:
        raise unfit(path, "has one column", "features and truth need two at least")
    column = _target(path, target, header, width)
    features = [i for i in range(width) if i != column]
    x = np.array(
        [[_cell(path, row[i], n, i) for i in features] for n, row in enumerate(body, 1 + headed)]
    )
    y, classes = _truth([row[column].strip() for row in body])
    return finished(path, x, y, classes)


def _target(path: Path, target: str | None, header: list[str], width: int) -> int:
    if target is None:
        return width - 1
    if target in header:
        return header.index(target)
    known = ", ".join(header) if header else "it has no header"
    raise unfit(path, f"has no column `{target}`", f"columns: {known}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _cell(path: Path, cell: str, line: int, column: int) -> float:
    if not _is_number(cell):
        raise SpecError([BadCell(None, str(path), line, column + 1, cell.strip())])
    return float(cell)


def _truth(cells: list[str]) -> tuple[Array, tuple[str, ...]]:
    if all(cell.lstrip("+-").isdigit() and len(cell) < 18 for cell in cells):
        return np.array([int(cell) for cell in cells]), ()
    if all(_is_number(cell) for cell in cells):
        return np.array([float(cell) for cell in cells], np.float32), ()
    classes = tuple(sorted(set(cells)))
    place = {name: i for i, name in enumerate(classes)}
    return np.array([place[cell] for cell in cells]), classes


# --------------------------------------------------------------------------------------- IDX


def read_idx(path: Path) -> Dataset:
    """Images and labels in the format of MNIST: two files, or a folder that holds them.

    Source: Y. LeCun, C. Cortes, C. Burges, the MNIST database.
    """
    images, labels = _pair(path)
    x, y = _idx(images), _idx(labels)
    if x.ndim == 3:
        x = x[:, None]
    if y.ndim != 1:
        raise unfit(labels, f"has {y.ndim} axes, but labels are one row")
    return finished(images, x, y.astype(np.int64))


def _pair(path: Path) -> tuple[Path, Path]:
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if "images" in p.name and "idx" in p.name)
        if not found:
            raise unfit(
                path, "holds no IDX images", "expected a file such as train-images-idx3-ubyte"
            )
        path = next((p for p in found if p.name.startswith("train")), found[0])
    if "images" not in path.name:
        advice = "data is .npz, .csv, IDX (...-images-idx3-ubyte, .gz too) or a bundled set"
        raise unfit(path, "has an ending that is not read", advice)
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    labels = path.with_name(name)
    if not labels.exists():
        raise unfit(path, f"has no labels beside it: expected `{name}`")
    return path, labels


def _idx(path: Path) -> Array:
    with reading(path):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            content = file.read(BUDGET + 1)
    if len(content) > BUDGET:
        raise unfit(path, "unfolds to more than 2 GiB")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise unfit(path, "is no IDX file: its first bytes are wrong")
    axes = content[3]
    start = 4 + 4 * axes
    if not 1 <= axes <= 8 or len(content) < start:
        raise unfit(path, "is cut short")
    shape = struct.unpack(f">{axes}I", content[4:start])
    dtype = np.dtype(IDX_TYPES[content[2]])
    wanted = dtype.itemsize
    for size in shape:
        wanted *= size
    if len(content) - start != wanted:
        problem = f"promises {wanted:,} bytes of numbers, but holds {len(content) - start:,}"
        raise unfit(path, problem)
    return (
        np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    )
