"""A net as a table of contents: its layers in the blocks they stand in, for folding.

Convention: blocks of one kind that follow one another are a stack where each reads the one before
alone and all put out maps of one size, as a paper's table writes `x3`; a block of one layer is that
layer; what stands side by side in a crowd is cut into portions. A group's layers follow one another in the net's order, so a net whose
groups are drawn as one node each still has no cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ...compiler.graph import Graph, Node

Kind = Literal["block", "stack", "portion"]

STACKED = 3
"""Blocks of one kind in a row from which on they are a stack."""
CROWD = 200
"""Parts side by side past which they are cut into portions."""
PORTION = 50


@dataclass(frozen=True)
class Group:
    """Attributes
    ----------
    name: the block's; of a stack or a portion its first and its last part's.
    title: the kind of block. parts: what it holds, in order.
    """

    kind: Kind
    name: str
    title: str
    parts: tuple[Part, ...]


Part = Group | Node
"""A group, or an input or a layer's head that stands by itself."""


def outline(graph: Graph) -> tuple[Part, ...]:
    """Inputs and layers in the net's order, in the groups that they belong to."""
    heads = [n for n in graph.nodes if n.is_input or n.name == n.layer]
    return _Grouping(graph).parts(heads, 0)


class _Grouping:
    """Puts the nodes of one net into groups."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            self.layers.setdefault(node.layer, []).append(node)

    def parts(self, heads: Sequence[Node], depth: int) -> tuple[Part, ...]:
        """The parts that nodes form which share their first `depth` blocks."""
        found: list[Part] = []
        for name, run in groupby(heads, lambda n: _block(n, depth)):
            nodes = list(run)
            if name:
                inner = self.parts(nodes, depth + 1)
                block = Group("block", name, nodes[0].blocks[depth].kind, inner)
                found += inner if len(inner) == 1 else [block]
            else:
                found += nodes
        return portioned(self.stacked(found))

    def stacked(self, parts: Sequence[Part]) -> list[Part]:
        """Runs of blocks that are alike as one part each."""
        runs: list[list[Part]] = []
        for part in parts:
            if runs and self.continues(runs[-1][-1], part):
                runs[-1].append(part)
            else:
                runs.append([part])
        return [piece for run in runs for piece in ([_stack(run)] if len(run) >= STACKED else run)]

    def continues(self, before: Part, part: Part) -> bool:
        """Whether a block is one more of what the block before it is."""
        if not isinstance(before, Group) or not isinstance(part, Group):
            return False
        if before.title != part.title or self.places(before) != self.places(part):
            return False
        own = names(part)
        nodes = [node for name in own for node in self.layers[name]]
        reads = {self.graph[i].layer for node in nodes for i in node.inputs} - set(own)
        return bool(reads) and reads <= set(names(before))

    def places(self, group: Group) -> tuple[int, ...]:
        """The size of the map that a block puts out: without its channels, where it has others."""
        value = self.layers[names(group)[-1]][-1].value
        sizes = [size for axis, size in enumerate(value.shape) if axis != value.channel_axis]
        return tuple(sizes) or value.shape


def _block(node: Node, depth: int) -> str:
    return node.blocks[depth].name if len(node.blocks) > depth else ""


def names(part: Part) -> list[str]:
    """The layers and inputs of a part, in order."""
    if isinstance(part, Node):
        return [part.name]
    return [name for inner in part.parts for name in names(inner)]


def _stack(run: Sequence[Part]) -> Group:
    first, last = run[0], run[-1]
    assert isinstance(first, Group)
    return Group("stack", f"{first.name} … {last.name}", first.title, tuple(run))


def portioned(parts: Sequence[Part]) -> tuple[Part, ...]:
    """No more than a crowd side by side."""
    while len(parts) > CROWD:
        cuts = [parts[i : i + PORTION] for i in range(0, len(parts), PORTION)]
        parts = [Group("portion", f"{_first(cut)} … {_last(cut)}", "", tuple(cut)) for cut in cuts]
    return tuple(parts)


def _first(parts: Sequence[Part]) -> str:
    return names(parts[0])[0]


def _last(parts: Sequence[Part]) -> str:
    return names(parts[-1])[-1]
