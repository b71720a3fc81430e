"""Text that may be laid out on one line or on several, and the choice between the two.

After Oppen 1980, "Prettyprinting", and Wadler 2003, "A prettier printer".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A place where a line may end: with `hard` it does, and `flat` stands there otherwise."""

    flat: str
    hard: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Aside:
    """A comment for the end of the line."""

    text: str


@dataclass(frozen=True, slots=True)
class Comma:
    """A comma where the lines of its group end."""


@dataclass(frozen=True, slots=True)
class Nest:
    """What is indented by some columns more."""

    by: int
    parts: tuple[Doc, ...]


@dataclass(slots=True)
class Group:
    """All of its lines end, or none; one that `yields` does so before what stands around it."""

    parts: tuple[Doc, ...]
    yields: bool = False
    broken: bool = field(init=False)

    def __post_init__(self) -> None:
        self.broken = is_broken(self.parts)


Doc: TypeAlias = "str | Line | Aside | Comma | Nest | Group | tuple[Doc, ...]"


def is_broken(doc: Doc) -> bool:
    """Whether a line ends inside, however much room there is."""
    match doc:
        case Line(hard=hard):
            return hard
        case Group(broken=broken):
            return broken
        case Nest(parts=parts) | tuple(parts):
            return any(map(is_broken, parts))
        case _:
            return False


def printed(doc: Doc) -> str:
    """The document in lines of at most `WIDTH` columns, where it can be."""
    out: list[str] = []
    aside, column = "", 0
    todo: list[tuple[int, bool, Doc]] = [(0, False, doc)]
    while todo:
        indent, flat, doc = todo.pop()
        match doc:
            case Line() if not flat:
                out.append(aside + "\n" * (1 + doc.blank) + " " * indent)
                aside, column = "", indent
            case str(words) | Line(words):
                out.append(words)
                column += len(words)
            case Aside(text):
                aside = f"  {text}"
            case Comma():
                out.append("" if flat else ",")
            case Nest(by, parts):
                todo.extend((indent + by, flat, part) for part in reversed(parts))
            case Group(parts):
                flat = flat or (not doc.broken and _fits(WIDTH - column, parts, todo))
                todo.extend((indent, flat, part) for part in reversed(parts))
            case _:
                todo.extend((indent, flat, part) for part in reversed(doc))
    return "".join((*out, aside))


def _fits(room: int, doc: Doc, rest: Sequence[tuple[int, bool, Doc]]) -> bool:
    """Whether this on one line, and the rest up to where a line may end, take so many columns."""
    following = reversed(rest)
    todo = [(True, doc)]
    while room >= 0:
        if not todo:
            after = next(following, None)
            if after is None:
                return True
            todo.append(after[1:])
        flat, doc = todo.pop()
        match doc:
            case Line() if not flat:
                return True
            case str(words) | Line(words):
                room -= len(words)
            case Group(parts):
                flat = flat or not (doc.broken or doc.yields)
                todo.extend((flat, part) for part in reversed(parts))
            case Nest(parts=parts) | tuple(parts):
                todo.extend((flat, part) for part in reversed(parts))
            case Comma():
                room -= not flat
    return False
