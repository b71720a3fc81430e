"""Data in IDX, the format of MNIST: images and the labels beside them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from nnspec.runtime.data import load

from .data_files import IMAGES, LABELS, PIXELS, Y, idx, pair, said, written, wrong

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist10k"


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
