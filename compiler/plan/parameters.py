"""Where every weight lies in the one flat vector that holds them all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from ..graph import Graph, Node
from ..op import Initialiser, Trait, Weight


@dataclass(frozen=True)
class Entry:
    """One weight of one node: its full name, its place in the flat vector, how it begins."""

    name: str
    weight: Weight
    start: int
    initialiser: Initialiser | None = None
    rectified: bool = False
    """A relu-like activation follows: He's variance fits."""

    @property
    def stop(self) -> int:
        return self.start + self.weight.size

    @property
    def chosen(self) -> Initialiser:
        """How it is drawn: as written, else by He where a relu-like activation follows, by Xavier
        elsewhere."""
        return self.initialiser or Initialiser(word="he" if self.rectified else "xavier")

    @property
    def uniform(self) -> bool:
        """Whether it is drawn evenly between two bounds, not normal."""
        return self.chosen.word.endswith("uniform")

    @property
    def width(self) -> float:
        """The standard deviation of a normal draw, the bound of a uniform one.

        He: variance 2 / fan_in (He et al. 2015); Xavier: 2 / (fan_in + fan_out) (Glorot and Bengio
        2010); LeCun: 1 / fan_in (LeCun et al. 1998).
        """
        fan_in, chosen = self.weight.fan_in, self.chosen
        match chosen.word.removesuffix("_uniform"):
            case "zeros":
                return 0.0
            case "normal":
                return chosen.scale or 0.01
            case "uniform":
                return chosen.scale or 0.05
            case "he":
                variance = 2 / fan_in
            case "lecun":
                variance = 1 / fan_in
            case "xavier":
                variance = 2 / (fan_in + self.weight.fan_out)
            case word:
                raise LookupError(f"initialiser `{word}` has no variance")
        return math.sqrt(3 * variance if self.uniform else variance)

    @property
    def variance(self) -> float:
        """Of the draw; 0 for a constant."""
        if self.weight.constant is not None:
            return 0.0
        square = self.width * self.width
        return square / 3 if self.uniform else square


@dataclass(frozen=True)
class Parameters:
    """The layout of the parameter vector, and of the vector of running statistics.

    Weights that l2 acts on come first, so that decay is one sweep over `[0, decayed)`.
    """

    entries: tuple[Entry, ...]
    state: tuple[Entry, ...]
    decayed: int

    @property
    def size(self) -> int:
        return sum(entry.weight.size for entry in self.entries)

    @property
    def state_size(self) -> int:
        return sum(entry.weight.size for entry in self.state)

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        return MappingProxyType({entry.name: entry for entry in (*self.entries, *self.state)})


def lay_out(graph: Graph) -> Parameters:
    """Give every weight its place: those that decay first, each group in the net's order."""
    rectified = _rectified(graph)
    found = [
        (
            f"{node.name}.{weight.name}",
            weight,
            getattr(node.op, "init", None),
            node.name in rectified,
        )
        for node in graph.nodes
        for weight in node.own
    ]
    ordered = [f for f in found if f[1].decays] + [f for f in found if not f[1].decays]
    entries: list[Entry] = []
    place = 0
    for name, weight, initialiser, relu_like in ordered:
        entries.append(Entry(name, weight, place, initialiser, relu_like))
        place += weight.size
    state: list[Entry] = []
    place = 0
    for node in graph.nodes:
        for weight in node.state:
            if weight.name in node.lent:
                continue
            state.append(Entry(f"{node.name}.{weight.name}", weight, place))
            place += weight.size
    decayed = sum(entry.weight.size for entry in entries if entry.weight.decays)
    return Parameters(tuple(entries), tuple(state), decayed)


def _rectified(graph: Graph) -> frozenset[str]:
    """Nodes whose value reaches a relu-like activation through norms, noise, pools and views."""
    from_below: set[str] = set()
    for node in reversed(graph.nodes):
        for name in node.inputs:
            if Trait.RECTIFIES in node.op.traits or (_passes(node) and node.name in from_below):
                from_below.add(name)
    return frozenset(from_below)


PASSING = frozenset({Trait.NORMALISES, Trait.RANDOM, Trait.POOLS, Trait.MOVES, Trait.MERGES})


def _passes(node: Node) -> bool:
    return bool(PASSING & node.op.traits)
