"""How a net hangs together: who reads what, and what stands before and behind a node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...compiler.graph import Graph, Layer, Node
from ...compiler.op import Trait
from ...compiler.ops.norm import BatchNorm
from ...compiler.training import Loss
from ...grammar import tree
from ...grammar.parse import parse
from ...grammar.source import Span
from .roles import Role, roles
from .signal import Travel, signal

AFFINE = frozenset({Trait.NEURONS, Trait.LINEAR})
PASSES = frozenset({Trait.MOVES, Trait.RANDOM})
"""What bends no number on the way: moved, noisy in training."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A net as a reviewer looks at it."""

    graph: Graph

    @cached_property
    def file(self) -> tree.File:
        return parse(self.graph.source)[0]

    @cached_property
    def train(self) -> tree.Train | None:
        """The `train(...)` that is written; None where there is none."""
        return next((s for s in self.file.statements if isinstance(s, tree.Train)), None)

    def setting(self, name: str) -> Span | None:
        """Where a setting of `train(...)` is written."""
        given = self.train.arguments if self.train else ()
        return next((a.span for a in given if a.name == name), None)

    @property
    def loss(self) -> Loss | None:
        """The loss, where it is written: a net without one may be meant for inference."""
        return self.graph.training.loss

    @cached_property
    def readers(self) -> Mapping[str, tuple[Node, ...]]:
        found: dict[str, list[Node]] = {node.name: [] for node in self.graph.nodes}
        for node in self.graph.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def role(self) -> Mapping[str, Role]:
        return roles(self.graph).role

    @cached_property
    def travels(self) -> Mapping[str, Travel]:
        return signal(self.graph)

    @cached_property
    def hidden(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.graph.layers if self.role[layer.name] == "hidden")

    @cached_property
    def bends(self) -> bool:
        """Whether anything in the net is not affine."""
        return any(
            not node.is_input and Trait.LINEAR not in node.op.traits and not passes(node)
            for node in self.graph.nodes
        )

    def is_output(self, node: Node) -> bool:
        return node.name in self.graph.outputs.values()

    def ahead(self, node: Node) -> Iterator[Node]:
        """The nodes that follow, as long as one alone reads the value and it is no output."""
        while not self.is_output(node) and len(self.readers[node.name]) == 1:
            (node,) = self.readers[node.name]
            yield node

    def back(self, node: Node) -> Iterator[Node]:
        """The nodes before, as long as a node has one input."""
        while len(node.inputs) == 1:
            node = self.graph[node.inputs[0]]
            yield node

    def gates(self, node: Node) -> bool:
        """Whether the value is a share that something else is multiplied by."""
        return any(reader.op.name == "mul" for reader in self.readers[node.name])

    def gates_later(self, node: Node) -> bool:
        """Whether the value ends as a share, behind layers of its own: squeeze and excitation."""
        return self.gates(node) or any(self.gates(after) for after in self.ahead(node))


def affine(node: Node) -> bool:
    """A layer of neurons without anything bent in it."""
    return node.op.traits >= AFFINE


def passes(node: Node) -> bool:
    """Whether it is one affine map at inference, and has no neurons: batch norm is, layer norm is not."""
    return bool(node.op.traits & PASSES) or isinstance(node.op, BatchNorm)


def word(node: Node) -> str:
    """The operator as it is written: `fc(4 * c)`."""
    return " ".join(node.span.text.split()).partition("[")[0].strip()
