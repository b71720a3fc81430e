"""Seeds and initialisers. Every node draws from a stream of its own, keyed by seed and name, so
adding a layer changes no other layer's weights."""

from __future__ import annotations

import math
from hashlib import sha256

import numpy as np

from ..compiler.op import Initialiser, Weight
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
    """Fill `values` with the first values of one weight.

    He: normal, variance 2 / fan_in (He et al. 2015), where a relu-like activation follows; Xavier:
    variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010), elsewhere.
    """
    weight = entry.weight
    chosen = entry.initialiser or Initialiser(word="he" if entry.rectified else "xavier")
    if weight.constant is not None or chosen.word == "zeros":
        values[:] = weight.constant or 0.0
        return
    rng, width = stream(seed, "init", entry.name), spread(chosen, weight)
    uniform = chosen.word.endswith("uniform")
    for start in range(0, len(values), PIECE):
        here = values[start : start + PIECE]
        here[:] = (
            rng.uniform(-width, width, len(here))
            if uniform
            else rng.standard_normal(len(here)) * width
        )


def spread(chosen: Initialiser, weight: Weight) -> float:
    """The standard deviation that numbers are drawn with; of uniform ones the bound."""
    match chosen.word:
        case "normal":
            return chosen.scale or 0.01
        case "uniform":
            return chosen.scale or 0.05
    rule = chosen.word.removesuffix("_uniform")
    fans = {"he": weight.fan_in / 2, "lecun": weight.fan_in}
    deviation = math.sqrt(1 / fans.get(rule, (weight.fan_in + weight.fan_out) / 2))
    return deviation * math.sqrt(3) if rule != chosen.word else deviation
