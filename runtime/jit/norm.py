"""Batch norm, compiled: each sum in one sweep, a sum's lanes side by side in what is scratch to NumPy.

A sum has as many lanes as a vector processor could want, each added up in order, those of a map in
double precision in the end: the compiler may not change the order of a sum, so it is written as wide
as it should run. All that is as short as the channels are many is NumPy's, and so are the meetings of
threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

from ...compiler.ops.norm import BatchNorm
from ..kernels import Array, Arrays, Call, Calls
from ..kernels.norm import BatchNormKernel, FrozenBatchNormKernel, Rows
from . import kernel
from .compiled import bound, compiled
from .laws import same

Triple: TypeAlias = tuple[Array, Array, Array]

LANES = 256
"""Of the sum over a channel's places."""
ROWS = 256
"""Of numbers that are summed by themselves where channels lie side by side."""


@kernel(BatchNorm)
class BatchNormLoops(BatchNormKernel):
    """NumPy's steps with its sweeps over whole values compiled."""

    def centre(self, rows: Rows, x: Array, a: Arrays) -> Calls:
        share = x.dtype.type(a.values[0].channels / x.size)
        swept = rows.of(x), rows.of(a.saved["centred"])
        loop = _centre_rows if beside(rows) else _centre_maps
        yield bound(loop, *swept, *lanes_in(rows, a), a.shared["moments"][a.lane], share)

    def scale(self, rows: Rows, y: Array, factor: Array, summand: Array, a: Arrays) -> Calls:
        calls, by = met(rows, factor, summand)
        yield from calls
        loop = _scale_rows if beside(rows) else _scale_maps
        yield bound(loop, rows.of(a.saved["centred"]), rows.of(y), *by)
        yield from a.behind.finish(y)

    def move(self, rows: Rows, x: Array, y: Array, by: Triple, a: Arrays) -> Calls:
        calls, vectors = met(rows, *by)
        yield from calls
        loop = (rows_moved if beside(rows) else maps_moved)(same(x, y))
        yield bound(loop, rows.of(x), rows.of(y), *vectors)
        yield from a.behind.finish(y)

    def add_up(self, rows: Rows, dy: Array, a: Arrays) -> Calls:
        swept = rows.of(dy), rows.of(a.saved["centred"])
        loop = _add_up_rows if beside(rows) else _add_up_maps
        yield bound(loop, *swept, *lanes_in(rows, a), a.shared["slopes"][a.lane])

    def combine(self, rows: Rows, dy: Array, dx: Array, by: Triple, a: Arrays) -> Calls:
        calls, vectors = met(rows, *by)
        yield from calls
        loop = (rows_combined if beside(rows) else maps_combined)(same(dx, dy))
        yield bound(loop, rows.of(dy), rows.of(a.saved["centred"]), rows.of(dx), *vectors)


@kernel(BatchNorm, "frozen")
class FrozenBatchNormLoops(BatchNormLoops, FrozenBatchNormKernel):
    """The running statistics taken out in one sweep; the way back is NumPy's."""


def beside(rows: Rows) -> bool:
    """Whether the channels of one place lie side by side."""
    return len(rows.cut.across) == 1


def met(rows: Rows, *vectors: Array) -> tuple[list[Call], list[Array]]:
    """Numbers for each channel as a loop meets them, and the calls that bring them there."""
    if not beside(rows):
        return [], list(vectors)
    found = [rows.spread(number, vector) for number, vector in enumerate(vectors)]
    return [call for calls, _ in found for call in calls], [wide for _, wide in found]


def lanes_in(rows: Rows, a: Arrays) -> tuple[Array, ...]:
    """The lanes of two sums; where channels lie side by side also the sums of all blocks of rows, and
    room for a number that meets a row."""
    if beside(rows):
        (one, other, wide), sums = rows.wide, a.scratch["sums"]
        return one, other, sums[0, 0], sums[1, 0], wide
    flat = a.scratch["product"].reshape(-1)
    count = min(LANES, rows.cut.across[1], flat.size // 2)
    return flat[:count], flat[count : 2 * count]


@compiled
def _total(lanes: Array) -> Any:
    total = 0.0
    for j in range(lanes.size):
        total += lanes[j]
    return total


@compiled
def _folded(lanes: Array, sums: Array) -> None:
    """The sum of each channel, whose lanes are `sums.size` apart."""
    sums[:] = 0
    for start in range(0, lanes.size, sums.size):
        for c in range(sums.size):
            sums[c] += lanes[start + c]


# ---------------------------------------------------------------- channels one after the other


@compiled
def _centre_maps(
    x: Array, centred: Array, lanes: Array, others: Array, moments: Array, share: Any
) -> None:
    examples, channels, places = x.shape
    wide = lanes.size
    for c in range(channels):
        lanes[:] = 0
        for n in range(examples):
            for start in range(0, places, wide):
                part = x[n, c, start : start + wide]
                for j in range(part.size):
                    lanes[j] += part[j]
        moments[0, c] = _total(lanes) * share
        mean = moments[0, c]
        lanes[:] = 0
        others[:] = 0
        for n in range(examples):
            for start in range(0, places, wide):
                part = x[n, c, start : start + wide]
                left = centred[n, c, start : start + wide]
                for j in range(part.size):
                    left[j] = part[j] - mean
                for j in range(left.size):
                    lanes[j] += left[j]
                    others[j] += left[j] * left[j]
        moments[1, c] = _total(lanes) * share
        moments[2, c] = _total(others) * share


@compiled
def _scale_maps(centred: Array, y: Array, factor: Array, summand: Array) -> None:
    examples, channels, places = y.shape
    for n in range(examples):
        for c in range(channels):
            weight, term = factor[c], summand[c]
            for p in range(places):
                y[n, c, p] = centred[n, c, p] * weight + term


@compiled
def _add_up_maps(dy: Array, centred: Array, lanes: Array, others: Array, slopes: Array) -> None:
    examples, channels, places = dy.shape
    wide = lanes.size
    for c in range(channels):
        lanes[:] = 0
        others[:] = 0
        for n in range(examples):
            for start in range(0, places, wide):
                back, part = dy[n, c, start : start + wide], centred[n, c, start : start + wide]
                for j in range(part.size):
                    lanes[j] += back[j]
                    others[j] += back[j] * part[j]
        slopes[0, c] = _total(lanes)
        slopes[1, c] = _total(others)


@cache
def maps_combined(onto: bool) -> Any:
    """dx, which may lie where dy does: a loop that reads and writes one array is not two arrays
    that might overlap."""

    def loop(
        dy: Array, centred: Array, dx: Array, factor: Array, slope: Array, summand: Array
    ) -> None:
        examples, channels, places = dx.shape
        for n in range(examples):
            for c in range(channels):
                weight, tilt, term = factor[c], slope[c], summand[c]
                for p in range(places):
                    back = dx[n, c, p] if onto else dy[n, c, p]
                    dx[n, c, p] = back * weight - centred[n, c, p] * tilt + term

    return compiled(loop)


@cache
def maps_moved(onto: bool) -> Any:
    """y, which may lie where x does."""

    def loop(x: Array, y: Array, mean: Array, factor: Array, shift: Array) -> None:
        examples, channels, places = y.shape
        for n in range(examples):
            for c in range(channels):
                centre, weight, term = mean[c], factor[c], shift[c]
                for p in range(places):
                    y[n, c, p] = ((y[n, c, p] if onto else x[n, c, p]) - centre) * weight + term

    return compiled(loop)


# ---------------------------------------------------------------- channels side by side


@compiled
def _centre_rows(
    x: Array, centred: Array, lanes: Array, others: Array,
    sums: Array, squares: Array, wide: Array, moments: Array, share: Any,
) -> None:  # fmt: skip
    rows, length = x.shape
    mean, rest, square = moments[0], moments[1], moments[2]
    sums[:] = 0
    for start in range(0, rows, ROWS):
        lanes[:] = 0
        for r in range(start, min(start + ROWS, rows)):
            for j in range(length):
                lanes[j] += x[r, j]
        for j in range(length):
            sums[j] += lanes[j]
    _folded(sums, mean)
    for c in range(mean.size):
        mean[c] *= share
    for start in range(0, length, mean.size):
        wide[start : start + mean.size] = mean
    sums[:] = 0
    squares[:] = 0
    for start in range(0, rows, ROWS):
        lanes[:] = 0
        others[:] = 0
        for r in range(start, min(start + ROWS, rows)):
            # Two loops, since of more arrays in one the compiler gives up to tell that they are apart.
            for j in range(length):
                centred[r, j] = x[r, j] - wide[j]
            for j in range(length):
                lanes[j] += centred[r, j]
                others[j] += centred[r, j] * centred[r, j]
        for j in range(length):
            sums[j] += lanes[j]
            squares[j] += others[j]
    _folded(sums, rest)
    _folded(squares, square)
    for c in range(mean.size):
        rest[c] *= share
        square[c] *= share


@compiled
def _scale_rows(centred: Array, y: Array, factor: Array, summand: Array) -> None:
    rows, length = y.shape
    for r in range(rows):
        for j in range(length):
            y[r, j] = centred[r, j] * factor[j] + summand[j]


@compiled
def _add_up_rows(
    dy: Array, centred: Array, lanes: Array, others: Array,
    sums: Array, products: Array, wide: Array, slopes: Array,
) -> None:  # fmt: skip
    rows, length = dy.shape
    sums[:] = 0
    products[:] = 0
    for start in range(0, rows, ROWS):
        lanes[:] = 0
        others[:] = 0
        for r in range(start, min(start + ROWS, rows)):
            for j in range(length):
                lanes[j] += dy[r, j]
                others[j] += dy[r, j] * centred[r, j]
        for j in range(length):
            sums[j] += lanes[j]
            products[j] += others[j]
    _folded(sums, slopes[0])
    _folded(products, slopes[1])


@cache
def rows_combined(onto: bool) -> Any:
    def loop(
        dy: Array, centred: Array, dx: Array, factor: Array, slope: Array, summand: Array
    ) -> None:
        rows, length = dx.shape
        for r in range(rows):
            for j in range(length):
                back = (dx[r, j] if onto else dy[r, j]) * factor[j]
                dx[r, j] = back - centred[r, j] * slope[j] + summand[j]

    return compiled(loop)


@cache
def rows_moved(onto: bool) -> Any:
    def loop(x: Array, y: Array, mean: Array, factor: Array, shift: Array) -> None:
        rows, length = y.shape
        for r in range(rows):
            for j in range(length):
                y[r, j] = ((y[r, j] if onto else x[r, j]) - mean[j]) * factor[j] + shift[j]

    return compiled(loop)
