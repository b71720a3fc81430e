"""Depthwise convolution, compiled: a filter slid over its own channel, with no columns gathered.

Maps are laid out and counted as in `pool.py`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...compiler.ops.conv import DepthwiseConv
from ...compiler.shapes import Window
from ..constants import filled
from ..kernels import Array, Arrays, Calls
from ..kernels.conv import ConvKernel, bias
from . import kernel
from .compiled import bound, compiled
from .pool import ONE, Triple, U, sizes


def windows(op: DepthwiseConv, a: Arrays) -> tuple[Window, ...]:
    found = op.windows(a.values[0])
    return (ONE,) * (3 - len(found)) + found


def steps(over: tuple[Window, ...]) -> tuple[Triple, Triple, Triple]:
    """What a loop is written out for: the kernel, the stride, the dilation."""
    (a, b, c), (d, e, f) = (w.kernel for w in over), (w.stride for w in over)
    g, h, i = (w.dilation for w in over)
    return (a, b, c), (d, e, f), (g, h, i)


def reaches(over: tuple[Window, ...]) -> Array:
    """For each tap across the outputs that see the map there, and the first place they see."""
    across = over[2]
    return np.array([across.inside(tap) for tap in range(across.kernel)], np.int64)


@kernel(DepthwiseConv)
class DepthwiseLoops(ConvKernel):
    """y = w * x + b, channel by channel. The lanes of the filters' gradient lie in `columns`."""

    def forward(self, op: Any, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        assert y is not None
        over = windows(op, a)
        weight = a.weights["weight"]
        terms = filled(0, len(weight), x.dtype) if op.nobias else a.weights["bias"]
        flat = x.reshape(-1), weight.reshape(len(weight), -1), terms, y.reshape(-1)
        yield bound(slid(*steps(over)), *flat, op.m, *sizes(over))

    infer = forward

    def backward(self, op: Any, a: Arrays) -> Calls:
        (x,), (dx,), dy, (value,) = a.inputs, a.d_inputs, a.d_output, a.values
        assert dy is not None
        over, columns = windows(op, a), a.scratch.get("columns")
        lanes = over[0].kernel * over[1].kernel * over[2].kernel * over[2].output
        if columns is None or columns.size < lanes:
            yield from super().backward(op, a)
            return
        filters = op.sides(value)[1]
        yield from bias(dy, a)
        flat, places = dy.reshape(-1), (op.m, *sizes(over), reaches(over))
        if "weight" in a.d_weights:
            dw = a.d_weights["weight"].reshape(filters, -1)
            side_by_side = columns.reshape(-1)[:lanes].reshape(-1, over[2].output)
            yield bound(to_filters(*steps(over)), flat, x.reshape(-1), side_by_side, dw, *places)
        if dx is not None:
            weight = a.weights["weight"].reshape(filters, -1)
            yield bound(to_input(*steps(over)), flat, weight, dx.reshape(-1), *places)


@cache
def slid(kernel: Triple, stride: Triple, dilation: Triple) -> Any:
    (kd, kh, kw), (sd, sh, sw), (ad, ah, aw) = kernel, stride, dilation
    wide = U(sw)

    def loop(
        x: Array, weight: Array, bias: Array, y: Array, each: Any,
        size: Array, out: Array, pad: Array, inside: Array,
    ) -> None:  # fmt: skip
        (depth, height, width), filters = size, len(weight)
        deep, high, across = out
        for m in range(y.size // (deep * high * across)):
            k = m % filters
            plane = m // each
            taps, term = weight[k], bias[k]
            for i in range(deep):
                top_d = i * sd - pad[0]
                for j in range(high):
                    top = j * sh - pad[1]
                    here = ((m * deep + i) * high + j) * across
                    row = y[here : here + across]
                    full = top_d >= 0 and top_d + (kd - 1) * ad < depth
                    full = full and top >= 0 and top + (kh - 1) * ah < height
                    first, last = (inside[0], inside[1]) if full else (0, 0)
                    if full:
                        start = ((plane * depth + top_d) * height + top) * width - pad[2]
                        seen, inner = U(start + first * sw), row[first:last]
                        for o in range(inner.size):
                            total = term
                            for d in range(kd):
                                for h in range(kh):
                                    for w in range(kw):
                                        tap = U((d * ad * height + h * ah) * width + w * aw)
                                        v = x[seen + tap + U(o) * wide]
                                        total += taps[(d * kh + h) * kw + w] * v
                            inner[o] = total
                    for e in range(across - (last - first)):
                        o = e if e < first else e + last - first
                        total = term
                        for d in range(kd):
                            for h in range(kh):
                                for w in range(kw):
                                    b, r = top_d + d * ad, top + h * ah
                                    c = o * sw - pad[2] + w * aw
                                    if 0 <= b < depth and 0 <= r < height and 0 <= c < width:
                                        v = x[((plane * depth + b) * height + r) * width + c]
                                        total += taps[(d * kh + h) * kw + w] * v
                        row[o] = total

    return compiled(loop)


@cache
def to_input(kernel: Triple, stride: Triple, dilation: Triple) -> Any:
    (kd, kh, kw), (sd, sh, sw), (ad, ah, _) = kernel, stride, dilation
    wide = U(sw)

    def loop(
        dy: Array, weight: Array, dx: Array, each: Any,
        size: Array, out: Array, pad: Array, inside: Array, reach: Array,
    ) -> None:  # fmt: skip
        (depth, height, width), filters = size, len(weight)
        deep, high, across = out
        dx[:] = 0
        for m in range(dy.size // (deep * high * across)):
            k, plane = m % filters, m // each
            for i in range(deep):
                for j in range(high):
                    here = ((m * deep + i) * high + j) * across
                    for d in range(kd):
                        b = i * sd - pad[0] + d * ad
                        for h in range(kh):
                            r = j * sh - pad[1] + h * ah
                            if b < 0 or b >= depth or r < 0 or r >= height:
                                continue
                            start = ((plane * depth + b) * height + r) * width
                            target = dx[start : start + width]
                            for w in range(kw):
                                first, last, place = reach[w]
                                back, onto = dy[here + first : here + last], target[place:]
                                weighed = weight[k, (d * kh + h) * kw + w]
                                for o in range(back.size):
                                    onto[U(o) * wide] += back[o] * weighed

    return compiled(loop)


@cache
def to_filters(kernel: Triple, stride: Triple, dilation: Triple) -> Any:
    """For each tap as many sums side by side as outputs lie across."""
    (kd, kh, kw), (sd, sh, sw), (ad, ah, _) = kernel, stride, dilation
    wide = U(sw)

    def loop(
        dy: Array, x: Array, lanes: Array, dw: Array, each: Any,
        size: Array, out: Array, pad: Array, inside: Array, reach: Array,
    ) -> None:  # fmt: skip
        (depth, height, width), filters = size, len(dw)
        deep, high, across = out
        images = dy.size // (deep * high * across) // filters
        for k in range(filters):
            lanes[:] = 0
            for n in range(images):
                m = n * filters + k
                plane = m // each
                for i in range(deep):
                    for j in range(high):
                        here = ((m * deep + i) * high + j) * across
                        for d in range(kd):
                            b = i * sd - pad[0] + d * ad
                            for h in range(kh):
                                r = j * sh - pad[1] + h * ah
                                if b < 0 or b >= depth or r < 0 or r >= height:
                                    continue
                                start = ((plane * depth + b) * height + r) * width
                                row = x[start : start + width]
                                for w in range(kw):
                                    first, last, place = reach[w]
                                    back, seen = dy[here + first : here + last], row[place:]
                                    sums = lanes[(d * kh + h) * kw + w]
                                    for o in range(back.size):
                                        sums[o] += back[o] * seen[U(o) * wide]
            for tap in range(kd * kh * kw):
                total = 0.0
                for o in range(across):
                    total += lanes[tap, o]
                dw[k, tap] = total

    return compiled(loop)
