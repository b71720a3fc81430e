"""Batch norm, compiled: each sum in one sweep, a sum's lanes side by side in what is scratch to NumPy.

A sum has as many lanes as a vector processor could want, each added up in order and the lanes in
double precision in the end: the compiler may not change the order of a sum, so it is written as wide
as it should run. As in `kernels/norm.py` the mean is taken twice, the second time of what the
rounding of the first left behind.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from ...compiler.ops.norm import BatchNorm
from ...compiler.shapes import Value
from ..kernels import Array, Arrays, Calls
from ..kernels.norm import BatchNormKernel as ByNumPy
from . import kernel
from .compiled import bound, compiled
from .laws import same

LANES = 256
"""Of the sum over a channel's places."""
ROWS = 256
"""Of numbers that are summed by themselves where channels lie side by side."""


@kernel(BatchNorm)
class BatchNormKernel(ByNumPy):
    """y = scale (x - mean) / sqrt(variance + eps) + shift, channel by channel."""

    def forward(self, op: BatchNorm, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), value, number = a.inputs, a.values[0], a.inputs[0].dtype.type
        count = x.size // value.channels
        unbiased = count / (count - 1) if count > 1 else 1.0
        settings = (1 / count, op.eps, 1 - op.momentum, op.momentum, op.momentum * unbiased)
        side_by_side = beside(value)
        if side_by_side and count < 2:
            yield from super().forward(op, a)
            return
        yield bound(
            _rows_forward if side_by_side else _maps_forward,
            *(laid_out(one, value) for one in (x, a.saved["normal"], a.output)),
            *lanes_in(a.scratch["square"], value),
            a.scratch["average"], a.scratch["spread"], a.saved["inverse"],
            a.weights["scale"], a.weights["shift"],
            a.state["mean"], a.state["variance"],
            *(number(setting) for setting in settings),
        )  # fmt: skip

    def infer(self, op: BatchNorm, a: Arrays) -> Calls:
        assert a.output is not None
        (x,), y, value, spread = a.inputs, a.output, a.values[0], a.scratch["spread"]
        yield bound(_factor, a.state["variance"], a.weights["scale"], x.dtype.type(op.eps), spread)
        loop = (rows_moved if beside(value) else maps_moved)(same(x, y))
        moved = a.state["mean"], spread, a.weights["shift"]
        yield bound(loop, laid_out(x, value), laid_out(y, value), *moved)

    def backward(self, op: BatchNorm, a: Arrays) -> Calls:
        """With n = (x - mean) inverse: dscale = sum dy n, dshift = sum dy,
        dx = scale inverse (dy - dshift / count - n dscale / count)."""
        dy, value, (dx,) = a.d_output, a.values[0], a.d_inputs
        assert dy is not None
        if beside(value) and dy.size // value.channels < 2:
            yield from super().backward(op, a)
            return
        normal = laid_out(a.saved["normal"], value)
        dscale, dshift = a.d_weights["scale"], a.d_weights["shift"]
        sums = _rows_sums if beside(value) else _maps_sums
        lanes = lanes_in(a.scratch["product"], value)
        yield bound(sums, laid_out(dy, value), normal, *lanes, dscale, dshift)
        if dx is None:
            return
        loop = (rows_back if beside(value) else maps_back)(same(dx, dy))
        share = dy.dtype.type(value.channels / dy.size)
        weights = a.weights["scale"], a.saved["inverse"], dscale, dshift
        yield bound(loop, laid_out(dy, value), normal, laid_out(dx, value), *weights, share)


def beside(value: Value) -> bool:
    """Whether the channels of one place lie side by side."""
    return value.channels_last or value.rank == 1


def laid_out(array: Array, value: Value) -> Array:
    """A batch as (rows, channels), or as (examples, channels, places)."""
    return array.reshape(
        (-1, value.channels) if beside(value) else (len(array), value.channels, -1)
    )


def lanes_in(scratch: Array, value: Value) -> tuple[Array, Array]:
    """The lanes of two sums."""
    places = value.size // value.channels
    wide = value.channels if beside(value) else min(LANES, places, scratch.size // 2)
    flat = scratch.reshape(-1)
    return flat[:wide], flat[wide : 2 * wide]


@compiled
def _factor(variance: Array, scale: Array, eps: Any, factor: Array) -> None:
    for c in range(len(factor)):
        factor[c] = scale[c] / math.sqrt(variance[c] + eps)


@compiled
def _total(lanes: Array) -> Any:
    total = 0.0
    for j in range(lanes.size):
        total += lanes[j]
    return total


# ---------------------------------------------------------------- channels one after the other


@compiled
def _maps_forward(
    x: Array, normal: Array, y: Array, lanes: Array, others: Array,
    average: Array, spread: Array, inverse: Array, scale: Array, shift: Array,
    mean: Array, variance: Array,
    share: Any, eps: Any, old: Any, new: Any, new_unbiased: Any,
) -> None:  # fmt: skip
    examples, channels, places = x.shape
    wide = lanes.size
    for c in range(channels):
        lanes[:] = 0
        others[:] = 0
        for n in range(examples):
            for start in range(0, places, wide):
                part = x[n, c, start : start + wide]
                for j in range(part.size):
                    lanes[j] += part[j]
        first = average.dtype.type(_total(lanes)) * share
        lanes[:] = 0
        for n in range(examples):
            for start in range(0, places, wide):
                part = x[n, c, start : start + wide]
                for j in range(part.size):
                    apart = part[j] - first
                    lanes[j] += apart
                    others[j] += apart * apart
        rest = average.dtype.type(_total(lanes)) * share
        square = average.dtype.type(_total(others)) * share
        average[c], spread[c] = first + rest, square - rest * rest
        inverse[c] = 1 / math.sqrt(spread[c] + eps)
        factor, weight, term = inverse[c], scale[c], shift[c]
        for n in range(examples):
            for p in range(places):
                normal[n, c, p] = ((x[n, c, p] - first) - rest) * factor
            for p in range(places):
                y[n, c, p] = normal[n, c, p] * weight + term
        mean[c] = mean[c] * old + average[c] * new
        variance[c] = variance[c] * old + spread[c] * new_unbiased


@compiled
def _maps_sums(
    dy: Array, normal: Array, lanes: Array, others: Array, dscale: Array, dshift: Array
) -> None:
    examples, channels, places = dy.shape
    wide = lanes.size
    for c in range(channels):
        lanes[:] = 0
        others[:] = 0
        for n in range(examples):
            for start in range(0, places, wide):
                back, part = dy[n, c, start : start + wide], normal[n, c, start : start + wide]
                for j in range(part.size):
                    lanes[j] += back[j] * part[j]
                    others[j] += back[j]
        dscale[c] = _total(lanes)
        dshift[c] = _total(others)


@cache
def maps_back(onto: bool) -> Any:
    """dx, which may lie where dy does: a loop that reads and writes one array is not two arrays
    that might overlap."""

    def loop(
        dy: Array, normal: Array, dx: Array,
        scale: Array, inverse: Array, dscale: Array, dshift: Array, share: Any,
    ) -> None:  # fmt: skip
        examples, channels, places = dx.shape
        for n in range(examples):
            for c in range(channels):
                less, tilt, factor = dshift[c] * share, dscale[c] * share, scale[c] * inverse[c]
                for p in range(places):
                    back = dx[n, c, p] if onto else dy[n, c, p]
                    dx[n, c, p] = ((back - less) - normal[n, c, p] * tilt) * factor

    return compiled(loop)


@cache
def maps_moved(onto: bool) -> Any:
    """y = (x - mean) factor + shift, which may lie where x does."""

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
def _rows_forward(
    x: Array, normal: Array, y: Array, lanes: Array, others: Array,
    average: Array, spread: Array, inverse: Array, scale: Array, shift: Array,
    mean: Array, variance: Array,
    share: Any, eps: Any, old: Any, new: Any, new_unbiased: Any,
) -> None:  # fmt: skip
    rows, channels = x.shape
    average[:], spread[:], inverse[:] = 0, 0, 0
    for start in range(0, rows, ROWS):
        lanes[:] = 0
        for r in range(start, min(start + ROWS, rows)):
            for c in range(channels):
                lanes[c] += x[r, c]
        for c in range(channels):
            average[c] += lanes[c]
    for c in range(channels):
        average[c] *= share
    for start in range(0, rows, ROWS):
        lanes[:] = 0
        others[:] = 0
        for r in range(start, min(start + ROWS, rows)):
            for c in range(channels):
                apart = x[r, c] - average[c]
                lanes[c] += apart
                others[c] += apart * apart
        for c in range(channels):
            spread[c] += lanes[c]
            inverse[c] += others[c]
    for c in range(channels):
        rest = spread[c] * share
        spread[c] = inverse[c] * share - rest * rest
        inverse[c] = 1 / math.sqrt(spread[c] + eps)
        lanes[c] = rest
    for r in range(rows):
        for c in range(channels):
            normal[r, c] = ((x[r, c] - average[c]) - lanes[c]) * inverse[c]
        for c in range(channels):
            y[r, c] = normal[r, c] * scale[c] + shift[c]
    for c in range(channels):
        mean[c] = mean[c] * old + (average[c] + lanes[c]) * new
        variance[c] = variance[c] * old + spread[c] * new_unbiased


@compiled
def _rows_sums(
    dy: Array, normal: Array, lanes: Array, others: Array, dscale: Array, dshift: Array
) -> None:
    rows, channels = dy.shape
    dscale[:], dshift[:] = 0, 0
    for start in range(0, rows, ROWS):
        lanes[:] = 0
        others[:] = 0
        for r in range(start, min(start + ROWS, rows)):
            for c in range(channels):
                lanes[c] += dy[r, c] * normal[r, c]
                others[c] += dy[r, c]
        for c in range(channels):
            dscale[c] += lanes[c]
            dshift[c] += others[c]


@cache
def rows_back(onto: bool) -> Any:
    def loop(
        dy: Array, normal: Array, dx: Array,
        scale: Array, inverse: Array, dscale: Array, dshift: Array, share: Any,
    ) -> None:  # fmt: skip
        rows, channels = dx.shape
        for r in range(rows):
            for c in range(channels):
                back = (dx[r, c] if onto else dy[r, c]) - dshift[c] * share
                back -= normal[r, c] * (dscale[c] * share)
                dx[r, c] = back * (scale[c] * inverse[c])

    return compiled(loop)


@cache
def rows_moved(onto: bool) -> Any:
    def loop(x: Array, y: Array, mean: Array, factor: Array, shift: Array) -> None:
        rows, channels = y.shape
        for r in range(rows):
            for c in range(channels):
                y[r, c] = ((y[r, c] if onto else x[r, c]) - mean[c]) * factor[c] + shift[c]

    return compiled(loop)
