"""Noise, drawn anew in every training step."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...compiler.ops.noise import Dropout
from . import Arrays, Calls, kernel


@kernel(Dropout)
class DropoutKernel:
    """y = x kept, with kept 0 by chance p and else 1 / (1 - p)."""

    def forward(self, op: Dropout, a: Arrays) -> Calls:
        assert a.output is not None
        assert a.rng is not None
        kept, mask = a.saved["kept"], a.scratch["mask"]
        yield partial(a.rng.random, dtype=kept.dtype, out=kept), ()
        yield np.greater_equal, (kept, np.array(op.p, kept.dtype), mask)
        yield np.multiply, (mask, np.array(1 / (1 - op.p), kept.dtype), kept)
        yield np.multiply, (a.inputs[0], kept, a.output)

    def infer(self, op: Dropout, a: Arrays) -> Calls:
        yield np.copyto, (a.output, a.inputs[0])

    def backward(self, op: Dropout, a: Arrays) -> Calls:
        if a.d_inputs[0] is not None:
            yield np.multiply, (a.d_output, a.saved["kept"], a.d_inputs[0])
