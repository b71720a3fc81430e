"""How a net hangs together: who reads what, and what stands before and behind a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...compiler.graph import Graph, Layer, Node
from ...compiler.op import Trait
from ...compiler.ops.activation import Softmax
from ...compiler.ops.merge import MatMul, Mul
from ...compiler.ops.norm import BatchNorm
from ...compiler.training.losses import Loss
from ...grammar import tree
from ...grammar.parse import parse
from ...grammar.source import Span
from .roles import Role, roles
from .signal import Travel, estimates
from .wording import Wording

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
    def wording(self) -> Wording:
        return Wording(self.file)

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
        """What judges the main output; None where neither `train(...)` nor a setting says so: such a
        net may be meant for inference."""
        training = self.graph.training
        meant = self.train is not None or training.loss is not None
        return training.judged_by(self.graph.output.value) if meant else None

    @property
    def judge(self) -> str:
        """The loss as messages name it."""
        name = f"`{self.loss.name}`" if self.loss else ""
        return name if self.graph.training.loss else f"{name}, the loss where none is written,"

    @cached_property
    def uses(self) -> Mapping[object, tuple[Node, ...]]:
        """By place, the nodes that it makes: many, in a block, a loop or a repeat."""
        found: dict[object, list[Node]] = {}
        for node in self.graph.nodes:
            found.setdefault(place(node.span), []).append(node)
        return {where: tuple(nodes) for where, nodes in found.items()}

    def throughout(self, holds: Callable[[Node], object]) -> Iterator[Node]:
        """The nodes for which something holds in every use of the place where they are written."""
        for nodes in self.uses.values():
            if all(holds(node) for node in nodes):
                yield from nodes

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
        return estimates(self.graph)

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

    @cached_property
    def said(self) -> Node:
        """What makes the numbers of the main output, before they are put elsewhere."""
        output = self.graph.output
        return next(n for n in (output, *self.back(output)) if Trait.MOVES not in n.op.traits)

    @cached_property
    def rebuilds(self) -> bool:
        """Whether the main output has an input's shape: an autoencoder, or what cleans an image."""
        shape = self.graph.output.value.shape
        return any(source.value.shape == shape for source in self.graph.inputs)

    def gates(self, node: Node) -> bool:
        """Whether the value, moved at most, is a share that something else is multiplied by."""
        waiting, seen = [node.name], {node.name}
        while waiting:
            for reader in self.readers[waiting.pop()]:
                if isinstance(reader.op, Mul | MatMul):
                    return True
                if Trait.MOVES in reader.op.traits and reader.name not in seen:
                    seen.add(reader.name)
                    waiting.append(reader.name)
        return False

    def scores(self, node: Node) -> bool:
        """Whether an activation makes shares that weight something else, or what a softmax makes
        such shares of: additive attention."""
        if self.gates(node):
            return True
        for after in self.ahead(node):
            if Trait.ACTIVATION in after.op.traits:
                return isinstance(after.op, Softmax) and self.gates(after)
        return False

    @cached_property
    def necks(self) -> frozenset[str]:
        """The nodes that everything passes through on its way to the main output."""
        needed = {self.graph.output.name}
        for node in reversed(self.graph.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        nodes = [node for node in self.graph.nodes if node.name in needed]
        last = {name: at for at, node in enumerate(nodes) for name in node.inputs}
        far = max((at for at, node in enumerate(nodes) if not node.inputs), default=0)
        found: set[str] = set()
        for at, node in enumerate(nodes):
            if far <= at:
                found.add(node.name)
            far = max(far, last.get(node.name, at))
        return frozenset(found)


def place(span: Span | None) -> tuple[str, int, int] | None:
    """What is equal for two spans of one stretch of text."""
    return (span.source.name, span.start, span.end) if span else None


def affine(node: Node) -> bool:
    """A layer of neurons without anything bent in it."""
    return node.op.traits >= AFFINE


def passes(node: Node) -> bool:
    """Whether it is one affine map at inference, and has no neurons: batch norm is, layer norm is not."""
    return bool(node.op.traits & PASSES) or isinstance(node.op, BatchNorm)


def word(node: Node) -> str:
    """The operator as it is written: `fc(4 * c)`."""
    return " ".join(node.span.text.split()).partition("[")[0].strip()
