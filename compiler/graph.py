"""The net as a directed acyclic graph: the typed face of a networkx DiGraph."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from ..grammar.source import Source, Span
from ..grammar.tree import Expect
from .op import Op, Trait, Weight
from .shapes import Value
from .training import Training


class Input(Op):
    """Where a batch enters: its shape is written at the head of a chain."""

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]


@dataclass(frozen=True)
class Node:
    """One use of an operator.

    Attributes
    ----------
    inputs: names of the nodes whose values it takes, in order.
    arrivals: those values' shapes; an input node has its own shape here.
    value: its output.
    layer: the layer that it belongs to, by the name of the layer's first node.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    arrivals: tuple[Value, ...]
    value: Value
    layer: str
    span: Span

    @property
    def is_input(self) -> bool:
        return isinstance(self.op, Input)

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        return self.op.weights(*self.arrivals)

    @cached_property
    def state(self) -> tuple[Weight, ...]:
        return self.op.state(*self.arrivals)

    @property
    def params(self) -> int:
        return sum(weight.size for weight in self.weights)

    @property
    def macs(self) -> int:
        return self.op.macs(*self.arrivals)


@dataclass(frozen=True)
class Layer:
    """What a row of a paper's table is: an operator and the norm, activation and noise behind it."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def head(self) -> Node:
        return self.nodes[0]

    @property
    def value(self) -> Value:
        return self.nodes[-1].value

    @property
    def weighted(self) -> bool:
        """Whether the field counts it as a layer of the net."""
        return Trait.NEURONS in self.head.op.traits


class Graph:
    """A validated net. Nodes stand in a fixed order in which inputs precede their users.

    Attributes
    ----------
    dag: the DiGraph; a node's name is its key, the `Node` its attribute `node`.
    outputs: names of the nodes whose values leave the net, the main one last, under the name each
        output is known by.
    promises: the `expect` statements, not yet checked.
    """

    def __init__(
        self,
        source: Source,
        nodes: Iterable[Node],
        outputs: Mapping[str, str],
        training: Training,
        promises: Sequence[Expect] = (),
        named: Mapping[str, str] | None = None,
        documentation: str = "",
    ) -> None:
        self.source = source
        self.outputs = dict(outputs)
        self.training = training
        self.promises = tuple(promises)
        self.named = dict(named or {})
        self.documentation = documentation
        self.dag: nx.DiGraph[str] = nx.DiGraph()
        for node in nodes:
            self._add(node)
        if not nx.is_directed_acyclic_graph(self.dag):
            raise ValueError("a net has no cycles")
        missing = set(self.outputs.values()) - set(self.dag)
        if missing or not self.outputs:
            raise ValueError(f"outputs must be nodes of the net: {sorted(missing)}")

    def _add(self, node: Node) -> None:
        if node.name in self.dag:
            raise ValueError(f"two nodes are called {node.name}")
        if absent := [name for name in node.inputs if name not in self.dag]:
            raise ValueError(f"{node.name} reads {absent} before they are made")
        self.dag.add_node(node.name, node=node)
        self.dag.add_edges_from((name, node.name) for name in node.inputs)

    def __getitem__(self, name: str) -> Node:
        node = self.dag.nodes[name]["node"]
        assert isinstance(node, Node)
        return node

    def __len__(self) -> int:
        return len(self.dag)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """In topological order: the order of the text, which reads no value before it is made."""
        return tuple(self[name] for name in self.dag)

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.is_input)

    @property
    def output(self) -> Node:
        """The main output: the value of the last chain."""
        return self[list(self.outputs.values())[-1]]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every operator belongs to one layer; inputs to none. In the order of their heads."""
        rows: dict[str, list[Node]] = {}
        for node in self.nodes:
            if not node.is_input:
                rows.setdefault(node.layer, []).append(node)
        return tuple(Layer(name, tuple(nodes)) for name, nodes in rows.items())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that decides which weights fit: operators, arguments, wiring."""
        facts = [
            [
                node.name,
                node.op.name,
                node.op.model_dump(mode="json"),
                node.inputs,
                node.value.shape,
            ]
            for node in self.nodes
        ]
        text = json.dumps([facts, self.outputs], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
