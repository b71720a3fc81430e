"""How maps lie in memory: with the channels innermost around convolutions, first elsewhere.

A product of matrices wants the numbers that it sums side by side: of a place all channels. Most
operators do not care, so a whole stretch of a net is laid out as its convolutions want it, and the maps
are turned where it begins and ends. It is the same net over again, with a few more nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ..applied import Applied
from ..graph import Graph, Node
from ..op import Needs, Op, Trait
from ..shapes import Value


class Turned(Op):
    """The same maps with the channels innermost, or first again."""

    implied = frozenset({"to"})

    to: Literal["first", "last"]

    def shape(self, *inputs: Value) -> Value:
        return inputs[0].turned

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class Renamed(Turned):
    """Where there is one channel, or one place, nothing moves."""

    traits = frozenset({Trait.VIEW})


def laid_out(graph: Graph) -> Graph:
    """The net as a plan runs it; the net itself where no operator gains from another layout."""
    if not any(_wants(node) for node in graph.nodes):
        return graph
    return _Layouts(graph).graph()


def _wants(node: Node) -> bool:
    return not node.is_input and node.op.layout(*node.arrivals) == "last"


@dataclass
class _Layouts:
    """Nodes as they are laid out, in order; `at`: which node holds a value, by name and layout."""

    old: Graph
    nodes: list[Node] = field(default_factory=list)
    at: dict[tuple[str, bool], Node] = field(default_factory=dict)
    alike: dict[int, Applied] = field(default_factory=dict)

    def graph(self) -> Graph:
        for node in self.old.nodes:
            self._add(node)
        outputs = {
            label: self._held(name, self.old[name], last=False).name
            for label, name in self.old.outputs.items()
        }
        old = self.old
        return Graph(old.source, self.nodes, outputs, old.training)

    def _add(self, node: Node) -> None:
        last = self._is_last(node)
        inputs = tuple(
            self._held(name, node, last=last and self.old[name].value.rank > 2)
            for name in node.inputs
        )
        names = tuple(n.name for n in inputs)
        made = replace(node, inputs=names) if names != node.inputs else node
        if last:
            made = replace(made, applied=self._applied(node, tuple(n.value for n in inputs)))
        self.nodes.append(made)
        self.at[node.name, made.value.interleaved] = made

    def _is_last(self, node: Node) -> bool:
        if node.is_input:
            return False
        wanted = node.op.layout(*node.arrivals)
        return wanted == "last" or (
            wanted == "either" and any((name, True) in self.at for name in node.inputs)
        )

    def _applied(self, node: Node, arrivals: tuple[Value, ...]) -> Applied:
        key = id(node.applied)
        if key not in self.alike:
            self.alike[key] = Applied(node.op, arrivals, node.op.shape(*arrivals))
        return self.alike[key]

    def _held(self, name: str, reader: Node, *, last: bool) -> Node:
        """The node that holds a value in this layout, made where it is wanted for the first time."""
        if (name, last) not in self.at:
            self.at[name, last] = self._turned(self.at[name, not last], name, reader, last=last)
            self.nodes.append(self.at[name, last])
        return self.at[name, last]

    def _turned(self, source: Node, name: str, reader: Node, *, last: bool) -> Node:
        value = source.value
        kind = Renamed if value.depth in (1, value.size) else Turned
        op = kind(to="last" if last else "first")
        applied = Applied(op, (value,), value.turned)
        label = f"{name} channels {op.to}"
        return Node(label, applied, (source.name,), reader.layer, reader.span)
