"""Data that ships, and data that is drawn."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np

from .dataset import Dataset
from .readers import read_csv


def digits() -> Dataset:
    """1,797 handwritten digits, (1, 8, 8) each, 0 to 1. UCI, Alpaydin and Kaynak 1998."""
    with (files("nnspec.runtime") / "datasets" / "digits.npz").open("rb") as file:
        raw = np.load(file, allow_pickle=False)
        x = raw["x"].reshape(-1, 1, 8, 8).astype(np.float32) / np.float32(16)
        y = raw["y"].astype(np.int64)
    source = "UCI optical recognition of handwritten digits (CC BY 4.0)"
    return Dataset("digits", x, y, tuple("0123456789"), source)


def iris() -> Dataset:
    """150 flowers, four lengths in cm, three species. UCI, Fisher 1936."""
    with as_file(files("nnspec.runtime") / "datasets" / "iris.csv") as path:
        raw = read_csv(path, "species")
    return replace(raw, name="iris", source="UCI iris (CC BY 4.0)")


def spiral(seed: int = 0) -> Dataset:
    """CS231n's toy set: three interleaved spiral arms of 100 points, in the plane."""
    rng = np.random.Generator(np.random.PCG64(seed))
    points, arms = 100, 3
    radius = np.linspace(0, 1, points)
    x = np.empty((arms * points, 2), np.float32)
    for arm in range(arms):
        angle = np.linspace(arm * 4, (arm + 1) * 4, points) + rng.standard_normal(points) * 0.2
        rows = slice(arm * points, (arm + 1) * points)
        x[rows] = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    y = np.repeat(np.arange(arms), points).astype(np.int64)
    source = "CS231n, 'Putting it together: minimal neural network case study'"
    return Dataset("spiral", x, y, ("0", "1", "2"), source)


def moons(seed: int = 0) -> Dataset:
    """Two interleaved half circles of 200 points each, with noise of 0.1."""
    rng = np.random.Generator(np.random.PCG64(seed))
    angle = np.linspace(0, np.pi, 200)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    x = np.concatenate([upper, lower]) + rng.standard_normal((400, 2)) * 0.1
    y = np.repeat(np.arange(2), 200).astype(np.int64)
    return Dataset("moons", x.astype(np.float32), y, ("0", "1"), "two moons, drawn")
