"""What every room says when something is wrong: a code, a place, what, and what to do.

A mistake is a frozen dataclass derived from `Mistake`: its fields are the facts, its docstring is
the page that explains the code, and `message()` and `help()` are the only prose. Functions return
mistakes; `SpecError` is raised once, at the public edge.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from .source import OPTIONS, Span


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Applicability(StrEnum):
    """How much a fix may change: `safe`, nothing of what the net computes and learns; `unsafe`, what
    the author may have meant otherwise. Asked for, `unsafe` stands for both."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True)
class Fix:
    """Edits that mend a mistake, and one line that says what they do."""

    title: str
    edits: tuple[Edit, ...]
    applicability: Applicability = Applicability.SAFE

    def within(self, asked: Applicability) -> bool:
        """Whether it is among the fixes that are asked for."""
        return self.applicability is Applicability.SAFE or asked is Applicability.UNSAFE


def writes(span: Span, text: str) -> Fix:
    """The fix that puts a text in place of what stands there."""
    return Fix(f"write `{text}`", (Edit(span, text),))


@dataclass(frozen=True)
class Note:
    """A second place that belongs to a mistake, with its label."""

    span: Span
    label: str


@dataclass(frozen=True)
class Mistake:
    """Something wrong, found at a place."""

    code: ClassVar[str] = ""
    name: ClassVar[str] = ""
    severity: ClassVar[Severity] = Severity.ERROR
    usage: ClassVar[bool] = False
    """Whether no spec is at fault, but the command line, or a file or folder that it names."""
    by_code: ClassVar[dict[str, type[Mistake]]] = {}

    span: Span | None
    trail: tuple[Note, ...] = field(default=(), kw_only=True, compare=False)
    """The uses of blocks that led here, innermost first."""
    barred: bool = field(default=False, kw_only=True, compare=False)
    """Its fix was tried and mends nothing: it is not offered."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not isinstance(cls.code, str) or not cls.code:
            return
        twin = Mistake.by_code.setdefault(cls.code, cls)
        if twin is not cls and twin.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.code} is both {twin.__qualname__} and {cls.__qualname__}")

    def message(self) -> str:
        """What is wrong, in one sentence without a full stop."""
        raise NotImplementedError(f"{type(self).__name__} has no message")

    @property
    def filename(self) -> str | None:
        """Which text or file it is of: a path, `<stdin>` or `<text>`; None where it is of none."""
        return self.span.source.name if self.span else None

    @property
    def exit_code(self) -> int:
        """What a command ends with that finds it: 0 a warning, 1 a mistake in a spec, 2 wrong usage."""
        if self.severity is not Severity.ERROR:
            return 0
        return 2 if self.usage or self.filename in OPTIONS else 1

    def label(self) -> str:
        """A few words under the caret; empty for none."""
        return ""

    def help(self) -> str:
        """What to do, in one line; empty when nothing useful can be said."""
        return ""

    def notes(self) -> tuple[Note, ...]:
        """Further places: the other side of a clash, the calls that led here."""
        return ()

    def fix(self) -> Fix | None:
        """The edits that mend it, where these have not been tried in vain."""
        return None if self.barred else self.remedy()

    def remedy(self) -> Fix | None:
        """The edits that would mend it."""
        return None

    @classmethod
    def page(cls) -> str:
        """The explanation of this code: the docstring."""
        return inspect.getdoc(cls) or ""


def in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """Sorted by file, place and code, each said once."""

    def key(mistake: Mistake) -> tuple[str, int, str, str]:
        start = mistake.span.start if mistake.span else 0
        return mistake.filename or "", start, mistake.code, mistake.message()

    return tuple(dict.fromkeys(sorted(mistakes, key=key)))


def exit_code(mistakes: Iterable[Mistake]) -> int:
    """What a command ends with that finds these: the worst that one of them asks for."""
    return max((mistake.exit_code for mistake in mistakes), default=0)


class SpecError(Exception):
    """A spec, a setting, a data file or a weights file is wrong; `diagnostics` says how.

    `str(error)` is one line a mistake: ``path:line:col: CODE message``.
    """

    def __init__(self, diagnostics: Sequence[Mistake]) -> None:
        self.diagnostics = in_order(diagnostics)
        super().__init__("\n".join(concise(mistake) for mistake in self.diagnostics))


def concise(mistake: Mistake) -> str:
    """One line: place, code, message, and the help after a dash."""
    place = mistake.span or mistake.filename
    advice = f" ({mistake.help()})" if mistake.help() else ""
    return f"{f'{place}: ' if place else ''}{mistake.code} {mistake.message()}{advice}"
