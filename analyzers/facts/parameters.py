"""How many numbers a net learns.

Convention: every learned number once; running statistics of norms are not learned and not counted.
Frozen ones count as parameters, not as trainable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...compiler.graph import Graph, Layer
from ...compiler.op import total

CONVENTION = (
    "learned numbers, each once, frozen ones too (trainable leaves them out); running statistics are "
    "not counted"
)


@dataclass(frozen=True)
class Count:
    """A number and how it came about: `3·4 + 4 = 16`."""

    value: int
    formula: str


def of_layer(layer: Layer) -> Count:
    """The parameters of a layer, norms and all."""
    weights = [weight for node in layer.nodes for weight in node.own]
    value = sum(weight.size for weight in weights)
    return Count(value, total([w.formula for w in weights], value) if weights else "0")


def of_net(graph: Graph) -> Count:
    """All parameters as the sum over layers: `16 + 20 + 5 = 41`."""
    return _summed([sum(node.params for node in layer.nodes) for layer in graph.layers])


def trainable(graph: Graph) -> Count:
    """Those that are not frozen, as the sum over layers."""
    return _summed([sum(node.trainable for node in layer.nodes) for layer in graph.layers])


def _summed(counts: Sequence[int]) -> Count:
    parts = [f"{count:,}" for count in counts if count]
    value = sum(counts)
    return Count(value, total(parts, value).replace(f"= {value}", f"= {value:,}") if parts else "0")


def statistics(graph: Graph) -> int:
    """Running statistics of norms: kept and saved, each once, but not learned."""
    return sum(
        weight.size for node in graph.nodes for weight in node.state if weight.name not in node.lent
    )
