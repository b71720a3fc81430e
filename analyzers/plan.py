"""What a pass over a batch will do, step by step, before it runs: read off the runtime's schedule."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ..compiler import environment
from ..compiler.errors import BadSetting
from ..compiler.graph import Graph, Node
from ..compiler.op import Needs, Trait
from ..compiler.plan.asked import counted, known
from ..compiler.plan.build import schedule
from ..compiler.plan.lanes import objection
from ..compiler.plan.layout import Turned
from ..compiler.plan.schedule import Mode, Phase, Schedule, Step
from ..compiler.plan.work import macs, traffic
from ..compiler.training import unsuitable
from ..grammar.diagnostics import SpecError
from .facts.memory import of_schedule
from .render.plan import plan as table


@dataclass(frozen=True)
class PlanRow:
    """One step, of all threads that make it side by side.

    Attributes
    ----------
    name: the operator's, as reports show it; of a sum of gradients that of its reader; empty where
        threads meet and do nothing else.
    layer: that it belongs to. op: as a spec would write it.
    phase: forward, gather, loss, accumulate, backward, meet or join.
    layout: where the channels of the maps that it makes lie, "first", "last" or "outermost", which is
        before the examples; empty where nothing has both channels and places.
    algorithm: the kernel's; empty where there is one alone. why: what decided that.
    examples: of the batch, thread by thread. meets: whether threads wait for each other.
    read, written, scratch: bytes of all threads, each array once.
    """

    name: str
    layer: str
    op: str
    phase: str
    layout: str
    algorithm: str
    why: str
    examples: tuple[int, ...]
    meets: bool
    read: int
    written: int
    scratch: int
    macs: int


@dataclass(frozen=True)
class Plan:
    """The steps of a pass, and its totals.

    Attributes
    ----------
    threads: how many there are. lanes: the examples of each that works; why: what decided that.
    meetings: how often they wait for each other.
    arena, weights: bytes of what lives and dies in the pass, and of what stays: weights, gradients,
        statistics, the optimiser's memory.
    alone: the arena's bytes where one thread makes all steps. Where memory has no room for that of
        several, fewer share the batch.
    macs: multiply-adds of the whole pass. moved: bytes read and written, scratch both.
    """

    source: str
    mode: Mode
    batch: int
    threads: int
    lanes: tuple[int, ...]
    why: str
    meetings: int
    arena: int
    alone: int
    weights: int
    macs: int
    moved: int
    steps: tuple[PlanRow, ...]

    def __str__(self) -> str:
        return table(self, width=100, colour=False)


def plan(
    graph: Graph, batch: int | None = None, mode: Mode | None = None, threads: int | None = None
) -> Plan:
    """Plan a pass as the runtime would.

    A training step where None is given and the net can train, at the spec's batch; inference of one
    example; a thread for each core. Raises SpecError for settings that cannot be.
    """
    batch, threads = counted("batch", batch), counted("threads", threads)
    known(mode)
    reason = _untrainable(graph)
    if mode == "train" and reason:
        raise SpecError(
            [BadSetting(None, "mode", f"cannot be train: {reason}", "choose infer", unsuited=True)]
        )
    chosen: Mode = mode or ("infer" if reason else "train")
    count = threads or cores()
    planned = _scheduled(graph, batch, chosen, count)
    rows = tuple(_row(graph, planned, named) for named in _named(planned.rows))
    memory = of_schedule(graph, planned)
    return Plan(
        source=graph.source.name,
        mode=chosen,
        batch=planned.batch,
        threads=count,
        lanes=planned.lanes,
        why=_split(graph, planned, count),
        meetings=sum(row.meets for row in rows),
        arena=planned.arena_bytes,
        alone=_alone(graph, planned),
        weights=memory.total - memory.arena - memory.augmentation,
        macs=sum(row.macs for row in rows),
        moved=sum(row.read + row.written + 2 * row.scratch for row in rows),
        steps=rows,
    )


def cores() -> int:
    """Those that this process may use, unless NNSPEC_THREADS says how many. Raises SpecError."""
    if asked := environment.threads():
        return asked
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _untrainable(graph: Graph) -> str:
    """Why the net cannot train; empty where it can."""
    if not any(node.trainable for node in graph.nodes if not node.is_input):
        return "the net has nothing that learns"
    inputs = [node.value for node in graph.inputs]
    mistakes = unsuitable(graph.training, inputs, graph.output.value)
    return mistakes[0].message() if mistakes else ""


def _scheduled(graph: Graph, batch: int | None, mode: Mode, threads: int) -> Schedule:
    if mode == "infer":
        return schedule(graph, batch or 1, mode, threads=threads)
    loss = graph.training.learned_by(graph.output.value)
    return schedule(graph, batch or graph.training.batch, mode, loss, threads=threads)


def _alone(graph: Graph, planned: Schedule) -> int:
    if len(planned.lanes) == 1:
        return planned.arena_bytes
    return _scheduled(graph, planned.batch, planned.mode, 1).arena_bytes


def _split(graph: Graph, planned: Schedule, threads: int) -> str:
    if threads == 1:
        return ""
    return objection(graph, planned.batch)


Named = tuple[str, str, tuple[Step, ...]]
"""What a step is called, and the layer that it belongs to."""


def _named(rows: Sequence[tuple[Step, ...]]) -> list[Named]:
    """A sum of gradients is called after the operator whose backward comes next."""
    found: list[Named] = []
    reader: Node | None = None
    for steps in reversed(rows):
        node = steps[0].node
        if node is not None:
            reader = node
        owner = reader if steps[0].phase is Phase.ACCUMULATE else node
        found.append((owner.name if owner else "", owner.layer if owner else "", steps))
    return found[::-1]


def _row(graph: Graph, planned: Schedule, named: Named) -> PlanRow:
    name, layer, steps = named
    first = steps[0]
    needs = _needs(first)
    moved = [traffic(planned, step) for step in steps]
    return PlanRow(
        name=name,
        layer=layer,
        op=_op(graph, first),
        phase=first.phase.name.lower(),
        layout=_layout(first),
        algorithm=first.algorithm,
        why=_why(first, needs.why_in(planned.mode)),
        examples=tuple(step.examples for step in steps if step.examples),
        meets=len(planned.lanes) > 1 and first.meets,
        read=sum(one.read for one in moved),
        written=sum(one.written for one in moved),
        scratch=sum(one.scratch for one in moved),
        macs=sum(map(macs, steps)),
    )


def _why(step: Step, why: str) -> str:
    """What decided the kernel, and the norm and the law that it does too."""
    norm, law = step.folded, step.behind
    more = [f"{norm.op.name} folded in"] if norm is not None else []
    if law is not None and step.node is not None:
        chooses = Trait.CHOOSES in step.node.op.traits
        more.append(f"{law.spelled} {'of what it chose' if chooses else 'in the same sweep'}")
    if not more or step.node is None:
        return why
    return ", ".join((why or step.node.spelled, *more))


def _needs(step: Step) -> Needs:
    """What the operator asked for: of a frozen one, and where lanes share the batch, what it asks for
    then."""
    node = step.node
    if node is None or step.phase not in (Phase.FORWARD, Phase.BACKWARD):
        return Needs()
    needs = node.applied.needs(step.examples)
    frozen = node.applied.needs_frozen(step.examples)
    return next(n for n in (needs, needs.anywhere, frozen) if n.algorithm == step.algorithm)


def _op(graph: Graph, step: Step) -> str:
    """In the net's own words: what a plan adds to it is none of its operators."""
    node = step.node
    if node is None or step.phase not in (Phase.FORWARD, Phase.BACKWARD):
        return ""
    return f"channels {node.op.to}" if isinstance(node.op, Turned) else graph[node.name].spelled


def _layout(step: Step) -> str:
    node = step.node
    if node is None or step.phase not in (Phase.FORWARD, Phase.BACKWARD) or node.value.rank < 3:
        return ""
    return node.value.layout
