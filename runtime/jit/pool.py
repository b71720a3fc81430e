"""Pooling, compiled: each window read once, its taps written out where all of them lie inside.

Every map has three spatial axes here, the first of them of size 1 where the net has fewer, and lies in
one flat vector. Places are counted without a sign: a signed one might be negative, which would mean
from the end, and keeps the compiler from vector instructions.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from ...compiler.ops.pool import AvgPool, MaxPool, Pool
from ...compiler.shapes import Window
from ..kernels import Array, Arrays, Calls
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


def sizes(over: tuple[Window, ...]) -> tuple[Array, ...]:
    """Input, output and padding, and the first and the last column whose window lies inside."""
    across = over[2]
    first = min(across.output, -(-across.before // across.stride))
    inside = (across.size + across.before - across.reach) // across.stride + 1
    rows = (
        [w.size for w in over], [w.output for w in over], [w.before for w in over],
        [first, max(first, min(across.output, inside))],
    )  # fmt: skip
    return tuple(np.array(row, np.int64) for row in rows)


def strides(over: tuple[Window, ...]) -> tuple[Triple, Triple]:
    """What a loop is written out for: the kernel and the stride."""
    (a, b, c), (d, e, f) = (w.kernel for w in over), (w.stride for w in over)
    return (a, b, c), (d, e, f)


@kernel(MaxPool)
class MaxPoolLoops(MaxPoolKernel):
    """The largest, and by number the tap that had it. Maps whose channels lie side by side are
    NumPy's, and so is the way back where windows do not overlap."""

    def forward(self, op: MaxPool, a: Arrays) -> Calls:
        if a.values[0].channels_last:
            yield from super().forward(op, a)
            return
        (x,), y, winner, over = a.inputs, a.output, a.saved["winner"], windows(op, a)
        assert y is not None
        flat = x.reshape(-1), y.reshape(-1), winner.reshape(-1)
        yield bound(largest(*strides(over), True), *flat, *sizes(over))

    def infer(self, op: MaxPool, a: Arrays) -> Calls:
        if a.values[0].channels_last:
            yield from super().infer(op, a)
            return
        (x,), y, over = a.inputs, a.output, windows(op, a)
        assert y is not None
        flat = x.reshape(-1), y.reshape(-1), NOBODY
        yield bound(largest(*strides(over), False), *flat, *sizes(over))

    def backward(self, op: MaxPool, a: Arrays) -> Calls:
        dx, dy = a.d_inputs[0], a.d_output
        over = windows(op, a)
        if dx is None or dy is None or a.values[0].channels_last or apart(over):
            yield from super().backward(op, a)
            return
        flat = dy.reshape(-1), a.saved["winner"].reshape(-1), dx.reshape(-1)
        yield bound(to_winner(*strides(over)), *flat, *sizes(over))


@kernel(AvgPool)
class AvgPoolLoops(AvgPoolKernel):
    def forward(self, op: AvgPool, a: Arrays) -> Calls:
        if a.values[0].channels_last:
            yield from super().forward(op, a)
            return
        (x,), y, over = a.inputs, a.output, windows(op, a)
        assert y is not None
        counts = counted(op.windows(a.values[0]), y.dtype).reshape(-1)
        yield bound(mean(*strides(over)), x.reshape(-1), y.reshape(-1), counts, *sizes(over))

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
