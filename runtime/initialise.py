"""Seeds and initialisers. Every node draws from a stream of its own, keyed by seed and name, so
adding a layer changes no other layer's weights."""

from __future__ import annotations

import math
from hashlib import sha256

import numpy as np

from ..compiler.op import Initialiser
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
    """The first values of one weight, float64.

    He: normal, variance 2 / fan_in (He et al. 2015), where a relu-like activation follows; Xavier:
    variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010), elsewhere.
    """
    weight = entry.weight
    if weight.constant is not None:
        return weight.constant
    chosen = entry.initialiser or Initialiser(word="he" if entry.rectified else "xavier")
    rng = stream(seed, "init", entry.name)
    fans = weight.fan_in + weight.fan_out
    match chosen.word:
        case "zeros":
            return 0.0
        case "he" | "lecun" | "xavier":
            variance = {"he": 2 / weight.fan_in, "lecun": 1 / weight.fan_in, "xavier": 2 / fans}
            return rng.standard_normal(weight.size) * math.sqrt(variance[chosen.word])
        case "he_uniform" | "lecun_uniform" | "xavier_uniform":
            variance = {"he": 2 / weight.fan_in, "lecun": 1 / weight.fan_in, "xavier": 2 / fans}
            bound = math.sqrt(3 * variance[chosen.word.removesuffix("_uniform")])
            return rng.uniform(-bound, bound, weight.size)
        case "normal":
            return rng.standard_normal(weight.size) * (chosen.scale or 0.01)
        case "uniform":
            bound = chosen.scale or 0.05
            return rng.uniform(-bound, bound, weight.size)
