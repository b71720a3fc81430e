"""Examples shared out between learning and holding out, and fitted to a net's inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnspec.runtime.data import BUNDLED, fitted, load, split
from nnspec.runtime.dataset import Dataset

from .data_files import Y, npz, said, wrong


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


def test_pictures_with_their_channels_last_are_told() -> None:
    """A spec that began as they lie would see a picture of 8 channels, 8x3."""
    digits = load("digits")
    pictures = replace(digits, x=np.repeat(digits.x.reshape(-1, 8, 8, 1), 3, axis=3))
    assert wrong(lambda: fitted(pictures, (4,))).help() == (
        "pictures have their channels first, x.transpose(0, 3, 1, 2): begin with 3x8x8"
    )


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
