"""Diagnostics and reports as JSON. Fields are only ever added."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from ...grammar.diagnostics import Mistake
from ...grammar.source import Span


def diagnostics(mistakes: Sequence[Mistake]) -> list[dict[str, Any]]:
    """One object a diagnostic; rows and columns count from 1, columns in code points."""
    return [
        {
            "code": mistake.code,
            "name": mistake.name,
            "severity": mistake.severity.value,
            "message": mistake.message(),
            "help": mistake.help(),
            **_place(mistake.span),
            "filename": mistake.filename,
            "notes": [
                {"message": note.label, **_place(note.span)}
                for note in (*mistake.notes(), *mistake.trail)
            ],
            "fix": _fix(mistake),
        }
        for mistake in mistakes
    ]


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"filename": None, "location": None, "end_location": None}
    (row, column), (end_row, end_column) = (span.source.position(o) for o in (span.start, span.end))
    return {
        "filename": span.source.name,
        "location": {"row": row, "column": column},
        "end_location": {"row": end_row, "column": end_column},
    }


def _fix(mistake: Mistake) -> dict[str, Any] | None:
    fix = mistake.fix()
    if fix is None:
        return None
    edits = [{"content": edit.text, **_place(edit.span)} for edit in fix.edits]
    return {"title": fix.title, "applicability": fix.applicability.value, "edits": edits}


def as_json(value: object) -> str:
    """Indented, in order; escaped to ASCII where the text is no valid Unicode, or stdout not for it."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode()
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    return text + "\n"
