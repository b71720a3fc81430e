"""Arrays in a file, in the safetensors layout, with a checksum of each; read by a reader of our own.

Eight bytes count the header, lowest first; the header is JSON in UTF-8 (`header.py`); the arrays'
bytes follow without a gap. The layout is the safetensors library's (github.com/huggingface/safetensors),
which reads what is written here. Two texts in the metadata are ours: `crc32`, a checksum of each array
in the order of their names, and `crc32_header`, one of everything else.

A file is read by plain calls, never mapped: one that shrinks meanwhile would end the process.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO
from zlib import crc32

import numpy as np

from ..grammar.diagnostics import SpecError
from .file_errors import (
    ChecksumDisagrees,
    CutShort,
    FileUnreadable,
    HeaderBeyondLimit,
    Kind,
    Origin,
    OtherFormat,
    WeightsWithoutSpec,
    quoted,
)
from .header import BYTES, DTYPES, METADATA, Entry, Header, parse
from .kernels import Array

CHECKSUMS = "crc32"
HEADER_CHECKSUM = "crc32_header"
COUNT = 8
"""Bytes that count the header's."""

CALLED: Mapping[np.dtype[np.generic], str] = MappingProxyType({d: n for n, d in DTYPES.items()})

BEGINNINGS: Mapping[bytes, str] = MappingProxyType(
    {
        b"PK\x03\x04": "a ZIP archive, as `torch.save` and `numpy.savez` write",
        b"\x80\x02": "a pickle, as older `torch.save` writes",
        b"\x80\x03": "a pickle",
        b"\x80\x04": "a pickle",
        b"\x80\x05": "a pickle",
        b"\x93NUMPY": "a single NumPy array",
        b"\x89HDF": "an HDF5 file, as Keras writes",
        b"\x1f\x8b": "compressed by gzip",
        b"\x28\xb5\x2f\xfd": "compressed by zstd",
        b"BZh": "compressed by bzip2",
        b"\xfd7zXZ": "compressed by xz",
        b"GGUF": "a GGUF file",
        b"version https://git-lfs": "a Git LFS pointer, in whose place `git lfs pull` puts the file",
        b"<": "a web page or XML",
    }
)
"""What files begin with that are taken for weights."""


# ------------------------------------------------------------------------------------ writing


def encode(
    arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """The pieces of a file that holds these arrays and texts; nothing is copied that lies in order.

    Wider numbers come first, so that every array is aligned. Raises ValueError when a name, a text or
    a dtype has no place in the format.
    """
    if taken := {CHECKSUMS, HEADER_CHECKSUM} & metadata.keys():
        raise ValueError(f"{taken} are written by `encode` itself")
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    entries, place = [], 0
    for name in order:
        array = arrays[name]
        dtype = CALLED.get(array.dtype.newbyteorder("<"))
        if dtype is None:
            raise ValueError(f"`{name}` is of {array.dtype}")
        entries.append(Entry(name, dtype, array.shape, place, place + array.nbytes))
        place += array.nbytes
    sums = " ".join(f"{crc32(_bytes(arrays[name])):08x}" for name in sorted(arrays))
    told = {**metadata, CHECKSUMS: sums}
    told[HEADER_CHECKSUM] = _header_checksum(entries, told)
    header = _header(entries, told)
    yield len(header).to_bytes(COUNT, "little") + header
    for name in order:
        yield _bytes(arrays[name])


def _bytes(array: Array) -> memoryview:
    """An array's bytes in C order, lowest first; not a copy where they lie so already."""
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return ordered.reshape(-1).view(np.uint8).data


def _header(entries: Iterable[Entry], metadata: Mapping[str, str]) -> bytes:
    """The header's JSON, spaces behind it so that the arrays begin at a multiple of eight."""
    fields: dict[str, object] = {METADATA: dict(metadata)}
    for e in entries:
        offsets = [e.begin, e.end]
        fields[e.name] = {"dtype": e.dtype, "shape": list(e.shape), "data_offsets": offsets}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % COUNT)


def _header_checksum(entries: Iterable[Entry], metadata: Mapping[str, str]) -> str:
    """Of texts, names, dtypes and shapes; offsets are checked against these, and may be others when
    another program wrote the same again."""
    told = sorted((name, text) for name, text in metadata.items() if name != HEADER_CHECKSUM)
    held = sorted((e.name, e.dtype, e.shape) for e in entries)
    return f"{crc32(json.dumps([told, held]).encode()):08x}"


# ------------------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class Opened:
    """A file whose header has been read and found right; its arrays are still on the disk.

    `metadata` holds the texts by name, without the checksums.
    """

    file: Origin
    metadata: Mapping[str, str]
    entries: Mapping[str, Entry]
    _stream: IO[bytes]
    _data: int
    _checksums: Mapping[str, str]

    def read_into(self, arrays: Mapping[str, Array]) -> None:
        """Fill arrays of the entries' names and shapes, each contiguous; raises SpecError when one was
        damaged, and the arrays then hold what was read."""
        damaged = []
        for entry in self.entries.values():
            view = arrays[entry.name].reshape(-1).view(np.uint8).data
            self._stream.seek(self._data + entry.begin)
            if self._stream.readinto(view) < len(view):  # type: ignore[attr-defined]
                found = os.fstat(self._stream.fileno()).st_size
                raise SpecError([CutShort(None, self.file, self._data + entry.end, found)])
            if f"{crc32(view):08x}" != self._checksums[entry.name]:
                damaged.append(entry.name)
        if damaged:
            raise SpecError([ChecksumDisagrees(None, self.file, tuple(damaged))])


def decode(path: Path, kind: Kind = "weights") -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the texts that `encode` wrote; raises SpecError when anything is not as it was.

    `kind` is what messages call the file.
    """
    with opened(path, kind) as found:
        entries = found.entries.values()
        arrays = {e.name: np.empty(e.shape, DTYPES[e.dtype]) for e in entries}
        found.read_into(arrays)
        return arrays, dict(found.metadata)


@contextmanager
def opened(path: Path, kind: Kind = "weights") -> Iterator[Opened]:
    """A file with its header checked; raises SpecError when it is not one that `encode` wrote."""
    file = Origin(kind, str(path))
    with _readable(file), _stream(path) as stream:
        header, data = _checked_header(stream, file)
        yield _verified(header, data, stream, file)


@contextmanager
def _readable(file: Origin) -> Iterator[None]:
    """Say in words what the system refuses."""
    try:
        yield
    except OSError as error:
        told = {errno.ENOENT: "there is no such file", errno.EISDIR: "it is a folder"}
        problem = told.get(error.errno or 0, (error.strerror or "the system refused").lower())
    except MemoryError:
        problem = "there is not enough memory for its arrays"
    else:
        return
    raise SpecError([FileUnreadable(None, file, problem)])


def _stream(path: Path) -> IO[bytes]:
    """A regular file open to be read, without waiting: a pipe would make us wait for ever."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, flags)
    except ValueError:
        raise OSError(0, "no file can have this name") from None
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else 0, "it is no regular file")
    return open(file, "rb", buffering=0)


def _checked_header(stream: IO[bytes], file: Origin) -> tuple[Header, int]:
    """The header, and the byte at which the arrays begin."""
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(32)
    if len(start) < COUNT:
        raise SpecError([CutShort(None, file, COUNT, len(start))])
    if found := _other_format(start):
        raise SpecError([OtherFormat(None, file, found)])
    length = int.from_bytes(start[:COUNT], "little")
    if length > BYTES:
        raise SpecError([HeaderBeyondLimit(None, file, "the length of the header", length, BYTES)])
    if COUNT + length > size:
        raise SpecError([CutShort(None, file, COUNT + length, size)])
    stream.seek(COUNT)
    raw = stream.read(length)
    if len(raw) < length:
        raise SpecError([CutShort(None, file, COUNT + length, COUNT + len(raw))])
    return parse(raw, size - COUNT - length, file), COUNT + length


def _other_format(start: bytes) -> str:
    """What a file is that does not begin as one of ours; empty when that is unknown.

    A count may look like any beginning, but `{` follows it.
    """
    if start[COUNT : COUNT + 1] in (b"{", b""):
        return ""
    for beginning, found in BEGINNINGS.items():
        if start.startswith(beginning):
            return found
    plain = start.rstrip(b"\r\n").replace(b"\n", b" ").replace(b"\r", b" ")
    return "text" if plain.isascii() and plain.decode().isprintable() else ""


def described(entry: Entry) -> str:
    """An array's name, shape and dtype, as messages list it."""
    return f"{quoted(entry.name)} {'x'.join(map(str, entry.shape))} {entry.dtype}".replace(
        "  ", " "
    )


def _verified(header: Header, data: int, stream: IO[bytes], file: Origin) -> Opened:
    """The header with its checksums asked for and taken out."""
    texts = dict(header.metadata)
    entries = {entry.name: entry for entry in header.entries}
    wanted, sums = texts.get(HEADER_CHECKSUM), texts.get(CHECKSUMS)
    if wanted is None or sums is None:
        raise SpecError([WeightsWithoutSpec(None, file, tuple(map(described, header.entries)))])
    if _header_checksum(header.entries, texts) != wanted or len(sums.split()) != len(entries):
        raise SpecError([ChecksumDisagrees(None, file, ())])
    checksums = dict(zip(sorted(entries), sums.split(), strict=True))
    del texts[HEADER_CHECKSUM], texts[CHECKSUMS]
    return Opened(file, texts, entries, stream, data, checksums)
