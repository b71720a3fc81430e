"""Data in .npz: which arrays are read, and what is said of each wrong archive."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnspec.runtime import readers
from nnspec.runtime.data import load, split

from .data_files import X, Y, archive, as_npy, npy, npz, said, written, wrong


def test_arrays_x_and_y(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=X.astype(">f8"), y=Y.astype(np.uint8)[:, None], other=Y))
    assert data.x.tolist() == X.tolist()
    assert data.x.dtype == np.float32
    assert data.y.tolist() == Y.tolist()
    assert data.y.dtype == np.int64
    assert data.source == str(tmp_path / "t.npz")


def test_which_pair_is_taken_is_said(tmp_path: Path) -> None:
    both = load(npz(tmp_path, x_test=X[:1], y_test=Y[:1], x_train=X, y_train=Y))
    assert len(both) == 6
    assert both.source.endswith("t.npz, `x_train` and `y_train`")
    assert load(npz(tmp_path, x_test=X, y_test=Y)).source.endswith("`x_test` and `y_test`")


def test_images_of_bytes_are_scaled(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=np.full((6, 5, 4), 255, np.uint8), y=Y))
    assert (data.x.shape, data.x.max()) == ((6, 1, 5, 4), 1)
    assert data.x.dtype == np.float32


def test_values_of_several_axes(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=X, y=np.stack([Y, Y], axis=1)))
    assert (data.y.shape, data.is_labelled) == ((6, 2), False)
    assert data.y.dtype == np.float32
    assert len(split(data, 0.5)[0]) == 3


def test_arrays_in_the_order_of_columns(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=np.asfortranarray(X), y=Y))
    assert data.x.tolist() == X.tolist()
    assert data.x.flags.c_contiguous


def test_what_was_read_can_be_written_to(tmp_path: Path) -> None:
    for kind in (np.int64, np.float32, np.uint8, bool):
        data = load(npz(tmp_path, x=X.astype(kind), y=Y))
        data.x[0] = 1
        data.y[0] = 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "NN506 `t.npz` holds `x`, but not both `x` and `y`"),
        ({}, "NN506 `t.npz` holds nothing, but not both `x` and `y`"),
        ({"x": X, "y": Y[:5]}, "NN504 `t.npz` holds 6 examples, but 5 labels"),
        ({"x": X[:0], "y": Y[:0]}, "NN519 `t.npz` holds no examples"),
        ({"x": X[:, :0], "y": Y}, "NN519 `t.npz` holds no numbers in its examples"),
        ({"x": X, "y": np.array([{}] * 6)}, "NN516 `y` of `t.npz` holds Python objects, which are never read"),
        ({"x": X, "y": np.array(list("abcabc"))}, "NN503 `t.npz` holds no numbers in `y`, but text"),
        ({"x": X * 1j, "y": Y}, "NN503 `t.npz` holds no numbers in `x`, but complex numbers"),
        ({"x": np.zeros(6, [("a", int)]), "y": Y}, "NN503 `t.npz` holds no numbers in `x`, but records"),
        ({"x": 3.0, "y": Y}, "NN503 `t.npz` holds a single number in `x`, not a row of examples"),
        ({"x": np.full_like(X, np.nan), "y": Y}, "NN511 `x` of `t.npz` is NaN or infinite in 12 numbers, the first in row 1, column 1"),
        ({"x": X, "y": Y - 1}, "NN512 `t.npz` has -1 for a class label, in row 1"),
        ({"x": X, "y": np.full(6, 2**64 - 1, np.uint64)}, "NN512 `t.npz` has 18446744073709551615 for a class label, in row 1"),
    ],
)  # fmt: skip
def test_a_wrong_npz(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = npz(tmp_path, **arrays)
    assert said(lambda: load(path)) == message


GOOD = as_npy(Y)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"", "NN503 `t.npz` has no array in `x` that can be read"),
        (b"junk that is no array", "NN503 `t.npz` has no array in `x` that can be read"),
        (npy("(((((("), "NN503 `t.npz` has no array in `x` that can be read"),
        (npy("(10**3,)"), "NN503 `t.npz` has no array in `x` that can be read"),
        (npy("(-3,)"), "NN503 `t.npz` has no array in `x` that can be read"),
        (npy("(1,)", kind="what"), "NN503 `t.npz` has no array in `x` that can be read"),
        (npy("(0, 1" + ", 1" * 80 + ")"), "NN503 `t.npz` has `x` of a shape that cannot be"),
        (npy("(6, 2)", b"\0" * 88), "NN518 `x` of `t.npz` is said to be 6x2 = 96 bytes, but the file holds 88"),
        (npy("(6, 2)", b"\0" * 97), "NN518 `x` of `t.npz` is said to be 6x2 = 96 bytes, but the file holds more"),
        (npy(f"({10**15},)"), f"NN518 `x` of `t.npz` is said to be {10**15} = {8 * 10**15:,} bytes, but the file holds 0"),
    ],
)  # fmt: skip
def test_a_wrong_array(tmp_path: Path, member: bytes, message: str) -> None:
    path = archive(tmp_path, x=member, y=GOOD)
    assert said(lambda: load(path)) == message


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    trap = np.empty(6, object)
    trap[:] = [Trap() for _ in range(6)]
    path = npz(tmp_path, x=trap, y=Y)
    assert wrong(lambda: load(path)).code == "NN516"
    assert not (tmp_path / "sprung").exists()


def test_an_archive_that_unfolds_too_far_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path, x=npy("(1000, 1000)", bytes(8_000_000)), y=as_npy(np.zeros(1000, int)))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(readers, "BUDGET", 1_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was read"))
    mistake = wrong(lambda: load(path))
    assert mistake.code == "NN510"
    assert "more than the 1,000,000 that a data file may take" in mistake.message()


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = written(tmp_path, b"", "t.npz")
    assert said(lambda: load(path)) == "NN519 `t.npz` holds no bytes"
    path = written(tmp_path, GOOD, "t.npz")
    assert said(lambda: load(path)) == "NN503 `t.npz` is no .npz archive, or is cut short"
