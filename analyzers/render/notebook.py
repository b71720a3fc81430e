"""A report as a notebook shows it: HTML that takes its colours from the page, light or dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from .text import dimensions, size

if TYPE_CHECKING:
    from ..report import LayerRow, Report

LONG = 40
"""Rows above which the table is folded away."""

CELL = "padding:.1em .7em;border:0"
LINE = "border-bottom:1px solid currentColor"
HEAD = (
    ("layer", "left"),
    ("operators", "left"),
    ("output", "right"),
    ("parameters", "right"),
    ("MACs", "right"),
    ("share", "left"),
)


def summary(report: Report) -> str:
    """The title, one row a layer, the totals: as the terminal has them, on one screen."""
    table = _table(report)
    if len(report.layers) > LONG:
        table = f"<details><summary>{len(report.layers):,} layers</summary>{table}</details>"
    inputs, outputs = (
        ", ".join(dimensions(shape) for shape in shapes.values())
        for shapes in (report.inputs, report.outputs)
    )
    return (
        f"<div><b>{escape(report.title)}</b> &ensp;{inputs} → {outputs}{table}"
        f"<div><b>{report.params:,} parameters</b>, {report.macs:,} multiply-adds, "
        f"{report.neurons:,} neurons, {report.depth} weighted layers deep<br>"
        f"memory in float32: {size(report.memory.inference)} for one example, "
        f"{size(report.memory.training)} for a training step</div></div>"
    )


def _table(report: Report) -> str:
    head = "".join(
        f'<th style="{CELL};{LINE};text-align:{side}">{word}</th>' for word, side in HEAD
    )
    rows = "".join(_row(_cells(row, report.params)) for row in report.layers)
    return (
        '<table style="border-collapse:collapse;background:none;margin:.4em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(cells: Iterable[str]) -> str:
    told = zip(cells, HEAD, strict=True)
    inside = "".join(
        f'<td style="{CELL};text-align:{side};background:none">{cell}</td>'
        for cell, (_, side) in told
    )
    return f"<tr>{inside}</tr>"


def _cells(row: LayerRow, whole: int) -> tuple[str, ...]:
    """Markup: what the spec says is escaped."""
    params = f'<span title="{escape(row.formula)}">{row.params:,}</span>'
    if not row.params:
        params = f"those of {escape(row.shares)}" if row.shares else ""
    return (
        escape(row.name),
        f"<code>{escape(row.written)}</code>",
        dimensions(row.output),
        params,
        f"{row.macs:,}" if row.macs else "",
        _bar(row.params / whole) if whole and row.params else "",
    )


def _bar(share: float) -> str:
    """A bar in the ink of the page, and its length in words."""
    told = f"{share:.0%}" if share >= 0.01 else "&lt;1%"
    return (
        f'<span style="display:inline-block;height:.6em;width:{share * 6:.2f}em;'
        f'background:currentColor;opacity:.45"></span> {told}'
    )
