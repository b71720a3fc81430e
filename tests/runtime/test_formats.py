"""Parquet, folders of images, .npy and scikit-learn's sets: what is read, and what is refused."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import nnspec
from nnspec.__main__ import main
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import pictures, readers, rows
from nnspec.runtime.data import alike, load, load_inputs, split
from nnspec.runtime.dataset import Dataset
from nnspec.runtime.kernels import Array
from nnspec.runtime.teaching import TEACHING

from .data_files import wrong

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def said(folder: Path, work: Callable[[], object]) -> str:
    mistake = wrong(work)
    return f"{mistake.code} {mistake.message().replace(f'{folder}/', '')}"


# ------------------------------------------------------------------------------------ parquet


def parquet(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), folder / "t.parquet", **options)
    return folder / "t.parquet"


FEATURES: dict[str, Any] = {"a": X[:, 0], "b": X[:, 1].astype(np.int32)}


@pytest.mark.parametrize(
    ("truth", "labels", "classes"),
    [
        (["u", "v", "w"] * 2, Y, ("u", "v", "w")),
        (pa.array(["u", "v", "w"] * 2).dictionary_encode(), Y, ("u", "v", "w")),
        (pa.array(["u", "v", "w"] * 2, pa.large_string()), Y, ("u", "v", "w")),
        (pa.array(["", "w", "é"] * 2), Y, ("", "w", "é")),
        (Y.astype(np.uint8), Y, ("0", "1", "2")),
        (pa.array(Y).dictionary_encode(), Y, ("0", "1", "2")),
        (Y > 0, Y > 0, ("false", "true")),
        (Y + 0.5, Y + 0.5, ()),
        (Y.astype(np.float32), Y, ()),
    ],
)
def test_parquet(tmp_path: Path, truth: Any, labels: Array, classes: tuple[str, ...]) -> None:
    data = load(parquet(tmp_path, FEATURES | {"kind": truth}, row_group_size=4))
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, labels)
    assert (data.x.dtype, data.classes) == (np.float32, classes)
    assert data.y.dtype == (np.int64 if classes else np.float32)


def test_a_data_frame_in_parquet(tmp_path: Path) -> None:
    frame = {"kind": list("uvwuvw"), **FEATURES, "__index_level_0__": Y}
    parquet(tmp_path, frame)
    data = load(tmp_path / "t.parquet", target="kind")
    assert (data.x.tolist(), data.y.tolist()) == (X.tolist(), Y.tolist())
    inputs = load_inputs(str(tmp_path / "t.parquet"), (2,), target="kind")
    assert inputs.x.tolist() == X.tolist()
    assert load_inputs(str(parquet(tmp_path, FEATURES)), (2,)).x.tolist() == X.tolist()


def test_parquet_as_csv(tmp_path: Path) -> None:
    """The same table gives the same set from both."""
    kinds = ["u", "v", "w"] * 2
    lines = [f"{a},{b},{kind}" for (a, b), kind in zip(X.tolist(), kinds, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,kind", *lines]))
    one, two = load(parquet(tmp_path, FEATURES | {"kind": kinds})), load(tmp_path / "t.csv")
    assert (one.x.tobytes(), one.y.tobytes()) == (two.x.tobytes(), two.y.tobytes())
    assert one.classes == two.classes


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": X[:, 0]}, "NN519 `t.parquet` holds no rows of features and truth"),
        ({"a": X[:0, 0], "y": Y[:0]}, "NN519 `t.parquet` holds no rows of features and truth"),
        ({"a": ["q"] * 6, "y": Y}, "NN503 `t.parquet` holds text in column `a`, not numbers"),
        ({"a": [[1]] * 6, "y": Y}, "NN503 `t.parquet` holds list<element: int64> in column `a`, not numbers"),
        ({"a": X[:, 0], "y": pa.array([0] * 6, pa.timestamp("s"))}, "NN503 `t.parquet` holds timestamp[ms] in column `y`, not numbers"),
        ({"a": [1, 2, None, 4, None, 6], "y": Y}, "NN511 `x` of `t.parquet` is NaN or infinite in 2 numbers, the first in row 3, column `a`"),
        ({"a": [1.0] * 5 + [np.inf], "y": Y}, "NN511 `x` of `t.parquet` is NaN or infinite in 1 number, the first in row 6, column `a`"),
        ({"a": X[:, 0], "y": ["a", None] * 3}, "NN503 `t.parquet` has no truth in row 2: column `y` is empty"),
        ({"a": X[:, 0], "y": Y - 1}, "NN512 `t.parquet` has -1 for a class label, in row 1"),
    ],
)  # fmt: skip
def test_a_wrong_parquet(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    path = parquet(tmp_path, columns)
    assert said(tmp_path, lambda: load(path)) == message


def test_parquet_columns_that_are_not_there(tmp_path: Path) -> None:
    path = parquet(tmp_path, FEATURES | {"kind": Y})
    mistake = wrong(lambda: load(path, target="knid"))
    assert (mistake.code, mistake.help()) == ("NN515", "did you mean `kind`?")
    assert wrong(lambda: load(path, truth="values") and load("iris", target="a")).code == "NN503"
    words = parquet(tmp_path, {"a": Y, "kind": list("abcabc")})
    assert wrong(lambda: load(words, truth="values")).code == "NN503"


def test_a_damaged_parquet(tmp_path: Path) -> None:
    """Cut at any byte, or changed in one: a set, or one mistake."""
    whole = parquet(tmp_path, FEATURES | {"kind": list("uvwuvw")}).read_bytes()
    path = tmp_path / "t.parquet"
    cut = [whole[:end] for end in range(0, len(whole), 37)]
    for content in (b"", b"PAR1", b"junk that is no table", b"PAR1" + b"\xff" * 64 + b"PAR1", *cut):
        path.write_bytes(content)
        assert wrong(lambda: load(path)).code in {"NN502", "NN519"}
    refused, rng = 0, np.random.default_rng(0)
    for _ in range(500):
        changed = bytearray(whole)
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(changed))
        try:
            load(path)
        except SpecError:
            refused += 1
    assert refused


def test_a_parquet_that_unfolds_too_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = np.zeros(1_000_000)
    path = parquet(tmp_path, {"a": zeros, "y": zeros})
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(readers, "BUDGET", 1_000_000)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("it was read"))
    assert wrong(lambda: load(path)).code == "NN510"


def test_one_long_word_in_many_rows(tmp_path: Path) -> None:
    """Forty kilobytes that would unfold to ten gigabytes of text."""
    words = pa.DictionaryArray.from_arrays(
        np.zeros(10_000, np.int32), pa.array(["a" * 1_000_000]), ordered=False
    )
    table = pa.table({"a": np.arange(10_000), "y": words.cast(words.type)})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "t.parquet").stat().st_size < 150_000
    assert set(load(tmp_path / "t.parquet").y.tolist()) == {0}


# ------------------------------------------------------------------------------------- images


def pixels(shape: tuple[int, ...], value: int | None = None) -> Any:
    if value is not None:
        return np.full(shape, value, np.uint8)
    return RNG.integers(0, 256, shape).astype(np.uint8)


def album(folder: Path, *, ending: str = "png", shape: tuple[int, ...] = (4, 5, 3)) -> Path:
    """Two classes: three cats, two dogs."""
    for name, count in (("cat", 3), ("dog", 2)):
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(count):
            image = Image.fromarray(pixels(shape))
            image.save(folder / "pets" / name / f"{number:03}.{ending}")
    return folder / "pets"


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "PNG"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
@pytest.mark.parametrize("large", [1, 2**30])
def test_a_folder_of_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, shape: Any, large: int
) -> None:
    monkeypatch.setattr(rows, "LARGE", large)
    folder = album(tmp_path, ending=ending, shape=shape)
    data = load(folder)
    assert data.x.shape == (5, 1 if len(shape) == 2 else 3, 4, 5)
    assert isinstance(data.x, rows.Rows if large == 1 else np.ndarray)
    assert (data.y.tolist(), data.classes) == ([0, 0, 0, 1, 1], ("cat", "dog"))
    third = np.asarray(Image.open(folder / "dog" / f"000.{ending}"))
    channels = third[None] if third.ndim == 2 else third.transpose(2, 0, 1)
    np.testing.assert_array_equal(data.x[3], channels / np.float32(255))
    assert data.x[3].dtype == np.float32


def test_a_jpeg_is_read(tmp_path: Path) -> None:
    folder = album(tmp_path, ending="jpg")
    assert load(folder).x.shape == (5, 3, 4, 5)


def test_grey_among_colours(tmp_path: Path) -> None:
    folder = album(tmp_path)
    Image.fromarray(pixels((4, 5), 51)).save(folder / "dog" / "grey.png")
    seen = Image.fromarray(pixels((4, 5, 4), 102)).convert("RGBA")
    seen.save(folder / "dog" / "seen_through.png")
    Image.fromarray(pixels((4, 5), 0)).convert("P").save(folder / "dog" / "table.gif")
    data = load(folder)
    assert data.x.shape == (8, 3, 4, 5)
    assert data.x[5].tolist() == np.full((3, 4, 5), np.float32(0.2)).tolist()
    assert data.x[6].tolist() == np.full((3, 4, 5), np.float32(0.4)).tolist()


def test_hidden_files_and_litter_are_left_out(tmp_path: Path) -> None:
    folder = album(tmp_path)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.txt").touch()
    (folder / "cat" / ".DS_Store").touch()
    (folder / "cat" / "Thumbs.db").touch()
    (folder / "cat" / ".thumbs").mkdir()
    (folder / "cat" / ".thumbs" / "a.txt").touch()
    (folder / "dog" / "more").mkdir()
    Image.fromarray(pixels((4, 5, 3))).save(folder / "dog" / "more" / "a.png")
    assert load(folder).y.tolist() == [0, 0, 0, 1, 1, 1]


def test_sizes_that_differ(tmp_path: Path) -> None:
    folder = album(tmp_path)
    Image.fromarray(pixels((7, 5, 3))).save(folder / "dog" / "tall.png")
    Image.fromarray(pixels((4, 9, 3))).save(folder / "dog" / "wide.png")
    mistake = wrong(lambda: load(folder))
    assert mistake.code == "NN527"
    assert mistake.message().replace(f"{tmp_path}/", "") == (
        "2 images of `pets` differ from the usual size 4x5 of 5; "
        "the first, `dog/tall.png`, is 7x5, height x width"
    )
    assert "--resize 4x5" in mistake.help()
    assert load(folder, resize=(4, 5)).x.shape == (7, 3, 4, 5)
    flat = album(tmp_path / "flat", shape=(8, 8))
    assert (load(flat, resize=(2, 3)).x.shape) == (5, 1, 2, 3)
    for path in ("iris", parquet(tmp_path, {"a": Y, "y": Y})):
        assert wrong(lambda: load(path, resize=(4, 5))).code == "NN503"  # noqa: B023


def png_head(wide: int, high: int) -> bytes:
    """The beginning of an image of any size whatever."""
    body = b"IHDR" + struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 20)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (body, data, b"IEND")
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", "NN502 cannot read `pets/dog/a.png`: it is no image, or is cut short or damaged"),
        ("a.png", b"text that is no image", "NN502 cannot read `pets/dog/a.png`: it is no image, or is cut short or damaged"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 4\n", "NN502 cannot read `pets/dog/a.png`: it is no image, or is cut short or damaged"),
        ("a.png", png_head(5, 4), "NN502 cannot read `pets/dog/a.png`: it is no image, or is cut short or damaged"),
        ("a.png", png_head(9000, 9000), "NN510 `pets/dog/a.png` unfolds to 243,000,000 bytes, more than the 201,326,592 that a data file may take"),
        ("a.png", png_head(2**31 - 1, 2**31 - 1), "NN502 cannot read `pets/dog/a.png`: it has more pixels than the 67,108,864 that an image may have"),
        ("notes.txt", b"cats", "NN503 `pets/dog/notes.txt` lies among images, but is not called as one"),
    ],
)  # fmt: skip
def test_a_wrong_image(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = album(tmp_path)
    (folder / "dog" / name).write_bytes(content)
    assert said(tmp_path, lambda: load(folder)) == message


def test_images_that_are_cut_short(tmp_path: Path) -> None:
    """At every byte: the image, or one mistake that names it."""
    folder = album(tmp_path)
    for ending in ("png", "jpg", "bmp", "gif", "webp", "tif", "ppm"):
        path = folder / "dog" / f"whole.{ending}"
        Image.fromarray(pixels((4, 5, 3))).save(path)
        whole = path.read_bytes()
        for end in range(0, len(whole), 5):
            path.write_bytes(whole[:end])
            try:
                load(folder)
            except SpecError as refused:
                assert f"dog/whole.{ending}" in str(refused)  # noqa: PT017
        path.unlink()


def test_deep_images_are_refused(tmp_path: Path) -> None:
    folder = album(tmp_path, shape=(4, 5))
    Image.fromarray(pixels((4, 5)).astype(np.uint16)).save(folder / "cat" / "deep.png")
    text = "NN503 `pets/cat/deep.png` has more than 8 bits a pixel"
    assert said(tmp_path, lambda: load(folder)) == text


def test_folders_that_hold_no_classes(tmp_path: Path) -> None:
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    assert said(tmp_path, lambda: load(tmp_path / "pets")) == "NN519 `pets/cat` holds no images"
    folder = album(tmp_path / "more")
    assert wrong(lambda: load(folder, truth="values")).code == "NN503"


def test_images_to_predict(tmp_path: Path) -> None:
    folder = album(tmp_path)
    one = load_inputs(str(folder / "cat" / "001.png"), (3, 4, 5))
    assert one.x.tobytes() == load(folder).x[1:2].tobytes()
    assert load_inputs(str(folder), (3, 4, 5)).x.tobytes() == load(folder).x.tobytes()
    assert len(load_inputs(str(folder / "dog"), (60,))) == 2
    assert load_inputs(str(folder / "dog"), (3, 2, 2), resize=(2, 2)).x.shape == (2, 3, 2, 2)


def test_pixels_of_a_bomb_are_never_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = album(tmp_path)
    monkeypatch.setattr(pictures, "PIXELS", 19)
    monkeypatch.setattr(Image.Image, "convert", lambda *_, **__: pytest.fail("it was decoded"))
    assert wrong(lambda: load(folder)).code == "NN510"


# -------------------------------------------------------------------------------- .npy and .npz


@pytest.mark.parametrize(
    ("inputs", "truth"),
    [
        ("x.npy", "y.npy"),
        ("X.npy", "y.npy"),
        ("X_train.npy", "Y_train.npy"),
        ("train-images.npy", "train-labels.npy"),
        ("inputs.npy", "targets.npy"),
    ],
)
def test_npy_pairs(tmp_path: Path, inputs: str, truth: str) -> None:
    np.save(tmp_path / inputs, X)
    np.save(tmp_path / truth, Y)
    for data in (load(tmp_path / inputs), load(tmp_path)):
        assert (data.x.tolist(), data.y.tolist()) == (X.tolist(), Y.tolist())
    np.save(tmp_path / "x_test.npy", X[:1])
    assert len(load_inputs(str(tmp_path / "x_test.npy"), (2,))) == 1


def test_wrong_npy(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    mistake = wrong(lambda: load(path))
    assert (mistake.code, mistake.help()) == ("NN517", "put them into `y.npy`")
    path.rename(tmp_path / "numbers.npy")
    assert wrong(lambda: load(tmp_path / "numbers.npy")).code == "NN503"
    np.save(tmp_path / "y.npy", Y)
    np.save(path, np.array([{}] * 6), allow_pickle=True)
    text = "NN516 `x` of `x.npy` holds Python objects, which are never read"
    assert said(tmp_path, lambda: load(path)) == text
    path.write_bytes(b"")
    assert said(tmp_path, lambda: load(path)) == "NN519 `x.npy` holds no bytes"
    np.save(path, X)
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"!"):
        path.write_bytes(content)
        assert wrong(lambda: load(path)).code == "NN518"
    np.save(path, X[:4])
    assert wrong(lambda: load(path)).code == "NN504"


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_a_large_file_that_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What would be mapped is refused, not mapped, where the file ends before it does."""
    monkeypatch.setattr(rows, "LARGE", 1)
    np.savez(tmp_path / "d.npz", y=Y, x=X)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    path = tmp_path / ("d.npz" if kind == "npz" else "x.npy")
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        wrong(lambda: load(path))
    path.write_bytes(whole)
    assert load(path).x[5].tolist() == X[5].tolist()


def test_an_archive_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    """Its table of contents, and the array in it, speak of four gigabytes."""
    wanted = 2**32
    head = io.BytesIO()
    layout = {"descr": "|u1", "fortran_order": False, "shape": (wanted // 4, 4)}
    np.lib.format.write_array_header_1_0(head, layout)
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(100))
        info = archive.getinfo("x.npy")
        info.file_size = info.compress_size = len(head.getvalue()) + wanted
        labels = io.BytesIO()
        np.save(labels, Y)
        archive.writestr("y.npy", labels.getvalue())
    text = "NN502 cannot read `d.npz`: it is cut short or damaged"
    assert said(tmp_path, lambda: load(tmp_path / "d.npz")) == text


def test_what_is_compressed_is_not_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LARGE", 1)
    np.savez_compressed(tmp_path / "d.npz", x=X, y=Y)
    assert load(tmp_path / "d.npz").x.tolist() == X.tolist()
    with zipfile.ZipFile(tmp_path / "d.npz", "a") as archive:
        archive.writestr("note.txt", "no array")
    assert isinstance(load(tmp_path / "d.npz").x, np.ndarray)


# ------------------------------------------------------------------------------- scikit-learn


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("wine", (178, 13), ("class_0", "class_1", "class_2")),
        ("breast_cancer", (569, 30), ("malignant", "benign")),
        ("diabetes", (442, 10), ()),
    ],
)
def test_sets_for_teaching(name: str, shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
    data = load(name)
    assert (data.x.shape, data.classes, data.x.dtype) == (shape, classes, np.float32)
    assert data.y.dtype == (np.int64 if classes else np.float32)
    assert len(load_inputs(name, shape[1:])) == shape[0]


@pytest.mark.parametrize(
    ("data", "library", "extra"),
    [
        ("wine", "scikit-learn", "sklearn"),
        ("t.parquet", "pyarrow", "parquet"),
        ("pets", "Pillow", "images"),
    ],
)
def test_without_its_library(tmp_path: Path, data: str, library: str, extra: str) -> None:
    album(tmp_path)
    parquet(tmp_path, FEATURES)
    program = (
        "import sys\n"
        "for name in ('sklearn', 'pyarrow', 'PIL'): sys.modules[name] = None\n"
        "from nnspec.__main__ import main\n"
        f"sys.exit(main(['train', '2 -> fc3', '--data', {data!r}]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / ".dev"), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert f"needs {library}, which is not installed" in run.stderr + run.stdout
    assert f'pip install "nnspec[{extra}]"' in run.stderr + run.stdout
    assert "NN526" in run.stderr + run.stdout


# ---------------------------------------------------------------------------- two sets, commands


def test_two_sets_count_their_classes_alike() -> None:
    learned = Dataset("a", X, Y, ("cat", "cow", "dog"))
    other = alike(Dataset("b", X, Y % 2, ("cat", "dog")), learned)
    assert (other.y.tolist(), other.classes) == ([0, 2, 0, 0, 2, 0], learned.classes)
    mistake = wrong(lambda: alike(learned, Dataset("b", X, Y % 2, ("cat", "dog"))))
    assert (mistake.code, mistake.message()) == (
        "NN528",
        "`a` does not go with `b`: the other does not know `cow`",
    )
    values = Dataset("v", X, Y.astype(np.float32))
    assert alike(values, values) is values
    for pair in ((values, learned), (learned, values)):
        assert wrong(lambda: alike(*pair)).code == "NN528"  # noqa: B023
    assert set(TEACHING) == {"wine", "breast_cancer", "diabetes"}


def test_every_kind_of_data_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    iris = load("iris")
    learned, held = split(iris)
    for name, part in (("learned", learned), ("held", held)):
        columns = {f"f{i}": part.x[:, i] for i in range(4)}
        kinds = [iris.classes[label] for label in part.y]
        pq.write_table(pa.table(columns | {"kind": kinds}), f"{name}.parquet")
        np.savez(f"{name}.npz", x=part.x, y=part.y)
    np.save("x.npy", iris.x)
    np.save("y.npy", iris.y)

    def ran(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    spec = "4 -> fc16 relu -> fc3"
    quick = ("--epochs", "30", "--optimizer", "adam(lr=0.02)", "--format", "json")
    tests = {}
    for ending in ("parquet", "npz"):
        pair = ("--data", f"learned.{ending}", "--validation", f"held.{ending}")
        code, out, _ = ran("train", spec, *pair, *quick, "--save", "iris.safetensors")
        tests[ending] = json.loads(out)
        assert (code, tests[ending]["data"]["held_out"]) == (0, 30)
        code, out, _ = ran(
            "evaluate", "iris.safetensors", "--data", f"held.{ending}", "--format", "json"
        )
        assert json.loads(out)["accuracy"] == tests[ending]["test"]["accuracy"] > 0.9
        code, out, _ = ran("predict", "iris.safetensors", "--data", f"held.{ending}")
        assert (code, len(out.splitlines())) == (0, 10)
    assert tests["parquet"]["test"] == tests["npz"]["test"]
    for data in ("x.npy", "."):
        assert ran("train", spec, "--data", data, "--epochs", "1")[0] == 0
    code, _, err = ran("train", spec, "--data", "iris", "--validation", "wine", "--epochs", "1")
    assert (code, "NN507" in err) == (1, True)
    np.savez("two.npz", x=held.x, y=np.zeros(30))
    code, _, err = ran("train", spec, "--data", "iris", "--validation", "two.npz", "--epochs", "1")
    assert (code, "NN528" in err) == (1, True)
    code, _, err = ran("train", spec, "--data", "iris", "--validation", "iris", "--held-out", "0.3")
    assert (code, "not allowed with" in err) == (2, True)
    assert ran("train", "13 -> fc3", "--data", "wine", "--epochs", "1")[0] == 0


def test_images_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(album(tmp_path, shape=(8, 8, 3)).parent)
    spec = "3x4x4 -> flatten -> fc2"
    words = ("--data", "pets", "--resize", "4x4")
    code = main(["train", spec, *words, "--epochs", "1", "--save", "pets.safetensors"])
    assert code == 0
    assert main(["predict", "pets.safetensors", *words]) == 0
    assert main(["evaluate", "pets.safetensors", *words]) == 0
    capsys.readouterr()
    assert main(["train", spec, "--data", "pets", "--resize", "4by4"]) == 2
    assert "--resize 32x32" in capsys.readouterr().err


def test_public_names() -> None:
    data = nnspec.load_data("wine")
    net = nnspec.compile("13 -> fc3", loss="cross_entropy", seed=0)
    assert len(net.fit(data, epochs=2)) == 2
    assert net.evaluate(data).accuracy is not None
    assert net(data).shape == (178, 3)
