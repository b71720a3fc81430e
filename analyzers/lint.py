"""Which findings are reported: selected by code, and not silenced where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from ..compiler.graph import Graph
from ..grammar.diagnostics import Mistake, Severity, SpecError
from ..grammar.near import nearest
from ..grammar.source import Source, Span
from .errors import NoSuchRule, UnusedIgnore
from .rule import findings, rules

SILENCE = re.compile(r"#\s*nnspec:\s*ignore\[\s*([A-Za-z0-9_,\s]*?)\s*\]")


OBSTACLES = frozenset({"NN403", "NN404", "NN406", "NN409", "NN420", "NN430", "NN433", "NN435"})
"""What keeps a net from learning whatever its data are: loss, output and form do not go together. Of
rates, starts and depths more is known once they are tried."""


def obstacles(graph: Graph) -> tuple[Mistake, ...]:
    """What the rules say keeps a net from learning, where no comment silences them; it is to be
    trained, whether it has a `train(...)` or not."""
    loss = graph.training.judged_by(graph.output.value)
    training = graph.training.model_copy(update={"loss": loss})
    judged = Graph(graph.source, graph.nodes, graph.outputs, training)
    return tuple(one for one in linted(judged, (), OBSTACLES) if one.code in OBSTACLES)


@cache
def warnings() -> frozenset[str]:
    """The codes that can be selected: those of rules, and of remarks made while reading."""
    remarks = (c for c, kind in Mistake.by_code.items() if kind.severity is Severity.WARNING)
    return frozenset({*rules(), *remarks})


def selected(select: Sequence[str], ignore: Sequence[str]) -> frozenset[str]:
    """The codes that begin with one of `select` and with none of `ignore`; raises SpecError."""
    for prefix in (*select, *ignore):
        if not any(code.startswith(prefix) for code in warnings()):
            raise SpecError([NoSuchRule(None, prefix, nearest(prefix, warnings()))])
    return frozenset(
        code
        for code in warnings()
        if code.startswith(tuple(select)) and not code.startswith(tuple(ignore))
    )


def linted(
    graph: Graph | None, mistakes: Iterable[Mistake], codes: frozenset[str]
) -> tuple[Mistake, ...]:
    """The mistakes of reading, and what the rules find in the net: warnings only where their code is
    selected and no comment silences them."""
    whole = [*mistakes, *(findings(graph, codes) if graph else ())]
    kept: list[Mistake] = []
    used: set[tuple[str, int, str]] = set()
    for mistake in whole:
        if mistake.severity is not Severity.WARNING:
            kept.append(mistake)
        elif mistake.code in codes:
            silence = _silence(mistake)
            if silence is None:
                kept.append(mistake)
            else:
                used.add(silence)
    if graph is not None:
        kept += _unused(graph.source, used, codes)
    return tuple(kept)


@dataclass(frozen=True)
class _Comment:
    line: int
    codes: tuple[str, ...]
    span: Span
    alone: bool


def _comments(source: Source) -> dict[int, _Comment]:
    """The silencing comments of a text by line."""
    found: dict[int, _Comment] = {}
    for match in SILENCE.finditer(source.text):
        line = source.position(match.start())[0]
        codes = tuple(code.strip().upper() for code in match[1].split(",") if code.strip())
        alone = not source.text[source.line_starts[line - 1] : match.start()].strip()
        span = Span(source, match.start(), match.end())
        found[line] = _Comment(line, codes, span, alone)
    return found


def _silence(mistake: Mistake) -> tuple[str, int, str] | None:
    """The comment that silences a mistake: on its line, or alone on the line above."""
    if mistake.span is None:
        return None
    source, line = mistake.span.source, mistake.span.line
    comments = _comments(source) if "nnspec:" in source.text else {}
    for comment in (comments.get(line), comments.get(line - 1)):
        near = comment is not None and (comment.line == line or comment.alone)
        if comment is not None and near and mistake.code in comment.codes:
            return source.name, comment.line, mistake.code
    return None


def _unused(
    source: Source, used: set[tuple[str, int, str]], codes: frozenset[str]
) -> list[Mistake]:
    """Comments that silence nothing, of codes that were looked for."""
    if "nnspec:" not in source.text:
        return []
    return [
        UnusedIgnore(comment.span, code)
        for comment in _comments(source).values()
        for code in comment.codes
        if (source.name, comment.line, code) not in used
        and (code in codes or code not in warnings())
    ]
