"""Fully connected operators: one matrix product over all rows of the batch."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...compiler.ops.dense import Embed, Fc, Maxout
from ..constants import ones, scalar, table
from . import Array, Arrays, Calls, kernel
from .bounds import maximum
from .products import multiplied


def rows(array: Array) -> Array:
    """(N, D), (N, T, D) or maps (N, H, W, C) as one matrix, a row a place; a view."""
    return array.reshape(-1, array.shape[-1])


def biased(op: Fc, product: Array, y: Array, a: Arrays) -> Calls:
    """y = product + b."""
    if not op.nobias:
        yield np.add, (product, a.weights["bias"], y)
    elif product is not y:
        yield np.copyto, (y, product)


@kernel(Fc)
class FcKernel:
    """y = x W^T + b, with W (out, in)."""

    def forward(self, op: Fc, a: Arrays) -> Calls:
        assert a.output is not None
        x, y, w = rows(a.inputs[0]), rows(a.output), a.weights["weight"]
        if len(x) == 1:
            # A product of a matrix and a vector, and vectors of one shape, take half the time.
            product = y = y[0]
            yield w.dot, (x[0], y)
        elif "turned output" in a.scratch:
            turned = a.scratch["turned output"]
            yield multiplied(w, x.T, turned)
            product = turned.T
        else:
            yield multiplied(x, w.T, y)
            product = y
        yield from biased(op, product, y, a)

    def prepare(self, op: Fc, a: Arrays) -> Calls:
        yield np.copyto, (a.scratch["turned"], a.weights["weight"].T)

    def infer(self, op: Fc, a: Arrays) -> Calls:
        assert a.output is not None
        if "turned" not in a.scratch:
            yield from self.forward(op, a)
            return
        y = rows(a.output)
        yield rows(a.inputs[0]).dot, (a.scratch["turned"], y)
        yield from biased(op, y, y, a)

    def backward(self, op: Fc, a: Arrays) -> Calls:
        """dW = dy^T x, db = the sum of dy over rows, dx = dy W."""
        assert a.d_output is not None
        dy = rows(a.d_output)
        if "weight" in a.d_weights:
            yield multiplied(dy.T, rows(a.inputs[0]), a.d_weights["weight"])
        if "bias" in a.d_weights:
            # A product with ones is twice as fast as a sum over the first axis.
            yield ones(len(dy), dy.dtype).dot, (dy, a.d_weights["bias"])
        if a.d_inputs[0] is not None:
            yield multiplied(dy, a.weights["weight"], rows(a.d_inputs[0]))


@kernel(Fc, "one product")
class OneProductKernel(FcKernel):
    """At inference of one example y = (W b 0) (x 1 0): x lies before a 1 that is there for good."""

    def prepare(self, op: Fc, a: Arrays) -> Calls:
        matrix, row, taken = a.scratch["matrix"], a.scratch["row"], a.values[0].size
        for behind in (matrix[:, taken:], row[taken:]):
            yield behind.fill, (0,)
        yield np.copyto, (matrix[:, :taken], a.weights["weight"])
        yield np.copyto, (matrix[:, taken], a.weights["bias"])
        yield row[taken : taken + 1].fill, (1,)

    def infer(self, op: Fc, a: Arrays) -> Calls:
        assert a.output is not None
        yield a.scratch["matrix"].dot, (a.scratch["row"], a.output[0])


@kernel(Maxout)
class MaxoutKernel:
    """y = the largest of k affine maps; of equal ones the first."""

    def forward(self, op: Maxout, a: Arrays) -> Calls:
        winner, mask = a.saved["winner"], a.scratch["mask"]
        assert a.output is not None
        y, piece = rows(a.output), a.scratch["piece"]
        yield from self._piece(op, a, 0, y)
        yield winner.fill, (0,)
        for index in range(1, op.k):
            yield from self._piece(op, a, index, piece)
            yield np.greater, (piece, y, mask)
            yield maximum, (piece, y, y)
            yield partial(np.copyto, winner, index, where=mask), ()

    def infer(self, op: Maxout, a: Arrays) -> Calls:
        assert a.output is not None
        y, piece = rows(a.output), a.scratch["piece"]
        yield from self._piece(op, a, 0, y)
        for index in range(1, op.k):
            yield from self._piece(op, a, index, piece)
            yield maximum, (piece, y, y)

    def _piece(self, op: Maxout, a: Arrays, index: int, out: Array) -> Calls:
        yield rows(a.inputs[0]).dot, (a.weights["weight"][index].T, out)
        if not op.nobias:
            yield np.add, (out, a.weights["bias"][index], out)

    def backward(self, op: Maxout, a: Arrays) -> Calls:
        """Each output's gradient goes to the piece that won."""
        assert a.d_output is not None
        dy = rows(a.d_output)
        piece, mask = a.scratch["piece"], a.scratch["mask"]
        column = ones(len(dy), dy.dtype)
        for index in range(op.k):
            yield np.equal, (a.saved["winner"], index, mask)
            yield np.copyto, (piece, mask)
            yield np.multiply, (dy, piece, piece)
            if "weight" in a.d_weights:
                yield piece.T.dot, (rows(a.inputs[0]), a.d_weights["weight"][index])
            if "bias" in a.d_weights:
                yield column.dot, (piece, a.d_weights["bias"][index])
            if a.d_inputs[0] is not None:
                dx = rows(a.d_inputs[0])
                yield piece.dot, (a.weights["weight"][index], dx if index == 0 else a.scratch["dx"])
                if index:
                    yield np.add, (dx, a.scratch["dx"], dx)


@kernel(Embed)
class EmbedKernel:
    """y = the rows that x names."""

    def forward(self, op: Embed, a: Arrays) -> Calls:
        assert a.output is not None
        # Checked before the step; clipping spares a buffer.
        table, y = a.weights["weight"], rows(a.output)
        yield partial(np.take, table, a.inputs[0].reshape(-1), axis=0, out=y, mode="clip"), ()

    infer = forward

    def backward(self, op: Embed, a: Arrays) -> Calls:
        """Each row gets the gradients of the places where it was named."""
        assert a.d_output is not None
        x, dy, dw = a.inputs[0].reshape(-1), rows(a.d_output), a.d_weights["weight"]
        places, columns = a.scratch["places"], table(("range", op.d), lambda: np.arange(op.d))
        yield dw.fill, (0,)
        for start in range(0, len(x), len(places)):
            part = slice(start, min(start + len(places), len(x)))
            where = places[: part.stop - start]
            yield np.multiply, (x[part, None], scalar(op.d, where.dtype), where)
            yield np.add, (where, columns, where)
            # Flat, for np.add.at is ten times slower on rows.
            yield np.add.at, (dw.reshape(-1), where.reshape(-1), dy[part].reshape(-1))
