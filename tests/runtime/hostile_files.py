"""Files that are called weights and would do harm, or are none: small, and made by code."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

import nnspec

NET = "1x6x6 -> conv4 3x3 bn relu -> flatten -> fc16 relu -> fc3"

ENTRY = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'


def file(header: object, data: bytes = bytes(8)) -> bytes:
    """A file with this header: text as it stands, anything else as JSON."""
    text = header if isinstance(header, str | bytes) else json.dumps(header)
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw + data


def one(**fields: Any) -> bytes:
    """A file of one array `w`, some fields of its entry being others."""
    return file({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | fields})


def two(first: tuple[int, int], second: tuple[int, int], data: int = 16) -> bytes:
    places = {"a": first, "b": second}
    header = {
        name: {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]}
        for name, (begin, end) in places.items()
    }
    return file(header, bytes(data))


def saved(folder: Path) -> bytes:
    """A weights file as it should be, of about four thousand bytes."""
    path = folder / "saved.safetensors"
    nnspec.compile(NET, seed=0).save(path)
    return path.read_bytes()


def changed(whole: bytes, old: bytes, new: bytes) -> bytes:
    """The same file with another header, its length put right."""
    length = int.from_bytes(whole[:8], "little")
    assert old in whole[8 : 8 + length]
    return file(whole[8 : 8 + length].replace(old, new, 1), whole[8 + length :])


def hostile(whole: bytes) -> dict[str, bytes]:
    """By name: each is refused, and by none is anything allocated."""
    damaged = bytearray(whole)
    damaged[-5] ^= 4
    first = int.from_bytes(whole[:8], "little") + 8
    twice = bytearray(damaged)
    twice[first] ^= 1
    return {
        "empty": b"",
        "seven bytes": bytes(7),
        "only a length": struct.pack("<Q", 100),
        "header of 2^63": struct.pack("<Q", 2**63) + b"{}",
        "header of all ones": b"\xff" * 8 + b"{}",
        "header over the limit": struct.pack("<Q", 2**24 + 1) + b"{}",
        "cut in the header": whole[:100],
        "cut in the arrays": whole[:-5],
        "a byte more": whole + b"\0",
        "not UTF-8": file(b'{"\xff":1}'),
        "not JSON": file('{"w":'),
        "two objects": file("{}{}"),
        "a list": file("[]"),
        "a number": file("1"),
        "nothing in it": file("", b""),
        "space before": file(" {}", b""),
        "100,000 deep": file('{"w":' + "[" * 100_000 + "]" * 100_000 + "}"),
        "nine deep": file('{"w":' + "[" * 8 + "]" * 8 + "}"),
        "three million brackets": file('{"w":[' + "[]," * 3_000_000 + "[]]}"),
        "two million numbers": file('{"w":[' + "1000," * 2_000_000 + "1]}"),
        "two million texts": file('{"w":[' + '"",' * 2_000_000 + '""]}'),
        "half a character": file('{"\\ud800":' + ENTRY + "}"),
        "a name twice": file('{"w":' + ENTRY + ',"w":' + ENTRY + "}"),
        "a field twice": file('{"w":' + ENTRY.replace("{", '{"dtype":"F64",') + "}"),
        "metadata twice": file('{"__metadata__":{},"__metadata__":{},"w":' + ENTRY + "}"),
        "no dtype": file({"w": {"shape": [2], "data_offsets": [0, 8]}}),
        "a field more": one(more=1),
        "no object": file({"w": 3}),
        "null": file({"w": None}),
        "unknown dtype": one(dtype="F33"),
        "dtype of half precision": one(dtype="BF16"),
        "dtype no text": one(dtype=["F32"]),
        "negative dimension": one(shape=[-2]),
        "two negative dimensions": one(shape=[-1, -2]),
        "boolean dimension": one(shape=[2, True]),
        "fractional dimension": one(shape=[2.0]),
        "infinite dimension": file('{"w":' + ENTRY.replace("[2]", "[Infinity]") + "}"),
        "dimension as text": one(shape=["2"]),
        "shape no list": one(shape=2),
        "nine axes": one(shape=[1] * 8 + [2]),
        "a dimension of 2^80": one(shape=[2**80]),
        "product of 2^64 and 2": one(shape=[2**32, 2**32, 2]),
        "product of 2^64": one(shape=[2**22, 2**22, 2**20]),
        "zero hides 2^90": one(shape=[0, 2**30, 2**30, 2**30], data_offsets=[0, 0]),
        "5,000 digits": file('{"w":' + ENTRY.replace("[2]", "[" + "9" * 5000 + "]") + "}"),
        "shape of other size": one(shape=[3]),
        "dtype of other size": one(dtype="F64"),
        "one offset": one(data_offsets=[8]),
        "three offsets": one(data_offsets=[0, 4, 8]),
        "negative offsets": one(data_offsets=[-8, 0]),
        "boolean offset": one(data_offsets=[False, 8]),
        "backwards": one(data_offsets=[8, 0]),
        "beyond the end": one(shape=[4], data_offsets=[0, 16]),
        "overlap": two((0, 8), (4, 12), 12),
        "one inside the other": two((0, 16), (4, 8)),
        "the same bytes": two((0, 8), (0, 8), 8),
        "hole": two((0, 4), (8, 16)),
        "hole at the front": one(data_offsets=[4, 12]),
        "tail": two((0, 4), (4, 8)),
        "metadata a list": file({"__metadata__": ["a"], "w": json.loads(ENTRY)}),
        "metadata a number": file({"__metadata__": {"format": 1}, "w": json.loads(ENTRY)}),
        "metadata nested": file({"__metadata__": {"spec": {"a": "b"}}, "w": json.loads(ENTRY)}),
        "name of 513": file('{"' + "n" * 513 + '":' + ENTRY + "}"),
        "name of control characters": file('{"\\u001b[31m\\n":3}'),
        "100,001 arrays": file(
            {f"{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(100_001)},
            b"",
        ),
        "by the official library": safetensors.numpy.save(
            {"conv1.weight": np.ones((2, 3), np.float32)}
        ),
        "of PyTorch users": safetensors.numpy.save(
            {f"layer{i}.weight": np.ones(2, np.float16) for i in range(9)}, {"format": "pt"}
        ),
        "no arrays": safetensors.numpy.save({}),
        "a bit of an array": bytes(damaged),
        "bits of two arrays": bytes(twice),
        "another setting": changed(whole, b"adam", b"adan"),
        "another checksum": changed(whole, b'"crc32":"', b'"crc32":"00000000 '),
        "another name": changed(whole, b'"fc1.bias"', b'"fc1.bios"'),
        "ZIP": b"PK\x03\x04" + bytes(100),
        "pickle": b"\x80\x02}q\x00." + bytes(100),
        "pickle of a call": b"cos\nsystem\n(S'true'\ntR.",
        "gzip": b"\x1f\x8b" + bytes(100),
        "npy": b"\x93NUMPY\x01\x00" + bytes(100),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
        "web page": b"<!DOCTYPE html><title>404</title>",
        "a spec": b"3 -> fc4 relu -> fc1 and so on and on\n",
        "zeros": bytes(4096),
    }


def disagreeing(
    arrays: dict[str, np.ndarray[Any, Any]],
) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    """Whole files whose arrays are not those of their net."""
    other = {f"extra{i}": np.zeros(1, np.float32) for i in range(7)}
    return {
        "one missing": {n: a for n, a in arrays.items() if n != "fc1.bias"},
        "one too many": arrays | {"more": np.ones(2, np.float32)},
        "all others": other,
        "another shape": arrays | {"fc1.bias": np.ones(5, np.float32)},
        "another dtype": arrays | {"fc1.bias": np.ones(16, np.int32)},
        "a transposed weight": arrays
        | {"fc2.weight": np.ascontiguousarray(arrays["fc2.weight"].T)},
    }
