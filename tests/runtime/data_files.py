"""Data files as tests write them, right and wrong, and what is said of them."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnspec.grammar.diagnostics import Mistake, SpecError
from nnspec.runtime import readers

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PIXELS = np.arange(54).reshape(6, 3, 3) % 256


def wrong(work: Callable[[], object]) -> Mistake:
    with pytest.raises(SpecError) as caught:
        work()
    assert len(caught.value.diagnostics) == 1
    mistake = caught.value.diagnostics[0]
    assert not mistake.message().endswith(".")
    return mistake


def said(work: Callable[[], object]) -> str:
    """Code and message, with the folder of the test left out."""
    mistake = wrong(work)
    folder = str(getattr(mistake, "path", ""))
    prefix = folder[: folder.rfind("/") + 1]
    message = mistake.message()
    return f"{mistake.code} {message.replace(prefix, '') if prefix else message}"


def written(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def npz(tmp_path: Path, **arrays: Any) -> Path:
    np.savez(tmp_path / "t.npz", **arrays)
    return tmp_path / "t.npz"


def archive(tmp_path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(tmp_path / "t.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return tmp_path / "t.npz"


def npy(shape: str, content: bytes = b"", kind: str = "<f8") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def as_npy(numbers: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(numbers))
    return content.getvalue()


def idx(numbers: Any, kind: int = 8) -> bytes:
    array = np.asarray(numbers).astype(readers.IDX_TYPES[kind])
    return (
        bytes([0, 0, kind, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def pair(
    tmp_path: Path, images: bytes | None = None, labels: bytes | None = None, ending: str = ""
) -> Path:
    packed: Callable[[bytes], bytes] = gzip.compress if ending == ".gz" else bytes
    written(tmp_path, packed(idx(PIXELS) if images is None else images), IMAGES + ending)
    written(tmp_path, packed(idx(Y) if labels is None else labels), LABELS + ending)
    return tmp_path / (IMAGES + ending)
