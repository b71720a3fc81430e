"""Tokens, and what their kinds may do."""

from __future__ import annotations

from .source import Span

CLOSERS = {"LPAR": "RPAR", "CALL": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
SIGNS = {"RPAR": ")", "RSQB": "]", "RBRACE": "}"}
DECLARE = frozenset({"LET", "BLOCK", "SHARED", "USE"})
"""Terminals that begin a statement and stand nowhere else, but for the `let` in braces."""

KEYWORDS = frozenset({"EXPECT", "TRAIN", "OUTPUT"})
"""Terminals that begin a statement, and elsewhere name an option, a setting or a fact."""

KEPT = DECLARE | {"FOR", "IF", "ELSE", "IN"}
"""Words that can name nothing."""

CHAINED = frozenset(
    {"WORD", "NUMBER", "SHAPE", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"}
    | {"ARROW", "LSQB", "BAR", "COLON"}
)
"""Terminals behind which a piece of a stage may begin."""


class Placed(str):
    """A token: its text, the terminal it is, and its place."""

    __slots__ = ("span", "type")

    type: str
    span: Span


def placed(kind: str, text: str, span: Span) -> Placed:
    token = Placed(text)
    token.type, token.span = kind, span
    return token
