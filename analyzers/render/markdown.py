"""Reports as GitHub-flavoured Markdown: for a README, or a comment on a pull request.

Source: GitHub Flavored Markdown Spec, 'Tables (extension)': a pipe in a cell is `\\|`, in code too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .comparison import MARKS, layer_facts, total_facts
from .text import dimensions, size

if TYPE_CHECKING:
    from ..compare import Comparison
    from ..report import LayerRow, Report

LONG = 40
"""Rows above which a table is folded away."""


def summary(report: Report) -> str:
    """The title, one row a layer, the totals, and what each number counts."""
    head = ("layer", "operators", "output", "parameters", "MACs", "share")
    rows = [_layer(row, report.params) for row in report.layers]
    parts = [
        f"### {report.title}",
        _flow(report),
        *([escaped(report.documentation)] if report.documentation else []),
        folded(table(head, rows, "lllrrr"), len(rows), "layers"),
        "  \n".join(_totals(report)),
        _conventions(report),
    ]
    return "\n\n".join(parts) + "\n"


def _flow(report: Report) -> str:
    inputs, outputs = (
        ", ".join(dimensions(shape) for shape in shapes.values())
        for shapes in (report.inputs, report.outputs)
    )
    return f"{code(report.source)}: {inputs} → {outputs}"


def _layer(row: LayerRow, whole: int) -> tuple[str, ...]:
    working, equals, _ = row.formula.rpartition(" = ")
    params = f"{working} = **{row.params:,}**" if equals else f"**{row.params:,}**"
    if not row.params:
        params = f"those of {code(row.shares)}" if row.shares else ""
    share = row.params / whole if whole else 0
    return (
        code(row.name),
        code(row.written),
        dimensions(row.output),
        params,
        f"{row.macs:,}" if row.macs else "",
        "" if not share else f"{share:.0%}" if share >= 0.01 else "<1%",
    )


def _totals(report: Report) -> list[str]:
    memory = report.memory
    counted = f"{report.macs:,} multiply-adds ({report.flops:,} FLOPs) for one example"
    taken = f"{size(memory.inference)} for one example, {size(memory.training)} for a training step"
    return [
        f"**{report.params:,} parameters**, {counted}",
        f"{report.neurons:,} neurons, {report.depth} weighted layers deep",
        f"memory in float32: {taken}",
    ]


def _conventions(report: Report) -> str:
    counted = table(("number", "what it counts"), report.conventions.items(), "ll")
    return f"<details><summary>What the numbers count</summary>\n\n{counted}\n\n</details>"


def comparison(found: Comparison) -> str:
    """Totals before and after, and every layer that is not the same."""
    totals = [total_facts(total) for total in found.totals]
    parts = [
        f"### {code(found.before)} → {code(found.after)}",
        table(("", "before", "after", "change"), totals, "lrrr"),
    ]
    if found.layers:
        rows = [(MARKS[change.change], *_changed(*layer_facts(change))) for change in found.layers]
        head = ("", "layer", "operators", "output", "parameters")
        parts.append(folded(table(head, rows, "lllrr"), len(rows), "layers differ"))
    elif found.same:
        parts.append("The two are the same, layer by layer.")
    return "\n\n".join(parts) + "\n"


def _changed(*facts: Sequence[str]) -> Iterable[str]:
    """Each fact as it is, or before and after; names and operators as code."""
    for place, fact in enumerate(facts):
        shown = map(code, fact) if place < 2 else fact
        yield " → ".join(shown)


# ------------------------------------------------------------------------------------ markup


def table(head: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    """A table of cells that are Markdown already; `sides` has an `l` or `r` for each column."""
    rule = [":--" if side == "l" else "--:" for side in sides]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def folded(shown: str, rows: int, what: str) -> str:
    """A long table behind a line that opens it."""
    if rows <= LONG:
        return shown
    return f"<details><summary>{rows:,} {what}</summary>\n\n{shown}\n\n</details>"


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
