"""Layers by name, frozen or let learn again: the same net with weights that learn otherwise."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..compiler.errors import UnknownLayer
from ..compiler.graph import Graph, Node
from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest


def frozen(graph: Graph, patterns: tuple[str, ...], *, freeze: bool) -> Graph:
    """The net with every node that a pattern means frozen, or thawed. Weights that several nodes use
    are frozen for all of them. Raises SpecError where a pattern means nothing that has weights."""
    weighted = [node for node in graph.nodes if node.weights]
    patterns = tuple(map(str, patterns))
    meant = {pattern: _meant(pattern, weighted) for pattern in patterns}
    if unknown := [pattern for pattern, nodes in meant.items() if not nodes]:
        known = tuple(node.name for node in weighted)
        raise SpecError([UnknownLayer(None, p, nearest(p, known), known) for p in unknown])
    keepers = {
        node.keeper(weight).rpartition(".")[0]
        for nodes in meant.values()
        for node in nodes
        for weight in node.weights
    }
    touched = [node for node in weighted if node.name in keepers or _borrows(node, keepers)]
    return graph.learning(
        {node.name: node.learning.model_copy(update={"freeze": freeze}) for node in touched}
    )


def _meant(pattern: str, nodes: list[Node]) -> list[Node]:
    """Those whose name matches, or the name of a block that they stand in."""
    return [
        node
        for node in nodes
        if any(fnmatchcase(name, pattern) for name in (node.name, *(b.name for b in node.blocks)))
    ]


def _borrows(node: Node, keepers: set[str]) -> bool:
    """Whether it has no weights of its own, and some of these."""
    lent = {name.rpartition(".")[0] for name in node.lent.values()}
    return not node.own and bool(lent & keepers)
