"""Which kernel runs when: forward, loss, backward, each array written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..graph import Graph, Node
from ..op import DType, Elementwise, Needed, Needs, Trait
from ..training.losses import Loss
from .lanes import firsts
from .layout import Turned, laid_out
from .schedule import EVERY, Array, Kind, Mode, Phase, Step


@dataclass
class Lane:
    """What one thread has: some examples, and arrays of its own for every value of theirs."""

    number: int
    first: int
    examples: int
    values: dict[str, int] = field(default_factory=dict)
    saved: dict[str, dict[str, int]] = field(default_factory=dict)
    arriving: dict[str, list[int]] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    """By the names of those that do the law behind them, the gradient of the law's output."""
    begun: set[str] = field(default_factory=set)
    """Weights, by full name, whose gradient has been written: a further use of them adds to it."""


@dataclass
class Order:
    """Steps and arrays of one pass, before any array has a place."""

    graph: Graph
    batch: int
    mode: Mode
    lanes: tuple[Lane, ...]
    arrays: list[Array] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    views: list[tuple[int, int]] = field(default_factory=list)
    """(array, array that it is a view of, or begins where that does)."""
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    target: int | None = None
    loss_value: int | None = None
    gradients: tuple[int, ...] = ()
    folds: Mapping[str, Node] = field(default_factory=dict)
    """By the names of those whose weights take it in, the operator behind."""
    behind: Mapping[str, Node] = field(default_factory=dict)
    """By the names of those that do it too, the law behind, or in front of one that chooses."""

    @cached_property
    def done(self) -> frozenset[str]:
        """The laws that another operator does."""
        return frozenset(law.name for law in self.behind.values())

    @cached_property
    def chosen(self) -> frozenset[str]:
        """Of these, the laws that who chooses does of what it chose."""
        return frozenset(
            law.name for name, law in self.behind.items() if law.name in self.graph[name].inputs
        )

    @property
    def split(self) -> bool:
        return len(self.lanes) > 1

    def array(
        self,
        shape: Iterable[int],
        dtype: DType,
        kind: Kind,
        lane: int = 0,
        part: tuple[int, int] | None = None,
    ) -> int:
        self.arrays.append(Array(len(self.arrays), tuple(shape), dtype, kind, lane, part))
        return len(self.arrays) - 1

    def needed(self, wanted: Mapping[str, Needed], kind: Kind, lane: int = 0) -> dict[str, int]:
        return {name: self.array(n.shape, n.dtype, kind, lane) for name, n in wanted.items()}

    def whole(self, shape: Iterable[int], dtype: DType, kind: Kind) -> int:
        """An array of the whole batch: of all lanes, where there are several."""
        return self.array(shape, dtype, kind, EVERY if self.split else 0)

    def parts(self, whole: int) -> list[int]:
        """What each lane has of an array of the whole batch: the array itself where it has all."""
        if not self.split:
            return [whole]
        shape, dtype, kind = (a := self.arrays[whole]).shape[1:], a.dtype, a.kind
        return [
            self.array((lane.examples, *shape), dtype, kind, lane.number, (whole, lane.first))
            for lane in self.lanes
        ]


def order(
    graph: Graph,
    batch: int,
    mode: Mode,
    loss: Loss | None,
    counts: tuple[int, ...],
    learned: int,
) -> Order:
    """The steps of inference, or of a training step up to every weight's gradient.

    `counts`: the examples of each lane. `learned`: how many numbers learn.
    """
    graph = laid_out(graph, min(counts) if mode == "train" else 0)
    split = zip(counts, firsts(counts), strict=True)
    plan = Order(
        graph, batch, mode, tuple(Lane(i, first, count) for i, (count, first) in enumerate(split))
    )
    nodes = graph.nodes if loss is None else _leading_to(graph, graph.output.name)
    shown = nodes if plan.split else _shown(graph, nodes)
    readers = _readers(graph)
    if mode == "infer":
        plan.folds = _folds(graph, readers)
    plan.behind = _behind(plan, readers)
    for node in shown:
        _forward(plan, node)
    _gather(plan, {node.name for node in shown}, loss)
    if loss is not None:
        _loss(plan, loss)
        _backward(plan, nodes)
        if plan.split:
            _join(plan, learned)
    return plan


def _leading_to(graph: Graph, name: str) -> tuple[Node, ...]:
    """The nodes that the named one depends on, itself included, in order."""
    wanted = {name}
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
    return tuple(node for node in graph.nodes if node.name in wanted)


def _shown(graph: Graph, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """These, and what shows them with the channels first to who asks the net for them, in order."""
    made, asked = {node.name for node in nodes}, set(graph.outputs.values())
    return tuple(
        node
        for node in graph.nodes
        if node.name in made
        or (isinstance(node.op, Turned) and node.name in asked and node.inputs[0] in made)
    )


def _readers(graph: Graph) -> dict[str, int]:
    """How many read a node's output, who asks the net included."""
    readers: dict[str, int] = dict.fromkeys(graph.outputs.values(), 1)
    for node in graph.nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    return readers


def _behind(plan: Order, readers: Mapping[str, int]) -> dict[str, Node]:
    """Which operators do the law behind them too, stretch by stretch, where nobody else reads theirs;
    in training only where neither needs what the other writes over. Who chooses from what a rising law
    makes chooses first, and does the law of what it chose."""
    found = {}
    choosing = _choosing(plan.graph, readers)

    def lost(first: Node, law: Node) -> bool:
        return plan.mode == "train" and (
            "x" in _needs(plan, law, 1).reads_back or "y" in _needs(plan, first, 1).reads_back
        )

    for node in plan.graph.nodes:
        if not isinstance(node.op, Elementwise) or readers[node.inputs[0]] > 1:
            continue
        if Trait.RISES in node.op.traits and node.name in choosing:
            chooser = plan.graph[choosing[node.name]]
            if not lost(chooser, node):
                found[chooser.name] = node
                continue
        before = plan.graph[node.inputs[0]]
        if before.inputs and plan.folds.get(before.inputs[0]) is before:
            before = plan.graph[before.inputs[0]]
        if Trait.SWEEPS not in before.op.traits:
            continue
        if not lost(before, node):
            found[before.name] = node
    return found


def _choosing(graph: Graph, readers: Mapping[str, int]) -> dict[str, str]:
    """By the name of what they choose from, and nobody else reads, those who choose."""
    return {
        node.inputs[0]: node.name
        for node in graph.nodes
        if Trait.CHOOSES in node.op.traits and readers[node.inputs[0]] == 1
    }


def _folds(graph: Graph, readers: Mapping[str, int]) -> dict[str, Node]:
    """Which operators at inference take in the one behind them, where nobody else reads theirs."""
    return {
        node.inputs[0]: node
        for node in graph.nodes
        if Trait.FOLDS in node.op.traits
        and readers[node.inputs[0]] == 1
        and (before := graph[node.inputs[0]]).op.absorbs(*before.arrivals)
    }


def _passes_through(plan: Order, node: Node) -> bool:
    """Whether the node's output is its input's memory: views, and at inference noise and what is
    folded."""
    traits = node.op.traits
    if Trait.VIEW in traits:
        return True
    return plan.mode == "infer" and (
        Trait.RANDOM in traits or (bool(node.inputs) and plan.folds.get(node.inputs[0]) is node)
    )


def _learned(plan: Order, node: Node) -> tuple[str, ...]:
    """The weights of a node that are not frozen, by their names there."""
    return tuple(w.name for w in node.weights if node.keeper(w) not in plan.graph.frozen)


def _needs(plan: Order, node: Node, examples: int) -> Needs:
    if plan.mode == "train" and node.weights and not _learned(plan, node):
        return node.applied.needs_frozen(examples)
    needs = node.applied.needs(examples)
    # Lanes have parts of one input, side by side.
    return needs.anywhere if plan.split else needs


def _shared(plan: Order, wanted: Mapping[str, Needed]) -> dict[str, int]:
    """A row for each lane, which all read."""
    lanes = len(plan.lanes)
    return {
        name: plan.whole((lanes, *n.shape), n.dtype, Kind.SCRATCH) for name, n in wanted.items()
    }


def _forward(plan: Order, node: Node) -> None:
    dtype: DType = "int64" if node.value.integer else "float"
    if node.is_input:
        whole = plan.whole((plan.batch, *node.value.shape), dtype, Kind.INPUT)
        plan.inputs[node.name] = whole
        for lane, part in zip(plan.lanes, plan.parts(whole), strict=True):
            lane.values[node.name] = part
        return
    if _passes_through(plan, node) or node.name in plan.done:
        for lane in plan.lanes:
            lane.saved[node.name] = {}
            lane.values[node.name] = out = _value(plan, lane, node, dtype)
            plan.views.append((out, lane.values[node.inputs[0]]))
        return
    shared = _shared(plan, _needs(plan, node, 1).shared if plan.mode == "train" else {})
    prepared: dict[tuple[str, Needed], int] = {}
    for lane in plan.lanes:
        plan.steps.append(_forward_step(plan, lane, node, dtype, shared, prepared))


def _value(plan: Order, lane: Lane, node: Node, dtype: DType) -> int:
    return plan.array(node.value.batched(lane.examples), dtype, Kind.VALUE, lane.number)


def _forward_step(
    plan: Order,
    lane: Lane,
    node: Node,
    dtype: DType,
    shared: Mapping[str, int],
    prepared: dict[tuple[str, Needed], int],
) -> Step:
    inputs = tuple(lane.values[name] for name in node.inputs)
    out = lane.values[node.name] = _value(plan, lane, node, dtype)
    needs = _needs(plan, node, lane.examples)
    saved = plan.needed(needs.saved, Kind.SAVED, lane.number) if plan.mode == "train" else {}
    lane.saved[node.name] = saved
    scratch = _scratch(plan, lane, needs, prepared)
    if plan.mode == "infer" and needs.around:
        plan.views.append((inputs[0], scratch[needs.around]))
    behind = plan.behind.get(node.name)
    registers = {} if behind is None else _needs(plan, behind, lane.examples).scratch_in(plan.mode)
    return Step(
        Phase.FORWARD,
        node,
        lane.number,
        lane.examples,
        algorithm=needs.algorithm,
        inputs=inputs,
        output=out,
        saved=saved,
        scratch=scratch,
        folded=plan.folds.get(node.name),
        shared=shared,
        overwrites=((out, inputs[0]),) if needs.overwrites else (),
        behind=behind,
        behind_scratch=plan.needed(registers, Kind.SCRATCH, lane.number),
    )


def _scratch(
    plan: Order, lane: Lane, needs: Needs, prepared: dict[tuple[str, Needed], int]
) -> dict[str, int]:
    """What forward needs for itself; at inference lanes share what is prepared."""
    wanted = needs.scratch_in(plan.mode)
    early = needs.prepared if plan.mode == "infer" else frozenset()
    for name in sorted(early & wanted.keys()):
        if (name, wanted[name]) not in prepared:
            n = wanted[name]
            prepared[name, n] = plan.whole(n.shape, n.dtype, Kind.PREPARED)
    late = {name: n for name, n in wanted.items() if name not in early}
    own = {name: prepared[name, wanted[name]] for name in wanted if name in early}
    return {**plan.needed(late, Kind.SCRATCH, lane.number), **own}


def _gather(plan: Order, made: set[str], loss: Loss | None) -> None:
    """The outputs of the whole batch; while training of a split batch only what the loss sees."""
    for label, name in plan.graph.outputs.items():
        if name not in made or (plan.split and loss is not None and name != plan.graph.output.name):
            continue
        if not plan.split:
            plan.outputs[label] = plan.lanes[0].values[name]
            continue
        node = plan.graph[name]
        dtype: DType = "int64" if node.value.integer else "float"
        whole = plan.whole((plan.batch, *node.value.shape), dtype, Kind.VALUE)
        plan.outputs[label] = whole
        for lane, part in zip(plan.lanes, plan.parts(whole), strict=True):
            own = (lane.values[name],)
            step = Step(Phase.GATHER, node, lane.number, lane.examples, inputs=own, output=part)
            plan.steps.append(step)


def _loss(plan: Order, loss: Loss) -> None:
    """Compare the scores with the truth; each lane then has its part of the scores' gradient."""
    node = plan.graph.output
    labels = [label for label, name in plan.graph.outputs.items() if name == node.name]
    scores = plan.outputs[labels[0]]
    shape = plan.arrays[scores].shape
    truth = (plan.batch, *loss.truth(node.value))
    dtype: DType = "int64" if loss.target == "labels" else "float"
    plan.target = plan.whole(truth, dtype, Kind.TARGET)
    plan.loss_value = plan.whole((), "float", Kind.LOSS)
    gradient = plan.whole(shape, "float", Kind.GRADIENT)
    _meet(plan)
    plan.steps.append(
        Step(
            Phase.LOSS,
            node,
            examples=plan.batch,
            inputs=(scores, plan.target),
            output=plan.loss_value,
            scratch=plan.needed(loss.scratch(plan.batch, node.value), Kind.SCRATCH),
            d_output=gradient,
        )
    )
    _meet(plan)
    for lane, part in zip(plan.lanes, plan.parts(gradient), strict=True):
        lane.arriving[node.name] = [part]


def _meet(plan: Order) -> None:
    if plan.split:
        plan.steps.extend(Step(Phase.MEET, lane=lane.number) for lane in plan.lanes)


def _backward(plan: Order, nodes: tuple[Node, ...]) -> None:
    learns: set[str] = set()
    for node in nodes:
        if _learned(plan, node) or learns.intersection(node.inputs):
            learns.add(node.name)
    for node in reversed(nodes):
        if node.name in learns:
            _sum(plan, node.name)
            shared = _shared(plan, _needs(plan, node, 1).shared_back)
            for lane in plan.lanes:
                _backward_of(plan, lane, node, learns, shared)


def _sum(plan: Order, name: str) -> None:
    """One gradient from those of every reader, added in a fixed order."""
    for _ in plan.lanes[0].arriving[name][1:]:
        for lane in plan.lanes:
            whole, part, *others = lane.arriving[name]
            shape = plan.arrays[whole].shape
            both = plan.array(shape, "float", Kind.GRADIENT, lane.number)
            plan.steps.append(
                Step(
                    Phase.ACCUMULATE,
                    None,
                    lane.number,
                    lane.examples,
                    inputs=(whole, part),
                    output=both,
                    overwrites=((both, whole),),
                )
            )
            lane.arriving[name] = [both, *others]


def _backward_of(
    plan: Order, lane: Lane, node: Node, learns: set[str], shared: Mapping[str, int]
) -> None:
    """The backward step of a node; its inputs' gradients go to the nodes that they come from."""
    (d_output,) = lane.arriving.pop(node.name)
    law = plan.behind.get(node.name)
    if law is not None and law.name in plan.chosen:
        lane.passed[node.name] = d_output
        d_output = _like(plan, lane, d_output)
    if node.name in plan.done - plan.chosen and _returns_together(plan, plan.graph[node.inputs[0]]):
        lane.passed[node.inputs[0]] = d_output
        lane.arriving[node.inputs[0]] = [_like(plan, lane, d_output)]
        return
    d_inputs = tuple(
        plan.array(value.batched(lane.examples), "float", Kind.GRADIENT, lane.number)
        if name in learns
        else None
        for name, value in zip(node.inputs, node.arrivals, strict=True)
    )
    for name, made in zip(node.inputs, d_inputs, strict=True):
        if made is not None:
            lane.arriving.setdefault(name, []).append(made)
    if _passes_through(plan, node) or node.name in plan.chosen:
        plan.views.extend((made, d_output) for made in d_inputs if made is not None)
        return
    plan.steps.append(_backward_step(plan, lane, node, d_output, d_inputs, shared))


def _like(plan: Order, lane: Lane, gradient: int) -> int:
    """One more gradient of its shape."""
    return plan.array(plan.arrays[gradient].shape, "float", Kind.GRADIENT, lane.number)


def _returns_together(plan: Order, before: Node) -> bool:
    """Whether the way back through a law behind is the operator's sweep too: not where it takes much
    room, which the law's output would have to lie beside."""
    return _needs(plan, before, 1).overwrites_back


def _backward_step(
    plan: Order,
    lane: Lane,
    node: Node,
    d_output: int,
    d_inputs: tuple[int | None, ...],
    shared: Mapping[str, int],
) -> Step:
    needs = _needs(plan, node, lane.examples)
    if all(d_input is None for d_input in d_inputs):
        needs = needs.unreturning
    reads_x, reads_y = "x" in needs.reads_back, "y" in needs.reads_back
    passed = lane.passed.get(node.name)
    behind = None if passed is None else plan.behind[node.name]
    law = Needs() if behind is None else _needs(plan, behind, lane.examples)
    first = d_inputs[0]
    overwrites = [] if passed is None else [(d_output, passed)]
    if needs.overwrites_back and first is not None:
        overwrites.append((first, d_output))
    learned = _learned(plan, node)
    kept = [weight for weight in node.weights if weight.name in learned]
    again = [weight for weight in kept if node.keeper(weight) in lane.begun]
    lane.begun.update(node.keeper(weight) for weight in kept)
    aside = {w.name: Needed(w.shape) for w in again}
    return Step(
        Phase.BACKWARD,
        node,
        lane.number,
        lane.examples,
        algorithm=needs.algorithm,
        inputs=tuple(lane.values[name] if reads_x else None for name in node.inputs),
        output=lane.values[node.name] if reads_y or "y" in law.reads_back else None,
        weights=tuple(w.name for w in node.weights if w.name in needs.reads_back),
        saved=lane.saved[node.name],
        scratch=plan.needed(needs.scratch_back, Kind.SCRATCH, lane.number),
        d_output=d_output,
        d_inputs=d_inputs,
        learned=learned,
        aside=plan.needed(aside, Kind.SCRATCH, lane.number),
        shared=shared,
        overwrites=tuple(overwrites),
        behind=behind,
        behind_scratch=plan.needed(law.scratch_back, Kind.SCRATCH, lane.number),
        behind_gradient=passed,
    )


def _join(plan: Order, learned: int) -> None:
    """The lanes' gradients become one."""
    others = plan.lanes[1:]
    plan.gradients = tuple(plan.whole((learned,), "float", Kind.GRADIENT) for _ in others)
    _meet(plan)
    plan.steps.extend(
        Step(Phase.JOIN, None, lane.number, inputs=plan.gradients) for lane in plan.lanes
    )
