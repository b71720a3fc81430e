"""The table of layers as plain text, for formats that have a markup of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .columns import COLUMNS
from .fold import Line
from .text import totals

if TYPE_CHECKING:
    from ..report import Report

NAMES = ("layer", "operators", "output", "working", "macs", "share")
"""The columns shown where none are asked for."""


def cells(line: Line, report: Report, names: Sequence[str]) -> list[str]:
    """What a line tells, a column a cell."""
    return [_plain(COLUMNS[name].cell(line, report)).strip() for name in names]


def sums(report: Report, lines: Sequence[Line]) -> list[str]:
    """The lines below the table."""
    return [_plain(total) for total in totals(report, lines)]


def _plain(told: str) -> str:
    """Without the markup of rich."""
    from rich.text import Text

    return Text.from_markup(told).plain
