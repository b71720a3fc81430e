"""The header of a file of arrays, checked before anything is allocated for them.

It is JSON: a name for each array, with its dtype, its shape and the two offsets between which its
bytes lie, and under `__metadata__` texts by their names. What the safetensors library lets pass is
refused here too: a name that stands twice.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..grammar.diagnostics import SpecError
from .file_errors import (
    ArraysCutShort,
    Backwards,
    BadDimension,
    EntryUnfit,
    HeaderBeyondLimit,
    HeaderDamaged,
    Hole,
    MetadataUnfit,
    NamedTwice,
    Origin,
    Overlap,
    SizeDisagrees,
    UnknownDtype,
    listed,
    quoted,
)

DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "F64": np.dtype("<f8"),
        "F32": np.dtype("<f4"),
        "F16": np.dtype("<f2"),
        "I64": np.dtype("<i8"),
        "I32": np.dtype("<i4"),
        "I16": np.dtype("<i2"),
        "I8": np.dtype("i1"),
        "U64": np.dtype("<u8"),
        "U32": np.dtype("<u4"),
        "U16": np.dtype("<u2"),
        "U8": np.dtype("u1"),
        "BOOL": np.dtype("?"),
    }
)

METADATA = "__metadata__"
FIELDS = frozenset({"dtype", "shape", "data_offsets"})

BYTES = 16 * 2**20
"""The longest header that is read."""
ARRAYS = 100_000
NAME = 512
"""Characters of an array's name."""
DEPTH = 8
"""Of brackets in brackets."""
RANK = 8
DIGITS = 18
"""Of a number in the header."""
ELEMENTS = 2**48
"""Of one array."""

STRING = re.compile(rb'"[^"]*"?')
BRACKET = re.compile(rb"[\[\]{}]")
HALVES = re.compile("[\ud800-\udfff]")
"""Surrogates, which no UTF-8 can hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One array: what it is called, its dtype by the format's name, its shape, where its bytes lie."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file holds: arrays in the order of their bytes, and texts by name."""

    entries: tuple[Entry, ...]
    metadata: Mapping[str, str]


def parse(raw: bytes, data: int, file: Origin) -> Header:
    """The header of a file whose arrays take `data` bytes; raises SpecError for the first mistake."""
    fields = _object(raw, file)
    metadata = fields.pop(METADATA, {})
    _check_metadata(metadata, file)
    _check_count("the number of arrays", len(fields), ARRAYS, file)
    entries = [_entry(name, value, file) for name, value in fields.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    _check_tiled(entries, data, file)
    return Header(tuple(entries), metadata)


def _damaged(problem: str, file: Origin) -> SpecError:
    return SpecError([HeaderDamaged(None, file, problem)])


def _unfit(name: str, problem: str, file: Origin) -> SpecError:
    return SpecError([EntryUnfit(None, file, name, problem)])


# --------------------------------------------------------------------------------------- JSON


def _object(raw: bytes, file: Origin) -> dict[str, Any]:
    """The JSON object of the header, every name in it once."""
    if not raw.startswith(b"{"):
        raise _damaged("it does not begin with `{`", file)
    _check_bounds(raw, file)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counted = Counter(name for name, _ in pairs)
            twice = next(name for name, count in counted.items() if count > 1)
            raise SpecError([NamedTwice(None, file, twice)])
        return found

    def whole(digits: str) -> int:
        _check_count("the number of digits of a size or offset", len(digits), DIGITS, file)
        return int(digits)

    try:
        text = raw.decode().rstrip(" ")
        found: dict[str, Any] = json.loads(text, object_pairs_hook=once, parse_int=whole)
    except UnicodeDecodeError as error:
        raise _damaged(f"its byte {error.start:,} is not UTF-8", file) from None
    except json.JSONDecodeError as error:
        raise _damaged(f"it is no JSON from character {error.pos:,} on", file) from None
    except RecursionError:
        raise _damaged("its brackets lie too deep", file) from None
    return found


def _check_bounds(raw: bytes, file: Origin) -> None:
    """What bounds the memory that reading the JSON takes, and its depth."""
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    _check_count("the number of quotation marks", plain.count(b'"'), 12 * ARRAYS, file)
    bare = STRING.sub(b"", plain)
    brackets = bare.count(b"[") + bare.count(b"{")
    _check_count("the number of brackets", brackets, 3 * ARRAYS + 2, file)
    _check_count("the number of commas", bare.count(b","), 12 * ARRAYS, file)
    depth = 0
    for bracket in BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        _check_count("the depth of brackets", depth, DEPTH, file)


def _check_count(what: str, found: int, limit: int, file: Origin) -> None:
    if found > limit:
        raise SpecError([HeaderBeyondLimit(None, file, what, found, limit)])


# ------------------------------------------------------------------------------------ entries


def _check_metadata(metadata: object, file: Origin) -> None:
    if not isinstance(metadata, dict):
        raise SpecError([MetadataUnfit(None, file, f"is {_said(metadata)}")])
    for name, text in metadata.items():
        if not isinstance(text, str):
            problem = f"has {_said(text)} under {quoted(name)}"
            raise SpecError([MetadataUnfit(None, file, problem)])
        if HALVES.search(name) or HALVES.search(text):
            raise _damaged("it holds half a character", file)


def _entry(name: str, value: object, file: Origin) -> Entry:
    _check_count("the length of an array's name", len(name), NAME, file)
    if HALVES.search(name):
        raise _damaged("it holds half a character", file)
    if not isinstance(value, dict) or value.keys() != FIELDS:
        raise _unfit(name, f"{_fields(value)}, not dtype, shape and data_offsets", file)
    dtype = _dtype(name, value["dtype"], file)
    shape = _shape(name, value["shape"], file)
    begin, end = _offsets(name, value["data_offsets"], file)
    wanted = math.prod(shape) * DTYPES[dtype].itemsize
    if wanted != end - begin:
        raise SpecError([SizeDisagrees(None, file, name, shape, dtype, wanted, end - begin)])
    return Entry(name, dtype, shape, begin, end)


def _dtype(name: str, dtype: object, file: Origin) -> str:
    if not isinstance(dtype, str):
        raise _unfit(name, f"has {_said(dtype)} as its dtype", file)
    if dtype not in DTYPES:
        raise SpecError([UnknownDtype(None, file, name, dtype, tuple(DTYPES))])
    return dtype


def _shape(name: str, shape: object, file: Origin) -> tuple[int, ...]:
    if not isinstance(shape, list):
        raise _unfit(name, f"has {_said(shape)} as its shape", file)
    _check_count(f"the rank of {quoted(name)}", len(shape), RANK, file)
    for dimension in shape:
        if type(dimension) is not int or dimension < 0:
            raise SpecError([BadDimension(None, file, name, json.dumps(dimension))])
    # A dimension of 0 hides the others, but NumPy multiplies them.
    elements = math.prod(max(dimension, 1) for dimension in shape)
    _check_count(f"the number of elements of {quoted(name)}", elements, ELEMENTS, file)
    return tuple(shape)


def _offsets(name: str, offsets: object, file: Origin) -> tuple[int, int]:
    whole = isinstance(offsets, list) and [type(o) for o in offsets] == [int, int]
    if not whole or not isinstance(offsets, list) or min(offsets) < 0:
        raise _unfit(name, "has data_offsets that are not two whole numbers from 0", file)
    begin, end = offsets
    if begin > end:
        raise SpecError([Backwards(None, file, name, begin, end)])
    return begin, end


def _said(value: object) -> str:
    """What a JSON value is, in a word."""
    words = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    return "null" if value is None else words.get(type(value), "a number")


def _fields(value: object) -> str:
    if not isinstance(value, dict):
        return f"is {_said(value)}"
    return f"has {listed(tuple(map(quoted, sorted(value)))) or 'nothing'}"


def _check_tiled(entries: Sequence[Entry], data: int, file: Origin) -> None:
    """The arrays lie one behind another, from the first byte to the last."""
    reached, before = 0, ""
    for entry in entries:
        if entry.begin > reached:
            raise SpecError([Hole(None, file, reached, entry.begin, last=False)])
        if entry.begin < reached:
            shared = min(entry.end, reached) - entry.begin
            raise SpecError([Overlap(None, file, before, entry.name, shared)])
        reached, before = entry.end, entry.name
    if reached > data:
        raise SpecError([ArraysCutShort(None, file, before, reached, data)])
    if reached < data:
        raise SpecError([Hole(None, file, reached, data, last=True)])
