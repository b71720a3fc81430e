"""Which kernel runs when: forward, loss, backward, each array written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..graph import Graph, Node
from ..op import DType, Needed, Needs, Trait
from ..training.losses import Loss
from .layout import laid_out
from .schedule import Array, Kind, Mode, Phase, Step


@dataclass
class Order:
    """Steps and arrays of one pass, before any array has a place."""

    graph: Graph
    batch: int
    mode: Mode
    arrays: list[Array] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    views: list[tuple[int, int]] = field(default_factory=list)
    """(array, array that it is a view of)."""
    values: dict[str, int] = field(default_factory=dict)
    saved: dict[str, dict[str, int]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    """Weights, by full name, whose gradient has been written: a further use of them adds to it."""
    target: int | None = None
    loss_value: int | None = None

    def array(self, shape: Iterable[int], dtype: DType, kind: Kind) -> int:
        self.arrays.append(Array(len(self.arrays), tuple(shape), dtype, kind))
        return len(self.arrays) - 1

    def needed(self, wanted: Mapping[str, Needed], kind: Kind) -> dict[str, int]:
        return {name: self.array(n.shape, n.dtype, kind) for name, n in wanted.items()}


def order(graph: Graph, batch: int, mode: Mode, loss: Loss | None) -> Order:
    """The steps of inference, or of a training step up to every weight's gradient."""
    graph = laid_out(graph)
    plan = Order(graph, batch, mode)
    nodes = graph.nodes if loss is None else _leading_to(graph, graph.output.name)
    for node in nodes:
        _forward(plan, node)
    if loss is not None:
        gradient = _loss(plan, loss)
        _backward(plan, nodes, gradient)
    return plan


def _leading_to(graph: Graph, name: str) -> tuple[Node, ...]:
    """The nodes that the named one depends on, itself included, in order."""
    wanted = {name}
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
    return tuple(node for node in graph.nodes if node.name in wanted)


def _passes_through(node: Node, mode: Mode) -> bool:
    """Whether the node's output is its input's memory: views, and noise at inference."""
    traits = node.op.traits
    return Trait.VIEW in traits or (mode == "infer" and Trait.RANDOM in traits)


def _learned(plan: Order, node: Node) -> tuple[str, ...]:
    """The weights of a node that are not frozen, by their names there."""
    return tuple(w.name for w in node.weights if node.keeper(w) not in plan.graph.frozen)


def _needs(plan: Order, node: Node) -> Needs:
    if plan.mode == "train" and node.weights and not _learned(plan, node):
        return node.applied.needs_frozen(plan.batch)
    return node.applied.needs(plan.batch)


def _forward(plan: Order, node: Node) -> None:
    shape = (plan.batch, *node.value.shape)
    dtype: DType = "int64" if node.value.integer else "float"
    if node.is_input:
        plan.values[node.name] = plan.array(shape, dtype, Kind.INPUT)
        return
    inputs = tuple(plan.values[name] for name in node.inputs)
    out = plan.values[node.name] = plan.array(shape, dtype, Kind.VALUE)
    if _passes_through(node, plan.mode):
        plan.views.append((out, inputs[0]))
        return
    needs = _needs(plan, node)
    saved = plan.needed(needs.saved, Kind.SAVED) if plan.mode == "train" else {}
    plan.saved[node.name] = saved
    plan.steps.append(
        Step(
            Phase.FORWARD,
            node,
            needs.algorithm,
            inputs=inputs,
            output=out,
            saved=saved,
            scratch=plan.needed(needs.scratch_in(plan.mode), Kind.SCRATCH),
            overwrites=(out, inputs[0]) if needs.overwrites else None,
        )
    )


def _loss(plan: Order, loss: Loss) -> int:
    """Compare the scores with the truth; returns the array of the scores' gradient."""
    node = plan.graph.output
    scores = plan.values[node.name]
    shape = plan.arrays[scores].shape
    truth = (plan.batch, *loss.truth(node.value))
    dtype: DType = "int64" if loss.target == "labels" else "float"
    plan.target = plan.array(truth, dtype, Kind.TARGET)
    plan.loss_value = plan.array((), "float", Kind.LOSS)
    gradient = plan.array(shape, "float", Kind.GRADIENT)
    plan.steps.append(
        Step(
            Phase.LOSS,
            node,
            inputs=(scores, plan.target),
            output=plan.loss_value,
            scratch=plan.needed(loss.scratch(plan.batch, node.value), Kind.SCRATCH),
            d_output=gradient,
        )
    )
    return gradient


def _backward(plan: Order, nodes: tuple[Node, ...], gradient: int) -> None:
    learns: set[str] = set()
    for node in nodes:
        if _learned(plan, node) or learns.intersection(node.inputs):
            learns.add(node.name)
    arriving: dict[str, list[int]] = {plan.graph.output.name: [gradient]}
    for node in reversed(nodes):
        if node.name in learns:
            d_output = _sum(plan, arriving.pop(node.name))
            for name, part in _backward_of(plan, node, d_output, learns):
                arriving.setdefault(name, []).append(part)


def _sum(plan: Order, parts: list[int]) -> int:
    """One gradient from those of every reader, added in a fixed order."""
    whole = parts[0]
    for part in parts[1:]:
        both = plan.array(plan.arrays[whole].shape, "float", Kind.GRADIENT)
        plan.steps.append(
            Step(Phase.ACCUMULATE, inputs=(whole, part), output=both, overwrites=(both, whole))
        )
        whole = both
    return whole


def _backward_of(plan: Order, node: Node, d_output: int, learns: set[str]) -> list[tuple[str, int]]:
    """Add the backward step of a node; returns its inputs' names with their gradients' arrays."""
    d_inputs = tuple(
        plan.array((plan.batch, *value.shape), "float", Kind.GRADIENT) if name in learns else None
        for name, value in zip(node.inputs, node.arrivals, strict=True)
    )
    made = [(n, d) for n, d in zip(node.inputs, d_inputs, strict=True) if d is not None]
    if _passes_through(node, plan.mode):
        plan.views.extend((d, d_output) for _, d in made)
        return made
    needs = _needs(plan, node)
    plan.steps.append(_backward_step(plan, node, needs, d_output, d_inputs))
    return made


def _backward_step(
    plan: Order, node: Node, needs: Needs, d_output: int, d_inputs: tuple[int | None, ...]
) -> Step:
    reads_x, reads_y = "x" in needs.reads_back, "y" in needs.reads_back
    first = d_inputs[0]
    learned = _learned(plan, node)
    kept = [weight for weight in node.weights if weight.name in learned]
    again = [weight for weight in kept if node.keeper(weight) in plan.begun]
    plan.begun.update(node.keeper(weight) for weight in kept)
    return Step(
        Phase.BACKWARD,
        node,
        needs.algorithm,
        inputs=tuple(plan.values[name] if reads_x else None for name in node.inputs),
        output=plan.values[node.name] if reads_y else None,
        weights=tuple(w.name for w in node.weights if w.name in needs.reads_back),
        saved=plan.saved[node.name],
        scratch=plan.needed(needs.scratch_back, Kind.SCRATCH),
        d_output=d_output,
        d_inputs=d_inputs,
        learned=learned,
        aside={w.name: plan.array(w.shape, "float", Kind.SCRATCH) for w in again},
        overwrites=(first, d_output) if needs.overwrites_back and first is not None else None,
    )
