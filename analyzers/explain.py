"""Where each number comes from, in the course's own formulas, with the numbers filled in."""

from __future__ import annotations

from collections.abc import Mapping

from ..compiler.errors import UnknownLayer
from ..compiler.graph import Graph, Layer, Node
from ..compiler.op import Trait
from ..compiler.shapes import Value
from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from .facts import parameters
from .facts.receptive_field import View, receptive_fields
from .facts.roles import roles
from .facts.signal import Travel, signal
from .report import Model, Shape, spelled, written


class Line(Model):
    """One fact and its derivation."""

    fact: str
    derivation: str


class Explanation(Model):
    """One layer, explained."""

    name: str
    written: str
    spelled: str
    role: str
    input: Shape
    output: Shape
    says: str
    lines: list[Line]
    source: str


def explain(graph: Graph, layer: str | None = None) -> list[Explanation]:
    """Every layer, or the one of that name; raises SpecError when there is none."""
    role, views, travels = roles(graph).role, receptive_fields(graph), signal(graph)
    chosen = [found for found in graph.layers if layer in (None, found.name, *_inner(found))]
    if not chosen:
        names = [found.name for found in graph.layers]
        near = nearest(layer or "", names)
        raise SpecError([UnknownLayer(None, layer or "", near, tuple(names))])
    return [_explained(found, role[found.name], views, travels) for found in chosen]


def _inner(layer: Layer) -> tuple[str, ...]:
    return tuple(node.name for node in layer.nodes)


def _explained(
    layer: Layer, role: str, views: Mapping[str, View], travels: Mapping[str, Travel]
) -> Explanation:
    head = layer.head
    return Explanation(
        name=layer.name,
        written=written(layer),
        spelled=spelled(layer),
        role=role,
        input=list(head.arrivals[0].shape),
        output=list(layer.value.shape),
        says=" ".join((type(head.op).__doc__ or "").split("\n\n")[0].split()),
        lines=[
            *(line for node in layer.nodes for line in _lines(node)),
            *_seen(layer, views[layer.nodes[-1].name]),
            *_start(layer, travels),
            *_total(layer),
        ],
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


def _seen(layer: Layer, view: View) -> list[Line]:
    """What one number of a map sees of the input, and how far the next one's view is shifted."""
    if view is None or layer.head.is_input:
        return []
    size, stride = (
        "x".join(f"{number:g}" for number in numbers)
        for numbers in ([field.size for field in view], [field.stride for field in view])
    )
    return [Line(fact="receptive field", derivation=f"{size} of the input, a step of {stride}")]


def _start(layer: Layer, travels: Mapping[str, Travel]) -> list[Line]:
    """How the signal and the gradient pass the layer before any training, as far as is known."""
    last = travels[layer.nodes[-1].name]
    before = [travels[name].variance for name in layer.head.inputs]
    told = []
    if last.variance is not None:
        arrives = f"{before[0]:.2g} in, " if len(before) == 1 and before[0] is not None else ""
        told.append(f"variance {arrives}{last.variance:.2g} out")
    if last.zeros is not None and last.zeros >= 0.01:
        told.append(f"{last.zeros:.0%} of the activations 0")
    if last.dead is not None and last.dead >= 0.01:
        told.append(f"{last.dead:.0%} of the units dead")
    if last.gradient is not None and last.gradient != 1:
        told.append(f"gradient² {last.gradient:.2g} of the output's")
    return [Line(fact="at the start", derivation="; ".join(told))] if told else []


def _total(layer: Layer) -> list[Line]:
    count = parameters.of_layer(layer)
    return [Line(fact="parameters", derivation=count.formula)] if count.value else []
