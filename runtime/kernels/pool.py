"""Pooling: one strided view of the input for each tap of the window, no window ever gathered.

Where nobody asks which tap won, rows come first and then columns of what is left of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise, product, takewhile
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.pool import AvgPool, GlobalAverage, GlobalMax, MaxPool, Pool
from ...compiler.shapes import Value, Window
from ..constants import filled, scalar, table
from . import Array, Arrays, Calls, kernel
from .bounds import maximum
from .layout import as_maps

Index: TypeAlias = tuple[Any, ...]
"""What stands in an array's brackets: a slice for each axis up to the last along which windows slide."""


def taps(windows: tuple[Window, ...], x: Value) -> Iterator[tuple[int, Index, Index]]:
    """For each tap its number, the input places it reads, and the output places that read there.

    Taps that would read padding alone are left out; so padding is never touched.
    """
    before: Index = (slice(None),) * x.first_place
    for number, tap in enumerate(product(*(range(w.kernel) for w in windows))):
        inside = [w.inside(t) for w, t in zip(windows, tap, strict=True)]
        if all(last > first for first, last, _ in inside):
            outputs = tuple(slice(first, last) for first, last, _ in inside)
            inputs = tuple(
                slice(start, start + (last - first - 1) * w.stride + 1, w.stride)
                for (first, last, start), w in zip(inside, windows, strict=True)
            )
            yield number, (*before, *inputs), (*before, *outputs)


def passes(combine: Callable[..., object], of_nothing: float, op: Pool, a: Arrays) -> Calls:
    """y = what each window sees, combined: axis by axis, a block of images (or of channels, where these lie outermost)
    at a time.

    A window of k x k takes 2 k calls instead of k k, and the first of them read whole rows.
    """
    (x,), y = a.inputs, a.output
    assert y is not None
    if "everywhere" in a.scratch:
        yield from everywhere(combine, op, a)
        return
    steps = op.passes(a.values[0])
    rooms = [a.scratch[f"along axis {axis}"] for axis, _ in steps[:-1]]
    images = len(rooms[0]) if rooms else len(x)
    for first in range(0, len(x), images):
        source = x[first : first + images]
        targets = [*(room[: len(source)] for room in rooms), y[first : first + images]]
        for (axis, window), target in zip(steps, targets, strict=True):
            yield from along(axis, window, combine, of_nothing, source, target)
            source = target


def everywhere(combine: Callable[..., object], op: Pool, a: Arrays) -> Calls:
    """The same where a window begins at every place of a row of all numbers, past the ends of rows and
    maps too, and y takes what is meant of it."""
    (x,), y, rooms = a.inputs, a.output, a.scratch["everywhere"]
    assert y is not None
    meant: list[slice] = [slice(None)] * x.ndim
    for axis, window in op.passes(a.values[0]):
        meant[axis] = slice(0, (window.output - 1) * window.stride + 1, window.stride)
    wide = [(axis, window) for axis, window in op.passes(a.values[0]) if window.kernel > 1]
    for first in range(0, len(x), rooms.shape[1]):
        block = x[first : first + rooms.shape[1]]
        seen, length = block.reshape(-1), block.size
        for number, (axis, window) in enumerate(wide):
            apart = window.dilation * math.prod(block.shape[axis + 1 :])
            length -= (window.kernel - 1) * apart
            source, seen = seen, rooms[number % 2].reshape(-1)
            so_far = source[:length]
            for tap in range(1, window.kernel):
                ahead = source[tap * apart : tap * apart + length]
                yield combine, (so_far, ahead, seen[:length])
                so_far = seen[:length]
        ends = seen[: block.size].reshape(block.shape)
        yield np.copyto, (y[first : first + len(block)], ends[*meant])


def along(
    axis: int,
    window: Window,
    combine: Callable[..., object],
    of_nothing: float,
    x: Array,
    y: Array,
) -> Calls:
    """y = what a window that slides along one axis sees, combined; padding is never touched."""
    every: Index = (slice(None),) * axis
    whole: list[Array] = []
    parts: list[tuple[Array, Array]] = []
    for tap in range(window.kernel):
        begin, end, start = window.inside(tap)
        if end > begin:
            stop = start + (end - begin - 1) * window.stride + 1
            seen = x[*every, start : stop : window.stride]
            if end - begin == window.output:
                whole.append(seen)
            else:
                parts.append((seen, y[*every, begin:end]))
    match whole:
        case [one, other, *others]:
            first, second, target = in_one(one, other, y)
            yield combine, (first, second, target)
        case [one]:
            others = []
            yield np.copyto, (y, one)
        case _:
            others = []
            yield y.fill, (of_nothing,)
    for pair in (*((other, y) for other in others), *parts):
        seen, target = in_one(*pair)
        yield combine, (seen, target, target)


def in_one(*arrays: Array) -> tuple[Array, ...]:
    """Arrays of one shape as one row each, where all can be: to step through several axes takes a call
    longer than a small map does."""
    found = tuple(map(straight, arrays))
    return arrays if any(row is None for row in found) else cast(tuple[Array, ...], found)


def straight(array: Array) -> Array | None:
    """The numbers of an array as a row, where they lie evenly; a view."""
    axes = [(size, step) for size, step in zip(array.shape, array.strides, strict=True) if size > 1]
    if any(step != size * inner for (_, step), (size, inner) in pairwise(axes)):
        return None
    return as_strided(array, (array.size,), (axes[-1][1] if axes else array.itemsize,))


def apart(windows: tuple[Window, ...]) -> bool:
    """No input lies in two windows, so its gradient has one term and needs no sum."""
    return all(w.stride >= w.kernel for w in windows)


def tiled(windows: tuple[Window, ...]) -> bool:
    """Windows lie side by side and cover all inputs, so the gradient need not begin at 0."""
    return all(
        w.before == 0 and w.stride == w.kernel and w.output * w.kernel == w.size for w in windows
    )


@kernel(MaxPool)
class MaxPoolKernel:
    """The largest, and by number the tap that had it."""

    def forward(self, op: MaxPool, a: Arrays) -> Calls:
        (x,), y, winner = a.inputs, a.output, a.saved["winner"]
        assert y is not None
        mask, index = a.scratch["mask"], a.scratch["index"]
        # One or nothing, in a type in which it can be multiplied.
        won = mask.view(winner.dtype) if winner.itemsize == mask.itemsize else index
        each = list(taps(op.windows(a.values[0]), a.values[0]))
        # What all windows see from their first place on need not be held against what came before.
        whole = [x[read] for number, (tap, read, _) in enumerate(each) if tap == number]
        whole = list(takewhile(lambda seen: seen.shape == y.shape, whole))
        if len(whole) > 1 and won is not index:
            yield np.greater, (whole[1], whole[0], winner.view(np.bool_))
            yield maximum, (whole[1], whole[0], y)
            del each[:2]
        else:
            yield winner.fill, (0,)
            yield (np.copyto, (y, whole[0])) if whole else (y.fill, (-math.inf,))
            del each[: len(whole[:1])]
        for number, read, written in each:
            seen, best = x[read], y[written]
            better, place = mask[written], index[written]
            yield np.greater, (seen, best, better)
            yield maximum, (seen, best, best)
            # Later taps have larger numbers, so the last one to win is the largest to have won.
            if won is index:
                yield np.copyto, (place, better)
            yield np.multiply, (won[written], scalar(number, winner.dtype), place)
            yield maximum, (winner[written], place, winner[written])

    def infer(self, op: MaxPool, a: Arrays) -> Calls:
        yield from passes(maximum, -math.inf, op, a)

    def backward(self, op: MaxPool, a: Arrays) -> Calls:
        dx, dy, winner = a.d_inputs[0], a.d_output, a.saved["winner"]
        if dx is None or dy is None:
            return
        windows, mask, share = op.windows(a.values[0]), a.scratch["mask"], a.scratch["share"]
        if not tiled(windows):
            yield dx.fill, (0,)
        for number, read, written in taps(windows, a.values[0]):
            yield np.equal, (winner[written], scalar(number, winner.dtype), mask[written])
            yield np.copyto, (share[written], mask[written])
            if apart(windows):
                yield np.multiply, (dy[written], share[written], dx[read])
            else:
                yield np.multiply, (dy[written], share[written], share[written])
                yield np.add, (dx[read], share[written], dx[read])


def counted(windows: tuple[Window, ...], x: Value, dtype: np.dtype[np.generic]) -> Array:
    """How many places each window averages: its kernel, cut off where the padding ends."""

    def make() -> Array:
        whole: Array = np.ones((), dtype)
        for window in windows:
            starts = np.arange(window.output) * window.stride - window.before
            ends = np.minimum(starts + window.kernel, window.size + window.after)
            whole = np.multiply.outer(whole, (ends - starts).astype(dtype))
        return whole[..., None].copy() if x.first_place == 1 else whole

    return table(("counted", windows, x.first_place, dtype.str), make)


@kernel(AvgPool)
class AvgPoolKernel:
    def forward(self, op: AvgPool, a: Arrays) -> Calls:
        y = a.output
        assert y is not None
        yield from passes(np.add, 0, op, a)
        yield np.divide, (y, counted(op.windows(a.values[0]), a.values[0], y.dtype), y)

    infer = forward

    def backward(self, op: AvgPool, a: Arrays) -> Calls:
        dx, dy = a.d_inputs[0], a.d_output
        if dx is None or dy is None:
            return
        windows, share = op.windows(a.values[0]), a.scratch["share"]
        yield np.divide, (dy, counted(windows, a.values[0], dy.dtype), share)
        if not tiled(windows):
            yield dx.fill, (0,)
        for _, read, written in taps(windows, a.values[0]):
            if apart(windows):
                yield np.copyto, (dx[read], share[written])
            else:
                yield np.add, (dx[read], share[written], dx[read])


@kernel(GlobalAverage)
class GlobalAverageKernel:
    def forward(self, op: GlobalAverage, a: Arrays) -> Calls:
        (x,), y, (value,) = a.inputs, a.output, a.values
        assert y is not None
        if value.outermost or value.channels_last:
            share = scalar(value.channels / value.size, x.dtype)
            yield partial(np.add.reduce, x, axis=value.place_axes, out=as_maps(y, value)), ()
            yield np.multiply, (y, share, y)
            return
        # Seven times faster than a sum over the last axes.
        maps = x.reshape(y.size, -1)
        yield maps.dot, (filled(1 / maps.shape[1], maps.shape[1], x.dtype), y.reshape(-1))

    infer = forward

    def backward(self, op: GlobalAverage, a: Arrays) -> Calls:
        dx, dy, (value,) = a.d_inputs[0], a.d_output, a.values
        if dx is None or dy is None:
            return
        given = np.expand_dims(as_maps(dy, value), value.place_axes)
        yield np.multiply, (given, scalar(value.channels / value.size, dx.dtype), dx)


@kernel(GlobalMax)
class GlobalMaxKernel:
    """The winner of each channel is kept by its place in the whole input."""

    def forward(self, op: GlobalMax, a: Arrays) -> Calls:
        yield from self.infer(op, a)
        yield partial(np.argmax, self.rows(a), axis=2, out=a.scratch["index"]), ()
        (x,), winner, (value,) = a.inputs, a.saved["winner"], a.values
        channels, places = value.channels, value.size // value.channels

        def make() -> Array:
            if value.channels_last:
                return np.arange(len(x))[:, None] * value.size + np.arange(channels)
            return np.arange(len(x) * channels).reshape(-1, channels) * places

        firsts = table(("firsts", len(x), value), make)
        step = scalar(channels if value.channels_last else 1, winner.dtype)
        yield np.multiply, (a.scratch["index"], step, winner)
        yield np.add, (winner, firsts, winner)

    def infer(self, op: GlobalMax, a: Arrays) -> Calls:
        (x,), (value,) = a.inputs, a.values
        if value.channels_last:
            yield np.copyto, (self.rows(a), x.reshape(len(x), -1, value.channels).swapaxes(1, 2))
        yield partial(np.maximum.reduce, self.rows(a), axis=2, out=a.output), ()

    def rows(self, a: Arrays) -> Array:
        """Each channel's numbers side by side: argmax along another axis would make a copy."""
        (x,), (value,) = a.inputs, a.values
        return a.scratch["rows"] if value.channels_last else x.reshape(*x.shape[:2], -1)

    def backward(self, op: GlobalMax, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        if dx is not None and dy is not None:
            yield dx.fill, (0,)
            yield dx.reshape(-1).put, (a.saved["winner"], dy)
