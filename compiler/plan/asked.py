"""What may be asked of a pass: how many examples, threads, rounds, and whether it trains."""

from __future__ import annotations

import operator
from typing import get_args

from ...grammar.diagnostics import SpecError
from ..errors import BadSetting
from .schedule import Mode


def counted(name: str, given: object) -> int | None:
    """A whole number from 1 of whatever kind, or None; raises SpecError for all else."""
    if given is None:
        return None
    try:
        number = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if isinstance(given, bool) or number < 1:
        problem = f"cannot be {given!r}"
        raise SpecError([BadSetting(None, name, problem, "a whole number from 1")])
    return number


def known(mode: object) -> None:
    """Raise SpecError unless it is a mode, or None."""
    if mode is not None and mode not in get_args(Mode):
        advice = f"choose {' or '.join(get_args(Mode))}"
        raise SpecError([BadSetting(None, "mode", f"cannot be {mode!r}", advice)])
