"""How maps lie in memory: as convolutions want them around these, with the channels first elsewhere.

Numbers are moved in rows, which had better be long: of a place all channels, where there are many;
else, in training, of a stretch of places all examples. Most operators do not care, so a whole stretch
of a net is laid out as its convolutions want it, and the maps are turned where it begins and ends. It
is the same net over again, with a few more nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from ..applied import Applied
from ..graph import Graph, Node
from ..op import Needs, Op, Trait, Wanted
from ..ops.pool import Pool
from ..shapes import Layout, Value

LAYOUTS: tuple[Layout, ...] = get_args(Layout)


class Turned(Op):
    """The same maps with the channels somewhere else."""

    implied = frozenset({"to"})

    to: Layout

    def shape(self, *inputs: Value) -> Value:
        return inputs[0].laid(self.to)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        return Needs()


class Renamed(Turned):
    """Where there is one channel, or one place, it is first and last: nothing moves."""

    traits = frozenset({Trait.VIEW})


def laid_out(graph: Graph, examples: int) -> Graph:
    """The net as a plan runs it, where each thread learns from so many examples at a time, 0 at
    inference; the net itself where no operator gains from another layout."""
    wanted = {n.name: n.op.layout(examples, *n.arrivals) for n in graph.nodes if not n.is_input}
    layouts = _layouts(graph, wanted)
    if alone := _alone(graph, wanted, layouts):
        layouts = _layouts(graph, {**wanted, **dict.fromkeys(alone, "first")})
    if {*layouts.values()} <= {"first"}:
        return graph
    return _Relaid(graph, layouts).graph()


def _layouts(graph: Graph, wanted: Mapping[str, Wanted]) -> dict[str, Layout]:
    """How each node has its maps: as it wants them, or as they come."""
    found: dict[str, Layout] = {}
    held: set[tuple[str, Layout]] = set()

    def coming(node: Node, *layouts: Layout) -> Layout:
        come = (one for one in layouts if any((name, one) in held for name in node.inputs))
        return next(come, "first")

    for node in graph.nodes:
        match wanted.get(node.name, "first"):
            case "either":
                found[node.name] = coming(node, "last")
            case "any":
                found[node.name] = coming(node, "last", "outermost")
            case layout:
                found[node.name] = layout
        maps = (name for name in (node.name, *node.inputs) if graph[name].value.rank > 2)
        held.update((name, found[node.name]) for name in maps)
    return found


def _alone(graph: Graph, wanted: Mapping[str, Wanted], layouts: Mapping[str, Layout]) -> set[str]:
    """Of those that want channels outermost, who is in no stretch with another one, or with windows of
    pooling: one alone does not gain what it takes to turn its maps. Pooling counts in front of it too,
    where maps come with their channels first: behind it there are fewer numbers to turn."""
    wanting = {name for name, layout in wanted.items() if layout == "outermost"}
    taking = {
        name for name, layout in wanted.items() if layout == "any" and layouts[name] != "last"
    }
    gaining = wanting | {name for name in taking if isinstance(graph[name].op, Pool)}
    small = (part for part in _stretches(graph, wanting | taking) if len(part & gaining) < 2)
    return {name for part in small for name in part & wanting}


def _stretches(graph: Graph, names: Collection[str]) -> Iterable[set[str]]:
    """Of these nodes all that are joined by edges, together."""
    whose: dict[str, set[str]] = {}
    for node in graph.nodes:
        if node.name in names:
            joined = [whose[name] for name in node.inputs if name in whose]
            whole = max(joined, key=len, default=set())
            whole.add(node.name)
            for part in joined:
                if part is not whole:
                    whole |= part
                    whose.update(dict.fromkeys(part, whole))
            whose[node.name] = whole
    return {id(stretch): stretch for stretch in whose.values()}.values()


@dataclass
class _Relaid:
    """Nodes as they are laid out, in order; `at`: which node holds a value, by name and layout."""

    old: Graph
    layouts: Mapping[str, Layout]
    nodes: list[Node] = field(default_factory=list)
    at: dict[tuple[str, Layout], Node] = field(default_factory=dict)
    alike: dict[tuple[int, Layout], Applied] = field(default_factory=dict)

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
        layout = self.layouts[node.name]
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

    def _applied(self, node: Node, arrivals: tuple[Value, ...], layout: Layout) -> Applied:
        key = id(node.applied), layout
        if key not in self.alike:
            self.alike[key] = Applied(node.op, arrivals, node.op.shape(*arrivals))
        return self.alike[key]

    def _held(self, name: str, reader: Node, layout: Layout) -> Node:
        """The node that holds a value in this layout, made where it is wanted for the first time."""
        if (name, layout) not in self.at:
            source = next(self.at[name, place] for place in LAYOUTS if (name, place) in self.at)
            self.at[name, layout] = self._turned(source, name, reader, layout)
            self.nodes.append(self.at[name, layout])
        return self.at[name, layout]

    def _turned(self, source: Node, name: str, reader: Node, layout: Layout) -> Node:
        value, made = source.value, source.value.laid(layout)
        stays = value.depth in (1, value.size) and value.outermost == made.outermost
        op = (Renamed if stays else Turned)(to=layout)
        applied = Applied(op, (value,), made)
        label = f"{name} channels {layout}"
        return Node(label, applied, (source.name,), reader.layer, reader.span)
