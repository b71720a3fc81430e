"""Maps turned: the same numbers with the channels somewhere else."""

from __future__ import annotations

import numpy as np

from ...compiler.plan.layout import Renamed, Turned
from ...compiler.shapes import Layout, Value
from . import Array, Arrays, Calls, kernel


@kernel(Turned)
@kernel(Renamed)
class TurnedKernel:
    """y = x with its axes in another order."""

    def forward(self, op: Turned, a: Arrays) -> Calls:
        (x,), y = a.inputs, a.output
        yield np.copyto, (y, moved(x, a.values[0].layout, op.to))

    infer = forward

    def backward(self, op: Turned, a: Arrays) -> Calls:
        (dx,), dy = a.d_inputs, a.d_output
        if dx is not None:
            yield np.copyto, (moved(dx, a.values[0].layout, op.to), dy)


def moved(maps: Array, layout: Layout, to: Layout) -> Array:
    """Maps with the channels in one place as a view that has them in another."""
    here, there = axes(layout, maps.ndim), axes(to, maps.ndim)
    return maps.transpose([here.index(axis) for axis in there])


def as_maps(vectors: Array, value: Value) -> Array:
    """A number for each example and channel, (N, C), as a view with these in the order of the maps'."""
    return vectors.T if value.outermost else vectors


def axes(layout: Layout, count: int) -> tuple[str | int, ...]:
    """The images, the channels and each axis of places in their order."""
    places = range(count - 2)
    match layout:
        case "first":
            return ("images", "channels", *places)
        case "last":
            return ("images", *places, "channels")
        case "outermost":
            return ("channels", *places, "images")
