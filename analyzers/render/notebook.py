"""A report as a notebook shows it: HTML that takes its colours from the page, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from .cells import NAMES, cells, sums
from .columns import COLUMNS, dimensions
from .fold import Line, folded

if TYPE_CHECKING:
    from ..report import Report

LONG = 40
"""Rows above which the table is folded away."""

CELL = "padding:.1em .7em;border:0;background:none"
LINE = "border-bottom:1px solid currentColor"


def summary(report: Report) -> str:
    """The title, the table of layers, the totals: as the terminal has them."""
    lines = folded(report)
    table = _table(report, lines)
    if len(lines) > LONG:
        table = f"<details><summary>{len(report.layers):,} layers</summary>{table}</details>"
    inputs, outputs = (
        ", ".join(dimensions(shape) for shape in shapes.values())
        for shapes in (report.inputs, report.outputs)
    )
    told = "<br>".join(map(escape, sums(report, lines)))
    title = f"<b>{escape(report.title)}</b> &ensp;{inputs} → {outputs}"
    return f"<div>{title}{table}<div>{told}</div></div>"


def _table(report: Report, lines: Sequence[Line]) -> str:
    head = _cells("th", LINE, [COLUMNS[name].header for name in NAMES], 0)
    rows = "".join(
        f"<tr>{_cells('td', '', cells(line, report, NAMES), line.indent)}</tr>" for line in lines
    )
    return (
        '<table style="border-collapse:collapse;background:none;margin:.4em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _cells(tag: str, style: str, told: Sequence[str], indent: int) -> str:
    """Escaped; the first stands further in, the deeper its block."""
    margins = [f"padding-left:{0.7 + indent}em", *[""] * (len(told) - 1)]
    return "".join(
        f'<{tag} style="{CELL};text-align:{COLUMNS[name].justify};{margin};{style}">'
        f"{escape(text)}</{tag}>"
        for name, text, margin in zip(NAMES, told, margins, strict=True)
    )
