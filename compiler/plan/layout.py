"""How maps lie in memory: as convolutions want them around these, with the channels first elsewhere.

Numbers are moved in rows, which had better be long: of a place all channels, where there are many;
else of a stretch of places all examples. Most operators do not care, so a whole stretch of a net is
laid out as its convolutions want it, and the maps are turned where it begins and ends. It is the same
net over again, with a few more nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import get_args

from ..applied import Applied
from ..graph import Graph, Node
from ..op import Needs, Op, Trait
from ..shapes import Place, Value

PLACES: tuple[Place, ...] = get_args(Place)


class Turned(Op):
    """The same maps with the channels somewhere else."""

    implied = frozenset({"to"})

    to: Place

    def shape(self, *inputs: Value) -> Value:
        return inputs[0].laid(self.to)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class Renamed(Turned):
    """Where there is one channel, or one place, it is first and last: nothing moves."""

    traits = frozenset({Trait.VIEW})


def laid_out(graph: Graph, examples: int) -> Graph:
    """The net as a plan runs it, so many examples at a time; the net itself where no operator gains
    from another layout."""
    if not any(_wants(node, examples) for node in graph.nodes):
        return graph
    return _Layouts(graph, examples).graph()


def _wants(node: Node, examples: int) -> bool:
    return not node.is_input and node.op.layout(examples, *node.arrivals) in ("last", "outermost")


@dataclass
class _Layouts:
    """Nodes as they are laid out, in order; `at`: which node holds a value, by name and layout."""

    old: Graph
    examples: int
    nodes: list[Node] = field(default_factory=list)
    at: dict[tuple[str, Place], Node] = field(default_factory=dict)
    alike: dict[tuple[int, Place], Applied] = field(default_factory=dict)

    def graph(self) -> Graph:
        for node in self.old.nodes:
            self._add(node)
        outputs = {
            label: self._held(name, self.old[name], "first").name
            for label, name in self.old.outputs.items()
        }
        old = self.old
        return Graph(old.source, self.nodes, outputs, old.training)

    def _add(self, node: Node) -> None:
        layout = self._layout(node)
        inputs = tuple(
            self._held(name, node, layout if self.old[name].value.rank > 2 else "first")
            for name in node.inputs
        )
        names = tuple(n.name for n in inputs)
        made = replace(node, inputs=names) if names != node.inputs else node
        if layout != "first":
            made = replace(
                made, applied=self._applied(node, tuple(n.value for n in inputs), layout)
            )
        self.nodes.append(made)
        self.at[node.name, made.value.layout] = made

    def _layout(self, node: Node) -> Place:
        if node.is_input:
            return "first"
        match node.op.layout(self.examples, *node.arrivals):
            case "either":
                taken: tuple[Place, ...] = ("last",)
            case "any":
                taken = "last", "outermost"
            case wanted:
                return wanted
        come = (p for p in taken if any((name, p) in self.at for name in node.inputs))
        return next(come, "first")

    def _applied(self, node: Node, arrivals: tuple[Value, ...], layout: Place) -> Applied:
        key = id(node.applied), layout
        if key not in self.alike:
            self.alike[key] = Applied(node.op, arrivals, node.op.shape(*arrivals))
        return self.alike[key]

    def _held(self, name: str, reader: Node, layout: Place) -> Node:
        """The node that holds a value in this layout, made where it is wanted for the first time."""
        if (name, layout) not in self.at:
            source = next(self.at[name, place] for place in PLACES if (name, place) in self.at)
            self.at[name, layout] = self._turned(source, name, reader, layout)
            self.nodes.append(self.at[name, layout])
        return self.at[name, layout]

    def _turned(self, source: Node, name: str, reader: Node, layout: Place) -> Node:
        value, made = source.value, source.value.laid(layout)
        stays = value.depth in (1, value.size) and value.outermost == made.outermost
        op = (Renamed if stays else Turned)(to=layout)
        applied = Applied(op, (value,), made)
        label = f"{name} channels {layout}"
        return Node(label, applied, (source.name,), reader.layer, reader.span)
