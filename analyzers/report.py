"""The report on a net: what `nnspec summary --format json` prints, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, computed_field

from ..compiler.errors import BadSetting
from ..compiler.graph import BlockUse, Graph, Layer, Node
from ..compiler.op import Trait
from ..compiler.plan.build import Memory
from ..compiler.plan.schedule import Schedule
from ..grammar.diagnostics import SpecError
from .facts import cost, memory, parameters
from .facts.receptive_field import View, receptive_fields
from .facts.roles import DEPTH, NEURONS, Roles, roles
from .facts.unseen import unseen
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
    spelled: str = Field(description="the same with every number filled in")
    role: str = Field(description="hidden, output, or empty for a layer without neurons")
    input: Shape
    output: Shape
    params: int
    trainable: int = Field(description="of these, those that are not frozen")
    macs: int
    formula: str = Field(description="how the parameters add up: 3·4 + 4 = 16")
    shares: str = Field(description="the node whose weights it uses, or empty")
    output_formula: list[str] = Field(
        description="the output size along each axis: (32 + 2·1 − 3)/1 + 1 = 32"
    )
    macs_formula: str
    activations: int = Field(description="numbers that the layer puts out for one example")
    receptive_field: list[int] = Field(
        description="what one number sees of the input along each spatial axis; empty for all of it"
    )
    block: str = Field(description="the innermost block that it stands in, or empty")
    weights: list[WeightRow]
    operators: list[OperatorRow]


class BlockRow(Model):
    """One use of a block, with all that is in it."""

    name: str
    kind: str = Field(description="the block's own name")
    spelled: str = Field(description="the use with every number filled in")
    parent: str = Field(description="the block that it stands in, or empty")
    layers: int
    output: Shape
    params: int
    macs: int


class KindRow(Model):
    """All uses of one operator."""

    op: str
    uses: int
    params: int
    macs: int


class MemoryParts(Model):
    """Bytes by what they hold."""

    batch: int
    parameters: int
    gradients: int
    optimizer: int
    state: int = Field(description="running statistics")
    arena: int = Field(description="values, their gradients, scratch: memory shared by lifetime")
    augmentation: int = Field(description="what varying the batches takes")
    total: int


class MemoryRow(Model):
    """Bytes."""

    inference: int
    training: int
    inference_parts: MemoryParts
    training_parts: MemoryParts


class CostRow(Model):
    """What one layer does in a training step over the whole batch."""

    layer: str
    flops: int = Field(description="of forward")
    flops_back: int
    bytes: int = Field(description="read and written by forward")
    bytes_back: int
    intensity: float = Field(description="operations a byte, both ways together")


class MomentRow(Model):
    """One step of a training step, and the bytes of activations in use while it runs."""

    phase: str
    node: str
    bytes: int


class Report(Model):
    """Everything counted of a net. Shapes leave out the batch axis."""

    title: str = Field(description="what the field calls the net")
    params: int
    trainable: int = Field(description="of these, those that are not frozen")
    statistics: int = Field(description="numbers that are kept but not learned: running statistics")
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
    blocks: list[BlockRow]
    kinds: list[KindRow]
    conventions: dict[str, str] = Field(description="what each number counts")
    source: str
    documentation: str
    _graph: Graph = PrivateAttr()
    _batch: int | None = PrivateAttr()

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def memory(self) -> MemoryRow:
        """Bytes of inference and of a training step, from a plan of either: made when it is asked
        for, since that takes longer than all the rest."""
        inference, training = (
            _parts(memory.of_schedule(self._graph, plan), plan.batch)
            for plan in (memory.planned(self._graph, "infer", self._batch), self._training)
        )
        return MemoryRow(
            inference=inference.total,
            training=training.total,
            inference_parts=inference,
            training_parts=training,
        )

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def cost(self) -> list[CostRow]:
        """Operations and bytes of a training step, layer by layer."""
        found = cost.of_schedule(self._graph, self._training)
        return [
            CostRow(
                layer=name,
                flops=one.forward.flops,
                flops_back=one.backward.flops,
                bytes=one.forward.bytes,
                bytes_back=one.backward.bytes,
                intensity=(one.forward + one.backward).intensity,
            )
            for name, one in found.items()
        ]

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def timeline(self) -> list[MomentRow]:
        """The arena's bytes in use, step by step through a training step."""
        return [
            MomentRow(phase=moment.phase.name.lower(), node=moment.node, bytes=moment.bytes)
            for moment in memory.over_time(self._training)
        ]

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def unseen(self) -> dict[str, list[list[int]]]:
        """By input, the indices along each spatial axis that no output depends on."""
        found = unseen(self._graph)
        return {name: [list(axis) for axis in axes] for name, axes in found.items()}

    @cached_property
    def _training(self) -> Schedule:
        return memory.planned(self._graph, "train", self._batch)

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
    "cost": cost.MOVED,
    "neurons": NEURONS,
    "depth": DEPTH,
    "memory": memory.CONVENTION,
}


def report(graph: Graph, batch: int | None = None) -> Report:
    """Count everything; memory and cost at a batch size: where None is given, of one example for
    inference and of the spec's own batch for training. Raises SpecError for a batch that is none."""
    facts, views = roles(graph), receptive_fields(graph)
    params = parameters.of_net(graph)
    macs = cost.of_net(graph)
    if batch is not None and (not isinstance(batch, int) or batch < 1):
        problem = f"cannot be {batch!r}"
        raise SpecError([BadSetting(None, "batch", problem, "a whole number from 1")])
    rows = [_layer(layer, facts, views) for layer in graph.layers]
    found = Report(
        title=facts.title,
        params=params.value,
        trainable=parameters.trainable(graph).value,
        statistics=parameters.statistics(graph),
        macs=macs,
        flops=2 * macs,
        neurons=facts.neurons,
        depth=facts.depth,
        input=list(graph.inputs[0].value.shape),
        output=list(graph.output.value.shape),
        inputs={node.name: list(node.value.shape) for node in graph.inputs},
        outputs={label: list(graph[name].value.shape) for label, name in graph.outputs.items()},
        params_formula=params.formula,
        layers=rows,
        blocks=_blocks(graph, rows),
        kinds=_kinds(graph),
        conventions=CONVENTIONS,
        source=graph.source.name,
        documentation=graph.documentation,
    )
    found._graph, found._batch = graph, batch
    return found


def _parts(found: Memory, batch: int) -> MemoryParts:
    return MemoryParts(
        batch=batch,
        parameters=found.parameters,
        gradients=found.gradients,
        optimizer=found.optimizer,
        state=found.state,
        arena=found.arena,
        augmentation=found.augmentation,
        total=found.total,
    )


def _blocks(graph: Graph, rows: Sequence[LayerRow]) -> list[BlockRow]:
    """In the order in which they begin."""
    inside: dict[str, list[LayerRow]] = {}
    uses: dict[str, tuple[BlockUse, str]] = {}
    for layer, row in zip(graph.layers, rows, strict=True):
        parent = ""
        for use in layer.blocks:
            uses.setdefault(use.name, (use, parent))
            inside.setdefault(use.name, []).append(row)
            parent = use.name
    return [
        BlockRow(
            name=name,
            kind=use.kind,
            spelled=use.spelled,
            parent=parent,
            layers=len(inside[name]),
            output=inside[name][-1].output,
            params=sum(row.params for row in inside[name]),
            macs=sum(row.macs for row in inside[name]),
        )
        for name, (use, parent) in uses.items()
    ]


def _kinds(graph: Graph) -> list[KindRow]:
    """The most parameters first, then the most multiply-adds."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if not node.is_input:
            found.setdefault(node.op.name, []).append(node)
    rows = [
        KindRow(
            op=op,
            uses=len(nodes),
            params=sum(node.params for node in nodes),
            macs=sum(node.macs for node in nodes),
        )
        for op, nodes in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.params, -row.macs, -row.uses))


def _layer(layer: Layer, facts: Roles, views: Mapping[str, View]) -> LayerRow:
    head = layer.head
    count = parameters.of_layer(layer)
    return LayerRow(
        name=layer.name,
        op=head.op.name,
        written=written(layer),
        spelled=spelled(layer),
        role=facts.role[layer.name],
        input=list(head.arrivals[0].shape),
        output=list(layer.value.shape),
        params=count.value,
        trainable=sum(node.trainable for node in layer.nodes),
        macs=cost.of_layer(layer),
        formula=count.formula,
        shares=_keeper(layer),
        output_formula=list(head.applied.derivation),
        macs_formula=head.applied.macs_formula,
        activations=layer.value.size,
        receptive_field=[field.size for field in views[layer.nodes[-1].name] or ()],
        block=layer.blocks[-1].name if layer.blocks else "",
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


def spelled(layer: Layer) -> str:
    """The layer's operators with every number filled in, a merge without its branches."""
    return " ".join(_spelled(node) for node in layer.nodes)


def _spelled(node: Node) -> str:
    text = node.spelled + ("[…]" if Trait.MERGES in node.op.traits else "")
    tied = node.lent.get("weight", "") if "tie" in node.span.text else ""
    return f"{text} tie=@{tied.rpartition('.')[0]}" if tied else text


def written(layer: Layer) -> str:
    """The layer's operators as the text has them, a merge without its branches."""
    words = []
    for node in layer.nodes:
        text = " ".join(node.span.text.split())
        words.append(text.partition("[")[0].strip() + "[…]" if "[" in text else text)
    return " ".join(words)
