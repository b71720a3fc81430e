"""What a number of a map sees of the input, and how far its neighbour's view is shifted.

Convention: along each spatial axis, in input pixels, padding included: field f and stride j start at 1;
a window of reach r and stride s makes f + (r - 1) j and j s. Of branches the widest view counts.
What norms take from the whole map or batch is left out.

Source: Araujo et al. 2019, computing receptive fields of convolutional neural networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...compiler.graph import Graph, Node
from ...compiler.op import Trait
from ...compiler.ops.attention import Attention
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.pool import Pool
from ...compiler.ops.recurrent import Recurrent
from ...compiler.ops.resample import Upsample
from ...compiler.ops.shape import Crop, Pad, Slice


@dataclass(frozen=True)
class Field:
    """One spatial axis: what a number sees, and the step between neighbours, in input pixels."""

    size: int
    stride: float


View = tuple[Field, ...] | None
"""A field for each axis; None where a number sees all, or where there are no axes."""


def receptive_fields(graph: Graph) -> Mapping[str, View]:
    """By node, what one of its numbers sees of the input along each spatial axis."""
    found: dict[str, View] = {}
    for node in graph.nodes:
        if node.is_input:
            found[node.name] = (Field(1, 1),) * (node.value.rank - 1) or None
            continue
        views = [found[name] for name in node.inputs]
        found[node.name] = _view(node, views)
    return found


def _view(node: Node, views: list[View]) -> View:
    op = node.op
    if Trait.MERGES in op.traits:
        # A vector that goes with a map was drawn from all of it.
        known = [view for view in views if view is not None]
        if len(known) < len(views) or len({len(view) for view in known}) != 1:
            return None
        return tuple(
            Field(max(f.size for f in axis), axis[0].stride) for axis in zip(*known, strict=True)
        )
    (view,) = views
    if view is None or node.value.rank != len(view) + 1:
        return None
    if isinstance(op, TransposedConv):
        windows = node.applied.windows
        return tuple(
            Field(f.size + round((-(-w.reach // w.stride) - 1) * f.stride), f.stride / w.stride)
            for f, w in zip(view, windows, strict=True)
        )
    if isinstance(op, Convolution | Pool):
        windows = node.applied.windows
        return tuple(
            Field(f.size + round((w.reach - 1) * f.stride), f.stride * w.stride)
            for f, w in zip(view, windows, strict=True)
        )
    if isinstance(op, Upsample):
        factors = zip(op.sizes(node.arrivals[0]), node.arrivals[0].shape[1:], strict=True)
        return tuple(
            Field(f.size + round(f.stride) * op.bilinear, f.stride * old / new)
            for f, (new, old) in zip(view, factors, strict=True)
        )
    if isinstance(op, Attention | Recurrent):
        return None
    local = not op.traits & {Trait.MOVES, Trait.POOLS} or isinstance(op, Crop | Pad | Slice)
    return view if local else None
