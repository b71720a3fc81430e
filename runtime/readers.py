"""Data files: how arrays become a set, `.csv` and IDX."""

from __future__ import annotations

import csv
import gzip
import lzma
import os
import re
import struct
import unicodedata
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import prod
from pathlib import Path
from typing import IO, Any, Literal, Protocol, TypeAlias

import numpy as np

from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from . import rows
from .data_errors import (
    BadCell,
    BadLabels,
    DataDamaged,
    DataLengths,
    DataSizes,
    DataTooLarge,
    DataUnfit,
    EmptyData,
    NoLabels,
    NoSuchColumn,
    NotFinite,
    NumbersTooLarge,
    RaggedRow,
)
from .dataset import Dataset
from .kernels import Array
from .rows import Rows, sealed

Truth: TypeAlias = Literal["classes", "values"]
Order: TypeAlias = Literal["C", "F"]


class Place(Protocol):
    """Says where in a file a number of an example stands."""

    def __call__(self, row: int, at: tuple[int, ...] = (), /) -> str: ...


BUDGET = 2 * 2**30
"""Bytes that a data file may unfold to."""

MOST_LABEL = 65_535
"""A larger label is taken for a mistake: a value, or an identifier."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn every way in which a file can fail to be read into one message."""
    try:
        yield
    except OSError as error:
        problem = error.strerror.lower() if error.strerror else "it is damaged"
    except UnicodeDecodeError:
        problem = "it is not text in UTF-8"
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error):
        problem = "it is cut short or damaged"
    except MemoryError:
        problem = "there is not enough memory for it"
    except (NotImplementedError, RuntimeError):
        problem = "it is encrypted, or compressed in a way that is not read"
    else:
        return
    raise SpecError([DataDamaged(None, str(path), problem)])


def unfit(path: Path, problem: str, advice: str = "") -> SpecError:
    return SpecError([DataUnfit(None, str(path), problem, advice)])


def affordable(path: Path, size: int) -> None:
    if size > BUDGET:
        raise SpecError([DataTooLarge(None, str(path), size, BUDGET)])


# ------------------------------------------------------------------------- from arrays to a set


def by_row(row: int, at: tuple[int, ...] = ()) -> str:
    """Where a number stands: its row, its column, or its place among more axes; counted from 1."""
    if len(at) > 1:
        return f"row {row + 1:,} at [{', '.join(str(place + 1) for place in at)}]"
    return f"row {row + 1:,}" + "".join(f", column {place + 1:,}" for place in at)


def finished(
    path: Path,
    x: Array,
    y: Array,
    classes: tuple[str, ...] = (),
    *,
    truth: Truth | None = None,
    source: str = "",
    place: Place = by_row,
    names: tuple[str, ...] = (),
) -> Dataset:
    """A data set from arrays that were read, once they are known to make one.

    `place` says where a number stands in the file, `names` what the columns of x are called. What is mapped of a large file is not looked
    through: that is done when it is read.
    """
    if len(x) != len(y):
        raise SpecError([DataLengths(None, str(path), len(x), len(y))])
    if not len(x):
        raise SpecError([EmptyData(None, str(path), "examples")])
    if not x.size or not y.size:
        raise SpecError([EmptyData(None, str(path), "numbers in its examples")])
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if truth is None:
        truth = "classes" if y.ndim == 1 and y.dtype.kind in "iub" else "values"
    inputs = features(path, x, place)
    if truth == "values":
        stays = isinstance(y, np.memmap) and y.ndim > 1
        values = as_stored(path, y, single) if stays else _float32(path, "y", y, place)
        return Dataset(path.name, inputs, values, (), source or str(path), features=names)
    y = labels(path, y, place)
    classes = classes or tuple(str(label) for label in range(int(y.max()) + 1))
    return Dataset(path.name, inputs, y, classes, source or str(path), features=names)


def features(path: Path, x: Array, place: Place) -> Array | Rows:
    """Inputs as a net takes them: images of bytes scaled, floats in 32 bits, whole numbers whole."""
    if x.ndim == 1:
        x = x[:, None]
    if x.dtype == np.uint8 and x.ndim >= 3:
        images = x[:, None] if x.ndim == 3 else x
        return as_stored(path, images, scaled) if isinstance(x, np.memmap) else scaled(images)
    if x.dtype.kind in "fb":
        stays = isinstance(x, np.memmap)
        return as_stored(path, x, single) if stays else _float32(path, "x", x, place)
    return as_stored(path, x, native) if isinstance(x, np.memmap) else native(x)


def as_stored(path: Path, raw: Array, convert: Callable[[Array], Array]) -> Rows:
    """Rows of a mapped file, converted as they are read."""
    return Rows(raw, raw.shape, convert(np.zeros(0, raw.dtype)).dtype, convert, seal=sealed(path))


def scaled(pixels: Array) -> Array:
    """Bytes as 0 to 1."""
    return np.asarray(pixels / np.float32(255))


def native(numbers: Array) -> Array:
    """The same numbers in this machine's order of bytes, in memory."""
    return np.asarray(numbers.astype(numbers.dtype.newbyteorder("="), order="C"))


def single(numbers: Array) -> Array:
    """The same numbers in 32 bits; what is too large is infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers.astype(np.float32, order="C"))


def _float32(path: Path, what: str, numbers: Array, place: Place) -> Array:
    """The same numbers in 32 bits, all of them finite."""
    small = single(numbers)
    lost = ~np.isfinite(small)
    if lost.any():
        missing = ~np.isfinite(numbers)
        mistake, wrong = (NotFinite, missing) if missing.any() else (NumbersTooLarge, lost)
        row, *at = (int(axis) for axis in np.unravel_index(wrong.argmax(), wrong.shape))
        first = place(row, tuple(at))
        raise SpecError([mistake(None, str(path), f"`{what}`", int(wrong.sum()), first)])
    return small


def labels(path: Path, y: Array, place: Place) -> Array:
    """(N,) int64, from whole numbers of any type."""
    if y.ndim != 1:
        raise unfit(path, f"has labels of {y.ndim} axes", "one label an example, in one row")
    wrong = ~((y >= 0) & (y <= MOST_LABEL) & (y == np.floor(y)))
    if wrong.any():
        row = int(wrong.argmax())
        raise SpecError([BadLabels(None, str(path), str(y[row]), place(row), MOST_LABEL)])
    whole: Array = y.astype(np.int64)
    return whole


def mapped_array(
    path: Path, dtype: np.dtype[Any], start: int, shape: tuple[int, ...], order: Order = "C"
) -> Array | None:
    """The array that begins `start` bytes into a file and ends it, mapped into memory: nothing is
    read. None where it is small, and better read at once, or where the file's size is another."""
    wanted = prod(shape) * dtype.itemsize
    if wanted < rows.LARGE or path.stat().st_size != start + wanted:
        return None
    return np.memmap(path, dtype, "r", start, shape, order)


# -------------------------------------------------------------------------------------- .csv

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def read_csv(path: Path, target: str | None = None, truth: Truth | None = None) -> Dataset:
    """Rows of numbers with the truth in the last column, or in the one called `target`.

    The first row is a header when none of its cells is a number, or when it holds `target`. Where its
    truth alone is a word, above numbers, it may be one or not (`2020,2021,y`), which is refused.
    """
    table = _table(path, lambda first, headed: _target(path, target, first, headed), target)
    if "" in table.words:
        raise _bad_label(path, table.lines[table.words.index("")], table.column)
    for line, word in zip(table.lines, table.words, strict=True):
        if not word.isprintable() and any(map(_is_control, word)):
            problem = f"has a control character in the class {word!r} of line {line:,}"
            raise unfit(path, problem, "classes are words that can be printed")
    y, classes = _named(path, table, truth)
    place, names = table.place, table.names
    return finished(path, table.x, y, classes, truth=truth, place=place, names=names)


def csv_inputs(
    path: Path, width: int, target: str | None = None
) -> tuple[Array | Rows, tuple[str, ...]]:
    """Rows of `width` numbers, and their columns' names where a header has them; a further column,
    the last or `target`, is left out."""

    def column(first: list[str], headed: bool) -> int:
        alone = target is None and len(first) == width
        return NO_COLUMN if alone else _target(path, target, first, headed)

    table = _table(path, column, target)
    return features(path, table.x, table.place), table.names


NO_COLUMN = -1


@dataclass(frozen=True)
class _Table:
    """The rows of a .csv: their lines, the words of the column of the truth, the other numbers and
    what the header calls them; nothing where two have one name, or one has none."""

    lines: array[int]
    words: list[str]
    x: Array
    column: int
    names: tuple[str, ...]

    def place(self, row: int, at: tuple[int, ...] = ()) -> str:
        passed = [self.column != NO_COLUMN and column >= self.column for column in at]
        columns = [column + skipped + 1 for column, skipped in zip(at, passed, strict=True)]
        return f"line {self.lines[row]:,}" + "".join(f", column {column:,}" for column in columns)


def _table(path: Path, choose: Callable[[list[str], bool], int], target: str | None) -> _Table:
    """Read the rows; `choose` tells the column of the truth from the first row."""
    lines, words, numbers = array("q"), list[str](), array("d")
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        affordable(path, os.fstat(file.fileno()).st_size)
        rows = _rows(path, file)
        top = next(rows, None)
        if top is None:
            raise SpecError([EmptyData(None, str(path), "rows")])
        first = [cell.strip() for cell in top[1]]
        headed = target in first or not any(map(_is_number, first))
        column = choose(first, headed)
        for line, row in rows if headed else chain([top], rows):
            if len(row) != len(first):
                raise SpecError([RaggedRow(None, str(path), line, len(row), len(first))])
            lines.append(line)
            if column != NO_COLUMN:
                words.append(row.pop(column).strip())
            try:
                numbers.extend(map(number_of, row))
            except ValueError:
                wrong = next(i for i, cell in enumerate(row) if not _is_number(cell))
                place = wrong + (column != NO_COLUMN and wrong >= column)
                raise _bad_cell(path, line, place, row[wrong]) from None
            affordable(path, numbers.itemsize * len(numbers))
    if not headed and _may_head(words):
        problem = (
            f"may begin with a header: its truth is `{words[0]}` in line {lines[0]:,}, then numbers"
        )
        advice = f"if it is one, name the column: --target {words[0]}; if not, mend that line"
        raise unfit(path, problem, advice)
    if not lines:
        raise SpecError([EmptyData(None, str(path), "examples below its header")])
    x = np.array(numbers).reshape(len(lines), -1)
    named = headed and "" not in first and len(set(first)) == len(first)
    names = tuple(name for place, name in enumerate(first) if named and place != column)
    return _Table(lines, words, x, column, names)


def _may_head(words: list[str]) -> bool:
    """Whether the first word of the truth may be its column's name: the others are numbers."""
    if len(words) < 2 or _is_number(words[0]) or _is_grouped(words[0]):
        return False
    return all(map(_is_number, words[1:]))


def _rows(path: Path, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the number of their line."""
    reader = csv.reader(file)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error:
        raise unfit(path, f"cannot be understood in line {reader.line_num}") from None


def _target(path: Path, target: str | None, first: list[str], headed: bool) -> int:
    if len(first) < 2:
        advice = "features and truth take two at least, with commas between"
        raise unfit(path, "has one column", advice)
    if target is None:
        return len(first) - 1
    if target in first:
        return first.index(target)
    header = tuple(first) if headed else ()
    near = nearest(target, header)
    raise SpecError([NoSuchColumn(None, str(path), target, near, header)])


def number_of(cell: str) -> float:
    """A number as tables write it: `1_000`, which Python reads, is none. Raises ValueError."""
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _is_grouped(cell: str) -> bool:
    """Whether it would be a number without the marks between its digits: `1_000`."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" in cell


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc"


def _is_number(cell: str) -> bool:
    try:
        number_of(cell)
    except ValueError:
        return False
    return True


def _bad_cell(path: Path, line: int, column: int, cell: str) -> SpecError:
    return SpecError([BadCell(None, str(path), line, column + 1, cell.strip())])


def _bad_label(path: Path, line: int, column: int) -> SpecError:
    problem = f"has no truth in line {line}: column {column + 1} is empty"
    return unfit(path, problem, "every example has a class or a value")


def _named(path: Path, table: _Table, truth: Truth | None) -> tuple[Array, tuple[str, ...]]:
    """The truth as whole numbers, numbers with a point, or places among the sorted words."""
    words = table.words
    if all(map(WHOLE.fullmatch, words)):
        return np.array([int(word) for word in words]), ()
    wrong = next((i for i, word in enumerate(words) if not _is_number(word)), None)
    if wrong is None:
        return np.array([float(word) for word in words]), ()
    if truth == "values":
        raise _bad_cell(path, table.lines[wrong], table.column, words[wrong])
    if any(map(_is_number, words)):
        for line, word in zip(table.lines, words, strict=True):
            if _is_grouped(word):
                raise _bad_cell(path, line, table.column, word)
    classes = tuple(sorted(set(words)))
    rank = {word: i for i, word in enumerate(classes)}
    return np.array([rank[word] for word in words]), classes


# --------------------------------------------------------------------------------------- IDX

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def is_idx(path: Path) -> bool:
    """Whether a file is called as IDX files are."""
    return bool(re.search(r"idx|ubyte", path.name.lower()))


def read_idx(path: Path, truth: Truth | None = None) -> Dataset:
    """Images and labels in the format of MNIST: two files, or a folder that holds them.

    Source: Y. LeCun, C. Cortes, C. Burges, the MNIST database.
    """
    images = _images_in(path) if path.is_dir() else path
    beside = _labels_beside(images)
    x, y = _idx(images), _idx(beside)
    if truth != "values":
        y = labels(beside, y, by_row)
    return finished(images, x, y, truth=truth)


def idx_inputs(path: Path) -> Array | Rows:
    """Images without their labels."""
    images = _images_in(path) if path.is_dir() else path
    return features(images, _idx(images), by_row)


def holds_idx(folder: Path) -> bool:
    """Whether a folder has images in this format."""
    return bool(_images(folder))


def _images(folder: Path) -> list[Path]:
    return [file for file in visible(folder) if "images" in file.name and is_idx(file)]


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without hidden files."""
    with reading(folder):
        return sorted(file for file in folder.iterdir() if not file.name.startswith("."))


def _images_in(folder: Path) -> Path:
    found = _images(folder)
    return next((file for file in found if file.name.startswith("train")), found[0])


def _labels_beside(images: Path) -> Path:
    if "images" not in images.name:
        advice = "name the file of images; its labels are found beside it"
        raise unfit(images, "is not called as IDX images are: `...images...`", advice)
    name = re.sub(r"idx\d", "idx1", images.name.replace("images", "labels"))
    names = tuple(dict.fromkeys((name, name.removesuffix(".gz"), f"{name.removesuffix('.gz')}.gz")))
    with reading(images):
        beside = next((images.with_name(n) for n in names if images.with_name(n).exists()), None)
    if beside is None:
        raise SpecError([NoLabels(None, str(images), names)])
    return beside


def _idx(path: Path) -> Array:
    opened: Callable[[Path, str], Any] = gzip.open if path.suffix == ".gz" else open
    with reading(path), opened(path, "rb") as file:
        start = file.read(4)
        if not start:
            raise SpecError([EmptyData(None, str(path), "bytes")])
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in IDX_TYPES:
            raise unfit(path, "is no IDX file: its first bytes are wrong")
        axes = start[3]
        if not 1 <= axes <= 8:
            raise unfit(path, f"is no IDX file of numbers: it has {axes} axes")
        shape = struct.unpack(f">{axes}I", file.read(4 * axes))
        dtype = np.dtype(IDX_TYPES[start[2]])
        promised = prod(shape) * dtype.itemsize
        if (mapped := mapped_array(path, dtype, 4 + 4 * axes, shape)) is not None:
            return mapped
        affordable(path, promised)
        content = file.read(promised + 1)
    if len(content) != promised:
        mistake = DataSizes(None, str(path), "the array", shape, promised, len(content))
        raise SpecError([mistake])
    return np.frombuffer(content, dtype).reshape(shape)
