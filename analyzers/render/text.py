"""A report as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

from ...grammar.console import terminal
from ...grammar.quantity import quantity
from .columns import COLUMNS, dimensions, flow, size
from .fold import Line, deepest, folded
from .messages import Paint

if TYPE_CHECKING:
    from rich.table import Table

    from ..explain import Explanation
    from ..report import Report


def summary(
    report: Report,
    *,
    width: int,
    colour: bool = False,
    depth: int | None = None,
    columns: Sequence[str] | None = None,
) -> str:
    """The table people know, with the working: one row a layer, totals and their conventions.

    `depth` is how many blocks deep it looks, `columns` are names out of `COLUMNS`; where None is
    given, as many as there is room for.
    """
    out = StringIO()
    console = partial(terminal, out, colour=colour)
    lines = folded(report, depth)
    asked = set(columns or (name for names in CHOICES for name in names))
    wide, narrow = _widths(asked, lines, report)
    names = columns or _fitting(wide, narrow, width)
    # A number is never cut: a table that does not fit is wider than the terminal.
    room = max(width, sum(narrow[name] for name in names))
    console(width).print(f"[bold]{report.title}[/]   [dim]{flow(report)}[/]")
    console(room).print(_table(lines, report, names))
    for line in totals(report, lines):
        console(width).print(line)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


CHOICES = (
    ("layer", "operators", "output", "working", "macs", "bar"),
    ("layer", "operators", "output", "params", "macs", "bar"),
    ("layer", "operators", "output", "params", "macs", "share"),
    ("layer", "operators", "output", "params", "macs"),
    ("layer", "operators", "output", "params", "share"),
    ("layer", "operators", "output", "params"),
    ("layer", "output", "params"),
)
"""The columns of a table, from the widest terminal to the narrowest."""

BETWEEN = 3
"""Columns that the table takes for itself with each of its own."""

FOLDED = 22
"""Columns that the operators are content with: they go on in a line below."""


def _widths(
    names: Iterable[str], lines: Sequence[Line], report: Report
) -> tuple[dict[str, int], dict[str, int]]:
    """What each column needs with every cell on one line, and with the operators going on below."""
    from rich.text import Text

    def widest(name: str) -> int:
        cells = [Text.from_markup(COLUMNS[name].cell(line, report)).cell_len for line in lines]
        return max([len(COLUMNS[name].header), *cells]) + BETWEEN

    wide = {name: widest(name) for name in names}
    return wide, {
        name: min(needed, FOLDED) if name == "operators" else needed
        for name, needed in wide.items()
    }


def _fitting(wide: dict[str, int], narrow: dict[str, int], width: int) -> Sequence[str]:
    """The first choice in which every cell stands on one line; in a narrow terminal the operators go
    on below."""

    def needed(names: Sequence[str], widths: dict[str, int]) -> int:
        return sum(widths[name] for name in names)

    fitting = [
        *(names for names in CHOICES[:4] if needed(names, wide) <= width),
        *(names for names in CHOICES if needed(names, narrow) <= width),
    ]
    return fitting[0] if fitting else CHOICES[-1]


def _table(lines: Sequence[Line], report: Report, names: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    columns = [COLUMNS[name] for name in names]
    for column in columns:
        wraps = column.header == "operators"
        table.add_column(column.header, justify=column.justify, no_wrap=not wraps, overflow="fold")
    for line in lines:
        table.add_row(*(column.cell(line, report) for column in columns))
    return table


def totals(report: Report, lines: Sequence[Line]) -> list[str]:
    """The lines below the table."""
    outermost = [line.params for line in lines if line.indent == 0 and line.params]
    working = " + ".join(f"{params:,}" for params in outermost)
    told = f" = {working}" if len(outermost) > 1 and len(working) <= 80 else ""
    found = [
        f"[bold]{quantity(report.params, 'parameter')}[/]{told}",
        *_kinds(report),
        *frozen(report),
    ]
    found.append(
        f"{quantity(report.neurons, 'neuron')}, {quantity(report.depth, 'weighted layer')} deep, "
        f"{quantity(report.macs, 'multiply-add')} ({report.flops:,} FLOPs) for one example"
    )
    inference, training = report.memory.inference_parts, report.memory.training_parts
    found.append(
        f"memory in float32: {size(inference.total)} for {_examples(inference.batch)}, "
        f"{size(training.total)} for a training step of {training.batch:,} by one thread"
    )
    found += [
        f"never seen of {name}: {missed}"
        for name, axes in report.unseen.items()
        if (missed := _missed(axes))
    ]
    closed = deepest(report) > 1 + max((line.indent for line in lines), default=0)
    return [*found, "[dim]blocks are closed: --depth opens them[/]"] if closed else found


def _kinds(report: Report) -> list[str]:
    """Which operators hold the parameters, where it is not one alone; and what is kept beside them."""
    holding = [row for row in report.kinds if row.params]
    told = ", ".join(f"{row.op} {row.params:,}" for row in holding) if len(holding) > 1 else ""
    kept = f"{report.statistics:,} running statistics, not learned" if report.statistics else ""
    line = "; ".join(filter(None, (told, kept)))
    return [f"[dim]{line}[/]"] if line else []


def frozen(report: Report) -> list[str]:
    """How many parameters learn and how many stay as they are, where some do."""
    kept = report.params - report.trainable
    return [f"{report.trainable:,} trainable, {kept:,} frozen"] if kept else []


def _examples(batch: int) -> str:
    return "one example" if batch == 1 else f"a batch of {batch:,}"


AXES = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}


def _missed(axes: Sequence[Sequence[int]]) -> str:
    """`rows 223, columns 223`."""
    named = zip(AXES.get(len(axes), ()), axes, strict=True)
    return ", ".join(f"{axis} {_ranges(missed)}" for axis, missed in named if missed)


def _ranges(indices: Sequence[int]) -> str:
    """`0–2, 7`; past a few runs their count alone."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    if len(runs) > 4:
        return f"({len(indices):,} of them)"
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def explanations(found: Sequence[Explanation], *, colour: bool) -> str:
    """Layer by layer: what it says, and every number's derivation."""
    paint = Paint(colour)
    blocks = []
    for one in found:
        role = f", {one.role} layer" if one.role else ""
        arrow = f"{dimensions(one.input)} → {dimensions(one.output)}"
        lines = [f"{paint('bold', one.name)}: {one.spelled}   {arrow}{role}", f"  {one.says}"]
        widest = max((len(line.fact) for line in one.lines), default=0)
        lines += [
            f"  {paint('frame', line.fact.ljust(widest))}  {line.derivation}" for line in one.lines
        ]
        if one.source:
            lines.append(f"  {paint('help', 'source:')} {one.source}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
