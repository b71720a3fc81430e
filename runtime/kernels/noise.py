"""Noise, drawn anew in every training step."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...compiler.ops.noise import Dropout, DropPath, Noise
from ..constants import scalar
from . import Arrays, Calls, kernel


@kernel(Dropout)
@kernel(DropPath)
class DropKernel:
    """y = x kept, with kept 0 by chance p and else 1 / (1 - p), drawn for every number or every
    example: as many as `kept` has."""

    def forward(self, op: Dropout | DropPath, a: Arrays) -> Calls:
        assert a.output is not None
        assert a.rng is not None
        kept, mask = a.saved["kept"], a.scratch["mask"]
        yield partial(a.rng.random, dtype=kept.dtype, out=kept), ()
        yield np.greater_equal, (kept, scalar(op.p, kept.dtype), mask)
        yield np.copyto, (kept, mask)
        yield np.multiply, (kept, scalar(1 / (1 - op.p), kept.dtype), kept)
        yield np.multiply, (a.inputs[0], kept, a.output)

    def infer(self, op: Dropout | DropPath, a: Arrays) -> Calls:
        yield np.copyto, (a.output, a.inputs[0])

    def backward(self, op: Dropout | DropPath, a: Arrays) -> Calls:
        if a.d_inputs[0] is not None:
            yield np.multiply, (a.d_output, a.saved["kept"], a.d_inputs[0])


@kernel(Noise)
class NoiseKernel:
    """y = x + sd times standard normal draws, a block at a time."""

    def forward(self, op: Noise, a: Arrays) -> Calls:
        assert a.output is not None
        assert a.rng is not None
        x, y, drawn = a.inputs[0].reshape(-1), a.output.reshape(-1), a.scratch["drawn"]
        sd = scalar(op.sd, y.dtype)
        for start in range(0, len(y), len(drawn)):
            stop = min(start + len(drawn), len(y))
            noise = drawn[: stop - start]
            yield partial(a.rng.standard_normal, dtype=noise.dtype, out=noise), ()
            yield np.multiply, (noise, sd, noise)
            yield np.add, (x[start:stop], noise, y[start:stop])

    def infer(self, op: Noise, a: Arrays) -> Calls:
        yield np.copyto, (a.output, a.inputs[0])

    def backward(self, op: Noise, a: Arrays) -> Calls:
        if a.d_inputs[0] is not None:
            yield np.copyto, (a.d_inputs[0], a.d_output)
