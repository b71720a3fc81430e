"""NumPy's own files, `.npz` and `.npy`. Whatever is in them, nothing is ever unpickled.

What is large and not compressed is mapped into memory, never read whole.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from ..grammar.diagnostics import SpecError
from . import rows
from .data_errors import (
    DataDamaged,
    DataSizes,
    EmptyData,
    MissingArray,
    NoLabels,
    PythonObjects,
)
from .dataset import Dataset
from .kernels import Array
from .readers import (
    Order,
    Truth,
    affordable,
    by_row,
    features,
    finished,
    labels,
    mapped_array,
    reading,
    unfit,
    visible,
)
from .rows import Rows

ENCRYPTED = 0x1
LENGTHS = 26
"""Where the header of a member says how long its name and its extra field are."""

PAIRS = (("x", "y"), ("x_train", "y_train"), ("x_test", "y_test"))
"""What the arrays may be called; the first pair that is there is taken."""


def read_npz(path: Path, truth: Truth | None = None) -> Dataset:
    """Arrays `x` and `y`, or `x_train` and `y_train`; images of bytes are scaled to 0 .. 1."""
    names, (x, y) = _members(path, PAIRS)
    source = str(path) if names == PAIRS[0] else f"{path}, `{names[0]}` and `{names[1]}`"
    return finished(path, x, y, truth=truth, source=source)


def npz_inputs(path: Path) -> Array | Rows:
    """The array `x`, or `x_train`, or `x_test`: examples without their truth."""
    _, (x,) = _members(path, tuple((name,) for name, _ in PAIRS))
    return features(path, x, by_row)


def _members(
    path: Path, choices: tuple[tuple[str, ...], ...]
) -> tuple[tuple[str, ...], list[Array]]:
    """The first choice of names that are all there, and their arrays."""
    with reading(path), path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise SpecError([EmptyData(None, str(path), "bytes")])
        if not zipfile.is_zipfile(file):
            raise unfit(path, "is no .npz archive, or is cut short")
        with _archive(path, file) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            names = next((choice for choice in choices if members.keys() >= set(choice)), None)
            if names is None:
                raise SpecError([MissingArray(None, str(path), choices[0], tuple(members))])
            chosen = [members[name] for name in names]
            affordable(path, sum(m.file_size for m in chosen if not _is_mappable(m)))
            return names, [_member(path, archive, members[name], name) for name in names]


def _archive(path: Path, file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (ValueError, OverflowError):
        mistake = DataDamaged(None, str(path), "its table of contents is damaged")
        raise SpecError([mistake]) from None


def _is_mappable(member: zipfile.ZipInfo) -> bool:
    """Whether the bytes of an array stand in the archive as they are, and are many."""
    plain = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & ENCRYPTED
    return plain and member.file_size >= rows.LARGE


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Array:
    with archive.open(member) as stream:
        layout = _header(path, stream, name)
        header = stream.tell()
        if _is_mappable(member):
            _check_size(path, name, layout, member.file_size - header)
            return _mapped(path, layout, _start(path, member) + header)
        content = stream.read()
    return _array(path, name, layout, content)


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """Where the content of a member begins: behind its own header, a name and an extra field."""
    with path.open("rb") as file:
        file.seek(member.header_offset + LENGTHS)
        name, extra = struct.unpack("<2H", file.read(4))
    return int(member.header_offset + LENGTHS + 4 + name + extra)


def _mapped(path: Path, layout: Layout, start: int) -> Array:
    if path.stat().st_size < start + layout.size:
        raise SpecError([DataDamaged(None, str(path), "it is cut short or damaged")])
    return np.memmap(path, layout.dtype, "r", start, layout.shape, layout.order)


def _array(path: Path, name: str, layout: Layout, content: bytes) -> Array:
    _check_size(path, name, layout, len(content))
    try:
        return np.ndarray(layout.shape, layout.dtype, content, order=layout.order)
    except (ValueError, OverflowError):
        raise unfit(path, f"has `{name}` of a shape that cannot be") from None


def _check_size(path: Path, name: str, layout: Layout, found: int) -> None:
    if found != layout.size:
        mistake = DataSizes(None, str(path), f"`{name}`", layout.shape, layout.size, found)
        raise SpecError([mistake])


def _content(dtype: np.dtype[Any]) -> str:
    names = {"U": "text", "S": "text", "M": "dates", "m": "times", "c": "complex numbers"}
    return names.get(dtype.kind, "records")


@dataclass(frozen=True)
class Layout:
    """What the header of an array says of the bytes behind it."""

    shape: tuple[int, ...]
    order: Order
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def _header(path: Path, stream: IO[bytes], name: str) -> Layout:
    """The layout of an array of numbers, as its own header has it."""
    broken = unfit(path, f"has no array in `{name}` that can be read", "save it with np.savez")
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise broken
    except (ValueError, TypeError, KeyError, SyntaxError, TokenError, RecursionError, MemoryError):
        raise broken from None
    if any(length < 0 for length in shape):
        raise broken
    if dtype.hasobject:
        raise SpecError([PythonObjects(None, str(path), name)])
    if dtype.kind not in "biuf":
        raise unfit(path, f"holds no numbers in `{name}`, but {_content(dtype)}")
    if not shape:
        raise unfit(path, f"holds a single number in `{name}`, not a row of examples")
    return Layout(shape, "F" if fortran else "C", dtype)


# -------------------------------------------------------------------------------------- .npy

NAMES = (("images", "labels"), ("inputs", "targets"), ("x", "y"), ("X", "y"), ("X", "Y"))
"""What stands in the names of two files that belong together."""


def read_npy(path: Path, truth: Truth | None = None) -> Dataset:
    """An array of inputs, and the truth in a file beside it: x.npy and y.npy, or
    train-images.npy and train-labels.npy. A folder may hold them."""
    inputs = _inputs_in(path) if path.is_dir() else path
    beside = _beside(inputs)
    y = _npy(beside)
    if truth != "values" and y.ndim == 1 and y.dtype.kind in "iub":
        y = labels(beside, y, by_row)
    return finished(inputs, _npy(inputs), y, truth=truth)


def npy_inputs(path: Path) -> Array | Rows:
    """An array of inputs without its truth."""
    inputs = _inputs_in(path) if path.is_dir() else path
    return features(inputs, _npy(inputs), by_row)


def holds_npy(folder: Path) -> bool:
    """Whether a folder has an array of inputs."""
    return bool(_inputs(folder))


def _inputs(folder: Path) -> list[Path]:
    return [f for f in visible(folder) if f.suffix.lower() == ".npy" and _truth_names(f)]


def _inputs_in(folder: Path) -> Path:
    found = _inputs(folder)
    return next((file for file in found if "train" in file.name), found[0])


def _truth_names(inputs: Path) -> tuple[str, ...]:
    """What the file of the truth may be called; none where the name does not say inputs."""
    found = []
    for x, y in NAMES:
        name = re.sub(rf"(?<![A-Za-z]){x}(?![A-Za-z])", y, inputs.name)
        if name != inputs.name:
            found.append(name)
    return tuple(found)


def _beside(inputs: Path) -> Path:
    names = _truth_names(inputs)
    if not names:
        advice = "name the file of inputs, as x.npy; the truth is found beside it, as y.npy"
        raise unfit(inputs, "is not called as inputs are: x, inputs or images", advice)
    with reading(inputs):
        beside = next((inputs.with_name(n) for n in names if inputs.with_name(n).exists()), None)
    if beside is None:
        raise SpecError([NoLabels(None, str(inputs), names)])
    return beside


def _npy(path: Path) -> Array:
    with reading(path), path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise SpecError([EmptyData(None, str(path), "bytes")])
        layout = _header(path, file, path.stem)
        start = file.tell()
        mapped = mapped_array(path, layout.dtype, start, layout.shape, layout.order)
        if mapped is not None:
            return mapped
        affordable(path, os.fstat(file.fileno()).st_size)
        return _array(path, path.stem, layout, file.read())
