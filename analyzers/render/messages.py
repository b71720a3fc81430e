"""Diagnostics as people read them: what, where, and what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from ...grammar.diagnostics import Applicability, Mistake, Severity
from ...grammar.quantity import quantity
from ...grammar.source import Span

MOST = 50
"""Diagnostics shown in full; the rest is counted."""

WIDEST = 120
"""Columns of source shown at most."""

CODES = {
    "error": "31;1", "warning": "33;1", "frame": "34", "help": "36", "bold": "1",
    "added": "32", "removed": "31", "changed": "33",
}  # fmt: skip


class Paint:
    """Text in colour, or left alone."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{CODES[style]}m{text}\x1b[0m" if self.colour and text else text


def messages(
    mistakes: Sequence[Mistake],
    *,
    colour: bool = False,
    asked: Applicability = Applicability.SAFE,
) -> str:
    """All diagnostics with their places, and a line that counts them; empty for none.

    What a fix that is asked for mends is marked.
    """
    if not mistakes:
        return ""
    paint = Paint(colour)
    blocks = [message(mistake, paint, asked) for mistake in mistakes[:MOST]]
    if len(mistakes) > MOST:
        blocks.append(f"... and {len(mistakes) - MOST:,} more")
    return "\n\n".join((*blocks, counted(mistakes) + _hint(mistakes, asked))) + "\n"


def _hint(mistakes: Sequence[Mistake], asked: Applicability) -> str:
    """What `--fix` would mend, and what it would if asked for more."""
    offered = [fix.within(asked) for mistake in mistakes if (fix := mistake.fix())]
    hint = " `nnspec check --fix` mends what is marked [*]." if any(offered) else ""
    hidden = offered.count(False)
    if hidden:
        fixes = quantity(hidden, "hidden fix", "hidden fixes")
        hint += f" {fixes} can be enabled with `--unsafe-fixes`."
    return hint


def counted(mistakes: Iterable[Mistake]) -> str:
    """`Found 2 errors, 1 warning.`"""
    found = list(mistakes)
    errors = sum(mistake.severity is Severity.ERROR for mistake in found)
    kinds = ((errors, "error"), (len(found) - errors, "warning"))
    told = [quantity(n, word) for n, word in kinds if n]
    return f"Found {', '.join(told)}." if told else "All is well."


def message(mistake: Mistake, paint: Paint, asked: Applicability) -> str:
    """One diagnostic."""
    style, fix = mistake.severity.value, mistake.fix()
    fixable = " [*]" if fix and fix.within(asked) else ""
    lines = [f"{paint(style, mistake.code)}{fixable} {paint('bold', _visible(mistake.message()))}"]
    if mistake.span is not None:
        lines += _excerpt(mistake.span, mistake.label(), style, paint, arrow="-->")
    for note in (*mistake.notes(), *mistake.trail):
        lines += _excerpt(note.span, note.label, "help", paint, arrow=":::")
    if mistake.help():
        lines.append(f"{paint('help', 'help:')} {_visible(mistake.help())}")
    return "\n".join(lines)


def _excerpt(span: Span, label: str, style: str, paint: Paint, *, arrow: str) -> list[str]:
    line, column = span.line, span.column
    number = str(line)
    margin = " " * len(number)
    text = span.source.line(line) if span.source.text else ""
    length = max(1, min(span.end - span.start, len(text) - column + 1))
    text, column = _trimmed(text, column)
    length = min(length, max(1, len(text) - column + 1))
    before = _width(text[: column - 1])
    carets = "^" * max(1, _width(text[column - 1 : column - 1 + length]))
    pointer = f"{' ' * before}{paint(style, (carets + ' ' + label).rstrip())}"
    bar = paint("frame", "|")
    return [
        f"{margin}{paint('frame', arrow)} {span}",
        f"{margin} {bar}",
        f"{paint('frame', number)} {bar} {_visible(text)}",
        f"{margin} {bar} {pointer}",
    ]


def _trimmed(text: str, column: int) -> tuple[str, int]:
    """A window of a long line around the column."""
    if len(text) <= WIDEST:
        return text, column
    start = max(0, column - 1 - WIDEST // 3)
    cut = text[start : start + WIDEST]
    return ("…" + cut, column - start + 1) if start else (cut + "…", column)


def _visible(text: str) -> str:
    """Tabs as one space, control characters and lone surrogates as marks."""
    return "".join(
        " " if c == "\t" else "�" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text
    )


def _width(text: str) -> int:
    """Columns on the screen: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )
