"""Where every weight lies in the one flat vector that holds them all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from ..graph import AS_THE_NET, Graph, Node
from ..op import Draw, Initialiser, Op, Trait, Weight
from ..training.learning import Learning


@dataclass(frozen=True)
class Entry:
    """One weight of one node: its full name, its place in the flat vector, how it begins and learns."""

    name: str
    weight: Weight
    start: int
    initialiser: Initialiser | None = None
    rectified: bool = False
    """A relu-like activation follows: He's variance fits."""
    learning: Learning = AS_THE_NET

    @property
    def stop(self) -> int:
        return self.start + self.weight.size

    @property
    def chosen(self) -> Initialiser:
        """How it is drawn: as written, else by He where a relu-like activation follows, by Xavier
        elsewhere."""
        return self.initialiser or Initialiser(word="he" if self.rectified else "xavier")

    @cached_property
    def draw(self) -> Draw:
        """How its numbers are drawn.

        He: variance 2 / fan_in (He et al. 2015); Xavier: 2 / (fan_in + fan_out) (Glorot and Bengio
        2010); LeCun: 1 / fan_in (LeCun et al. 1998); orthogonal: Saxe et al. 2013.
        """
        fan_in, chosen, constant = self.weight.fan_in, self.chosen, self.weight.constant
        if chosen.word == "torch" and self.weight.torch is not None:
            return self.weight.torch
        if constant is not None:
            return Draw("constant", constant)
        match chosen.word.removesuffix("_uniform"):
            case "zeros":
                return Draw("constant", 0.0)
            case "normal":
                return Draw("normal", chosen.scale or 0.01)
            case "uniform":
                return Draw("uniform", chosen.scale or 0.05)
            case "orthogonal":
                return Draw("orthogonal", chosen.scale or 1.0)
            case "torch":
                # Learned positions and tokens, which PyTorch has no layer for.
                return Draw("normal", 0.02)
            case "he":
                variance = 2 / fan_in
            case "lecun":
                variance = 1 / fan_in
            case "xavier":
                variance = 2 / (fan_in + self.weight.fan_out)
            case word:
                raise LookupError(f"initialiser `{word}` has no variance")
        if chosen.word.endswith("_uniform"):
            return Draw("uniform", math.sqrt(3 * variance))
        return Draw("normal", math.sqrt(variance))

    @property
    def variance(self) -> float:
        """Of the draw; 0 for a constant."""
        square = self.draw.width * self.draw.width
        match self.draw.kind:
            case "constant":
                return 0.0
            case "uniform":
                return square / 3
            case "orthogonal":
                return square / max(self.weight.matrix)
            case _:
                return square


@dataclass(frozen=True)
class Group:
    """A stretch `[start, stop)` of the parameter vector whose weights learn in the same way; l2 and
    its like act on those of `[start, decayed)`."""

    start: int
    decayed: int
    stop: int
    learning: Learning = AS_THE_NET


@dataclass(frozen=True)
class Parameters:
    """The layout of the parameter vector, and of the vector of running statistics.

    What learns comes first, `[0, trainable)`: gradient and optimiser have numbers for that alone. In
    it weights that learn in the same way stand side by side, those that l2 acts on before the others:
    decay is one sweep.
    """

    entries: tuple[Entry, ...]
    state: tuple[Entry, ...]

    @cached_property
    def size(self) -> int:
        return sum(entry.weight.size for entry in self.entries)

    @cached_property
    def trainable(self) -> int:
        return sum(entry.weight.size for entry in self.learned)

    @cached_property
    def learned(self) -> tuple[Entry, ...]:
        """The entries that are not frozen."""
        return tuple(entry for entry in self.entries if not entry.learning.frozen)

    @property
    def state_size(self) -> int:
        return sum(entry.weight.size for entry in self.state)

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        return MappingProxyType({entry.name: entry for entry in (*self.entries, *self.state)})

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """What learns, in stretches of one kind."""
        found: dict[Learning, Group] = {}
        for entry in self.learned:
            first = Group(entry.start, entry.start, entry.start, entry.learning)
            so_far = found.get(entry.learning, first)
            decayed = entry.stop if entry.weight.decays else so_far.decayed
            found[entry.learning] = replace(so_far, decayed=decayed, stop=entry.stop)
        return tuple(found.values())


def lay_out(graph: Graph) -> Parameters:
    """Give every weight its place: what learns before what is frozen, then as it learns, then what
    decays before what does not; each in the net's order."""
    rectified = _rectified(graph)
    kinds: dict[Learning, int] = {AS_THE_NET: 0}
    found: list[Entry] = []
    for node in graph.nodes:
        begins, relu_like = start(node.op, graph.training.init), node.name in rectified
        for weight in node.own:
            name = f"{node.name}.{weight.name}"
            found.append(Entry(name, weight, 0, begins, relu_like, node.learning))
            kinds.setdefault(node.learning, len(kinds))

    def place(entry: Entry) -> tuple[bool, int, bool]:
        frozen = entry.learning.frozen
        return frozen, 0 if frozen else kinds[entry.learning], not entry.weight.decays

    entries = _in_a_row(sorted(found, key=place))
    state = [
        Entry(f"{node.name}.{weight.name}", weight, 0)
        for node in graph.nodes
        for weight in node.state
        if weight.name not in node.lent
    ]
    return Parameters(entries, _in_a_row(state))


def _in_a_row(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    placed: list[Entry] = []
    for entry in entries:
        placed.append(replace(entry, start=placed[-1].stop if placed else 0))
    return tuple(placed)


def start(op: Op, net: Initialiser | None) -> Initialiser | None:
    """What is written at the operator, else what `train(init = ...)` says; tables of embeddings and
    positions keep their own unless that is `torch`."""
    field = type(op).model_fields.get("init")
    if field is None:
        return None
    own: Initialiser | None = op.init  # type: ignore[attr-defined]
    if "init" in op.model_fields_set or net is None:
        return own
    return net if own is None or net.word == "torch" else own


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
