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


def fill(parameters: Parameters, vector: Array, state: Array, seed: int) -> None:
    """Draw every weight, and put running statistics to where they begin."""
    for entry in parameters.entries:
        vector[entry.start : entry.stop] = drawn(entry, seed)
    for entry in parameters.state:
        state[entry.start : entry.stop] = entry.weight.constant or 0.0


def drawn(entry: Entry, seed: int) -> Array | float:
    """The first values of one weight, float64."""
    weight = entry.weight
    if weight.constant is not None:
        return weight.constant
    rng = stream(seed, "init", entry.name)
    if entry.chosen.word == "zeros":
        return 0.0
    if entry.uniform:
        return rng.uniform(-entry.width, entry.width, weight.size)
    return rng.standard_normal(weight.size) * entry.width
