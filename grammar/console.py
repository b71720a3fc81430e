"""What tables are written with, for a terminal of a certain width."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

FLOOR = 40
"""Columns of the narrowest terminal that a table is made for."""


def terminal(out: TextIO, width: int, *, colour: bool) -> Console:
    """What writes tables for a terminal of this width."""
    from rich.console import Console

    return Console(
        file=out,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
