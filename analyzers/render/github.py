"""Diagnostics as GitHub's workflow commands, which put them beside the changed lines.

Source: GitHub, workflow commands for GitHub Actions, 'Setting a warning message'.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...grammar.diagnostics import Mistake


def workflow_commands(mistakes: Sequence[Mistake]) -> str:
    """One command a line."""
    return "".join(f"{_annotation(mistake)}\n" for mistake in mistakes)


def _annotation(mistake: Mistake) -> str:
    properties = {"title": f"nnspec ({mistake.code})"}
    if mistake.span is not None:
        source, start, end = mistake.span.source, mistake.span.start, mistake.span.end
        (line, column), (end_line, end_column) = source.position(start), source.position(end)
        properties |= {"file": source.name, "line": str(line), "col": str(column)}
        properties |= {"endLine": str(end_line), "endColumn": str(end_column)}
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    words = "\n".join(part for part in (mistake.message(), mistake.help()) if part)
    return f"::{mistake.severity.value} {told}::{_data(words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
