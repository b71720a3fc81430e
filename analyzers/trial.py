"""Fixes are tried before they are offered: a warning's fix must not bring an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..grammar.diagnostics import Applicability, Mistake, Severity
from ..grammar.fix import apply
from ..grammar.source import Source
from .rule import Finding

Judge = Callable[[Source], Sequence[Mistake]]
"""Tells the errors of a text."""

TRIALS = 16
"""Fixes that are tried one by one where together they bring an error; more are not offered."""


def sound(source: Source, found: Sequence[Mistake], judge: Judge) -> tuple[Mistake, ...]:
    """What is found, without the fixes that would bring an error: a promise that the net would no
    longer keep, say. What such a fix would break is told instead."""
    offered = [one for one in found if isinstance(one, Finding) and one.mending]
    before = [mistake for mistake in found if mistake.severity is Severity.ERROR]
    if not offered or not _brought(source, offered, before, judge):
        return tuple(found)
    kept: list[Finding] = []
    left: dict[int, Finding] = {}
    for number, finding in enumerate(offered):
        if number >= TRIALS:
            left[id(finding)] = replace(finding, mending=None)
        elif brought := _brought(source, [*kept, finding], before, judge):
            advice = f"{finding.advice}; then `{_words(brought[0])}` has to change too"
            left[id(finding)] = replace(finding, mending=None, advice=advice)
        else:
            kept.append(finding)
    return tuple(left.get(id(one), one) for one in found)


def _brought(
    source: Source, findings: Sequence[Finding], before: Sequence[Mistake], judge: Judge
) -> Sequence[Mistake]:
    """The errors that all these fixes together bring, where there are more than before."""
    text, _ = apply(source, findings, Applicability.UNSAFE)
    errors = judge(Source(source.name, text))
    known = {(error.code, _words(error)) for error in before}
    new = [error for error in errors if (error.code, _words(error)) not in known]
    return (new or errors) if len(errors) > len(before) else ()


def _words(error: Mistake) -> str:
    """What an error points at: a promise is the same whatever number breaks it."""
    return error.span.text if error.span else ""
