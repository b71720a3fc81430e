"""A process of its own that trains a spec a few steps and prints what it held:
`python -m tests.bench.growth_of_nnspec SPEC BATCH`."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

import nnspec

from .resident import grown

SMALL = "1x8x8 -> conv4 3x3 bn relu -> maxpool2 -> flatten -> fc4"


def main(spec: str, batch: int) -> None:
    rng = np.random.default_rng(0)
    shape = nnspec.graph(spec).inputs[0].value.shape
    x = rng.standard_normal((batch, *shape), np.float32)
    y = rng.integers(0, 10, batch)

    def begin() -> Callable[[], object]:
        net = nnspec.compile(spec, seed=0, optimizer="adam(lr=1e-3)", loss="cross_entropy")
        return lambda: net.step(x, y)

    small = nnspec.compile(SMALL, seed=0, loss="cross_entropy")
    small.step(np.zeros((2, 1, 8, 8), np.float32), np.zeros(2, np.int64))
    print(grown(begin))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
