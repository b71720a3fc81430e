"""What `nnspec check --format json` prints, and every other command when a spec is wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .report import Model


class Location(Model):
    """A place in a text: both count from 1, the column in code points."""

    row: int
    column: int


class Placed(Model):
    """A stretch of a text; without a place where no text is at fault, or its file cannot be read."""

    filename: str | None = Field(description="a path as it was given, `<stdin>` or `<text>`")
    location: Location | None = Field(description="where it begins")
    end_location: Location | None = Field(description="behind its last character")


class NoteRow(Placed):
    """A second place that belongs to a mistake."""

    message: str


class EditRow(Placed):
    """The text between the places is replaced by `content`."""

    content: str


class FixRow(Model):
    """What mends a mistake."""

    title: str
    applicability: Literal["safe", "unsafe"] = Field(
        description="safe: the net computes and learns the same; unsafe: it may not"
    )
    edits: list[EditRow]


class DiagnosticRow(Placed):
    """One mistake, or one finding of a rule."""

    code: str = Field(description="NN402; `nnspec rule CODE` is its page")
    name: str = Field(description="saturating-hidden")
    severity: Literal["error", "warning"]
    message: str
    help: str = Field(description="what to do, or empty")
    notes: list[NoteRow]
    fix: FixRow | None


class Diagnosis(Model):
    """All that was found."""

    checked: int = Field(default=0, description="how many specs were read; only `check` tells")
    fixed: int = Field(default=0, description="how many mistakes; only `check --fix` tells")
    diagnostics: list[DiagnosticRow]
