"""Data sets: what ships, what is read, and what is said of every file that is wrong."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from nnspec.grammar.diagnostics import Mistake, SpecError
from nnspec.runtime import readers
from nnspec.runtime.data import BUNDLED, fitted, load, load_inputs, split
from nnspec.runtime.dataset import Dataset

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist10k"
X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


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
    assert said(lambda: load("spiral", seed=-1)) == "NN522 a seed is a whole number from 0, not -1"


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


# -------------------------------------------------------------------------------------- .csv


def written(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_words_are_classes_in_sorted_order(tmp_path: Path) -> None:
    data = load(written(tmp_path, "a,b,kind\n1,2,pear\n3,4,apple\n\n5,6,pear\n"))
    assert data.x.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data.x.dtype == np.float32
    assert data.y.tolist() == [1, 0, 1]
    assert data.classes == ("apple", "pear")


def test_without_a_header(tmp_path: Path) -> None:
    data = load(written(tmp_path, "1,2,pear\n3,4,apple\n"))
    assert (len(data), data.classes) == (2, ("apple", "pear"))


def test_whole_numbers_are_classes_and_points_make_values(tmp_path: Path) -> None:
    whole = load(written(tmp_path, "1,0\n2,2\n"))
    assert (whole.y.tolist(), whole.classes) == ([0, 2], ("0", "1", "2"))
    values = load(written(tmp_path, "1,0\n2,2.5\n"))
    assert (values.y.tolist(), values.classes) == ([0, 2.5], ())
    assert values.y.dtype == np.float32


def test_what_the_truth_is_can_be_said(tmp_path: Path) -> None:
    prices = load(written(tmp_path, "1,250000\n2,310000\n"), truth="values")
    assert prices.y.tolist() == [250000, 310000]
    assert prices.y.dtype == np.float32
    labels = load(written(tmp_path, "1,0.0\n2,1.0\n"), truth="classes")
    assert labels.y.tolist() == [0, 1]
    assert labels.y.dtype == np.int64
    path = written(tmp_path, "1,good\n2,bad\n")
    text = "NN505 line 1, column 2 of `t.csv` is `good`, not a number"
    assert said(lambda: load(path, truth="values")) == text


def test_the_target_by_name(tmp_path: Path) -> None:
    data = load(written(tmp_path, "kind,0,1\npear,2,3\nfig,4,5\n"), target="kind")
    assert (data.x.tolist(), data.classes) == ([[2, 3], [4, 5]], ("fig", "pear"))


def test_marks_and_line_ends_of_spreadsheets(tmp_path: Path) -> None:
    data = load(written(tmp_path, b"\xef\xbb\xbfkind,a\r\nx,1\r\ny,2\r\n"), target="kind")
    assert (data.x.tolist(), data.y.tolist()) == ([[1], [2]], [0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "NN519 `t.csv` holds no rows"),
        ("\n  \n", "NN519 `t.csv` holds no rows"),
        ("a,b\n", "NN519 `t.csv` holds no examples below its header"),
        ("a,b\n1,0\n2\n", "NN514 line 3 of `t.csv` has 1 cell, not 2"),
        ("a,b\n\n1,0\n2,1,5\n", "NN514 line 4 of `t.csv` has 3 cells, not 2"),
        ("a,b\n1,0\n\nq,1\n", "NN505 line 4, column 1 of `t.csv` is `q`, not a number"),
        ("1,2,0\n3,,1\n", "NN505 line 2, column 2 of `t.csv` is empty, not a number"),
        ("1,0\n2,\n", "NN503 `t.csv` has no truth in line 2: column 2 is empty"),
        (
            "2020,2021,y\n1,2,0\n3,4,1\n",
            "NN503 `t.csv` may begin with a header: its truth is `y` in line 1, then numbers",
        ),
        ("1_000,0\n2,1\n", "NN505 line 1, column 1 of `t.csv` is `1_000`, not a number"),
        ("1,2\n2,1_000.5\n", "NN505 line 2, column 2 of `t.csv` is `1_000.5`, not a number"),
        ("1,1_000\n2,3\n", "NN505 line 1, column 2 of `t.csv` is `1_000`, not a number"),
        (
            "1,\0\n2,b\n",
            r"NN503 `t.csv` has a control character in the class '\x00' of line 1",
        ),
        ("1;0\n2;1\n", "NN503 `t.csv` has one column"),
        (
            "a,b\n1,0\nnan,1\n-inf,1\n",
            "NN511 `x` of `t.csv` is NaN or infinite in 2 numbers, the first in line 3, column 1",
        ),
        (
            "1,0.5\n2,nan\n",
            "NN511 `y` of `t.csv` is NaN or infinite in 1 number, the first in line 2",
        ),
        (
            "1,0\n1e300,1\n",
            "NN520 `x` of `t.csv` goes beyond 3.4e38 in 1 number, the first in line 2, column 1",
        ),
        ("1,1\n2,-1\n", "NN512 `t.csv` has -1 for a class label, in line 2"),
        ("1,1\n2,100000000\n", "NN512 `t.csv` has 100000000 for a class label, in line 2"),
        (b"1,\xff\xfe\n", "NN502 cannot read `t.csv`: it is not text in UTF-8"),
        ('1,"' + "0" * 200_000 + '"\n', "NN503 `t.csv` cannot be understood in line 1"),
    ],
)
def test_a_wrong_csv(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, text)
    assert said(lambda: load(path)) == message


@pytest.mark.parametrize("label", ["²", "+-3", "0x1", "1_", "--"])
def test_odd_labels_are_words(tmp_path: Path, label: str) -> None:
    assert label in load(written(tmp_path, f"1,0\n2,{label}\n")).classes


def test_a_header_of_numbers_by_its_target(tmp_path: Path) -> None:
    data = load(written(tmp_path, "2020,2021,y\n1,2,0\n3,4,1\n"), target="y")
    assert (data.x.tolist(), data.y.tolist()) == ([[1, 2], [3, 4]], [0, 1])


def test_classes_that_look_grouped_stay_words(tmp_path: Path) -> None:
    assert load(written(tmp_path, "1,1_2\n2,2_1\n")).classes == ("1_2", "2_1")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": 0}, "NN117 `target` is a column's name, not 0"),
        ({"seed": "a"}, "NN522 a seed is a whole number from 0, not a"),
        ({"truth": "foo"}, "NN117 `truth` cannot be 'foo'"),
    ],
)
def test_what_is_asked_of_a_set_is_checked(given: dict[str, Any], message: str) -> None:
    assert said(lambda: load("iris", **given)) == message


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    headed = written(tmp_path, "length,width,kind\n1,2,x\n")
    mistake = wrong(lambda: load(headed, target="knid"))
    assert (mistake.code, mistake.help()) == ("NN515", "did you mean `kind`?")
    assert wrong(lambda: load(headed, target="zzz")).help() == "it has length, width, kind"
    bare = written(tmp_path, "1,2,x\n")
    text = "NN515 `t.csv` has no header to find column `kind` in"
    assert said(lambda: load(bare, target="kind")) == text


def test_labels_that_are_not_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "1,0\n2,0.5\n")
    text = "NN512 `t.csv` has 0.5 for a class label, in line 2"
    assert said(lambda: load(path, truth="classes")) == text


def test_a_csv_beyond_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "1,0\n" * 20)
    monkeypatch.setattr(readers, "BUDGET", 79)
    text = "NN510 `t.csv` unfolds to 80 bytes, more than the 79 that a data file may take"
    assert said(lambda: load(path)) == text


# -------------------------------------------------------------------------------------- .npz


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


# --------------------------------------------------------------------------------------- IDX


def idx(numbers: Any, kind: int = 8) -> bytes:
    array = np.asarray(numbers).astype(readers.IDX_TYPES[kind])
    return (
        bytes([0, 0, kind, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PIXELS = np.arange(54).reshape(6, 3, 3) % 256


def pair(
    tmp_path: Path, images: bytes | None = None, labels: bytes | None = None, ending: str = ""
) -> Path:
    packed: Callable[[bytes], bytes] = gzip.compress if ending == ".gz" else bytes
    written(tmp_path, packed(idx(PIXELS) if images is None else images), IMAGES + ending)
    written(tmp_path, packed(idx(Y) if labels is None else labels), LABELS + ending)
    return tmp_path / (IMAGES + ending)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_find_their_labels(tmp_path: Path, ending: str) -> None:
    path = pair(tmp_path, ending=ending)
    for data in (load(path), load(tmp_path)):
        assert data.x.shape == (6, 1, 3, 3)
        assert data.x.dtype == np.float32
        assert data.x.ravel() == pytest.approx(PIXELS.ravel() / 255)
        assert data.y.tolist() == Y.tolist()
        assert data.source == str(path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images.idx", "labels.idx"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
    ],
)
def test_names_of_pairs(tmp_path: Path, images: str, labels: str) -> None:
    for name, content in ((images, idx(PIXELS)), (labels, idx(Y))):
        written(tmp_path, gzip.compress(content) if name.endswith(".gz") else content, name)
    assert len(load(tmp_path / images)) == 6


def test_a_folder_with_two_pairs_gives_the_one_to_train_on(tmp_path: Path) -> None:
    pair(tmp_path)
    written(tmp_path, idx(PIXELS[:2]), "t10k-images-idx3-ubyte")
    written(tmp_path, idx(Y[:2]), "t10k-labels-idx1-ubyte")
    assert len(load(tmp_path)) == 6


@pytest.mark.parametrize("kind", [9, 11, 12, 13, 14])
def test_numbers_of_other_types(tmp_path: Path, kind: int) -> None:
    data = load(pair(tmp_path, idx(PIXELS, kind), idx(Y, kind)))
    assert data.x.ravel().tolist() == PIXELS.ravel().tolist()
    assert data.y.tolist() == Y.tolist()


def test_values_in_place_of_labels(tmp_path: Path) -> None:
    path = pair(tmp_path, labels=idx(Y / 2, 13))
    assert load(path, truth="values").y.tolist() == (Y / 2).tolist()
    text = f"NN512 `{LABELS}` has 0.5 for a class label, in row 2"
    assert said(lambda: load(path)) == text


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (b"", None, f"NN519 `{IMAGES}` holds no bytes"),
        (b"\0\0\x08", None, f"NN503 `{IMAGES}` is no IDX file: its first bytes are wrong"),
        (b"\x89PNG....", None, f"NN503 `{IMAGES}` is no IDX file: its first bytes are wrong"),
        (b"\0\0\x08\0", None, f"NN503 `{IMAGES}` is no IDX file of numbers: it has 0 axes"),
        (idx(PIXELS)[:10], None, f"NN502 cannot read `{IMAGES}`: it is cut short or damaged"),
        (idx(PIXELS)[:-1], None, f"NN518 the array of `{IMAGES}` is said to be 6x3x3 = 54 bytes, but the file holds 53"),
        (idx(PIXELS) + b"!", None, f"NN518 the array of `{IMAGES}` is said to be 6x3x3 = 54 bytes, but the file holds more"),
        (None, idx(Y[:4]), f"NN504 `{IMAGES}` holds 6 examples, but 4 labels"),
        (None, idx(-Y, 9), f"NN512 `{LABELS}` has -1 for a class label, in row 2"),
        (None, idx(PIXELS), f"NN503 `{LABELS}` has labels of 3 axes"),
        (idx(PIXELS[:0]), idx(Y[:0]), f"NN519 `{IMAGES}` holds no examples"),
        (
            b"\0\0\x08\x03" + b"\xff" * 12,
            None,
            f"NN510 `{IMAGES}` unfolds to {(2**32 - 1) ** 3:,} bytes, more than the 2,147,483,648 that a data file may take",
        ),
    ],
)  # fmt: skip
def test_a_wrong_pair(
    tmp_path: Path, images: bytes | None, labels: bytes | None, message: str
) -> None:
    path = pair(tmp_path, images, labels)
    assert said(lambda: load(path)) == message


def test_a_broken_gz(tmp_path: Path) -> None:
    path = pair(tmp_path, ending=".gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert said(lambda: load(path)).endswith("it is cut short or damaged")
    path.write_bytes(idx(PIXELS))
    assert said(lambda: load(path)) == f"NN502 cannot read `{IMAGES}.gz`: it is damaged"
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    assert said(lambda: load(path)) == f"NN502 cannot read `{IMAGES}.gz`: it is damaged"


def test_labels_that_are_not_found(tmp_path: Path) -> None:
    path = pair(tmp_path)
    mistake = wrong(lambda: load(tmp_path / LABELS))
    assert mistake.help() == "name the file of images; its labels are found beside it"
    (tmp_path / LABELS).unlink()
    mistake = wrong(lambda: load(path))
    assert mistake.code == "NN517"
    assert mistake.help() == f"put them into `{LABELS}` or `{LABELS}.gz`"


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert said(lambda: load(tmp_path / "set")) == "NN519 `set` holds no files"
    (tmp_path / "set" / "notes.txt").touch()
    assert said(lambda: load(tmp_path / "set")) == "NN503 `set` holds no data that is read"


if MNIST.is_dir():

    def test_mnist() -> None:
        data = load(MNIST)
        assert (data.x.shape, data.x.min(), data.x.max()) == ((10_000, 1, 28, 28), 0, 1)
        assert data.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
        assert data.classes == tuple("0123456789")


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


# ---------------------------------------------------------------------------- split and fitted


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("held_out", [0.1, 0.2, 0.5])
def test_every_class_keeps_its_share(name: str, held_out: float) -> None:
    data = load(name)
    learned, held = split(data, held_out)
    assert len(held) == round(len(data) * held_out)
    assert len(learned) + len(held) == len(data)
    shares = np.bincount(held.y) / np.bincount(data.y)
    assert shares == pytest.approx(held_out, abs=1 / np.bincount(data.y).min())
    both = np.concatenate([learned.x, held.x]).reshape(len(data), -1)
    whole = data.x.reshape(len(data), -1)
    assert sorted(map(bytes, both)) == sorted(map(bytes, whole))


def test_a_split_repeats_by_seed() -> None:
    data = load("iris")
    parts = [split(data, seed=seed)[1].x.tobytes() for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def _labelled(labels: list[int]) -> Dataset:
    return Dataset("few", np.zeros((len(labels), 1), np.float32), np.array(labels, np.int64))


def test_small_classes_are_shared_out_and_stay_in_the_first_part() -> None:
    learned, held = split(_labelled([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]), 0.2)
    assert len(held) == 2
    assert set(learned.y.tolist()) == {0, 1, 2, 3, 4, 5}
    learned, _ = split(_labelled([0, 0, 0, 1]), 0.9)
    assert set(learned.y.tolist()) == {0, 1}


@pytest.mark.parametrize("held_out", [-0.5, 0, 1, 1.5, float("nan"), 0.001])
def test_shares_that_leave_a_part_empty(held_out: float) -> None:
    mistake = wrong(lambda: split(load("iris"), held_out))
    assert mistake.code == "NN508"
    assert f"holding out {held_out * 100:g}% of 150 examples" in mistake.message()


def test_splits_that_make_no_sense() -> None:
    text = "NN513 all 3 examples of `few` are of one class, `1`"
    assert said(lambda: split(_labelled([1, 1, 1]))) == text
    assert wrong(lambda: split(load("iris"), seed=-1)).code == "NN522"
    values = replace(load("iris"), y=np.zeros(150, np.float32))
    assert len(split(values)[1]) == 30


def test_fitted_to_a_net() -> None:
    data = load("digits")
    flat = fitted(data, (64,))
    assert flat.x.shape == (1797, 64)
    assert flat.x[5].tolist() == data.x[5].ravel().tolist()
    assert fitted(flat, (1, 8, 8)).x.tobytes() == data.x.tobytes()
    assert fitted(data, (8, 8, 1)).x.shape == (1797, 8, 8, 1)


def test_fitted_to_a_net_that_takes_another_size() -> None:
    mistake = wrong(lambda: fitted(load("digits"), (3, 32, 32)))
    assert mistake.code == "NN507"
    assert mistake.message() == (
        "the net takes 3x32x32 = 3,072 numbers, but an example of `digits` has 1x8x8 = 64 numbers"
    )


def test_channels_last_are_not_scrambled(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=np.zeros((6, 4, 4, 3), np.uint8), y=Y))
    mistake = wrong(lambda: fitted(data, (3, 4, 4)))
    assert mistake.code == "NN521"
    assert "has its axes in another order, 4x4x3" in mistake.message()
    assert fitted(data, (48,)).x.shape == (6, 48)


def test_every_mistake_about_data_is_made_here() -> None:
    codes = {code for code in Mistake.by_code if "NN501" <= code < "NN530"}
    text = "".join(
        Path(__file__).with_name(f"test_{of}.py").read_text("utf-8")
        for of in ("data", "formats", "examples", "names")
    )
    assert {code for code in codes if code not in text} == set()


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
