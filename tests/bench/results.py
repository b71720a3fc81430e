"""What was measured, in a form that goes to JSON and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .timing import ratio


@dataclass(frozen=True)
class Comparison:
    """nnspec beside one rival on one net; a ratio above 1 means that nnspec needs less.

    `unit` is "s" or "bytes", of `ours` and `theirs`, which are medians. `asked` is the ratio that was
    aimed at, where one was.
    """

    section: str
    net: str
    rival: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    asked: float | None = None


@dataclass(frozen=True)
class Skipped:
    """What was not measured, and why."""

    net: str
    rival: str
    reason: str


@dataclass(frozen=True)
class Table:
    """Figures beside which no rival stands."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """All of one name on the command line."""

    name: str
    comparisons: tuple[Comparison, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    tables: tuple[Table, ...] = ()
    words: str = ""


def timed_pair(
    section: str, net: str, rival: str, ours: Sequence[float], theirs: Sequence[float],
    asked: float | None = None,
) -> Comparison:  # fmt: skip
    """Of seconds taken in the same rounds."""
    found = ratio(ours, theirs)
    times = median(ours), median(theirs)
    return Comparison(section, net, rival, "s", *times, found.median, found.low, found.high, asked)


def merged(before: Section | None, now: Section | None) -> Section | None:
    """One section of two runs: what the later one says of a net counts alone."""
    if before is None or now is None:
        return now or before
    fresh = {c.net for c in now.comparisons} | {s.net for s in now.skipped}
    compared = [*(c for c in before.comparisons if c.net not in fresh), *now.comparisons]
    skipped = [*(s for s in before.skipped if s.net not in fresh), *now.skipped]
    return Section(
        now.name,
        tuple(sorted(compared, key=lambda found: found.net)),
        tuple(sorted(skipped, key=lambda found: found.net)),
        _joined(before.tables, now.tables),
        now.words,
    )


def _joined(before: Sequence[Table], now: Sequence[Table]) -> tuple[Table, ...]:
    """Tables of a title become one; a row is replaced by a later one with the same first cell."""
    tables = {table.title: table for table in before}
    for table in now:
        old = tables.get(table.title, table)
        rows = {row[0]: row for row in (*old.rows, *table.rows)}
        tables[table.title] = Table(
            table.title, table.head, tuple(rows[key] for key in sorted(rows))
        )
    return tuple(tables.values())


def as_section(told: dict[str, Any]) -> Section:
    """Out of JSON."""
    return Section(
        told["name"],
        tuple(Comparison(**entry) for entry in told["comparisons"]),
        tuple(Skipped(**entry) for entry in told["skipped"]),
        tuple(
            Table(entry["title"], tuple(entry["head"]), tuple(map(tuple, entry["rows"])))
            for entry in told["tables"]
        ),
        told["words"],
    )
