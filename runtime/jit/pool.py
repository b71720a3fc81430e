"""Pooling, compiled: each window read once, its taps written out where all of them lie inside.

Every map has three spatial axes here, the first of them of size 1 where the net has fewer, and all lie
in one flat vector. Places are counted without a sign: a signed one might be negative, which would mean
from the end, and keeps the compiler from vector instructions.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from ...compiler.ops.pool import AvgPool, MaxPool, Pool
from ...compiler.shapes import Value, Window
from ..kernels import Array, Arrays, Call, Calls
from ..kernels.pool import AvgPoolKernel, MaxPoolKernel, apart, counted
from . import kernel
from .compiled import bound, compiled

Triple: TypeAlias = tuple[int, int, int]

ONE = Window(1, 1)
"""What a missing axis is slid over by."""
U = np.uint64


def windows(op: Pool, a: Arrays) -> tuple[Window, ...]:
    found = op.windows(a.values[0])
    return (ONE,) * (3 - len(found)) + found


def sizes(over: tuple[Window, ...], beside: int = 0) -> tuple[Any, ...]:
    """Input, output and padding, and the first and the last column whose window lies inside; where
    numbers of a place lie side by side how many there are."""
    across = over[2]
    first = min(across.output, -(-across.before // across.stride))
    inside = (across.size + across.before - across.reach) // across.stride + 1
    rows = (
        [w.size for w in over], [w.output for w in over], [w.before for w in over],
        [first, max(first, min(across.output, inside))],
    )  # fmt: skip
    places = tuple(np.array(row, np.int64) for row in rows)
    return (*places, np.uint64(beside)) if beside else places


def side_by_side(value: Value, maps: Array) -> int:
    """How many numbers of one place lie side by side: channels, or examples; 0 where places do."""
    return maps.shape[-1] if value.first_place == 1 else 0


def strides(over: tuple[Window, ...]) -> tuple[Triple, Triple]:
    """What a loop is written out for: the kernel and the stride."""
    (a, b, c), (d, e, f) = (w.kernel for w in over), (w.stride for w in over)
    return (a, b, c), (d, e, f)


@kernel(MaxPool)
class MaxPoolLoops(MaxPoolKernel):
    """The largest, and by number the tap that had it. The way back is NumPy's where windows do not
    overlap."""

    def forward(self, op: MaxPool, a: Arrays) -> Calls:
        yield self.sought(op, a, a.saved["winner"].reshape(-1), told=True)

    def infer(self, op: MaxPool, a: Arrays) -> Calls:
        yield self.sought(op, a, NOBODY, told=False)

    def sought(self, op: MaxPool, a: Arrays, winner: Array, *, told: bool) -> Call:
        (x,), y, over = a.inputs, a.output, windows(op, a)
        beside = side_by_side(a.values[0], x)
        assert y is not None
        loop = largest_beside if beside else largest
        flat = x.reshape(-1), y.reshape(-1), winner
        return bound(loop(*strides(over), told), *flat, *sizes(over, beside))

    def backward(self, op: MaxPool, a: Arrays) -> Calls:
        dx, dy, over = a.d_inputs[0], a.d_output, windows(op, a)
        if dx is None or dy is None or apart(over):
            yield from super().backward(op, a)
            return
        beside = side_by_side(a.values[0], dy)
        loop = to_winner_beside if beside else to_winner
        flat = dy.reshape(-1), a.saved["winner"].reshape(-1), dx.reshape(-1)
        yield bound(loop(*strides(over)), *flat, *sizes(over, beside))


@kernel(AvgPool)
class AvgPoolLoops(AvgPoolKernel):
    def forward(self, op: AvgPool, a: Arrays) -> Calls:
        (x,), y, over, (value,) = a.inputs, a.output, windows(op, a), a.values
        beside = side_by_side(value, x)
        assert y is not None
        counts = counted(op.windows(value), value, y.dtype).reshape(-1)
        loop = mean_beside if beside else mean
        flat = x.reshape(-1), y.reshape(-1), counts
        yield bound(loop(*strides(over)), *flat, *sizes(over, beside))

    infer = forward


NOBODY: Array = np.zeros(0, np.uint8)


@cache
def largest(kernel: Triple, stride: Triple, told: bool) -> Any:
    """`told`: whether the winner is kept."""
    (kd, kh, kw), (sd, sh, sw) = kernel, stride
    wide, number_of = U(sw), np.uint8 if kd * kh * kw <= 255 else np.int64

    def loop(
        x: Array, y: Array, winner: Array, size: Array, out: Array, pad: Array, inside: Array
    ) -> None:
        (depth, height, width), planes = size, x.size // (size[0] * size[1] * size[2])
        deep, high, across = out
        for m in range(planes):
            for i in range(deep):
                top_d = i * sd - pad[0]
                for j in range(high):
                    top = j * sh - pad[1]
                    here = ((m * deep + i) * high + j) * across
                    row, won = y[here : here + across], winner[here : here + across]
                    full = top_d >= 0 and top_d + kd <= depth and top >= 0 and top + kh <= height
                    first, last = (inside[0], inside[1]) if full else (0, 0)
                    if full:
                        start = ((m * depth + top_d) * height + top) * width - pad[2]
                        seen = U(start + first * sw)
                        inner, chosen = row[first:last], won[first:last]
                        for o in range(inner.size):
                            most, which = x.dtype.type(-math.inf), number_of(0)
                            for d in range(kd):
                                for h in range(kh):
                                    for w in range(kw):
                                        tap = U((d * height + h) * width + w)
                                        v = x[seen + tap + U(o) * wide]
                                        number = number_of((d * kh + h) * kw + w)
                                        which = number if v > most else which
                                        most = most if most >= v or math.isnan(most) else v
                            inner[o] = most
                            if told:
                                chosen[o] = which
                    for k in range(across - (last - first)):
                        o = k if k < first else k + last - first
                        left = o * sw - pad[2]
                        most, which = x.dtype.type(-math.inf), number_of(0)
                        for d in range(max(0, -top_d), min(kd, depth - top_d)):
                            for h in range(max(0, -top), min(kh, height - top)):
                                start = ((m * depth + top_d + d) * height + top + h) * width + left
                                for w in range(max(0, -left), min(kw, width - left)):
                                    v = x[start + w]
                                    number = number_of((d * kh + h) * kw + w)
                                    which = number if v > most else which
                                    most = most if most >= v or math.isnan(most) else v
                        row[o] = most
                        if told:
                            won[o] = which

    return compiled(loop)


@cache
def to_winner(kernel: Triple, stride: Triple) -> Any:
    """Each output's gradient to the input that won; where nothing was larger than minus infinity
    that is the first tap, unless it lies outside."""
    (_, kh, kw), (sd, sh, sw) = kernel, stride

    def loop(
        dy: Array, winner: Array, dx: Array, size: Array, out: Array, pad: Array, inside: Array
    ) -> None:
        (depth, height, width), planes = size, dx.size // (size[0] * size[1] * size[2])
        deep, high, across = out
        dx[:] = 0
        for m in range(planes):
            for i in range(deep):
                for j in range(high):
                    here = ((m * deep + i) * high + j) * across
                    back, won = dy[here : here + across], winner[here : here + across]
                    for o in range(across):
                        tap = np.int64(won[o])
                        d, h = tap // (kh * kw) + i * sd - pad[0], tap // kw % kh + j * sh - pad[1]
                        w = tap % kw + o * sw - pad[2]
                        if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                            dx[((m * depth + d) * height + h) * width + w] += back[o]

    return compiled(loop)


@cache
def mean(kernel: Triple, stride: Triple) -> Any:
    (kd, kh, kw), (sd, sh, sw) = kernel, stride
    wide = U(sw)

    def loop(
        x: Array, y: Array, counts: Array, size: Array, out: Array, pad: Array, inside: Array
    ) -> None:
        (depth, height, width), planes = size, x.size // (size[0] * size[1] * size[2])
        deep, high, across = out
        for m in range(planes):
            for i in range(deep):
                top_d = i * sd - pad[0]
                for j in range(high):
                    top = j * sh - pad[1]
                    here = (i * high + j) * across
                    count = counts[here : here + across]
                    here += m * deep * high * across
                    row = y[here : here + across]
                    full = top_d >= 0 and top_d + kd <= depth and top >= 0 and top + kh <= height
                    first, last = (inside[0], inside[1]) if full else (0, 0)
                    if full:
                        start = ((m * depth + top_d) * height + top) * width - pad[2]
                        seen = U(start + first * sw)
                        inner, divisor = row[first:last], count[first:last]
                        for o in range(inner.size):
                            total = x.dtype.type(0)
                            for d in range(kd):
                                for h in range(kh):
                                    for w in range(kw):
                                        tap = U((d * height + h) * width + w)
                                        total += x[seen + tap + U(o) * wide]
                            inner[o] = total / divisor[o]
                    for k in range(across - (last - first)):
                        o = k if k < first else k + last - first
                        left = o * sw - pad[2]
                        total = x.dtype.type(0)
                        for d in range(max(0, -top_d), min(kd, depth - top_d)):
                            for h in range(max(0, -top), min(kh, height - top)):
                                start = ((m * depth + top_d + d) * height + top + h) * width + left
                                for w in range(max(0, -left), min(kw, width - left)):
                                    total += x[start + w]
                        row[o] = total / count[o]

    return compiled(loop)


# ---------------------------------------------------------------- numbers of a place side by side


@cache
def largest_beside(kernel: Triple, stride: Triple, told: bool) -> Any:
    """`told`: whether the winner is kept."""
    (kd, kh, kw), (sd, sh, sw) = kernel, stride
    number_of = np.uint8 if kd * kh * kw <= 255 else np.int64

    def loop(
        x: Array, y: Array, winner: Array,
        size: Array, out: Array, pad: Array, inside: Array, beside: Any,
    ) -> None:  # fmt: skip
        (depth, height, width), (deep, high, across) = size, out
        wide = np.int64(beside)
        for m in range(y.size // (deep * high * across * wide)):
            for i in range(deep):
                top_d = i * sd - pad[0]
                for j in range(high):
                    top = j * sh - pad[1]
                    full = top_d >= 0 and top_d + kd <= depth and top >= 0 and top + kh <= height
                    for o in range(across):
                        left = o * sw - pad[2]
                        here = (((m * deep + i) * high + j) * across + o) * wide
                        row, won = y[here : here + wide], winner[here : here + wide]
                        if full and inside[0] <= o < inside[1]:
                            start = ((m * depth + top_d) * height + top) * width + left
                            seen = U(start * wide)
                            for c in range(row.size):
                                most, which = x.dtype.type(-math.inf), number_of(0)
                                for d in range(kd):
                                    for h in range(kh):
                                        for w in range(kw):
                                            tap = U((d * height + h) * width + w)
                                            v = x[seen + tap * beside + U(c)]
                                            number = number_of((d * kh + h) * kw + w)
                                            which = number if v > most else which
                                            most = most if most >= v or math.isnan(most) else v
                                row[c] = most
                                if told:
                                    won[c] = which
                            continue
                        for c in range(wide):
                            most, which = x.dtype.type(-math.inf), number_of(0)
                            for d in range(max(0, -top_d), min(kd, depth - top_d)):
                                for h in range(max(0, -top), min(kh, height - top)):
                                    start = (m * depth + top_d + d) * height + top + h
                                    for w in range(max(0, -left), min(kw, width - left)):
                                        v = x[(start * width + left + w) * wide + c]
                                        number = number_of((d * kh + h) * kw + w)
                                        which = number if v > most else which
                                        most = most if most >= v or math.isnan(most) else v
                            row[c] = most
                            if told:
                                won[c] = which

    return compiled(loop)


@cache
def to_winner_beside(kernel: Triple, stride: Triple) -> Any:
    (_, kh, kw), (sd, sh, sw) = kernel, stride

    def loop(
        dy: Array, winner: Array, dx: Array,
        size: Array, out: Array, pad: Array, inside: Array, beside: Any,
    ) -> None:  # fmt: skip
        (depth, height, width), (deep, high, across) = size, out
        wide = np.int64(beside)
        dx[:] = 0
        for m in range(dy.size // (deep * high * across * wide)):
            for i in range(deep):
                for j in range(high):
                    for o in range(across):
                        here = (((m * deep + i) * high + j) * across + o) * wide
                        for c in range(wide):
                            tap = np.int64(winner[here + c])
                            d, h = (
                                tap // (kh * kw) + i * sd - pad[0],
                                tap // kw % kh + j * sh - pad[1],
                            )
                            w = tap % kw + o * sw - pad[2]
                            if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                                place = ((m * depth + d) * height + h) * width + w
                                dx[place * wide + c] += dy[here + c]

    return compiled(loop)


@cache
def mean_beside(kernel: Triple, stride: Triple) -> Any:
    (kd, kh, kw), (sd, sh, sw) = kernel, stride

    def loop(
        x: Array, y: Array, counts: Array,
        size: Array, out: Array, pad: Array, inside: Array, beside: Any,
    ) -> None:  # fmt: skip
        (depth, height, width), (deep, high, across) = size, out
        wide = np.int64(beside)
        for m in range(y.size // (deep * high * across * wide)):
            for i in range(deep):
                top_d = i * sd - pad[0]
                for j in range(high):
                    top = j * sh - pad[1]
                    for o in range(across):
                        left = o * sw - pad[2]
                        here = (i * high + j) * across + o
                        count = counts[here]
                        here = (here + m * deep * high * across) * wide
                        row = y[here : here + wide]
                        row[:] = 0
                        for d in range(max(0, -top_d), min(kd, depth - top_d)):
                            for h in range(max(0, -top), min(kh, height - top)):
                                start = (m * depth + top_d + d) * height + top + h
                                for w in range(max(0, -left), min(kw, width - left)):
                                    place = (start * width + left + w) * wide
                                    seen = x[place : place + wide]
                                    for c in range(row.size):
                                        row[c] += seen[c]
                        for c in range(row.size):
                            row[c] /= count

    return compiled(loop)
