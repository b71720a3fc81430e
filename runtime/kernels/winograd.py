"""3x3 convolutions of channels-last maps by tiles: 36 multiplications where taps take 144.

Winograd's F(4x4, 3x3): a tile of 4x4 outputs reads 6x6 inputs. y = A^T [(G w G^T) * (B^T x B)] A,
where * multiplies number by number and sums over channels: 36 matrix products, one for each place
in a tile. A transform is two passes of a small matrix, over rows and then over columns. A block of
images lies row, column, image, channel while it is worked on: so what six neighbours hold is a
matrix whose rows are long, tiles that overlap are views, and nothing is gathered.

Lavin and Gray 2016, fast algorithms for convolutional neural networks. In float32, normally
distributed numbers, 3 to 512 channels, against float64: off by up to 5e-6 of the largest output or
gradient, root mean square by up to 2.1e-6 of theirs; in float64 2e-14.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.conv import Conv
from ...compiler.shapes import Window
from ...compiler.winograd import mirrored
from ..constants import table
from . import NOTHING, Array, Arrays, Behind, Calls, kernel
from .columns import bias_of, folded, summed

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
"""Where the polynomials of a tile are evaluated, beside infinity.

With Lavin and Gray's ±1 and ±2 outputs are off by up to three times as much. Barabasz, Anderson,
Soodhalter and Gregg 2020, error analysis and improving the accuracy of Winograd convolution.
"""

BIASED = 7
"""The place in a transformed tile that is added to each of its outputs: the point 1, twice."""


@dataclass(frozen=True)
class Matrices:
    """The transforms along one axis, and that of filters along both.

    Attributes
    ----------
    reads: B^T, (6, 6): six inputs to six products.
    yields: A^T, (4, 6): six products to four outputs; `spreads` its transpose.
    expands: (36, 9), the taps of a filter to its products; `mirrored` for the taps reversed.
    """

    reads: Array
    yields: Array
    spreads: Array
    expands: Array
    mirrored: Array


@cache
def matrices(dtype: np.dtype[Any]) -> Matrices:
    """Toom and Cook: multiply two polynomials at six points, then read off the coefficients."""
    others = [[q for q in POINTS if q != p] for p in POINTS]
    scales = [prod(p - q for q in rest) for p, rest in zip(POINTS, others, strict=True)]
    reads = np.zeros((6, 6))
    for row, rest in zip(reads, others, strict=False):
        row[:5] = np.poly(rest)[::-1]
    reads[5] = np.poly(POINTS)[::-1]
    yields = np.zeros((4, 6))
    yields[:, :5] = np.vander(POINTS, 4, increasing=True).T
    yields[3, 5] = 1
    taps = np.zeros((6, 3))
    taps[:5] = np.vander(POINTS, 3, increasing=True) / np.array(scales)[:, None]
    taps[5, 2] = 1
    both = np.kron(taps, taps)
    every = (reads, yields, yields.T, both, both[:, ::-1])
    return Matrices(
        *(
            table(("winograd", number, dtype.str), partial(np.array, matrix, dtype, order="C"))
            for number, matrix in enumerate(every)
        )
    )


@dataclass(frozen=True)
class Block:
    """Some images, `top` to `bottom` of their rows of tiles.

    Attributes
    ----------
    across: tiles in a row.
    first: no block comes before it.
    """

    windows: tuple[Window, Window]
    images: slice
    top: int
    bottom: int
    across: int
    first: bool

    @property
    def grid(self) -> tuple[int, int, int]:
        """Rows of tiles, tiles in a row, images."""
        return self.bottom - self.top, self.across, self.images.stop - self.images.start

    @property
    def tiles(self) -> int:
        return prod(self.grid)

    @property
    def seen(self) -> tuple[slice, slice]:
        """The input's rows that the block reads, and where they lie between its padding."""
        window, start = self.windows[0], 4 * self.top - self.windows[0].before
        first = max(0, start)
        last = min(window.size, 4 * self.bottom + 2 - window.before)
        return slice(first, last), slice(first - start, last - start)

    @property
    def layout(self) -> tuple[object, ...]:
        """What decides where zeros stand around its inputs and, for these end together, outputs."""
        return self.grid, self.seen[1]

    @property
    def made(self) -> slice:
        """The output's rows that lie in the block."""
        return slice(4 * self.top, min(4 * self.bottom, self.windows[0].output))

    def rows(self, room: Array, more: int) -> Array:
        """A room for whole tiles and `more` on two sides: (rows, columns, images, channels)."""
        rows, across, images = self.grid
        return shaped(room, (4 * rows + more, 4 * across + more, images, room.shape[-1]))


def blocks(windows: tuple[Window, ...], batch: int, room: Array) -> Iterator[Block]:
    """A batch in blocks that fit a room of padded inputs, those of the same rows after each other."""
    rows, images = (room.shape[0] - 2) // 4, room.shape[2]
    height, width = windows
    down, across = -(-height.output // 4), -(-width.output // 4)
    for top in range(0, down, rows):
        for start in range(0, batch, images):
            part = slice(start, min(start + images, batch))
            bottom = min(top + rows, down)
            yield Block((height, width), part, top, bottom, across, top == start == 0)


def shaped(room: Array, shape: tuple[int, ...]) -> Array:
    """The beginning of a contiguous array under another shape; a view."""
    return room.reshape(-1)[: prod(shape)].reshape(shape)


def overlapping(array: Array, axis: int, count: int, size: int) -> Array:
    """Windows of `size` along an axis, each 4 after the one before: the axis becomes two."""
    shape = (*array.shape[:axis], count, size, *array.shape[axis + 1 :])
    step = array.strides[axis]
    return as_strided(array, shape, (*array.strides[:axis], 4 * step, *array.strides[axis:]))


def inside(block: Block, padded: Array) -> Array:
    """Where the block's inputs lie between their padding."""
    width = block.windows[1]
    found: Array = padded[block.seen[1], width.before : width.before + width.size]
    return found


def beside(block: Block, rows: slice, array: Array) -> Array:
    """Rows of the block's images, row, column, image, channel; a view."""
    return array[block.images, rows].transpose(1, 2, 0, 3)


def transformed(matrix: Array, source: Array, block: Block, half: Array, tiles: Array) -> Calls:
    """tiles = M source M^T for each tile of (rows, columns, images, channels).

    `tiles`: (36, tiles, channels); `half`: room for the rows' pass.
    """
    size, (rows, across, images) = matrix.shape[1], block.grid
    columns, channels = source.shape[1], source.shape[3]
    lines = source.reshape(len(source), -1)
    between = shaped(half, (rows, 6, columns, images * channels))
    yield np.matmul, (matrix, overlapping(lines, 0, rows, size), between.reshape(rows, 6, -1))
    found = tiles.reshape(6, 6, rows, across, images * channels).transpose(2, 0, 3, 1, 4)
    yield np.matmul, (matrix, overlapping(between, 2, across, size), found)


def pieces(length: int) -> Iterator[tuple[int, int, int]]:
    """An axis as whole tiles and what is left: the first tile, how many, outputs of each."""
    whole, rest = divmod(length, 4)
    if whole:
        yield 0, whole, 4
    if rest:
        yield whole, 1, rest


def spread(tiles: Array, y: Array) -> Calls:
    """Put (4, 4, rows, across, images, filters) where its outputs stand, what hangs over cut."""
    image, row, column, number = y.strides
    for down, rows, high in pieces(y.shape[1]):
        for right, across, wide in pieces(y.shape[2]):
            shape = (high, wide, rows, across, len(y), y.shape[3])
            steps = (row, column, 4 * row, 4 * column, image, number)
            corner = y[:, 4 * down :, 4 * right :]
            part = tiles[:high, :wide, down : down + rows, right : right + across]
            yield np.copyto, (as_strided(corner, shape, steps), part)


def correlate(
    x: Array,
    y: Array,
    bias: Array | None,
    windows: tuple[Window, ...],
    scratch: Mapping[str, Array],
    behind: Behind = NOTHING,
) -> Calls:
    """y = the transformed filters slid over x, and the law behind done, block by block."""
    m, room, front, back = matrices(x.dtype), scratch["padded"], scratch["front"], scratch["back"]
    layout: tuple[object, ...] = ()
    for block in blocks(windows, len(x), room):
        padded = block.rows(room, 2)
        if block.layout != layout:
            yield padded.fill, (0,)
        layout = block.layout
        yield np.copyto, (inside(block, padded), beside(block, block.seen[0], x))
        tiles = shaped(back, (36, block.tiles, x.shape[3]))
        yield from transformed(m.reads, padded, block, front, tiles)
        products = shaped(front, (36, block.tiles, y.shape[3]))
        yield np.matmul, (tiles, scratch["filters"], products)
        if bias is not None:
            yield np.add, (products[BIASED], bias, products[BIASED])
        half = shaped(back, (4, 6, block.tiles * y.shape[3]))
        outputs = shaped(front, (4, 4, *block.grid, y.shape[3]))
        yield np.matmul, (m.yields, products.reshape(6, -1), half.reshape(4, -1))
        yield np.matmul, (m.yields, half, outputs.reshape(4, 4, -1))
        made = y[block.images, block.made]
        # Of whole tiles the law would do what hangs over, too.
        if made.flags.c_contiguous:
            yield from spread(outputs, made)
            yield from behind.finish(made)
        else:
            yield from behind.finish(outputs)
            yield from spread(outputs, made)


def expanded(weight: Array, matrix: Array, scratch: Mapping[str, Array]) -> Calls:
    """The filters transformed, (36, a, b), from the weights (b, a, 3, 3)."""
    taps, filters = scratch["taps"], scratch["filters"]
    yield np.copyto, (taps, weight.reshape(*weight.shape[:2], 9).transpose(1, 2, 0))
    yield np.matmul, (matrix, taps, filters.swapaxes(0, 1))


def forward(
    x: Array,
    y: Array,
    weight: Array,
    bias: Array | None,
    windows: tuple[Window, ...],
    scratch: Mapping[str, Array],
    behind: Behind = NOTHING,
) -> Calls:
    """y = w * x + b."""
    yield from expanded(weight, matrices(x.dtype).expands, scratch)
    yield from correlate(x, y, bias, windows, scratch, behind)


def to_input(
    dy: Array, dx: Array, weight: Array, windows: tuple[Window, ...], scratch: Mapping[str, Array]
) -> Calls:
    """dx: the filters mirrored, slid over dy, which is padded until every input is met."""
    yield from expanded(weight.swapaxes(0, 1), matrices(dy.dtype).mirrored, scratch)
    yield from correlate(dy, dx, None, mirrored(windows), scratch)


def to_weights(
    x: Array,
    dy: Array,
    d_weight: Array,
    windows: tuple[Window, ...],
    scratch: Mapping[str, Array],
) -> Calls:
    """dW = G^T [sum over tiles of (A dy A^T) * (B^T x B)] G, blocks added in their order."""
    m, room = matrices(x.dtype), scratch["padded"]
    half, total = scratch["half"], scratch["total"]
    layout: tuple[object, ...] = ()
    for block in blocks(windows, len(x), room):
        padded, whole = block.rows(room, 2), block.rows(scratch["whole"], 0)
        here = whole[: block.made.stop - block.made.start, : dy.shape[2]]
        if block.layout != layout:
            yield padded.fill, (0,)
            yield whole.fill, (0,)
        layout = block.layout
        yield np.copyto, (inside(block, padded), beside(block, block.seen[0], x))
        yield np.copyto, (here, beside(block, block.made, dy))
        tiles = shaped(scratch["tiles"], (36, block.tiles, x.shape[3]))
        errors = shaped(scratch["errors"], (36, block.tiles, dy.shape[3]))
        yield from transformed(m.reads, padded, block, half, tiles)
        yield from transformed(m.spreads, whole, block, half, errors)
        yield from added(errors, tiles, total, None if block.first else scratch["products"])
    found = d_weight.reshape(*d_weight.shape[:2], 9)
    yield np.matmul, (total.transpose(1, 2, 0), m.expands, found)


def added(errors: Array, tiles: Array, total: Array, products: Array | None) -> Calls:
    """What a block's errors and inputs make together, by way of `products` after the first."""
    found = total if products is None else products
    yield np.matmul, (errors.swapaxes(1, 2), tiles, found)
    if products is not None:
        yield np.add, (total, products, total)


@kernel(Conv, "winograd")
class WinogradKernel:
    """y = w * x + b by tiles."""

    def prepare(self, op: Conv, a: Arrays) -> Calls:
        weight = a.weights["weight"]
        yield from expanded(weight, matrices(weight.dtype).expands, a.scratch)
        yield from folded(a.scratch["filters"], a)

    def forward(self, op: Conv, a: Arrays) -> Calls:
        (x,), y, w = a.inputs, a.output, a.weights
        assert y is not None
        windows = op.windows(a.values[0])
        yield from forward(x, y, w["weight"], w.get("bias"), windows, a.scratch, a.behind)

    def infer(self, op: Conv, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        yield from correlate(x, y, bias_of(a), op.windows(a.values[0]), a.scratch, a.behind)

    def backward(self, op: Conv, a: Arrays) -> Calls:
        (x,), (dx,), dy, windows = a.inputs, a.d_inputs, a.d_output, op.windows(a.values[0])
        assert dy is not None
        yield from summed(dy, a)
        if "weight" in a.d_weights:
            yield from to_weights(x, dy, a.d_weights["weight"], windows, _own(a, "learn "))
        if dx is not None:
            yield from to_input(dy, dx, a.weights["weight"], windows, _own(a, "back "))


def _own(a: Arrays, prefix: str) -> dict[str, Array]:
    """The scratch of one way, by the names that it has there."""
    return {n.removeprefix(prefix): s for n, s in a.scratch.items() if n.startswith(prefix)}
