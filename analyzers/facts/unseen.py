"""Which rows and columns of the input no output depends on.

Convention: an index along a spatial axis of CxL, CxHxW or CxDxHxW, from 0, is seen when some number
there is read, on the way to any output, by a window, a slice or anything that takes the whole map.
Zero weights and dead units are left out: what is told follows from the shapes alone.

Source: CS231n, convolutional networks, 'Spatial arrangement': a stride that does not divide the
room leaves the far end out.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import or_

from ...compiler.graph import Graph, Node
from ...compiler.op import Op, Trait
from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.pool import Pool
from ...compiler.ops.resample import Upsample
from ...compiler.ops.shape import Crop, Pad, Slice
from ...compiler.shapes import Value, Window

Seen = tuple[bytearray, ...]
"""For each spatial axis a 1 for every index that is seen."""


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
            if not all(map(any, before)):
                before = _none(arrival)
            known = seen.get(name)
            seen[name] = before if known is None else tuple(map(_either, known, before))
    return {node.name: _missed(node.value, seen.get(node.name)) for node in graph.inputs}


def _places(value: Value) -> bool:
    return value.rank > 1 and not value.channels_last and not value.integer


def _all(value: Value) -> Seen:
    return tuple(bytearray(b"\1") * size for size in value.shape[1:]) if _places(value) else ()


def _none(value: Value) -> Seen:
    return tuple(bytearray(size) for size in value.shape[1:]) if _places(value) else ()


def _either(one: bytearray, other: bytearray) -> bytearray:
    return bytearray(map(or_, one, other))


def _missed(value: Value, seen: Seen | None) -> tuple[tuple[int, ...], ...]:
    if not _places(value):
        return ()
    return tuple(
        tuple(index for index, known in enumerate(axis) if not known)
        for axis in seen or _none(value)
    )


def _before(node: Node, arrival: Value, asked: Seen) -> Seen:
    """What of one input the asked places of the output are made of."""
    if not _places(arrival):
        return ()
    op, sizes = node.op, arrival.shape[1:]
    if isinstance(op, Convolution | Pool):
        step = _transposed if isinstance(op, TransposedConv) else _window
        windows = node.applied.windows
        return tuple(step(w, axis, n) for w, axis, n in zip(windows, asked, sizes, strict=True))
    shift = _shift(op, arrival)
    if shift is not None:
        return tuple(_shifted(*each) for each in zip(asked, shift, sizes, strict=True))
    local = not op.traits & {Trait.MOVES, Trait.POOLS} and not isinstance(op, Upsample)
    if local and node.value.shape[1:] == sizes and len(asked) == len(sizes):
        return asked
    return _all(arrival)


def _window(window: Window, asked: bytearray, size: int) -> bytearray:
    found = bytearray(size)
    for place, wanted in enumerate(asked):
        if wanted:
            start = place * window.stride - window.before
            for tap in range(start, start + window.reach, window.dilation):
                if 0 <= tap < size:
                    found[tap] = 1
    return found


def _transposed(window: Window, asked: bytearray, size: int) -> bytearray:
    """Every input puts numbers into `kernel` outputs: seen when one of these is asked for."""
    found = bytearray(size)
    for place in range(size):
        start = place * window.stride - window.before
        taps = range(start, start + window.reach, window.dilation)
        found[place] = any(0 <= tap < len(asked) and asked[tap] for tap in taps)
    return found


def _shifted(asked: bytearray, by: int, size: int) -> bytearray:
    """Places `by` further on in an axis of that size."""
    moved = bytearray(by) + asked if by >= 0 else asked[-by:]
    return (moved + bytearray(size))[:size]


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
