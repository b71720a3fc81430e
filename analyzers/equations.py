"""The net as mathematics, as the course writes it: `s = W3 max(0, W2 max(0, W1 x + b1) + b2) + b3`.

Convention: CS231n, neural networks 1, 'Example feed-forward computation'. A short chain is one
nested line; of other nets every layer is an equation. Weights bear the number of their layer among
those that have such weights; a shared weight is one symbol.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from types import MappingProxyType

from ..compiler.graph import Graph, Node
from ..compiler.op import Terms, Weight
from ..compiler.ops.dense import Fc
from ..compiler.training.losses import Target
from .facts.anatomy import Anatomy
from .facts.linear import OneMap, chains
from .formula import Call, Equation, Formula, Name, Number, Sum, Writer, walk
from .render.mathematics import unicode

WIDTH = 80
"""Columns that a nested line may take."""

LONGEST = 24
"""Operators that may stand in one another; a net of more is no nested line."""

TRUTH: Mapping[Target, str] = MappingProxyType(
    {
        "labels": "true label",
        "answers": "true answers",
        "values": "true values",
        "shares": "true shares",
    }
)
"""What `y` stands for."""

WRITER = Writer()


@dataclass(frozen=True)
class Line:
    """The equation of a value, its shape, and the layers that make it."""

    equation: Equation
    shape: tuple[int, ...]
    layer: str


@dataclass(frozen=True)
class Quantity:
    """A symbol that is no layer's value: an input, a weight, a running statistic.

    Attributes
    ----------
    name: as the net calls it: `fc1.weight`. layer: the one that it belongs to.
    note: what the equation leaves out of its operator: `s = 2, p = 1`.
    """

    symbol: Name
    shape: tuple[int, ...]
    name: str
    layer: str
    note: str = ""


@dataclass(frozen=True)
class Collapse:
    """Layers that are one affine map, and for matrices what the one matrix and bias would be."""

    chain: OneMap
    equations: tuple[Equation, ...]

    @property
    def says(self) -> str:
        """`fc1, fc2 are one affine map: fc3 with 18 parameters instead of 39`."""
        names = ", ".join(node.name for node in self.chain.layers)
        if self.chain.equals is None:
            return f"{names} are one affine map"
        edges = "" if self.chain.exact else " but for the edges"
        return f"{names} are one affine map{edges}: {self.chain.equals} {self.chain.told}"


@dataclass(frozen=True)
class Equations:
    """A net's equations, what the words in them mean, and what their symbols stand for.

    Attributes
    ----------
    meanings: for every operator that needs words, what they say; symbols are local to each.
    collapses: layers that are one affine map. loss: what is trained for, where it is written.
    """

    lines: tuple[Line, ...]
    meanings: tuple[tuple[Equation, ...], ...]
    quantities: tuple[Quantity, ...]
    collapses: tuple[Collapse, ...]
    loss: Equation | None


def equations(graph: Graph) -> Equations:
    """Every value of a net, from its inputs to its outputs."""
    written = Written(graph)
    return Equations(
        written.lines, written.meanings, written.quantities, written.collapses, written.loss
    )


@dataclass(frozen=True, eq=False)
class Written:
    """A net and the symbols it is written in."""

    graph: Graph

    @cached_property
    def symbols(self) -> Mapping[str, Name]:
        """By the full name of a weight or statistic; without a number where one node has such."""
        families: dict[str, list[dict[str, Name]]] = {}
        known: set[str] = set()
        for node in self.graph.nodes:
            kept = {node.keeper(weight): letter(node, weight) for weight in stored(node)}
            fresh = {name: symbol for name, symbol in kept.items() if name not in known}
            if fresh:
                families.setdefault("".join(node.op.letters[node.weights[0].name]), []).append(
                    fresh
                )
                known.update(fresh)
        return {
            name: symbol.numbered(str(number)) if len(nodes) > 1 else symbol
            for nodes in families.values()
            for number, fresh in enumerate(nodes, start=1)
            for name, symbol in fresh.items()
        }

    @cached_property
    def inputs(self) -> Mapping[str, Name]:
        """`x`, or `x₁`, `x₂`."""
        return _numbered("x", [node.name for node in self.graph.inputs])

    @cached_property
    def outputs(self) -> Mapping[str, Name]:
        """`s`, or `s₁`, `s₂`: the course's scores."""
        return _numbered("s", list(dict.fromkeys(self.graph.outputs.values())))

    @cached_property
    def reads(self) -> Counter[str]:
        return Counter(name for node in self.graph.nodes for name in node.inputs)

    def terms(self, node: Node, x: tuple[Formula, ...]) -> Terms:
        weights = {weight.name: self.symbols[node.keeper(weight)] for weight in stored(node)}
        index = next((symbol.index for symbol in weights.values()), "")
        return Terms(x, node.arrivals, weights, index)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        if self._chain():
            (line,) = self._told(lambda _: True)
            if len(plainly(line.equation)) <= WIDTH:
                return (line,)
        layers = {name: node.layer for node in self.graph.nodes for name in node.inputs}
        return self._told(lambda node: layers[node.name] == node.layer)

    def _chain(self) -> bool:
        """Whether the net is one line of operators, short enough to nest."""
        nodes = self.graph.nodes
        alone = len(self.graph.inputs) == len(self.graph.outputs) == 1
        once = all(self.reads[node.name] == 1 for node in nodes if node.name not in self.outputs)
        return alone and once and len(nodes) < LONGEST

    def _told(self, nests: Callable[[Node], bool]) -> tuple[Line, ...]:
        """An equation for every value but those that stand in their one reader's."""
        values: dict[str, Formula] = dict(self.inputs)
        lines: list[Line] = []
        deep = dict.fromkeys(values, 0)
        hidden = 0
        for node in self.graph.nodes:
            right = values.get(node.name)
            if right is None:
                x = tuple(values[name] for name in node.inputs)
                right = node.op.equation(WRITER, self.terms(node, x))
            elif node.name not in self.outputs:
                continue
            deep[node.name] = 1 + max((deep[name] for name in node.inputs), default=0)
            if node.name in self.outputs:
                values[node.name] = left = self.outputs[node.name]
            elif self.reads[node.name] == 1 and deep[node.name] < LONGEST and nests(node):
                values[node.name] = right
                continue
            else:
                hidden += 1
                values[node.name] = left = Name("h", str(hidden))
            deep[node.name] = 0
            lines.append(Line(Equation(left, right), node.value.shape, node.layer))
        return tuple(lines)

    @cached_property
    def meanings(self) -> tuple[tuple[Equation, ...], ...]:
        found: dict[tuple[Equation, ...], None] = {}
        for node in self.graph.nodes:
            said = () if node.is_input else node.op.meaning(WRITER, general(node))
            found.update({said: None} if said else {})
        loss = self.graph.training.loss
        if loss and (said := loss.meaning(WRITER)):
            found[said] = None
        return tuple(found)

    @cached_property
    def loss(self) -> Equation | None:
        """The mean over the examples, and what decays: half of l2 times its squares, l1 times its
        absolute values."""
        training, output = self.graph.training, self.graph.output
        if training.loss is None:
            return None
        s, y = self.outputs[output.name], Name("y")
        one = training.loss.equation(WRITER, s, y, output.value)
        whole = WRITER.over("mean", "examples", one)
        if training.l2:
            squares = WRITER.over("sum", "W", WRITER.power(Name("W"), 2.0))
            whole = whole + Number(training.l2 / 2.0) * squares
        if training.l1:
            absolute = WRITER.over("sum", "W", WRITER.abs(Name("W")))
            whole = whole + Number(training.l1) * absolute
        says = "W: every number of a matrix or a kernel" if training.l2 or training.l1 else ""
        return Equation(Name("L"), whole, says)

    @cached_property
    def collapses(self) -> tuple[Collapse, ...]:
        """Chains of two layers of neurons or more."""
        found = (chain for chain in chains(Anatomy(self.graph)) if len(chain.layers) > 1)
        return tuple(Collapse(chain, self._product(chain)) for chain in found)

    def _product(self, chain: OneMap) -> tuple[Equation, ...]:
        """`W = W₂ W₁` and `b = W₂ b₁ + b₂`, where vectors meet nothing but matrices."""
        if any(not isinstance(node.op, Fc) or node.arrivals[0].rank > 1 for node in chain.nodes):
            return ()
        matrix: Formula | None = None
        bias: Formula | None = None
        for node in chain.nodes:
            weights = self.terms(node, ()).weights
            w, b = weights["weight"], weights.get("bias")
            carried = None if bias is None else spread(w, bias)
            bias = b if carried is None else carried if b is None else carried + b
            matrix = w if matrix is None else w @ matrix
        told = (("W", matrix), ("b", bias))
        return tuple(Equation(Name(word), right) for word, right in told if right is not None)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """In the order in which the net takes them."""
        known: set[str] = set()
        found: list[Quantity] = []
        for node in self.graph.nodes:
            if node.is_input:
                found.append(Quantity(self.inputs[node.name], node.value.shape, "input", ""))
            for weight in stored(node):
                name = node.keeper(weight)
                if name not in known:
                    note = "" if known & {node.keeper(w) for w in stored(node)} else unsaid(node)
                    symbol = self.symbols[name]
                    found.append(Quantity(symbol, weight.shape, name, node.layer, note))
                    known.add(name)
        loss, output = self.graph.training.loss, self.graph.output.value
        if loss:
            name = TRUTH[loss.target]
            found.append(Quantity(Name("y"), loss.truth(output), name, ""))
        return tuple(found)


def spread(matrix: Formula, whole: Formula) -> Formula:
    """The matrix times every term: `W₃ W₂ b₁ + W₃ b₂`."""
    terms = whole.terms if isinstance(whole, Sum) else (whole,)
    return reduce(add, (matrix @ term for term in terms))


def plainly(equation: Equation) -> str:
    """`left = right`; the left side alone where words say the rest."""
    right = "" if equation.right is None else f" = {unicode(equation.right)}"
    return unicode(equation.left) + right


def stored(node: Node) -> tuple[Weight, ...]:
    """Weights and running statistics."""
    return (*node.weights, *node.state)


def letter(node: Node, weight: Weight) -> Name:
    """How equations call a weight, without a number."""
    return Name(node.op.letters[weight.name][0], over=node.op.letters[weight.name][1])


def general(node: Node) -> Terms:
    """The terms of an operator's meaning: some input, and its weights without numbers."""
    names = "x" if len(node.inputs) == 1 else "abcdefgh"
    x = tuple(
        Name(names[i]) if i < len(names) else Name("h", f"{i}") for i in range(len(node.inputs))
    )
    return Terms(x, node.arrivals, {w.name: letter(node, w) for w in stored(node)})


def unsaid(node: Node) -> str:
    """The settings that stand nowhere in the operator's equation."""
    whole = node.op.equation(WRITER, general(node))
    if any(isinstance(part, Call) and part.settings for part in walk(whole)):
        return ""
    return ", ".join(node.op.settings(*node.arrivals))


def _numbered(word: str, names: list[str]) -> dict[str, Name]:
    if len(names) == 1:
        return {names[0]: Name(word)}
    return {name: Name(word, f"{number}") for number, name in enumerate(names, start=1)}
