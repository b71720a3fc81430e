"""A report as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

from .messages import Paint

if TYPE_CHECKING:
    from rich.table import Table

    from ..explain import Explanation
    from ..report import LayerRow, Report

NARROW = 90
"""Columns below which the share is a number without its bar."""


def summary(report: Report, *, width: int, colour: bool = False) -> str:
    """The table people know, with the working: one row a layer, totals and their conventions."""
    from rich.console import Console

    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
    console.print(f"[bold]{report.title}[/]   {_flow(report)}")
    console.print(_table(report, wide=width >= NARROW))
    for line in totals(report):
        console.print(line)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _flow(report: Report) -> str:
    inputs = ", ".join(dimensions(shape) for shape in report.inputs.values())
    outputs = ", ".join(dimensions(shape) for shape in report.outputs.values())
    return f"[dim]{inputs} → {outputs}[/]"


def dimensions(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def _table(report: Report, *, wide: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("layer", style="cyan", no_wrap=True)
    table.add_column("operators", overflow="fold")
    table.add_column("output", justify="right", no_wrap=True)
    table.add_column("parameters", justify="right", overflow="fold")
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("share", justify="left" if wide else "right", no_wrap=True)
    for row in report.layers:
        table.add_row(
            row.name,
            row.written,
            dimensions(row.output),
            _worked(row),
            number(row.macs),
            _share(row.params, report.params, wide=wide),
        )
    return table


def _worked(row: LayerRow) -> str:
    """`3·4 + 4 = 16`, the result with its thousands parted."""
    if not row.params:
        return f"[dim]those of {row.shares}[/]" if row.shares else "[dim]·[/]"
    working, equals, _ = row.formula.rpartition(" = ")
    result = f"[bold]{row.params:,}[/]"
    return f"[dim]{working} =[/] {result}" if equals else result


def number(value: int) -> str:
    return f"{value:,}" if value else "[dim]·[/]"


BAR = 10


def _share(part: int, whole: int, *, wide: bool) -> str:
    """A layer's part of all parameters."""
    if not part or not whole:
        return ""
    share = part / whole
    percent = f"{share:4.0%}" if share >= 0.01 else " <1%"
    if not wide:
        return percent
    eighths = round(share * BAR * 8)
    bar = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
    return f"{percent} [green]{bar}[/]"


def totals(report: Report) -> list[str]:
    """The lines below the table."""
    working = report.params_formula.partition(" = ")[0]
    told = f" = {working}" if " + " in working and len(working) <= 80 else ""
    lines = [f"[bold]{report.params:,} parameters[/]{told}"]
    lines.append(
        f"{report.neurons:,} neurons, {report.depth} weighted layers deep, "
        f"{report.macs:,} multiply-adds ({report.flops:,} FLOPs) for one example"
    )
    lines.append(
        f"memory in float32: {size(report.memory.inference)} for one example, "
        f"{size(report.memory.training)} for a training step"
    )
    return lines


def size(count: int) -> str:
    """Bytes in binary units."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def explanations(found: Sequence[Explanation], *, colour: bool) -> str:
    """Layer by layer: what it says, and every number's derivation."""
    paint = Paint(colour)
    blocks = []
    for one in found:
        role = f", {one.role} layer" if one.role else ""
        arrow = f"{dimensions(one.input)} → {dimensions(one.output)}"
        lines = [f"{paint('bold', one.name)}: {one.written}   {arrow}{role}", f"  {one.says}"]
        widest = max((len(line.fact) for line in one.lines), default=0)
        lines += [
            f"  {paint('frame', line.fact.ljust(widest))}  {line.derivation}" for line in one.lines
        ]
        if one.source:
            lines.append(f"  {paint('help', 'source:')} {one.source}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
