"""Merges: branches into one value, and its gradient back to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ...compiler.op import BLOCK
from ...compiler.ops.merge import Add, Concat, MatMul, Max, Mean, Mul, Sub
from ...compiler.shapes import Value
from ..constants import scalar
from . import Array, Arrays, Calls, kernel
from .bounds import maximum
from .layout import as_maps


def widest(a: Arrays) -> Value:
    """The value whose shape the merge has."""
    return max(a.values, key=lambda value: value.rank)


def spread(array: Array, a: Arrays) -> Array:
    """A branch as a view that broadcasts over the output: vectors go along the channels."""
    whole = widest(a)
    if array.ndim == whole.rank + 1:
        return array
    return np.expand_dims(as_maps(array, whole), whole.place_axes)


def gathered(source: Array, target: Array, a: Arrays) -> Calls:
    """Fill a branch's gradient: a copy, or for a vector the sum over all places of a channel."""
    if source.ndim == target.ndim:
        yield np.copyto, (target, source)
        return
    whole = widest(a)
    yield partial(np.add.reduce, source, axis=whole.place_axes, out=as_maps(target, whole)), ()


def stretches(array: Array) -> Iterator[slice]:
    """Of its numbers as they lie in memory, some at a time, so that they stay in cache."""
    for start in range(0, array.size, BLOCK):
        yield slice(start, min(start + BLOCK, array.size))


def wanted(a: Arrays) -> Iterable[tuple[int, Array]]:
    return ((i, d) for i, d in enumerate(a.d_inputs) if d is not None)


class Folded:
    """y = the branches folded by one operation, from the left."""

    fold: ClassVar[Callable[..., object]] = np.add

    def forward(self, op: Any, a: Arrays) -> Calls:
        assert a.output is not None
        first, *others = (spread(x, a) for x in a.inputs)
        if not others:
            yield np.copyto, (a.output, first)
            return
        yield self.fold, (first, others[0], a.output)
        for other in others[1:]:
            yield self.fold, (a.output, other, a.output)

    infer = forward


@kernel(Add)
class AddKernel(Folded):
    def forward(self, op: Any, a: Arrays) -> Calls:
        y = a.output
        assert y is not None
        if len(a.inputs) < 2 or any(x.shape != y.shape for x in a.inputs):
            yield from super().forward(op, a)
            return
        flat, (first, *others) = y.reshape(-1), (x.reshape(-1) for x in a.inputs)
        for part in stretches(y):
            made = flat[part]
            yield np.add, (first[part], others[0][part], made)
            for other in others[1:]:
                yield np.add, (made, other[part], made)
            yield from a.behind.finish(made)

    infer = forward

    def backward(self, op: Add, a: Arrays) -> Calls:
        """Each branch's gradient is the output's; the first may lie where that lies."""
        dy = a.d_output
        assert dy is not None
        copied = [d for _, d in wanted(a) if not np.may_share_memory(d, dy)]
        whole = [d.reshape(-1) for d in copied if d.shape == dy.shape]
        for part in stretches(dy):
            yield from a.behind.ready(part)
            for d in whole:
                yield np.copyto, (d[part], dy.reshape(-1)[part])
        for d in copied:
            if d.shape != dy.shape:
                yield from gathered(dy, d, a)


@kernel(Sub)
class SubKernel(Folded):
    fold = np.subtract

    def backward(self, op: Sub, a: Arrays) -> Calls:
        assert a.d_output is not None
        for index, d in wanted(a):
            yield from gathered(a.d_output, d, a)
            if index:
                yield np.negative, (d, d)


@kernel(Mean)
class MeanKernel(Folded):
    def forward(self, op: Any, a: Arrays) -> Calls:
        assert a.output is not None
        yield from super().forward(op, a)
        yield np.multiply, (a.output, self._share(a, a.output), a.output)

    infer = forward

    def backward(self, op: Mean, a: Arrays) -> Calls:
        assert a.d_output is not None
        for _, d in wanted(a):
            yield from gathered(a.d_output, d, a)
            yield np.multiply, (d, self._share(a, d), d)

    def _share(self, a: Arrays, like: Array) -> Array:
        return scalar(1 / len(a.values), like.dtype)


@kernel(Mul)
class MulKernel(Folded):
    fold = np.multiply

    def backward(self, op: Mul, a: Arrays) -> Calls:
        """Each branch's gradient is dy times all the others."""
        product = a.scratch["product"]
        for index, d in wanted(a):
            yield np.copyto, (product, a.d_output)
            for other, x in enumerate(a.inputs):
                if other != index:
                    yield np.multiply, (product, spread(x, a), product)
            yield from gathered(product, d, a)


@kernel(Max)
class MaxKernel(Folded):
    fold = staticmethod(maximum)

    def backward(self, op: Max, a: Arrays) -> Calls:
        """A number's gradient goes to the first branch that has it."""
        mask, free, product = (a.scratch[name] for name in ("mask", "free", "product"))
        yield free.fill, (True,)
        for index, x in enumerate(a.inputs):
            yield np.equal, (spread(x, a), a.output, mask)
            yield np.logical_and, (mask, free, mask)
            yield np.logical_xor, (free, mask, free)
            d = a.d_inputs[index]
            if d is not None:
                yield np.copyto, (product, mask)
                yield np.multiply, (a.d_output, product, product)
                yield from gathered(product, d, a)


@kernel(Concat)
class ConcatKernel:
    """Branches copied into slices of the output."""

    def forward(self, op: Concat, a: Arrays) -> Calls:
        assert a.output is not None
        for x, part in zip(a.inputs, self._slices(op, a, a.output), strict=True):
            yield np.copyto, (part, x)

    infer = forward

    def backward(self, op: Concat, a: Arrays) -> Calls:
        assert a.d_output is not None
        for d, part in zip(a.d_inputs, self._slices(op, a, a.d_output), strict=True):
            if d is not None:
                yield np.copyto, (d, part)

    def _slices(self, op: Concat, a: Arrays, whole: Array) -> list[Array]:
        axis = op.along(a.values[0])
        ends = np.cumsum([value.shape[axis] for value in a.values])[:-1]
        return np.split(whole, ends, axis=axis + 1)


@kernel(MatMul)
class MatMulKernel:
    """y = A B, example by example."""

    def forward(self, op: MatMul, a: Arrays) -> Calls:
        yield np.matmul, (*a.inputs, a.output)

    infer = forward

    def backward(self, op: MatMul, a: Arrays) -> Calls:
        """dA = dy B^T, dB = A^T dy."""
        left, right = a.inputs
        d_left, d_right = a.d_inputs
        if d_left is not None:
            yield np.matmul, (a.d_output, right.swapaxes(1, 2), d_left)
        if d_right is not None:
            yield np.matmul, (left.swapaxes(1, 2), a.d_output, d_right)
