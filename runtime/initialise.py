"""Seeds and initialisers. Every node draws from a stream of its own, keyed by seed and name, so
adding a layer changes no other layer's weights."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from ..compiler.plan.parameters import Entry, Parameters
from .kernels import Array


def stream(seed: int, purpose: str, name: str = "") -> np.random.Generator:
    """The random stream for one purpose (`init`, `shuffle`, `noise`) of one node."""
    key = int.from_bytes(sha256(f"{purpose}:{name}".encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, key])))


PIECE = 64 * 1024
"""Numbers drawn at a time: they are drawn in float64 whatever the net computes in."""


def fill(parameters: Parameters, vector: Array, state: Array, seed: int) -> None:
    """Draw every weight, and put running statistics to where they begin."""
    for entry in parameters.entries:
        draw(entry, vector[entry.start : entry.stop], seed)
    for entry in parameters.state:
        state[entry.start : entry.stop] = entry.weight.constant or 0.0


def draw(entry: Entry, values: Array, seed: int) -> None:
    """Fill `values` with the first values of one weight."""
    constant = entry.weight.constant
    if constant is not None or entry.chosen.word == "zeros":
        values[:] = constant or 0.0
        return
    rng = stream(seed, "init", entry.name)
    for start in range(0, len(values), PIECE):
        here = values[start : start + PIECE]
        here[:] = (
            rng.uniform(-entry.width, entry.width, len(here))
            if entry.uniform
            else rng.standard_normal(len(here)) * entry.width
        )
