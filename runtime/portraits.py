"""What a net looks for, and where it draws its lines, as pictures.

Source: CS231n, linear classification, "Interpretation of linear classifiers as template matching";
neural networks 1, "Setting number of layers and their sizes" (decision regions).
"""

from __future__ import annotations

import math

import numpy as np

from ..compiler.op import Trait
from .dataset import Dataset
from .kernels import Array
from .metrics import chosen, said
from .net import Net
from .picture import grid

SIDE = 96
"""Pixels a side that a template should have at least."""
MOST = 64
"""Templates that are drawn."""
FIELD = 320
"""Pixels a side of the decision regions."""
PALE = 0.35
"""How much of its colour a region has."""
COLOURS = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
    (240, 228, 66), (110, 110, 110),
)  # fmt: skip
"""Okabe and Ito 2008, which the colour-blind tell apart."""


def templates(net: Net, picture: tuple[int, ...]) -> Array | None:
    """The weights of the first layer as pictures (N, C, H, W), 0.5 where a weight is 0; None where
    what it reads is no picture. `picture`: the shape of an example before it was put in a row."""
    node = next((n for n in net.graph.nodes if Trait.NEURONS in n.op.traits), None)
    if node is None:
        return None
    name = next((f"{node.name}.{w.name}" for w in node.own if w.decays), None)
    if name is None:
        return None
    weight = np.asarray(net.weights[name], np.float64)
    if weight.ndim == 2 and len(picture) == 3 and weight.shape[1] == math.prod(picture):
        weight = weight.reshape(-1, *picture)
    if weight.ndim != 4 or weight.shape[-1] < 3:
        return None
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(0.5 + 0.5 * weight / np.maximum(largest, 1e-30))


def as_grid(found: Array) -> Array:
    """Bytes (H, W, 3) of templates side by side."""
    some = found[:MOST]
    columns = math.ceil(math.sqrt(len(some)))
    rows = math.ceil(len(some) / columns)
    filled = np.full((rows * columns, *some.shape[1:]), 0.5)
    filled[: len(some)] = some
    scale = max(1, SIDE // max(some.shape[-2:]))
    return grid(filled.reshape(rows, columns, *some.shape[1:]), scale)


SHADES = " ·:-=+*#%@"


def as_text(found: Array) -> str:
    """The first templates in letters, side by side: the darker, the larger the weight."""
    some = found[:4, 0]
    levels = np.rint(some * (len(SHADES) - 1)).astype(int)
    return "\n".join(
        "   ".join("".join(SHADES[level] * 2 for level in one[row]) for one in levels).rstrip()
        for row in range(some.shape[1])
    )


def boundary(net: Net, data: Dataset) -> Array | None:
    """Bytes (H, W, 3): which class is said where, and the examples; None unless two numbers come in
    and one of several classes comes out."""
    output = net.graph.output.value
    loss = net.training.judged_by(output)
    classes = loss.compares or (loss.target == "answers" and output.size == 1)
    flat = [node.value.shape for node in net.graph.inputs] == [(2,)] and output.rank == 1
    if not (flat and classes):
        return None
    x, y = np.asarray(data.x, np.float64).reshape(-1, 2), np.asarray(data.y).reshape(len(data))
    margin = 0.1 * (x.max(axis=0) - x.min(axis=0)) + 1e-9
    low, high = x.min(axis=0) - margin, x.max(axis=0) + margin
    across, up = (np.linspace(low[axis], high[axis], FIELD) for axis in (0, 1))
    scores = net(np.stack(np.meshgrid(across, up[::-1]), axis=-1).reshape(-1, 2))
    answers = chosen(scores, 1) if loss.compares else said(scores[:, 0])
    colours = np.array(COLOURS, np.float64)
    field = 255 - PALE * (255 - colours[answers.reshape(FIELD, FIELD) % len(colours)])
    where = np.rint((x - low) / (high - low) * (FIELD - 1)).astype(int)
    for (column, above), label in zip(where, y.astype(np.int64), strict=True):
        row = FIELD - 1 - above
        field[row - 3 : row + 4, column - 3 : column + 4] = 255
        field[row - 2 : row + 3, column - 2 : column + 3] = colours[label % len(colours)]
    return np.asarray(np.rint(field), np.uint8)
