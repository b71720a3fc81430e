"""Trainings as a table: a row each, with a column for every setting in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from .settings import brief

if TYPE_CHECKING:
    from ..records import Logged, Record

HIDDEN = frozenset({"epochs"})
"""Settings that the table tells beside what was reached."""

LEFT = frozenset({"run", "net", "state"})


def table(records: Sequence[Record], differing: Sequence[str]) -> str:
    """Aligned columns; those in which no run has anything to tell are left out."""
    settings = [name for name in differing if name not in HIDDEN]
    rows = [_row(one, settings) for one in records]
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    wide = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    left = LEFT | set(settings)

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.ljust(wide[name]) if name in left else cell.rjust(wide[name])
            for name, cell in zip(names, cells, strict=True)
        )
        return "  ".join(placed).rstrip()

    rule = "  ".join("─" * wide[name] for name in names)
    return "\n".join([line(names), rule, *(line([row[name] for name in names]) for row in rows)])


def _row(one: Record, settings: Sequence[str]) -> dict[str, str]:
    best = one.best
    return {
        "run": one.path,
        "net": PurePath(one.spec).name,
        "parameters": f"{one.params:,}",
        **{name: brief(name, one.settings.get(name, "")) for name in settings},
        "epochs": f"{len(one.epochs)}/{one.settings.get('epochs', '?')}",
        "best": str(best.number) if best else "",
        "training": _number(best.loss) if best else "",
        "held out": _number(best.held_out.get("loss")) if best else "",
        "accuracy": _accuracy(best),
        "time": duration(one.seconds) if one.epochs else "",
        "state": one.state,
    }


def _accuracy(best: Logged | None) -> str:
    found = best.held_out.get("accuracy") if best else None
    return "" if found is None else f"{100 * found:.2f} %"


def _number(worth: float | None) -> str:
    if worth is None:
        return ""
    return f"{worth:.4f}" if abs(worth) < 1e6 else f"{worth:.3g}"


def duration(seconds: float) -> str:
    """8.8 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
