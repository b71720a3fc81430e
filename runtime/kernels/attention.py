"""Attention: projections in one product, scores in blocks of examples that stay in cache.

Axes: N examples, T steps, K heads of keys and values, R heads of queries for each of them, W
numbers in a head. What queries, keys and values are is a view of the projection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...compiler.ops.attention import Attention
from ..constants import ones, scalar, table
from . import Array, Arrays, Calls, kernel
from .dense import rows


@dataclass(frozen=True)
class Heads:
    """The sizes of one use, and the views they make."""

    op: Attention
    width: int

    @property
    def pairs(self) -> int:
        return self.op.pairs()

    def split(self, projected: Array) -> tuple[Array, Array, Array]:
        """(N, T, (K·R + 2K)·W) as queries (N, K, R, T, W), keys and values (N, K, 1, T, W)."""
        queries = self.op.heads * self.width
        keys = self.pairs * self.width
        parts = np.split(projected, (queries, queries + keys), axis=2)
        q, k, v = (self.by_head(part) for part in parts)
        return q, k, v

    def by_head(self, array: Array) -> Array:
        """(N, T, K·R·W) as (N, K, R, T, W)."""
        batch, steps, features = array.shape
        shape = batch, steps, self.pairs, features // self.width // self.pairs, self.width
        return array.reshape(shape).transpose(0, 2, 3, 1, 4)

    def turning(self, projected: Array) -> Array:
        """Queries and keys as (N, T, heads, W): what rotary positions turn."""
        heads = self.op.heads + self.pairs
        whole: Array = projected[..., : heads * self.width]
        return whole.reshape(*whole.shape[:2], heads, self.width)


def heads_of(op: Attention, a: Arrays) -> Heads:
    return Heads(op, op.head(a.values[0]))


@kernel(Attention)
class AttentionKernel:
    def forward(self, op: Attention, a: Arrays) -> Calls:
        saved = a.saved
        yield from self.computed(op, a, saved["projected"], saved["chances"], saved["mixed"])

    def infer(self, op: Attention, a: Arrays) -> Calls:
        s = a.scratch
        yield from self.computed(op, a, s["projected"], s["chances"], s["mixed"])

    def computed(
        self, op: Attention, a: Arrays, projected: Array, chances: Array, mixed: Array
    ) -> Calls:
        """y = mixed Wₒᵀ + bₒ, where mixed = softmax(q kᵀ / √W) v."""
        x, y, heads = a.inputs[0], a.output, heads_of(op, a)
        assert y is not None
        yield from affine(x, projected, a, "in")
        if op.rope:
            yield from turn(heads.turning(projected), op, a, 1.0)
        q, k, v = heads.split(projected)
        # The root is taken into the queries: they are fewer than the scores.
        yield np.multiply, (q, scalar(heads.width**-0.5, q.dtype), q)
        hidden = later(x.shape[1], x.dtype) if op.causal else None
        for block in blocks(len(x), len(a.scratch["row"])):
            held = chances[block] if len(chances) == len(x) else chances[: block.stop - block.start]
            yield np.matmul, (q[block], k[block].swapaxes(3, 4), held)
            if hidden is not None:
                yield np.add, (held, hidden, held)
            yield from softmax(held, a.scratch["row"][: len(held)])
            yield np.matmul, (held, v[block], heads.by_head(mixed)[block])
        yield from affine(mixed, y, a, "out")

    def backward(self, op: Attention, a: Arrays) -> Calls:
        """With P the chances and O what they mix: dV = Pᵀ dO, dS = P (dO Vᵀ - sum(dO O)),
        dQ = dS K, dK = dSᵀ Q; the sum is over a head's numbers (Dao et al. 2022)."""
        (x,), (dx,), dy, heads = a.inputs, a.d_inputs, a.d_output, heads_of(op, a)
        assert dy is not None
        mixed, d_mixed = a.saved["mixed"], a.scratch["d_mixed"]
        projected, d_projected = a.saved["projected"], a.scratch["d_projected"]
        agreement, sums = a.scratch["agreement"], a.scratch["sums"]
        yield from learned(mixed, dy, a, "out")
        yield rows(dy).dot, (a.weights["out_weight"], rows(d_mixed))
        yield np.multiply, (d_mixed, mixed, agreement)
        by_width = agreement.reshape(*sums.shape, heads.width)
        yield by_width.dot, (ones(heads.width, dy.dtype), sums)
        q, k, v = heads.split(projected)
        dq, dk, dv = heads.split(d_projected)
        do = heads.by_head(d_mixed)
        total = sums.reshape(*sums.shape[:2], heads.pairs, -1, 1).transpose(0, 2, 3, 1, 4)
        for block in blocks(len(dy), len(a.scratch["slopes"])):
            chances = a.saved["chances"][block]
            slopes, part = a.scratch["slopes"][: len(chances)], a.scratch["part"][: len(chances)]
            yield from over_group(chances, do[block], dv[block], part)
            yield np.matmul, (do[block], v[block].swapaxes(3, 4), slopes)
            yield np.subtract, (slopes, total[block], slopes)
            yield np.multiply, (slopes, chances, slopes)
            yield np.matmul, (slopes, k[block], dq[block])
            yield from over_group(slopes, q[block], dk[block], part)
        yield np.multiply, (dq, scalar(heads.width**-0.5, dq.dtype), dq)
        if op.rope:
            yield from turn(heads.turning(d_projected), op, a, -1.0)
        yield from learned(x, d_projected, a, "in")
        if dx is not None:
            yield rows(d_projected).dot, (a.weights["in_weight"], rows(dx))


def affine(x: Array, y: Array, a: Arrays, side: str) -> Calls:
    """y = x Wᵀ + b, with the weights of one side."""
    yield rows(x).dot, (a.weights[f"{side}_weight"].T, rows(y))
    if f"{side}_bias" in a.weights:
        yield np.add, (y, a.weights[f"{side}_bias"], y)


def learned(x: Array, dy: Array, a: Arrays, side: str) -> Calls:
    """dW = dyᵀ x and db = the sum of dy, for the weights of one side."""
    if f"{side}_weight" in a.d_weights:
        yield rows(dy).T.dot, (rows(x), a.d_weights[f"{side}_weight"])
    if f"{side}_bias" in a.d_weights:
        yield ones(len(rows(dy)), dy.dtype).dot, (rows(dy), a.d_weights[f"{side}_bias"])


def softmax(scores: Array, row: Array) -> Calls:
    """In place, along the last axis."""
    yield partial(np.maximum.reduce, scores, axis=-1, keepdims=True, out=row), ()
    yield np.subtract, (scores, row, scores)
    yield np.exp, (scores, scores)
    yield partial(np.add.reduce, scores, axis=-1, keepdims=True, out=row), ()
    yield np.divide, (scores, row, scores)


def over_group(left: Array, right: Array, target: Array, part: Array) -> Calls:
    """target (m, K, 1, T, W) = the sum of leftᵀ right over the queries' heads of each group."""
    for head in range(left.shape[2]):
        here = slice(head, head + 1)
        product = part if head else target
        yield np.matmul, (left[:, :, here].swapaxes(3, 4), right[:, :, here], product)
        if head:
            yield np.add, (target, part, target)


def turn(whole: Array, op: Attention, a: Arrays, direction: float) -> Calls:
    """Turn the pairs of numbers of (N, T, heads, W) by their angles, or back."""
    half = whole.shape[3] // 2
    first, second = a.scratch["first"], a.scratch["second"]
    cosine, sine = (
        _angles(function, whole.shape[1], half, op.base, whole.dtype)
        for function in (np.cos, np.sin)
    )
    left, right = whole[..., :half], whole[..., half:]
    yield np.multiply, (right, sine, first)
    yield np.multiply, (left, sine, second)
    minus, plus = (np.subtract, np.add) if direction > 0 else (np.add, np.subtract)
    for part, product, join in ((left, first, minus), (right, second, plus)):
        yield np.multiply, (part, cosine, part)
        yield join, (part, product, part)


def _angles(
    function: np.ufunc, steps: int, half: int, base: float, dtype: np.dtype[np.generic]
) -> Array:
    """(T, 1, half): the cosine or sine of what each step turns each pair by."""

    def make() -> Array:
        rates = base ** (-np.arange(half) / half)
        turned: Array = function(np.arange(steps)[:, None, None] * rates)
        return turned.astype(dtype)

    return table((function.__name__, steps, half, base, dtype.str), make)


def later(steps: int, dtype: np.dtype[np.generic]) -> Array:
    """(T, T): minus infinity where the column is later than the row, else 0. All rows are views of
    one line of 2 T - 1 numbers, each a place further on."""

    def make() -> Array:
        line = np.zeros(2 * steps - 1, dtype)
        line[steps:] = -np.inf
        return line

    line = table(("later", steps, dtype.str), make)
    width = line.itemsize
    return as_strided(line[steps - 1 :], (steps, steps), (-width, width), writeable=False)


def blocks(batch: int, size: int) -> Iterator[slice]:
    return (slice(i, min(i + size, batch)) for i in range(0, batch, size))
