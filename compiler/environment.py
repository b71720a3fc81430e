"""What the environment says of every plan of a process."""

from __future__ import annotations

import os

from ..grammar.diagnostics import SpecError
from .errors import BadEnvironment

THREADS, TILES = "NNSPEC_THREADS", "NNSPEC_WINOGRAD"


def threads() -> int | None:
    """How many threads a net may use; None where nobody says. Raises SpecError."""
    asked = os.environ.get(THREADS, "").strip()
    if not asked:
        return None
    if not asked.isdecimal() or len(asked) > 9 or not int(asked):
        advice = "give a whole number from 1, or unset it"
        raise SpecError([BadEnvironment(None, THREADS, asked, advice)])
    return int(asked)


def tiles() -> bool:
    """Whether convolutions may go by Winograd's tiles: one number that is no number, or larger by far
    than those beside it, spoils all outputs of its tiles, where a window spoils those that see it.
    Raises SpecError."""
    asked = os.environ.get(TILES, "").strip()
    if asked not in ("", "0", "1"):
        advice = "0 does without tiles; 1, or nothing, allows them"
        raise SpecError([BadEnvironment(None, TILES, asked, advice)])
    return asked != "0"
