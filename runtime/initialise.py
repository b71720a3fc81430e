"""Seeds and initialisers. Every node draws from a stream of its own, keyed by seed and name, so
adding a layer changes no other layer's weights."""

from __future__ import annotations

from collections.abc import Iterator
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
    width = entry.draw.width
    rng = stream(seed, "init", entry.name)
    match entry.draw.kind:
        case "constant":
            values[:] = width
        case "orthogonal":
            values[:] = width * orthogonal(rng, *entry.weight.matrix).reshape(-1)
        case "uniform":
            for here in _pieces(values):
                here[:] = rng.uniform(-width, width, len(here))
        case "normal":
            for here in _pieces(values):
                here[:] = rng.standard_normal(len(here)) * width


def _pieces(values: Array) -> Iterator[Array]:
    return (values[start : start + PIECE] for start in range(0, len(values), PIECE))


def orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    """A matrix whose rows, or columns where they are fewer, are orthonormal, all such matrices alike
    probable: Q of a normal matrix's QR, signed by the diagonal of R (Mezzadri 2007; Saxe et al. 2013;
    torch.nn.init.orthogonal_)."""
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diag(r))
    found: Array = q if rows >= columns else q.T
    return found
