"""At which line ends a statement ends, brackets that are never closed or not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from .tokens import CLOSERS, DECLARE, SIGNS, Placed

CONTINUES_BEFORE = frozenset({"ARROW", "BAR"})
CONTINUES_AFTER = frozenset({"ARROW", "EQUAL", "BAR", "COMMA", "RBRACE"})

SOURCES = frozenset({"NUMBER", "SHAPE", "AT"})
"""What a chain can begin with when its first stage has no name."""


def taken(token: Placed, open_: list[Placed]) -> bool:
    """Take a token into the open brackets; False for a closer that does not close the last one.

    Such a closer closes the nearest of its kind, or in place of that the last.
    """
    if token.type in CLOSERS:
        open_.append(token)
    elif token.type in SIGNS:
        if open_ and CLOSERS[open_[-1].type] == token.type:
            open_.pop()
            return True
        depth = len(open_) - 1
        while depth > 0 and CLOSERS[open_[depth].type] != token.type:
            depth -= 1
        if depth >= 0 and CLOSERS[open_[depth].type] == token.type:
            del open_[depth:]
        elif open_:
            open_.pop()
        return False
    return True


def cuts(tokens: Sequence[Placed]) -> frozenset[int]:
    """The line ends at which a statement ends although a bracket is open: it is never closed.

    That is before a word that begins a statement. It is also before a name or a source that looks
    like a beginning, but only where every bracket open by then stays open, as nets may be laid
    out so inside brackets that do close.
    """
    found: set[int] = set()
    open_: list[Placed] = []
    fresh: list[tuple[int, int]] = []

    def settle() -> None:
        starts = [token.span.start for token in open_]
        found.update(
            place
            for place, depth in fresh
            if bisect_left(starts, tokens[place].span.start) == depth
        )
        open_.clear()
        fresh.clear()

    for index, token in enumerate(tokens):
        if token.type != "NEWLINE":
            taken(token, open_)
        elif open_ and _begins(tokens, index + 1, open_[-1]):
            found.add(index)
            settle()
        elif open_ and _looks_fresh(tokens, index):
            fresh.append((index, len(open_)))
    settle()
    return frozenset(found)


def _begins(tokens: Sequence[Placed], place: int, inside: Placed) -> bool:
    """Whether a word that begins a statement stands here, and not as an option's or fact's name."""
    kinds = [token.type for token in tokens[place : place + 3]] + [""] * 3
    match kinds[0], kinds[1], kinds[2]:
        case ("OUTPUT", "COLON", _) | ("OUTPUT", "WORD", "COLON"):
            return True
        case "TRAIN", "CALL" | "LPAR", _:
            return True
        case "EXPECT", after, _:
            return after != "EQUAL"
        case "LET", _, _:
            return inside.type != "LBRACE"
        case first, _, _:
            return first in DECLARE


def _looks_fresh(tokens: Sequence[Placed], place: int) -> bool:
    """Whether an unindented name, or a source behind an empty line, follows this line end."""
    kinds = [token.type for token in tokens[place + 1 : place + 3]]
    if not kinds or not tokens[place].endswith("\n"):
        return False
    return kinds == ["WORD", "COLON"] or (tokens[place].count("\n") > 1 and kinds[0] in SOURCES)


def followers(tokens: Sequence[Placed]) -> list[Placed | None]:
    """For every token the next one that is no line end."""
    found: list[Placed | None] = [None] * len(tokens)
    following: Placed | None = None
    for index in range(len(tokens) - 1, -1, -1):
        found[index] = following
        if tokens[index].type != "NEWLINE":
            following = tokens[index]
    return found


def goes_on(current: Sequence[Placed], following: Placed | None) -> bool:
    """Whether a statement continues over a line end outside brackets."""
    if not current:
        return True
    if following is None:
        return False
    return current[-1].type in CONTINUES_AFTER or following.type in CONTINUES_BEFORE
