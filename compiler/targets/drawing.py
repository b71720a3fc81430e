"""A net as boxes and arrows: what every diagram draws, in whatever format.

A box is an input, a layer, a block that is not opened, or an output; an arrow is a value on its way
from one to another, with its shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from ...grammar.diagnostics import SpecError
from ...grammar.quantity import quantity
from ..errors import BadSetting
from ..graph import BlockUse, Graph, Layer, Node
from ..op import Trait

Kind = Literal["input", "layer", "merge", "block", "output"]


@dataclass(frozen=True)
class Box:
    """Attributes
    ----------
    key: what arrows call it; it holds letters and digits alone.
    name: as reports have it. says: a second line.
    frames: the keys of the blocks around it, the outermost first.
    """

    key: str
    kind: Kind
    name: str
    says: str
    frames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A block that is opened: a line around what stands in it."""

    key: str
    name: str
    frames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arrow:
    """A value on its way."""

    tail: str
    head: str
    shape: str


@dataclass(frozen=True)
class Drawing:
    """Boxes in the order of the text, each frame before what stands in it."""

    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...]
    arrows: tuple[Arrow, ...]

    @cached_property
    def boxes_in(self) -> Mapping[tuple[str, ...], Sequence[Box]]:
        """By the keys of the frames around them."""
        return _by_frames(self.boxes)

    @cached_property
    def frames_in(self) -> Mapping[tuple[str, ...], Sequence[Frame]]:
        return _by_frames(self.frames)


Framed = TypeVar("Framed", Box, Frame)


def _by_frames(things: Sequence[Framed]) -> Mapping[tuple[str, ...], Sequence[Framed]]:
    found: dict[tuple[str, ...], list[Framed]] = {}
    for thing in things:
        found.setdefault(thing.frames, []).append(thing)
    return found


def draw(graph: Graph, depth: int | None = None) -> Drawing:
    """The net as far as it goes when looked at from so many blocks deep: 1 draws each block as one
    box, None opens all. Raises SpecError for a depth that is none."""
    if depth is not None and (not isinstance(depth, int) or depth < 1):
        problem = f"cannot be {depth!r}"
        raise SpecError([BadSetting(None, "depth", problem, "a whole number from 1")])
    return _Draughtsman(graph, depth).drawing()


class _Draughtsman:
    def __init__(self, graph: Graph, depth: int | None) -> None:
        self.graph = graph
        self.depth = depth
        self.boxes: dict[str, Box] = {}
        self.frames: dict[str, Frame] = {}
        self.arrows: dict[tuple[str, str], Arrow] = {}
        self.box_of: dict[str, Box] = {}
        self.closed: dict[str, Box] = {}
        self.inside: dict[str, list[Layer]] = {}
        for layer in graph.layers:
            for block in layer.blocks:
                self.inside.setdefault(block.name, []).append(layer)

    def drawing(self) -> Drawing:
        for node in self.graph.inputs:
            self.box_of[node.name] = self._box("input", node.name, str(node.value))
        for layer in self.graph.layers:
            box = self._layer(layer)
            self.box_of.update((node.name, box) for node in layer.nodes)
        for node in self.graph.nodes:
            for name in node.inputs:
                self._arrow(self.graph[name], self.box_of[node.name])
        for label, name in self.graph.outputs.items():
            node = self.graph[name]
            self._arrow(node, self._box("output", label, str(node.value)))
        return Drawing(
            tuple(self.boxes.values()), tuple(self.frames.values()), tuple(self.arrows.values())
        )

    def _box(self, kind: Kind, name: str, says: str, frames: tuple[str, ...] = ()) -> Box:
        key = f"n{len(self.boxes)}"
        box = self.boxes[key] = Box(key, kind, name, says, frames)
        return box

    def _layer(self, layer: Layer) -> Box:
        opened = layer.blocks if self.depth is None else layer.blocks[: self.depth - 1]
        frames = self._framed(opened)
        inner = opened[-1].name if opened else ""
        if len(opened) < len(layer.blocks):
            return self._closed(layer.blocks[len(opened)], inner, frames)
        kind: Kind = "merge" if Trait.MERGES in layer.head.op.traits else "layer"
        return self._box(kind, _within(layer.name, inner), _spelled(layer), frames)

    def _framed(self, blocks: tuple[BlockUse, ...]) -> tuple[str, ...]:
        keys: tuple[str, ...] = ()
        outer = ""
        for block in blocks:
            name = _within(block.name, outer)
            new = Frame(f"b{len(self.frames)}", name, keys)
            keys = (*keys, self.frames.setdefault(block.name, new).key)
            outer = block.name
        return keys

    def _closed(self, block: BlockUse, outer: str, frames: tuple[str, ...]) -> Box:
        """The one box of a block that is not opened."""
        if block.name not in self.closed:
            inside = self.inside[block.name]
            params = sum(node.params for layer in inside for node in layer.nodes)
            layers = f"{len(inside):,} layer{'' if len(inside) == 1 else 's'}"
            says = f"{block.spelled}, {layers}, {quantity(params, 'parameter')}"
            name = _within(block.name, outer)
            self.closed[block.name] = self._box("block", name, says, frames)
        return self.closed[block.name]

    def _arrow(self, node: Node, head: Box) -> None:
        """A value read twice by one box is one arrow; what stays inside a box is none."""
        tail = self.box_of[node.name]
        if tail is not head:
            arrow = Arrow(tail.key, head.key, str(node.value))
            self.arrows.setdefault((node.name, head.key), arrow)


def _spelled(layer: Layer) -> str:
    """Its operators, one behind the other: `conv64 3x3 bn relu`."""
    return " ".join(node.spelled for node in layer.nodes)


def _within(name: str, outer: str) -> str:
    """A name without what its frame says already: `conv1` in `basic2`, not `basic2.conv1`."""
    return name.removeprefix(f"{outer}.") if outer else name
