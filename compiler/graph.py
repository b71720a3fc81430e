"""The net as a directed acyclic graph: the typed face of a networkx DiGraph."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..grammar.source import Source, Span
from ..grammar.tree import Expect
from .applied import Applied
from .expressions import Worth, shown
from .op import Op, Trait, Weight
from .shapes import Value
from .training import Training
from .training.learning import Learning

if TYPE_CHECKING:
    import networkx as nx


class Input(Op):
    """Where a batch enters: its shape is written at the head of a chain."""

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]


@dataclass(frozen=True)
class BlockUse:
    """One use of a block.

    Attributes
    ----------
    name: what the names of its nodes begin with: `bottleneck2`, `stage1.bottleneck2`.
    kind: the block's own name. given: what its parameters are worth, those left out not among them.
    """

    name: str
    kind: str
    given: tuple[tuple[str, Worth], ...] = ()

    @property
    def spelled(self) -> str:
        """The use with every number filled in: `bottleneck(c=64, s=2)`."""
        values = ", ".join(
            f"{name}={value if type(value) is int else shown(value)}" for name, value in self.given
        )
        return f"{self.kind}({values})" if values else self.kind


AS_THE_NET = Learning()


@dataclass(frozen=True)
class Node:
    """One use of an operator.

    Attributes
    ----------
    applied: the operator with the shapes that arrive at it.
    inputs: names of the nodes whose values it takes, in order.
    layer: the layer that it belongs to, by the name of the layer's first node.
    lent: for weights and statistics that belong to another node, by their name here: their name
        there, `tower.fc1.weight`.
    blocks: the blocks that it stands in, the outermost first.
    learning: how its own weights learn.
    """

    name: str
    applied: Applied
    inputs: tuple[str, ...]
    layer: str
    span: Span
    lent: Mapping[str, str] = field(default_factory=dict)
    blocks: tuple[BlockUse, ...] = ()
    learning: Learning = AS_THE_NET

    @property
    def op(self) -> Op:
        return self.applied.op

    @property
    def arrivals(self) -> tuple[Value, ...]:
        """The shapes it takes; an input node has its own here."""
        return self.applied.arrivals

    @property
    def value(self) -> Value:
        """Its output."""
        return self.applied.value

    @property
    def is_input(self) -> bool:
        return isinstance(self.op, Input)

    @property
    def weights(self) -> tuple[Weight, ...]:
        return self.applied.weights

    @property
    def state(self) -> tuple[Weight, ...]:
        return self.applied.state

    def keeper(self, weight: Weight) -> str:
        """The full name under which a weight or statistic of this node is kept."""
        return self.lent.get(weight.name, f"{self.name}.{weight.name}")

    @property
    def own(self) -> tuple[Weight, ...]:
        """The weights that are kept for this node: a shared one belongs to its first use."""
        if not self.lent:
            return self.weights
        return tuple(weight for weight in self.weights if weight.name not in self.lent)

    @property
    def params(self) -> int:
        return sum(weight.size for weight in self.own) if self.lent else self.applied.params

    @property
    def trainable(self) -> int:
        """Of these, those that are not frozen."""
        return 0 if self.learning.frozen else self.params

    @property
    def frozen(self) -> bool:
        """Whether it is held as it is: a batch norm's running statistics too."""
        return self.learning.frozen and bool(self.weights)

    @property
    def spelled(self) -> str:
        """As a spec would write it, every number filled in, with how its weights learn."""
        told = str(self.learning) if self.weights else ""
        return f"{self.applied.spelled} {told}" if told else self.applied.spelled

    @property
    def macs(self) -> int:
        return self.applied.macs


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
    def blocks(self) -> tuple[BlockUse, ...]:
        """The blocks that it stands in, the outermost first."""
        return self.head.blocks

    @property
    def weighted(self) -> bool:
        """Whether the field counts it as a layer of the net."""
        return Trait.NEURONS in self.head.op.traits


class Graph:
    """A validated net. Nodes stand in a fixed order in which inputs precede their users.

    Raises ValueError when a name stands twice, a node reads what is not made before it, or an
    output is no node: so the net has no cycle.

    Attributes
    ----------
    nodes: in topological order: the order of the text, which reads no value before it is made.
    outputs: names of the nodes whose values leave the net, the main one last, under the name each
        output is known by.
    promises: the `expect` statements, not yet checked.
    files: the texts that `use` read, by name. lets: constants given from outside.
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
        files: Mapping[str, str] | None = None,
        lets: Mapping[str, Worth] | None = None,
    ) -> None:
        self.source = source
        self.outputs = dict(outputs)
        self.training = training
        self.promises = tuple(promises)
        self.named = dict(named or {})
        self.documentation = documentation
        self.files = dict(files or {})
        self.lets = dict(lets or {})
        self.nodes = tuple(nodes)
        self._by_name: dict[str, Node] = {}
        for node in self.nodes:
            self._add(node)
        missing = set(self.outputs.values()) - self._by_name.keys()
        if missing or not self.outputs:
            raise ValueError(f"outputs must be nodes of the net: {sorted(missing)}")

    def _add(self, node: Node) -> None:
        if node.name in self._by_name:
            raise ValueError(f"two nodes are called {node.name}")
        if absent := [name for name in node.inputs if name not in self._by_name]:
            raise ValueError(f"{node.name} reads {absent} before they are made")
        self._by_name[node.name] = node

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def vocabularies(self) -> Mapping[str, int]:
        """By input, what its whole numbers must lie below, where tables are looked up by them."""
        read_by: dict[str, set[str]] = {}
        found: dict[str, int] = {}
        for node in self.nodes:
            if not node.value.integer and node.op.vocabulary is None:
                continue
            sources = {node.name} if node.is_input else set()
            read_by[node.name] = sources.union(*(read_by[name] for name in node.inputs))
            if node.op.vocabulary is not None:
                for name in read_by[node.name]:
                    found[name] = min(node.op.vocabulary, found.get(name, node.op.vocabulary))
        return found

    @cached_property
    def dag(self) -> nx.DiGraph[str]:
        """The net as a networkx DiGraph, for every algorithm that networkx has.

        Keys are names; a node's attribute `node` is the `Node`, an edge's `places` are the
        positions at which the reader takes the value. Made when first asked for: loading networkx
        takes longer than checking a spec.
        """
        import networkx as nx

        dag: nx.DiGraph[str] = nx.DiGraph()
        for node in self.nodes:
            dag.add_node(node.name, node=node)
            for name in node.inputs:
                places = tuple(i for i, read in enumerate(node.inputs) if read == name)
                dag.add_edge(name, node.name, places=places)
        return dag

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
    def frozen(self) -> frozenset[str]:
        """The full names of the weights that do not learn."""
        return frozenset(
            f"{node.name}.{weight.name}"
            for node in self.nodes
            if node.learning.frozen
            for weight in node.own
        )

    def learning(self, said: Mapping[str, Learning]) -> Graph:
        """The same net where the named nodes learn as given."""
        other = copy(self)
        other.nodes = tuple(
            replace(node, learning=said.get(node.name, node.learning)) for node in self.nodes
        )
        other._by_name = {node.name: node for node in other.nodes}
        for kept in [
            name for name, made in vars(type(self)).items() if isinstance(made, cached_property)
        ]:
            other.__dict__.pop(kept, None)
        return other

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that decides which weights fit: operators, arguments, wiring."""
        facts = [
            [
                node.name,
                node.op.name,
                node.applied.arguments,
                node.inputs,
                node.value.shape,
                *([dict(node.lent)] if node.lent else []),
            ]
            for node in self.nodes
        ]
        text = json.dumps([facts, self.outputs], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
