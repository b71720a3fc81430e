"""The report on a net: what `nnspec summary --format json` prints, and its JSON Schema."""

from __future__ import annotations

from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, computed_field

from ..compiler.graph import Graph, Layer, Node
from .facts import cost, memory, parameters
from .facts.roles import DEPTH, NEURONS, Roles, roles
from .render.markdown import summary as summary_in_markdown
from .render.notebook import summary as summary_in_html
from .render.text import summary

Shape = list[int]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightRow(Model):
    """One learned array."""

    name: str = Field(description="as in net.weights: fc1.weight")
    shape: Shape
    params: int
    formula: str = Field(description="3·4")


class OperatorRow(Model):
    """One operator of a layer."""

    name: str
    op: str
    output: Shape
    params: int
    macs: int


class LayerRow(Model):
    """One layer: an operator, and the norm, activation and noise that hang on it."""

    name: str
    op: str = Field(description="the operator that gives the layer its name")
    written: str = Field(description="the layer as the spec writes it")
    role: str = Field(description="hidden, output, or empty for a layer without neurons")
    input: Shape
    output: Shape
    params: int
    macs: int
    formula: str = Field(description="how the parameters add up: 3·4 + 4 = 16")
    shares: str = Field(description="the node whose weights it uses, or empty")
    output_formula: list[str] = Field(
        description="the output size along each axis: (32 + 2·1 − 3)/1 + 1 = 32"
    )
    macs_formula: str
    activations: int = Field(description="numbers that the layer puts out for one example")
    weights: list[WeightRow]
    operators: list[OperatorRow]


class MemoryRow(Model):
    """Bytes."""

    inference: int
    training: int


class Report(Model):
    """Everything counted of a net. Shapes leave out the batch axis."""

    title: str = Field(description="what the field calls the net")
    params: int
    trainable: int
    macs: int
    flops: int
    neurons: int
    depth: int
    input: Shape = Field(description="of the first input")
    output: Shape = Field(description="of the main output")
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    params_formula: str
    layers: list[LayerRow]
    conventions: dict[str, str] = Field(description="what each number counts")
    source: str
    documentation: str
    _graph: Graph = PrivateAttr()

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def memory(self) -> MemoryRow:
        """Bytes of inference and of a training step, from a plan of either: made when it is asked
        for, since that takes longer than all the rest."""
        return MemoryRow(
            inference=memory.of_inference(self._graph), training=memory.of_training(self._graph)
        )

    @computed_field(description="SHA-256 of what decides which weights fit")  # type: ignore[prop-decorator]
    @property
    def digest(self) -> str:
        return self._graph.digest

    def __str__(self) -> str:
        return summary(self, width=100)

    def _repr_html_(self) -> str:
        return summary_in_html(self)

    def _repr_markdown_(self) -> str:
        return summary_in_markdown(self)


CONVENTIONS = {
    "params": parameters.CONVENTION,
    "macs": cost.CONVENTION,
    "neurons": NEURONS,
    "depth": DEPTH,
    "memory": memory.CONVENTION,
}


def report(graph: Graph) -> Report:
    """Count everything."""
    facts = roles(graph)
    params = parameters.of_net(graph)
    macs = cost.of_net(graph)
    found = Report(
        title=facts.title,
        params=params.value,
        trainable=params.value,
        macs=macs,
        flops=2 * macs,
        neurons=facts.neurons,
        depth=facts.depth,
        input=list(graph.inputs[0].value.shape),
        output=list(graph.output.value.shape),
        inputs={node.name: list(node.value.shape) for node in graph.inputs},
        outputs={label: list(graph[name].value.shape) for label, name in graph.outputs.items()},
        params_formula=params.formula,
        layers=[_layer(layer, facts) for layer in graph.layers],
        conventions=CONVENTIONS,
        source=graph.source.name,
        documentation=graph.documentation,
    )
    found._graph = graph
    return found


def _layer(layer: Layer, facts: Roles) -> LayerRow:
    head = layer.head
    count = parameters.of_layer(layer)
    return LayerRow(
        name=layer.name,
        op=head.op.name,
        written=written(layer),
        role=facts.role[layer.name],
        input=list(head.arrivals[0].shape),
        output=list(layer.value.shape),
        params=count.value,
        macs=cost.of_layer(layer),
        formula=count.formula,
        shares=_keeper(layer),
        output_formula=list(head.applied.derivation),
        macs_formula=head.applied.macs_formula,
        activations=layer.value.size,
        weights=[
            WeightRow(
                name=f"{node.name}.{weight.name}",
                shape=list(weight.shape),
                params=weight.size,
                formula=weight.formula,
            )
            for node in layer.nodes
            for weight in node.own
        ],
        operators=[_operator(node) for node in layer.nodes],
    )


def _keeper(layer: Layer) -> str:
    """The first node that weights of the layer are kept for, where they are another's."""
    lent = (name for node in layer.nodes for name in node.lent.values())
    return next((name.rpartition(".")[0] for name in lent), "")


def _operator(node: Node) -> OperatorRow:
    return OperatorRow(
        name=node.name,
        op=node.op.name,
        output=list(node.value.shape),
        params=node.params,
        macs=node.macs,
    )


def written(layer: Layer) -> str:
    """The layer's operators as the text has them, a merge without its branches."""
    words = []
    for node in layer.nodes:
        text = " ".join(node.span.text.split())
        words.append(text.partition("[")[0].strip() + "[…]" if "[" in text else text)
    return " ".join(words)
