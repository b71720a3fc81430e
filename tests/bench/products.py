"""Which side of a fully connected layer's product is turned, and what that brings.

A layer's weights are stored (out, in), as PyTorch's are, so the plain product is x W^T. NumPy can also
make W x^T, and turn what it made back in the sum with the bias; inference can keep W^T.
"""

from __future__ import annotations

import numpy as np

from nnspec.compiler.ops.dense import Fc
from nnspec.compiler.shapes import Value
from nnspec.runtime.kernels import Array

from .options import Options
from .results import Section, Table
from .timing import Pace, Step, in_turns, ratio

NAME = "products"
ROWS = (8, 32, 64, 128, 256)
SHAPES = ((784, 100), (256, 128), (512, 512), (3072, 1024))
"""(in, out)."""
PACE = Pace(7, 0.02)
WORDS = (
    "A product and the sum with the bias, both by NumPy, in one process; above 1 it takes less time than "
    "x W^T does. In bold what nnspec does: the first in training, and at inference of layers too large "
    "to keep twice, the second at inference."
)


def measured(options: Options) -> Section:
    found = []
    for taken, made in SHAPES:
        options.say(f"products of {made} x {taken}")
        turned = [case(rows, taken, made, options) for rows in ROWS]
        for number, name in enumerate(("W x^T", "x by a turned W")):
            found.append((f"{taken} to {made}", name, *(each[number] for each in turned)))
    head = ("layer", "product", *(f"{rows} rows" for rows in ROWS))
    return Section(NAME, tables=(Table("", head, tuple(found)),), words=WORDS)


def case(rows: int, taken: int, made: int, options: Options) -> tuple[str, str]:
    """How many times as fast as x W^T both others are, bold where nnspec does so."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal((n, taken), np.float32) for n in (rows, made))
    kept, bias, y = w.T.copy(), np.ones(made, np.float32), np.empty((rows, made), np.float32)
    turned = np.empty((made, rows), np.float32)
    sides = {
        "plain": summed(x, w.T, y, y, bias, y),
        "output": summed(w, x.T, turned, turned.T, bias, y),
        "weights": summed(x, kept, y, y, bias, y),
    }
    times = in_turns(sides, options.pace(PACE))
    needs = Fc(n=made).needs(rows, Value((taken,)))

    def told(side: str, *, chosen: bool) -> str:
        number = f"{ratio(times[side], times['plain']).median:.2f}"
        return f"**{number}**" if chosen else number

    return (
        told("output", chosen="turned output" in needs.scratch),
        told("weights", chosen=needs.scratch_infer is not None),
    )


def summed(left: Array, right: Array, out: Array, product: Array, bias: Array, y: Array) -> Step:
    def step() -> None:
        left.dot(right, out)
        np.add(product, bias, y)

    return step
