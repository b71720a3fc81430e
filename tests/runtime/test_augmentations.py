"""Augmentations: the same pixels as torchvision's and SciPy's, the chances that are promised, nothing
touched that should not be, no allocation, and the same bits again."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import nnspec
from nnspec.compiler.training.augmentations import AUGMENTATIONS, Crop, Moved, Rotate, Shift
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.augmentations import COMPUTE, Augmenter, draw_offsets, move, rotate
from nnspec.runtime.data import load, split

from ..vision import InterpolationMode, pictures

Array = NDArray[Any]
RNG = np.random.default_rng(0)
NET = "3x9x8 -> conv4 3x3 relu -> flatten fc5"
MANY = 20_000


def varied(
    augment: str, x: Array, *, seed: int = 0, spec: str = NET, batches: int = 1
) -> tuple[Array, Augmenter]:
    """A copy of x after so many batches of it have been varied, the last one returned."""
    graph = nnspec.graph(spec, settings={"augment": augment, "loss": "cross_entropy"})
    augmenter = Augmenter(graph.training.augment, graph, seed, x.dtype)
    name = graph.inputs[0].name
    for _ in range(batches):
        out = x.copy()
        augmenter({name: out}, np.zeros((len(x), 5), x.dtype))
    return out, augmenter


def room(
    augmentation: Any, x: Array, graph: Any
) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """What it draws and its scratch, to be filled by hand."""
    made = Augmenter((augmentation,), graph, 0, x.dtype)._of(len(x))[0]
    return made.drawn, next(iter(made.scratch.values()))


# ---------------------------------------------------------------------------- against others


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 9, 8), (2, 16, 31)])
def test_rotate_against_torchvision(shape: tuple[int, int, int], dtype: Any) -> None:
    graph = nnspec.graph("x".join(map(str, shape)) + " -> flatten fc2")
    x = RNG.standard_normal((12, *shape)).astype(dtype)
    drawn, scratch = room(Rotate(degrees=180.0), x, graph)
    angles = np.linspace(-180, 180, 12)
    drawn["sine"][:, 0, 0] = np.sin(np.deg2rad(angles))
    drawn["cosine"][:, 0, 0] = np.cos(np.deg2rad(angles))
    theirs = [
        pictures.rotate(torch.tensor(one), angle, InterpolationMode.BILINEAR).numpy()
        for one, angle in zip(x, angles.tolist(), strict=True)
    ]
    rotate(Rotate(), np.random.default_rng(), drawn, x, scratch)
    # torchvision works out its grid in float32.
    np.testing.assert_allclose(x, np.stack(theirs), atol=2e-4)


def test_rotate_by_right_angles_moves_pixels() -> None:
    graph = nnspec.graph("2x7x7 -> flatten fc2")
    x = RNG.standard_normal((3, 2, 7, 7))
    drawn, scratch = room(Rotate(), x, graph)
    drawn["sine"][:, 0, 0], drawn["cosine"][:, 0, 0] = (0, 1, 0), (1, 0, -1)
    before = x.copy()
    rotate(Rotate(), np.random.default_rng(), drawn, x, scratch)
    for turns in range(3):
        expected = np.rot90(before[turns], turns, axes=(1, 2))
        np.testing.assert_allclose(x[turns], expected, atol=1e-12)


@pytest.mark.parametrize("kind", [Shift, Crop])
def test_shift_against_scipy(kind: type[Moved]) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    graph = nnspec.graph("2x5x4 -> flatten fc2")
    offsets = [(down, across) for down in range(-7, 8) for across in range(-7, 8)]
    x = RNG.standard_normal((len(offsets), 2, 5, 4))
    drawn, scratch = room(kind(), x, graph)
    drawn["offset"][:] = offsets
    theirs = [
        ndimage.shift(one, (0, down, across), order=0)
        for one, (down, across) in zip(x, offsets, strict=True)
    ]
    move(kind(), np.random.default_rng(), drawn, x, scratch)
    np.testing.assert_array_equal(x, np.stack(theirs))


def test_crop_is_a_window_of_the_padded_picture() -> None:
    x = RNG.standard_normal((500, 3, 9, 8)).astype(np.float32)
    out, _ = varied("crop(2)", x)
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    seen = set()
    for one, whole in zip(out, padded, strict=True):
        windows = [
            (r, c) for r in range(5) for c in range(5)
            if np.array_equal(whole[:, r : r + 9, c : c + 8], one)
        ]  # fmt: skip
        assert len(windows) == 1
        seen.update(windows)
    assert len(seen) == 25


def test_flip_is_numpys() -> None:
    x = RNG.standard_normal((50, 3, 9, 8)).astype(np.float32)
    out, _ = varied("flip", x)
    mirrored = (out == x[..., ::-1]).all((1, 2, 3))
    untouched = (out == x).all((1, 2, 3))
    assert (mirrored ^ untouched).all()
    assert 10 < mirrored.sum() < 40
    np.testing.assert_array_equal(varied("flip(1)", x)[0], x[..., ::-1])
    np.testing.assert_array_equal(varied("flip(0)", x)[0], x)


def test_cutout_blanks_one_square() -> None:
    x = np.ones((400, 3, 9, 8), np.float32)
    out, _ = varied("cutout(4)", x)
    assert (out[:, :1] == out).all()
    sizes = set()
    for hole in 1 - out[:, 0]:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole.sum() == len(rows) * len(columns)
        assert (np.diff(rows) == 1).all()
        assert (np.diff(columns) == 1).all()
        sizes.add((len(rows), len(columns)))
    assert max(sizes) == (4, 4)
    assert min(sizes) == (2, 2)


# ------------------------------------------------------------------------------ how it is drawn


def test_chances() -> None:
    """Within five standard deviations of what is promised."""
    x = np.tile(np.arange(2.0), (MANY, 1, 1)).reshape(MANY, 1, 1, 2).astype(np.float32)
    for p in (0.5, 0.2):
        out, _ = varied(f"flip({p})", x, spec="1x1x2 -> flatten fc5")
        assert abs((out[:, 0, 0, 0] == 1).mean() - p) < 5 * np.sqrt(p * (1 - p) / MANY)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pixels", [1, 2, 7, 64])
def test_offsets_are_uniform(pixels: int, dtype: Any) -> None:
    drawn = {"chance": np.empty((MANY, 2), dtype), "offset": np.empty((MANY, 2), np.int64)}
    draw_offsets(Shift(pixels=pixels), np.random.default_rng(0), drawn)
    places = 2 * pixels + 1
    assert drawn["offset"].min() == -pixels
    assert drawn["offset"].max() == pixels
    for axis in range(2):
        counts = np.bincount(drawn["offset"][:, axis] + pixels)
        spread = ((counts - MANY / places) ** 2 / (MANY / places)).sum()
        assert spread < places - 1 + 5 * np.sqrt(2 * (places - 1))
    assert abs(np.corrcoef(drawn["offset"].T)[0, 1]) < 5 / np.sqrt(MANY)


def test_angles_are_uniform() -> None:
    _, augmenter = varied("rotate(30)", np.zeros((MANY, 1, 1, 1)), spec="1x1x1 -> flatten fc5")
    angle = np.rad2deg(augmenter._of(MANY)[0].drawn["angle"]).reshape(-1)
    assert -30 <= angle.min() < -29.9
    assert 29.9 < angle.max() <= 30
    assert abs(angle.mean()) < 5 * 30 / np.sqrt(3 * MANY)
    assert angle.std() == pytest.approx(30 / np.sqrt(3), rel=0.03)


def test_noise_has_its_deviation() -> None:
    x = RNG.standard_normal((MANY, 3, 9, 8)).astype(np.float32)
    added = varied("noise(0.25)", x)[0] - x
    assert added.std() == pytest.approx(0.25, rel=0.002)
    assert abs(added.mean()) < 5 * 0.25 / np.sqrt(x.size)
    assert abs(np.corrcoef(added[:, 0, 0, 0], added[:, 0, 0, 1])[0, 1]) < 5 / np.sqrt(MANY)


# ---------------------------------------------------------------------------- what stays as it is

ALL = "(flip, shift(2), crop(1), rotate(20), noise(0.1), cutout(3))"


def test_the_same_bits_again() -> None:
    x = RNG.standard_normal((37, 3, 9, 8)).astype(np.float32)
    first, _ = varied(ALL, x, batches=3)
    again, _ = varied(ALL, x, batches=3)
    other, _ = varied(ALL, x, batches=3, seed=1)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_streams_do_not_lean_on_each_other() -> None:
    """What one draws is the same whichever others are there, and goes on from a kept state."""
    x = RNG.standard_normal((16, 3, 9, 8)).astype(np.float32)
    alone, _ = varied("shift(2)", x, batches=2)
    after, augmenter = varied("(flip(0), noise(1e-30), shift(2))", x, batches=2)
    np.testing.assert_array_equal(alone, after)
    assert set(augmenter.streams) == {"flip", "noise", "shift"}
    once, kept = varied("shift(2)", x)
    assert not np.array_equal(once, alone)
    twice = x.copy()
    kept({"input": twice} if "input" in kept._values else {next(iter(kept._values)): twice}, x)
    np.testing.assert_array_equal(twice, alone)


def test_no_allocation_after_the_first_batch() -> None:
    x = RNG.standard_normal((64, 3, 32, 32)).astype(np.float32)
    _, augmenter = varied(ALL, x, spec="3x32x32 -> flatten fc5")
    name, truth = next(iter(augmenter._values)), np.zeros((64, 5))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    augmenter({name: x}, truth)
    _, peak = tracemalloc.get_traced_memory()
    mine = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    left = tracemalloc.take_snapshot().filter_traces([mine]).traces
    tracemalloc.stop()
    assert not left
    assert peak - before < x.nbytes / 6, (
        "a number for each example, and NumPy's buffers for casting"
    )
