"""Maps turned: the same numbers with the channels innermost, or first again."""

from __future__ import annotations

import numpy as np

from ...compiler.plan.layout import Renamed, Turned
from . import Array, Arrays, Calls, kernel


@kernel(Turned)
@kernel(Renamed)
class TurnedKernel:
    """y = x with its channels moved from the front to the back, or the other way round."""

    def forward(self, op: Turned, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        yield np.copyto, (y, moved(x, op))

    infer = forward

    def backward(self, op: Turned, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        if dx is not None:
            yield np.copyto, (moved(dx, op), dy)


def moved(maps: Array, op: Turned) -> Array:
    return np.moveaxis(maps, 1, -1) if op.to == "last" else np.moveaxis(maps, -1, 1)
