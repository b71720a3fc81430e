"""Which rows and columns of the input no output depends on.

Convention: an index along a spatial axis of CxL, CxHxW or CxDxHxW, from 0, is seen when some number
there is read, on the way to any output, by a window, a slice or anything that takes the whole map.
Zero weights and dead units are left out: what is told follows from the shapes alone.

Source: CS231n, convolutional networks, 'Spatial arrangement': a stride that does not divide the
room leaves the far end out.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...compiler.graph import Graph, Node
from ...compiler.op import Op, Trait
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.pool import Pool
from ...compiler.ops.resample import Upsample
from ...compiler.ops.shape import Crop, Pad, Slice
from ...compiler.shapes import Value, Window

Seen = tuple[int, ...]
"""For each spatial axis a set of indices, as the bits of a number."""


def unseen(graph: Graph) -> Mapping[str, tuple[tuple[int, ...], ...]]:
    """By input, the indices along each spatial axis that no output depends on."""
    seen: dict[str, Seen] = {}
    for name in graph.outputs.values():
        seen[name] = _all(graph[name].value)
    for node in reversed(graph.nodes):
        asked = seen.get(node.name)
        if asked is None or node.is_input:
            continue
        for name, arrival in zip(node.inputs, node.arrivals, strict=True):
            before = _before(node, arrival, asked)
            before = before if all(before) else (0,) * len(before)
            known = seen.get(name, (0,) * len(before))
            seen[name] = tuple(a | b for a, b in zip(known, before, strict=True))
    return {node.name: _missed(node.value, seen.get(node.name)) for node in graph.inputs}


def _places(value: Value) -> bool:
    return value.rank > 1 and not value.channels_last and not value.integer


def _all(value: Value) -> Seen:
    return tuple((1 << size) - 1 for size in value.shape[1:]) if _places(value) else ()


def _missed(value: Value, seen: Seen | None) -> tuple[tuple[int, ...], ...]:
    if not _places(value):
        return ()
    sizes = value.shape[1:]
    return tuple(
        tuple(index for index in range(size) if not bits >> index & 1)
        for size, bits in zip(sizes, seen or (0,) * len(sizes), strict=True)
    )


def _before(node: Node, arrival: Value, asked: Seen) -> Seen:
    """What of one input the asked places of the output are made of."""
    if not _places(arrival):
        return ()
    op, sizes = node.op, arrival.shape[1:]
    if isinstance(op, Convolution | Pool):
        step = _transposed if isinstance(op, TransposedConv) else _window
        windows = op.windows(arrival)
        return tuple(step(w, bits, n) for w, bits, n in zip(windows, asked, sizes, strict=True))
    shift = _shift(op, arrival)
    if shift is not None:
        limits = ((1 << size) - 1 for size in sizes)
        return tuple(
            (bits << by if by >= 0 else bits >> -by) & limit
            for bits, by, limit in zip(asked, shift, limits, strict=True)
        )
    local = not op.traits & {Trait.MOVES, Trait.POOLS} and not isinstance(op, Upsample)
    if local and node.value.shape[1:] == sizes and len(asked) == len(sizes):
        return asked
    return _all(arrival)


def _window(window: Window, asked: int, size: int) -> int:
    found = 0
    for place in range(window.output):
        if asked >> place & 1:
            start = place * window.stride - window.before
            for tap in range(0, window.reach, window.dilation):
                if 0 <= start + tap < size:
                    found |= 1 << (start + tap)
    return found


def _transposed(window: Window, asked: int, size: int) -> int:
    """Every input puts numbers into `kernel` outputs: seen when one of these is asked for."""
    found = 0
    for place in range(size):
        start = place * window.stride - window.before
        taps = range(0, window.reach, window.dilation)
        if any(start + tap >= 0 and asked >> (start + tap) & 1 for tap in taps):
            found |= 1 << place
    return found


def _shift(op: Op, arrival: Value) -> tuple[int, ...] | None:
    """How far a place of the output lies before its input's, along each axis."""
    if isinstance(op, Crop):
        return op.before(arrival)[1:]
    if isinstance(op, Pad):
        return tuple(-margin for margin in op.before(arrival)[1:])
    if isinstance(op, Slice) and op.s == 1:
        axis, start = op.along(arrival), op.indices(arrival).start
        return tuple(start if i == axis else 0 for i in range(1, arrival.rank))
    return None
