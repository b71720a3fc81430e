"""Where each number comes from, in the course's own formulas, with the numbers filled in."""

from __future__ import annotations

from ..compiler.errors import UnknownLayer
from ..compiler.graph import Graph, Layer, Node
from ..compiler.op import Trait
from ..compiler.shapes import Value
from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from .facts import parameters
from .facts.roles import roles
from .report import Model, Shape, written


class Line(Model):
    """One fact and its derivation."""

    fact: str
    derivation: str


class Explanation(Model):
    """One layer, explained."""

    name: str
    written: str
    role: str
    input: Shape
    output: Shape
    says: str
    lines: list[Line]
    source: str


def explain(graph: Graph, layer: str | None = None) -> list[Explanation]:
    """Every layer, or the one of that name; raises SpecError when there is none."""
    role = roles(graph).role
    chosen = [found for found in graph.layers if layer in (None, found.name, *_inner(found))]
    if not chosen:
        names = [found.name for found in graph.layers]
        near = nearest(layer or "", names)
        raise SpecError([UnknownLayer(None, layer or "", near, tuple(names))])
    return [_explained(found, role[found.name]) for found in chosen]


def _inner(layer: Layer) -> tuple[str, ...]:
    return tuple(node.name for node in layer.nodes)


def _explained(layer: Layer, role: str) -> Explanation:
    head = layer.head
    return Explanation(
        name=layer.name,
        written=written(layer),
        role=role,
        input=list(head.arrivals[0].shape),
        output=list(layer.value.shape),
        says=" ".join((type(head.op).__doc__ or "").split("\n\n")[0].split()),
        lines=[line for node in layer.nodes for line in _lines(node)] + _total(layer),
        source=head.op.source,
    )


def _lines(node: Node) -> list[Line]:
    lines = []
    axes = (
        ("length",)
        if node.value.rank == 2
        else ("depth", "height", "width")[-node.value.rank + 1 :]
    )
    for axis, derivation in zip(axes, node.applied.derivation, strict=False):
        lines.append(Line(fact=f"output {axis}", derivation=f"{node.op.sizing} = {derivation}"))
    if Trait.NEURONS in node.op.traits:
        lines.append(Line(fact="neurons", derivation=_neurons(node.value)))
    for weight in node.own:
        shape = "x".join(map(str, weight.shape))
        derivation = (
            f"{weight.formula} = {weight.size:,}" if "·" in weight.formula else f"{weight.size:,}"
        )
        lines.append(Line(fact=f"{node.name}.{weight.name} [{shape}]", derivation=derivation))
    lines += [
        Line(fact=f"{node.name}.{name}", derivation=f"{keeper}, counted there")
        for name, keeper in node.lent.items()
    ]
    if node.macs:
        formula = node.applied.macs_formula
        lines.append(Line(fact="multiply-adds", derivation=f"{formula} = {node.macs:,}"))
    return lines


def _neurons(value: Value) -> str:
    if value.rank == 1:
        return f"{value.size:,}"
    return f"{'·'.join(map(str, value.shape))} = {value.size:,}"


def _total(layer: Layer) -> list[Line]:
    count = parameters.of_layer(layer)
    return [Line(fact="parameters", derivation=count.formula)] if count.value else []
