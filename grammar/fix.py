"""Fixes applied to the text of a spec."""

from __future__ import annotations

from collections.abc import Iterable

from .diagnostics import Applicability, Edit, Fix, Mistake
from .source import Source


def apply(
    source: Source, mistakes: Iterable[Mistake], asked: Applicability = Applicability.SAFE
) -> tuple[str, int]:
    """The text with the fixes that the mistakes offer for it, and how many were applied.

    A fix is applied whole or not at all; of two that touch, the first.
    """
    offered = (fix for mistake in mistakes if (fix := mistake.fix()) and _here(fix, source))
    fixes = [fix for fix in offered if fix.within(asked)]
    fixes.sort(key=lambda fix: min(edit.span.start for edit in fix.edits))
    taken: list[Edit] = []
    applied = 0
    for fix in dict.fromkeys(fixes):
        if not any(_touch(edit, other) for edit in fix.edits for other in taken):
            taken += fix.edits
            applied += 1
    text = source.text
    for edit in sorted(taken, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text, applied


def _here(fix: Fix, source: Source) -> bool:
    """Whether it changes this text alone: a file that is used belongs to others."""
    return all(edit.span.source.name == source.name for edit in fix.edits)


def _touch(edit: Edit, other: Edit) -> bool:
    return edit.span.start <= other.span.end and other.span.start <= edit.span.end
