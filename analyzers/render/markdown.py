"""Reports as GitHub-flavoured Markdown: for a README, or a comment on a pull request.

Source: GitHub Flavored Markdown Spec, 'Tables (extension)': a pipe in a cell is `\\|`, in code too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .cells import NAMES, cells, sums
from .columns import COLUMNS, flow
from .comparison import MARKS, layer_facts, total_facts
from .fold import Line, folded

if TYPE_CHECKING:
    from ..compare import Comparison
    from ..report import Report

LONG = 40
"""Rows above which a table is folded away."""

SIDES = {"left": ":--", "right": "--:"}


def summary(
    report: Report, *, depth: int | None = None, columns: Sequence[str] | None = None
) -> str:
    """The title, the table of layers, the totals, and what each number counts."""
    names = columns or NAMES
    lines = folded(report, depth)
    head = [COLUMNS[name].header for name in names]
    rows = [_row(line, report, names) for line in lines]
    layers = table(head, rows, [COLUMNS[name].justify for name in names])
    parts = [
        f"### {report.title}",
        f"{code(report.source)}: {flow(report)}",
        *([escaped(report.documentation)] if report.documentation else []),
        hidden(layers, f"{len(report.layers):,} layers") if len(rows) > LONG else layers,
        "  \n".join(map(escaped, sums(report, lines))),
        hidden(
            table(("number", "what it counts"), report.conventions.items(), ("left", "left")),
            "What the numbers count",
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _row(line: Line, report: Report, names: Sequence[str]) -> list[str]:
    told = zip(names, cells(line, report, names), strict=True)
    return [_cell(name, text, line.indent) for name, text in told]


def _cell(name: str, text: str, indent: int) -> str:
    """Names and operators as code; what stands in a block further in."""
    if name == "layer":
        return "&emsp;" * indent + code(text)
    return code(text) if name == "operators" else escaped(text)


def comparison(found: Comparison) -> str:
    """Totals before and after, and every layer that is not the same."""
    totals = [total_facts(total) for total in found.totals]
    parts = [
        f"### {code(found.before)} → {code(found.after)}",
        table(("", "before", "after", "change"), totals, ("left", "right", "right", "right")),
    ]
    if found.layers:
        rows = [(MARKS[change.change], *_changed(*layer_facts(change))) for change in found.layers]
        head = ("", "layer", "operators", "output", "parameters")
        layers = table(head, rows, ("left", "left", "left", "right", "right"))
        long = len(rows) > LONG
        parts.append(hidden(layers, f"{len(rows):,} layers differ") if long else layers)
    elif found.same:
        parts.append("The two are the same, layer by layer.")
    return "\n\n".join(parts) + "\n"


def _changed(*facts: Sequence[str]) -> Iterable[str]:
    """Each fact as it is, or before and after; names and operators as code."""
    for place, fact in enumerate(facts):
        shown = map(code, fact) if place < 2 else fact
        yield " → ".join(shown)


# ------------------------------------------------------------------------------------ markup


def table(head: Sequence[str], rows: Iterable[Sequence[str]], sides: Sequence[str]) -> str:
    """A table of cells that are Markdown already; `sides` is left or right for each column."""
    rule = [SIDES[side] for side in sides]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def hidden(shown: str, title: str) -> str:
    """Behind a line that opens it."""
    return f"<details><summary>{title}</summary>\n\n{shown}\n\n</details>"


def code(text: str) -> str:
    """A code span that nothing in the text can end: a longer run of backticks than any in it."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}".replace("|", "\\|") if line else ""


def escaped(text: str) -> str:
    """A paragraph that means only itself: what could be markup has a backslash."""
    line = re.sub(r"([\\`*_\[\]<>#!|~&])", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", line)
