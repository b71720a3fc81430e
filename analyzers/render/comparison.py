"""Two nets side by side for the terminal: totals, then every layer that is not the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import dimensions, size
from .messages import Paint

if TYPE_CHECKING:
    from ..compare import Comparison, LayerChange, Total

MARKS = {"added": "+", "removed": "-", "changed": "~"}
NAMES = {
    "params": "parameters",
    "macs": "multiply-adds",
    "inference memory": "memory, one example",
    "training memory": "memory, training step",
}


def comparison(found: Comparison, *, colour: bool) -> str:
    """Totals with their differences; then `+` and `-` and `~` before layers, as diff has them."""
    paint = Paint(colour)
    rows = [total_facts(total) for total in found.totals]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [paint("bold", f"{found.before} → {found.after}"), ""]
    for fact, before, after, change in rows:
        columns = (fact.ljust(widths[0]), before.rjust(widths[1]), after.rjust(widths[2]))
        lines.append("  {}  {} → {}  {}".format(*columns, change).rstrip())
    if found.layers:
        lines.append("")
        lines += _layers(found.layers, paint)
    elif found.same:
        lines += ["", "The two are the same, layer by layer."]
    return "\n".join(lines) + "\n"


def total_facts(total: Total) -> tuple[str, str, str, str]:
    """What it is, before, after, and the change."""
    shown = size if "memory" in total.fact else "{:,}".format
    difference = total.after - total.before
    change = ""
    if difference:
        sign = "+" if difference > 0 else "−"
        change = f"{sign}{shown(abs(difference))}"
        if total.before:
            change += f" ({sign}{abs(difference) / total.before:.1%})"
    return NAMES.get(total.fact, total.fact), shown(total.before), shown(total.after), change


def _layers(changes: list[LayerChange], paint: Paint) -> list[str]:
    rows = [_row(change) for change in changes]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = []
    for change, (name, written, output, params) in zip(changes, rows, strict=True):
        columns = (name.ljust(widths[0]), written.ljust(widths[1]), output.ljust(widths[2]))
        text = f"{MARKS[change.change]} {'  '.join(columns)}  {params}"
        lines.append(paint(change.change, text.rstrip()))
    return lines


def _row(change: LayerChange) -> tuple[str, str, str, str]:
    name, written, output, params = (" → ".join(fact) for fact in layer_facts(change))
    return name, written, output, f"{params} parameter{'' if params == '1' else 's'}"


def layer_facts(change: LayerChange) -> tuple[list[str], ...]:
    """Name, operators, output and parameters: of each one value, or two where it differs."""
    sides = [row for row in (change.before, change.after) if row is not None]
    facts = (
        [row.name for row in sides],
        [row.spelled for row in sides],
        [dimensions(row.output) for row in sides],
        [f"{row.params:,}" for row in sides],
    )
    return tuple(list(dict.fromkeys(fact)) for fact in facts)
