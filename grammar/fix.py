"""Fixes applied to the text of a spec."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from .diagnostics import Applicability, Edit, Fix, Mistake
from .source import Source


def apply(
    source: Source, mistakes: Iterable[Mistake], asked: Applicability = Applicability.SAFE
) -> tuple[str, int]:
    """The text with the fixes that the mistakes offer for it, and how many were applied.

    A fix is applied whole or not at all; of two that touch, the first.
    """
    fixes = _apart(source, mistakes, asked)
    return applied(source, _edits(fixes)), len(fixes)


def chosen(
    source: Source, mistakes: Iterable[Mistake], asked: Applicability = Applicability.SAFE
) -> Sequence[Edit]:
    """The edits of the fixes that `apply` applies, in the order of their places."""
    return _edits(_apart(source, mistakes, asked))


def applied(source: Source, edits: Sequence[Edit]) -> str:
    """The text with edits that stand in order and do not touch."""
    parts, place = [], 0
    for edit in edits:
        parts += [source.text[place : edit.span.start], edit.text]
        place = edit.span.end
    return "".join((*parts, source.text[place:]))


def _apart(source: Source, mistakes: Iterable[Mistake], asked: Applicability) -> list[Fix]:
    """The fixes that are asked for, of two that touch the first."""
    offered = (fix for mistake in mistakes if (fix := mistake.fix()) and _here(fix, source))
    fixes = [fix for fix in offered if fix.within(asked)]
    fixes.sort(key=lambda fix: min(edit.span.start for edit in fix.edits))
    taken: list[Edit] = []
    apart: list[Fix] = []
    for fix in dict.fromkeys(fixes):
        if not any(_touches(edit, taken) for edit in fix.edits):
            for edit in fix.edits:
                insort(taken, edit, key=_start)
            apart.append(fix)
    return apart


def _edits(fixes: Iterable[Fix]) -> list[Edit]:
    return sorted((edit for fix in fixes for edit in fix.edits), key=_start)


def _start(edit: Edit) -> int:
    return edit.span.start


def _here(fix: Fix, source: Source) -> bool:
    """Whether it changes this text alone: a file that is used belongs to others."""
    return all(edit.span.source.name == source.name for edit in fix.edits)


def _touches(edit: Edit, taken: list[Edit]) -> bool:
    """Whether an edit meets one of those in order that do not meet each other."""
    place = bisect_right(taken, edit.span.end, key=_start)
    return bool(place) and taken[place - 1].span.end >= edit.span.start
