"""Diagnostics as SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from ...grammar.diagnostics import Mistake
from ...grammar.source import Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(mistakes: Sequence[Mistake], version: str, page: Callable[[str], str]) -> dict[str, Any]:
    """One run with its rules and results; columns count code points, an end is not included.

    `page` gives the Markdown page of a code. Rules have no `helpUri`: their pages are not on the
    web, and travel inside.
    """
    codes = sorted({mistake.code: mistake for mistake in mistakes}.items())
    places = {code: index for index, (code, _) in enumerate(codes)}
    driver = {
        "name": "nnspec",
        "version": version,
        "rules": [_rule(mistake, page(code)) for code, mistake in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(mistake, places[mistake.code]) for mistake in mistakes],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(mistake: Mistake, page: str) -> dict[str, Any]:
    title, _, told = page.strip().partition("\n\n")
    return {
        "id": mistake.code,
        "name": mistake.name,
        "shortDescription": {"text": mistake.name.replace("-", " ")},
        "fullDescription": {"text": told.partition("\n\n")[0] or title},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": mistake.severity.value},
    }


def _result(mistake: Mistake, place: int) -> dict[str, Any]:
    words = ". ".join(part for part in (mistake.message(), mistake.help()) if part)
    found: dict[str, Any] = {
        "ruleId": mistake.code,
        "ruleIndex": place,
        "level": mistake.severity.value,
        "message": {"text": words},
    }
    if mistake.span is not None:
        found["locations"] = [{"physicalLocation": _location(mistake.span)}]
        notes = [*mistake.notes(), *mistake.trail]
        if notes:
            found["relatedLocations"] = [
                {"physicalLocation": _location(note.span), "message": {"text": note.label}}
                for note in notes
            ]
    elif mistake.filename is not None:
        found["locations"] = [{"physicalLocation": _whole(mistake.filename)}]
    fix = mistake.fix()
    if fix is not None:
        changes: dict[str, list[dict[str, Any]]] = {}
        for edit in fix.edits:
            replacement = {
                "deletedRegion": _region(edit.span),
                "insertedContent": {"text": edit.text},
            }
            changes.setdefault(_uri(edit.span.source.name), []).append(replacement)
        found["fixes"] = [
            {
                "description": {"text": fix.title},
                "artifactChanges": [
                    {"artifactLocation": {"uri": uri}, "replacements": replacements}
                    for uri, replacements in changes.items()
                ],
            }
        ]
    return found


def _location(span: Span) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(span.source.name)}, "region": _region(span)}


def _whole(filename: str) -> dict[str, Any]:
    """A file that no line is known of: GitHub shows nothing without one, so it is the first."""
    return {"artifactLocation": {"uri": _uri(filename)}, "region": {"startLine": 1}}


def _uri(name: str) -> str:
    """A path relative to where the command runs, with slashes; `<text>` has no better name."""
    path = PurePath(name)
    if path.is_absolute():
        return path.as_uri()
    return quote(path.as_posix(), errors="surrogateescape")


def _region(span: Span) -> dict[str, int]:
    (line, column), (end, last) = (span.source.position(place) for place in (span.start, span.end))
    return {"startLine": line, "startColumn": column, "endLine": end, "endColumn": last}
