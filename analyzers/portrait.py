"""Everything that the page shows of a net, as JSON has it. Layers and inputs are told by number."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import isfinite
from typing import Any

from ..compiler.graph import Graph, Node
from ..compiler.op import Op
from ..compiler.plan.schedule import Mode, Schedule
from ..grammar.diagnostics import Mistake
from ..grammar.source import Span
from .explain import Explanation, explain
from .facts.cost import of_schedule as worked
from .facts.memory import of_schedule, over_time, planned
from .facts.outline import Part, outline
from .facts.signal import signal
from .render.structured import diagnostics
from .report import LayerRow, Report

Content = dict[str, Any]


def portrait(graph: Graph, facts: Report, findings: Sequence[Mistake]) -> Content:
    """The content of the page."""
    nodes = [n for n in graph.nodes if n.is_input or n.name == n.layer]
    number = {node.name: i for i, node in enumerate(nodes)}
    plans: dict[Mode, Schedule] = {
        "train": planned(graph, "train"),
        "infer": planned(graph, "infer"),
    }
    return {
        "title": facts.title,
        "source": facts.source,
        "documentation": facts.documentation,
        "totals": _totals(facts, graph, plans),
        "conventions": facts.conventions,
        "formula": facts.params_formula,
        "digest": facts.digest,
        "lets": {name: str(value) for name, value in graph.lets.items()},
        "layers": _layers(graph, facts, nodes),
        "operators": _operators(graph),
        "edges": _edges(graph, number),
        "outputs": [[label, number[graph[n].layer]] for label, n in graph.outputs.items()],
        "outline": [_part(part, number, _uses(graph)) for part in outline(graph)],
        "memory": {mode: _memory(graph, plan, number) for mode, plan in plans.items()},
        "work": _work(graph, plans["train"], number),
        "signal": _signal(graph, number),
        "unseen": {name: axes for name, axes in facts.unseen.items() if any(axes)},
        "findings": diagnostics(findings),
        "concerns": _concerns(graph, findings, number),
        "files": {graph.source.name: graph.source.text, **graph.files},
    }


def _totals(facts: Report, graph: Graph, plans: Mapping[Mode, Schedule]) -> Content:
    return {
        "params": facts.params,
        "trainable": facts.trainable,
        "macs": facts.macs,
        "flops": facts.flops,
        "neurons": facts.neurons,
        "depth": facts.depth,
        "inference": of_schedule(graph, plans["infer"]).total,
        "training": of_schedule(graph, plans["train"]).total,
    }


# ------------------------------------------------------------------------------------- layers


def _layers(graph: Graph, facts: Report, nodes: Sequence[Node]) -> list[Content]:
    rows = {row.name: row for row in facts.layers}
    told = {one.name: one for one in explain(graph)}
    behind = {layer.name: layer.nodes for layer in graph.layers}
    return [
        _input(node)
        if node.is_input
        else _layer(behind[node.layer], rows[node.layer], told[node.layer])
        for node in nodes
    ]


def _input(node: Node) -> Content:
    shape = list(node.value.shape)
    return {
        "name": node.name,
        "label": "input",
        "op": "input",
        "family": "input",
        "output": shape,
        "integer": node.value.integer,
        "place": _place(node.span),
    }


def _layer(nodes: Sequence[Node], row: LayerRow, told: Explanation) -> Content:
    return {
        "name": row.name,
        "label": (row.spelled if "(" in row.written else row.written).replace("[…]", ""),
        "written": row.written,
        "op": row.op,
        "family": family(nodes[0].op),
        "role": row.role,
        "input": row.input,
        "output": row.output,
        "params": row.params,
        "macs": row.macs,
        "shares": row.shares,
        "lines": [[line.fact, line.derivation] for line in told.lines],
        "weights": [[w.name, w.shape, w.params] for w in row.weights],
        "place": _place(nodes[0].span),
    }


def _operators(graph: Graph) -> dict[str, list[str]]:
    """What each operator of the net does, and its source."""
    used = {node.op.name: node.op for node in graph.nodes if not node.is_input}
    says = {
        name: " ".join((type(op).__doc__ or "").split("\n\n")[0].split())
        for name, op in used.items()
    }
    return {name: [says[name], op.source] for name, op in used.items()}


def family(op: Op) -> str:
    """The module that an operator stands in: `conv`, `norm`, `merge`."""
    return type(op).__module__.rpartition(".")[2]


def _place(span: Span) -> list[Any]:
    return [span.source.name, span.line]


# ------------------------------------------------------------------------------------- wiring


def _edges(graph: Graph, number: Mapping[str, int]) -> list[list[int]]:
    """Who reads whom, each pair once."""
    read = (
        (number[graph[name].layer], number[node.layer])
        for node in graph.nodes
        for name in node.inputs
    )
    return [list(pair) for pair in dict.fromkeys(read) if pair[0] != pair[1]]


def _uses(graph: Graph) -> dict[str, str]:
    """Each block's use with its numbers filled in: `bottleneck(c=64, s=2)`."""
    return {use.name: use.spelled for layer in graph.layers for use in layer.blocks}


def _part(part: Part, number: Mapping[str, int], uses: Mapping[str, str]) -> Any:
    if isinstance(part, Node):
        return number[part.name]
    return {
        "kind": part.kind,
        "name": part.name,
        "title": part.title,
        "use": uses.get(part.name, ""),
        "parts": [_part(piece, number, uses) for piece in part.parts],
    }


# --------------------------------------------------------------------------- memory and work


def _memory(graph: Graph, plan: Schedule, number: Mapping[str, int]) -> Content:
    """The arena's bytes step by step, and what is there all the time.

    phases: runs of steps of one phase, with their lengths; sums of gradients belong to backward.
    """
    taken, moments = of_schedule(graph, plan), over_time(plan)
    phases = ["backward" if m.phase.name == "ACCUMULATE" else m.phase.name.lower() for m in moments]
    return {
        "batch": plan.batch,
        "bytes": [moment.bytes for moment in moments],
        "layers": [number[m.layer] if m.node else -1 for m in moments],
        "phases": [[phase, len(list(run))] for phase, run in groupby(phases)],
        "always": {
            "weights": taken.parameters,
            "gradients": taken.gradients,
            "optimiser": taken.optimizer,
            "running statistics": taken.state,
        },
    }


def _work(graph: Graph, plan: Schedule, number: Mapping[str, int]) -> dict[int, list[int]]:
    """By layer: operations and bytes of forward, operations and bytes of backward."""
    return {
        number[name]: [
            cost.forward.flops, cost.forward.bytes, cost.backward.flops, cost.backward.bytes
        ]
        for name, cost in worked(graph, plan).items()
    }  # fmt: skip


def _signal(graph: Graph, number: Mapping[str, int]) -> dict[int, dict[str, float | None]]:
    """By layer, the variance of what it puts out and of the gradient there, at initialisation."""
    travels = signal(graph)
    found = {number[node.layer]: travels[node.name] for node in graph.nodes}
    return {
        i: {"variance": _finite(travel.variance), "gradient": _finite(travel.gradient)}
        for i, travel in found.items()
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None


# ----------------------------------------------------------------------------------- findings


def _concerns(
    graph: Graph, findings: Sequence[Mistake], number: Mapping[str, int]
) -> list[list[int]]:
    """For each finding the layers that it is about: those with an operator where it begins."""
    places = [(m.span.source.name, m.span.start) if m.span else ("", -1) for m in findings]
    starts = sorted(set(places))
    at: dict[tuple[str, int], dict[int, None]] = {place: {} for place in starts}
    for node in graph.nodes:
        name, head = node.span.source.name, len(node.span.text.partition("[")[0])
        first = bisect_left(starts, (name, node.span.start))
        for place in starts[first : bisect_left(starts, (name, node.span.start + head))]:
            at[place][number[node.layer]] = None
    return [list(at[place]) for place in places]
