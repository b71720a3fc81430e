"""Input, hidden, output: what the field calls a net and its parts.

Convention: CS231n, neural networks 1, "Naming conventions": the input layer is not counted, so an
N-layer network has N - 1 hidden layers; sizes are told in neurons and in parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...compiler.graph import Graph, Layer
from ...compiler.op import Trait

Role = Literal["hidden", "output", ""]

NEURONS = "outputs of weighted layers; the input's numbers are not neurons"
DEPTH = "the most weighted layers on a way from input to output"


@dataclass(frozen=True)
class Roles:
    """Attributes
    ----------
    depth: weighted layers on the longest way through the net.
    neurons: outputs of all weighted layers.
    role: of each layer by name; layers without weights have none.
    title: what the field calls the net.
    """

    depth: int
    neurons: int
    role: dict[str, Role]
    title: str


def roles(graph: Graph) -> Roles:
    weighted = [layer for layer in graph.layers if layer.weighted]
    depth = longest(graph)
    last = _feeding_outputs(graph)
    role: dict[str, Role] = {layer.name: "" for layer in graph.layers}
    for layer in weighted:
        role[layer.name] = "output" if layer.name in last else "hidden"
    neurons = sum(layer.head.value.size for layer in weighted)
    learns = any(node.weights for node in graph.nodes)
    return Roles(depth, neurons, role, _title(weighted, depth, learns))


def longest(graph: Graph) -> int:
    """The most weighted layers on any way through the net."""
    heads = {layer.head.name for layer in graph.layers if layer.weighted}
    far: dict[str, int] = {}
    for node in graph.nodes:
        before = max((far[name] for name in node.inputs), default=0)
        far[node.name] = before + (node.name in heads)
    return max(far.values(), default=0)


def _feeding_outputs(graph: Graph) -> set[str]:
    """Weighted layers from which an output is reached without another weighted layer."""
    heads = {layer.head.name: layer.name for layer in graph.layers if layer.weighted}
    open_ = set(graph.outputs.values())
    found: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name in open_:
            if node.name in heads:
                found.add(heads[node.name])
            else:
                open_.update(node.inputs)
    return found


def _title(weighted: list[Layer], depth: int, learns: bool) -> str:
    if not weighted:
        return "a net without neurons" if learns else "a net without weights"
    spatial = any(layer.head.value.rank > 2 for layer in weighted)
    kind = "convolutional network" if spatial else "neural network"
    if depth == 1:
        (layer,) = weighted[:1]
        linear = len(layer.nodes) == 1 and Trait.LINEAR in layer.head.op.traits and not spatial
        return f"single-layer {kind}" + (" (a linear classifier or regression)" if linear else "")
    hidden = "1 hidden layer" if depth == 2 else f"{depth - 1} hidden layers"
    return f"{depth}-layer {kind}, {hidden}"
