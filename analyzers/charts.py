"""What charts of a net show: bars of what each layer takes, and memory step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..compiler.graph import Graph, Layer
from ..compiler.plan.schedule import Phase
from .facts import cost, memory, parameters
from .facts.roles import roles
from .facts.signal import Travel, signal

MOST = 40
"""Bars that can be read on one page."""


@dataclass(frozen=True)
class Bar:
    """What one row takes: a layer, or several that are one row.

    layers: how many they are.
    """

    name: str
    layers: int
    params: int
    macs: int


@dataclass(frozen=True)
class Point:
    """A layer at the start: the variance of what it puts out, and the mean square of the gradient
    there as a multiple of the main output's; None where that is not known."""

    layer: str
    variance: float | None
    gradient: float | None


@dataclass(frozen=True)
class Charts:
    """Everything that is drawn of a net.

    Attributes
    ----------
    bars: from input to output; together they are the whole net.
    left_out: layers without parameters and multiply-adds: pooling, merges, reshapes.
    steps: the bytes in use at each step of one training step.
    backward: the step at which the way back begins.
    peak: the node at whose step they are most.
    signal: layer by layer, what a net of fresh weights makes of inputs of variance 1.
    """

    title: str
    source: str
    params: int
    macs: int
    bars: tuple[Bar, ...]
    left_out: int
    steps: tuple[int, ...]
    backward: int
    peak: str
    batch: int
    signal: tuple[Point, ...]


def charts(graph: Graph, batch: int | None = None) -> Charts:
    """The numbers, folded until they can be read; memory at the spec's batch where None is given."""
    plan, travels = memory.planned(graph, "train", batch), signal(graph)
    costly = [layer for layer in graph.layers if _params(layer) or cost.of_layer(layer)]
    moments = memory.over_time(plan)
    most = max(moments, key=lambda moment: moment.bytes)
    return Charts(
        title=roles(graph).title,
        source=graph.source.name,
        params=parameters.of_net(graph).value,
        macs=cost.of_net(graph),
        bars=tuple(_bar(name, layers) for name, layers in _rows(costly)),
        left_out=len(graph.layers) - len(costly),
        steps=tuple(moment.bytes for moment in moments),
        backward=next(
            (step for step, moment in enumerate(moments) if moment.phase is Phase.BACKWARD),
            len(moments),
        ),
        peak=most.node,
        batch=plan.batch,
        signal=tuple(_point(layer, travels) for layer in graph.layers),
    )


def _point(layer: Layer, travels: Mapping[str, Travel]) -> Point:
    travel = travels[layer.nodes[-1].name]
    return Point(layer.name, travel.variance, travel.gradient)


Row = tuple[str, Sequence[Layer]]


def _rows(layers: Sequence[Layer]) -> list[Row]:
    """One row a layer; in a deep net one a block, as deep as still can be read; runs of layers
    where even these are too many."""
    deepest = max((len(layer.blocks) for layer in layers), default=0)
    for depth in range(deepest, -1, -1):
        rows = _folded(layers, depth)
        if len(rows) <= MOST:
            return rows
    return _runs(rows)


def _folded(layers: Sequence[Layer], depth: int) -> list[Row]:
    """Blocks opened to a depth; one that is not opened is one row."""
    rows: dict[str, list[Layer]] = {}
    for layer in layers:
        closed = layer.blocks[depth : depth + 1]
        rows.setdefault(closed[0].name if closed else layer.name, []).append(layer)
    return list(rows.items())


def _runs(rows: Sequence[Row]) -> list[Row]:
    """Neighbours together, as many in each row as it takes."""
    size = -(-len(rows) // MOST)
    runs = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [
        (
            run[0][0] if len(run) == 1 else f"{run[0][0]} … {run[-1][0]}",
            [layer for _, layers in run for layer in layers],
        )
        for run in runs
    ]


def _bar(name: str, layers: Sequence[Layer]) -> Bar:
    return Bar(name, len(layers), _sum(_params, layers), _sum(cost.of_layer, layers))


def _sum(fact: Callable[[Layer], int], layers: Sequence[Layer]) -> int:
    return sum(fact(layer) for layer in layers)


def _params(layer: Layer) -> int:
    return parameters.of_layer(layer).value
