"""Data sets: what ships, what names mean, examples without their truth, and files damaged anyhow."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from nnspec.grammar.diagnostics import Mistake, SpecError
from nnspec.runtime import readers
from nnspec.runtime.data import BUNDLED, load, load_inputs

from .data_files import IMAGES, LABELS, X, Y, pair, said, written, wrong

# ------------------------------------------------------------------------------- what ships


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1797, 1, 8, 8), 10),
        ("iris", (150, 4), 3),
        ("spiral", (300, 2), 3),
        ("moons", (400, 2), 2),
    ],
)
def test_a_set_that_ships(name: str, shape: tuple[int, ...], classes: int) -> None:
    data = load(name)
    assert (data.name, data.x.shape) == (name, shape)
    assert data.x.dtype == np.float32
    assert data.y.shape == shape[:1]
    assert data.y.dtype == np.int64
    assert sorted(set(data.y.tolist())) == list(range(classes))
    assert len(data.classes) == classes
    assert data.source


def test_digits_are_the_numbers_of_the_source() -> None:
    data = load("digits")
    pixels = data.x * 16
    assert (pixels.min(), pixels.max()) == (0, 16)
    assert pixels.sum(dtype=np.float64) == 561_718
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.y[:10].tolist() == list(range(10))


def test_iris_is_fishers() -> None:
    data = load("iris")
    assert data.classes == ("setosa", "versicolor", "virginica")
    assert np.bincount(data.y).tolist() == [50, 50, 50]
    assert data.x.mean(axis=0) == pytest.approx([5.8433, 3.0573, 3.758, 1.1993], abs=1e-4)


def test_digits_load_in_20_ms() -> None:
    load("digits")
    times = []
    for _ in range(5):
        start = perf_counter()
        load("digits")
        times.append(perf_counter() - start)
    assert min(times) < 0.020


@pytest.mark.parametrize("name", ["spiral", "moons"])
def test_drawn_sets_repeat_by_seed(name: str) -> None:
    first, again, other = load(name, seed=3), load(name, seed=3), load(name, seed=4)
    assert first.x.tobytes() == again.x.tobytes()
    assert first.x.tobytes() != other.x.tobytes()


def test_the_spiral_is_the_courses() -> None:
    data = load("spiral", seed=1)
    for arm in range(3):
        radius = np.linalg.norm(data.x[data.y == arm], axis=1)
        assert radius == pytest.approx(np.linspace(0, 1, 100), abs=1e-6)
    angles = np.unwrap(np.arctan2(*data.x[1:100].T))
    assert angles[-1] - angles[0] == pytest.approx(4, abs=1.2)


# ------------------------------------------------------------------------------------- names


def test_unknown_names() -> None:
    assert said(lambda: load("dgits")) == "NN501 no data set and no file is called `dgits`"
    assert wrong(lambda: load("Digits")).help() == "did you mean `digits`?"
    for name in BUNDLED:
        assert name in wrong(lambda: load("nothing like it")).help()


@pytest.mark.parametrize("name", ["", "a\0b", "a" * 5000, "no/such/folder/file.csv"])
def test_names_that_cannot_be_paths(name: str) -> None:
    assert wrong(lambda: load(name)).code == "NN501"


def test_columns_and_seeds_of_sets_that_ship() -> None:
    assert said(lambda: load("iris", target="species")) == "NN503 `iris` has no columns"
    assert (
        said(lambda: load("spiral", seed=-1)) == "NN522 a seed is a whole number from 0, not `-1`"
    )


@pytest.mark.parametrize("name", ["a.txt", "a.csv.gz", "a"])
def test_unknown_endings(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "1,2\n", name)
    assert said(lambda: load(path)) == f"NN509 `{name}` has an ending that is not read"


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.npz").mkdir()
    assert said(lambda: load(tmp_path / "pipe.csv")).endswith("is neither a file nor a folder")
    text = "NN502 cannot read `folder.npz`: is a directory"
    assert said(lambda: load(tmp_path / "folder.npz")) == text
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert wrong(lambda: load(tmp_path / "loop.csv")).code == "NN502"


@pytest.mark.parametrize("name", ["a.csv", "a.npz"])
def test_no_permission(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / name).write_text("1,2\n")
    monkeypatch.setattr(Path, "open", denied)
    text = f"NN502 cannot read `{name}`: permission denied"
    assert said(lambda: load(tmp_path / name)) == text


def test_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    (tmp_path / "a.csv").write_text("1,2\n")
    monkeypatch.setattr(readers, "finished", exhausted)
    assert said(lambda: load(tmp_path / "a.csv")).endswith("there is not enough memory for it")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": 0}, "NN117 `target` is a column's name, not 0"),
        ({"seed": "a"}, "NN522 a seed is a whole number from 0, not `a`"),
        ({"truth": "foo"}, "NN117 `truth` cannot be 'foo'"),
    ],
)
def test_what_is_asked_of_a_set_is_checked(given: dict[str, Any], message: str) -> None:
    assert said(lambda: load("iris", **given)) == message


# ------------------------------------------------------------------------- any bytes whatever


def _samples(folder: Path) -> list[Path]:
    np.savez_compressed(folder / "t.npz", x=X, y=Y)
    written(folder, "a,b,c\n1,2,x\n3,4.5,y\n", "t.csv")
    pair(folder)
    pair(folder, ending=".gz")
    return [folder / name for name in ("t.npz", "t.csv", IMAGES, f"{IMAGES}.gz", LABELS)]


@pytest.mark.parametrize("sample", range(5))
def test_any_damage_is_a_mistake_or_a_set(tmp_path: Path, sample: int) -> None:
    path = _samples(tmp_path)[sample]
    asked = tmp_path / IMAGES if path.name == LABELS else path
    whole = path.read_bytes()
    cut = [whole[:end] for end in range(len(whole))]
    rng = np.random.Generator(np.random.PCG64(sample))
    flipped = []
    for _ in range(400):
        changed = bytearray(whole)
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
        flipped.append(bytes(changed))
    said_of = []
    for content in cut + flipped:
        path.write_bytes(content)
        try:
            data = load(asked)
        except SpecError as refused:
            said_of.append(str(refused))
        else:
            assert len(data.x) == len(data.y)
    assert all(said_of)


# ------------------------------------------------------------------- examples without their truth


def test_inputs_without_truth(tmp_path: Path) -> None:
    rows = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "x.npz", x=rows)
    np.savez(tmp_path / "both.npz", x=rows, y=[0, 1])
    (tmp_path / "x.csv").write_text("a,b,c\n0,1,2\n3,4,5\n")
    (tmp_path / "both.csv").write_text("0,1,2,yes\n3,4,5,no\n")
    (tmp_path / "first.csv").write_text("t,a,b,c\nyes,0,1,2\nno,3,4,5\n")
    for name in ("x.npz", "both.npz", "x.csv", "both.csv"):
        np.testing.assert_array_equal(load_inputs(str(tmp_path / name), (3,)).x, rows)
    named = load_inputs(str(tmp_path / "first.csv"), (3,), target="t")
    np.testing.assert_array_equal(named.x, rows)
    assert load_inputs("iris", (4,)).classes == load("iris").classes


def test_images_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "new-images-idx3-ubyte"
    path.write_bytes(struct.pack(">HBBIII", 0, 8, 3, 2, 2, 2) + bytes(range(8)))
    assert load_inputs(str(path), (1, 2, 2)).x.shape == (2, 1, 2, 2)


def test_inputs_that_are_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "y.npz", y=[0, 1])
    (tmp_path / "wide.csv").write_text("0,1,2,3,4\n")
    (tmp_path / "word.csv").write_text("0,1,a\n")
    for name, code in (("y.npz", "NN506"), ("wide.csv", "NN507"), ("word.csv", "NN505")):
        with pytest.raises(SpecError) as error:
            load_inputs(str(tmp_path / name), (3,))
        assert [mistake.code for mistake in error.value.diagnostics] == [code]


# ------------------------------------------------------------------------- all that is said


def test_every_mistake_about_data_is_made_here() -> None:
    codes = {code for code in Mistake.by_code if "NN501" <= code < "NN530"}
    text = "".join(
        path.read_text("utf-8")
        for of in ("data*", "formats", "examples", "names")
        for path in Path(__file__).parent.glob(f"test_{of}.py")
    )
    assert {code for code in codes if code not in text} == set()
