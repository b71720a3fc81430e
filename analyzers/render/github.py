"""Diagnostics as GitHub's workflow commands, which put them beside the changed lines.

Source: GitHub, workflow commands for GitHub Actions, 'Setting a warning message'; how a value is
escaped: actions/toolkit, `core/src/command.ts`; which places pass: actions/runner,
`ActionCommandManager.cs`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...grammar.diagnostics import Mistake
from ...grammar.source import Span


def workflow_commands(mistakes: Sequence[Mistake]) -> str:
    """One command a line."""
    return "".join(f"{_annotation(mistake)}\n" for mistake in mistakes)


def _annotation(mistake: Mistake) -> str:
    properties = {"title": f"nnspec ({mistake.code})"}
    if mistake.span is not None:
        properties |= _place(mistake.span)
    elif mistake.filename is not None:
        properties["file"] = mistake.filename
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    words = "\n".join(part for part in (mistake.message(), mistake.help()) if part)
    return f"::{mistake.severity.value} {told}::{_data(words)}"


def _place(span: Span) -> dict[str, str]:
    """Where it stands; columns only within one line: over several the runner drops them."""
    (line, column), (end, last) = (span.source.position(o) for o in (span.start, span.end))
    lines = {"file": span.source.name, "line": str(line), "endLine": str(end)}
    return lines | ({"col": str(column), "endColumn": str(last)} if line == end else {})


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
