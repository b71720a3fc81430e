"""Fixes are tried before they are offered: where one leaves a mistake in its place, it mends nothing."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from .diagnostics import Edit, Mistake, Severity
from .fix import applied, chosen
from .source import Source, Span

Judge = Callable[[Source], Sequence[Mistake]]
"""Tells the mistakes of a text."""

TRIALS = 4
"""How often the fixes that are left are tried together; then none is offered."""

DEPTH = 3
"""A fix may uncover what another mends: so many are followed, one behind the other."""

EDGE = re.compile(r"->|[\[\]|\n]")
"""What a stage ends at."""


def tried(
    source: Source, mistakes: Sequence[Mistake], judge: Judge, depth: int = DEPTH
) -> tuple[Mistake, ...]:
    """The mistakes, without the fixes behind which the text has a new mistake in the same stage."""
    left = list(mistakes)
    for _ in range(TRIALS):
        edits = chosen(source, left)
        if not edits:
            return tuple(left)
        mended = Source(source.name, applied(source, edits))
        found = judge(mended)
        if depth > 1 and any(mistake.fix() for mistake in _new(mended, found, mistakes)):
            found = tried(mended, found, judge, depth - 1)
        new = _new(mended, found, mistakes)
        failed = _failed(mended, edits, [mistake.span for mistake in new if not mistake.fix()])
        if not failed:
            return tuple(left)
        left = [
            replace(mistake, barred=True) if _of(mistake, failed) else mistake for mistake in left
        ]
    return tuple(replace(mistake, barred=True) for mistake in left)


def _new(mended: Source, found: Sequence[Mistake], before: Sequence[Mistake]) -> Iterator[Mistake]:
    """The errors of a mended text that are not known of the text before."""
    known = Counter((mistake.code, mistake.message()) for mistake in before)
    for mistake in found:
        facts = mistake.code, mistake.message()
        if known[facts]:
            known[facts] -= 1
        elif mistake.severity is Severity.ERROR and _within(mistake, mended):
            yield mistake


def _within(mistake: Mistake, mended: Source) -> bool:
    return mistake.span is not None and mistake.span.source.name == mended.name


def _of(mistake: Mistake, failed: frozenset[Edit]) -> bool:
    fix = mistake.fix()
    return fix is not None and any(edit in failed for edit in fix.edits)


def _failed(mended: Source, edits: Sequence[Edit], wrong: Sequence[Span | None]) -> frozenset[Edit]:
    """The edits in whose stage something is wrong."""
    stages = _stages(mended, edits)
    begins, ends = [begin for begin, _ in stages], [end for _, end in stages]
    found: set[Edit] = set()
    for span in wrong:
        if span:
            found.update(edits[bisect_right(ends, span.start) : bisect_left(begins, span.end)])
    return frozenset(found)


def _stages(mended: Source, edits: Sequence[Edit]) -> list[tuple[int, int]]:
    """The stage that each edit stands in, as far as nothing in it parts stages; an edit that does
    is its own."""
    edges = [match.span() for match in EDGE.finditer(mended.text)]
    closes = [0, *(close for _, close in edges)]
    opens = [*(begin for begin, _ in edges), len(mended.text)]
    stages, moved = [], 0
    for edit in edits:
        begin = edit.span.start + moved
        end = begin + len(edit.text)
        moved += len(edit.text) - (edit.span.end - edit.span.start)
        if not EDGE.search(edit.text):
            begin = closes[bisect_right(closes, begin) - 1]
            end = opens[bisect_left(opens, end)]
        stages.append((begin, end))
    return stages
