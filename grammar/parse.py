"""Text to tree and mistakes.

The text is cut into tokens, the tokens into statements, and every statement is parsed by itself:
a mistake in one never hides a mistake in the next.
"""

from __future__ import annotations

import math
import re
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from lark import Lark
from lark.exceptions import UnexpectedToken
from lark.lexer import PatternStr

from . import tree
from .diagnostics import Mistake
from .errors import (
    BadCharacter,
    BadNumber,
    EmptyText,
    FileTooLarge,
    LiteralTooLong,
    NestedTooDeep,
    NumberTooLong,
    StrayCloser,
    TextTooLong,
    TooManyStatements,
    UnclosedBracket,
    UnfinishedText,
    WordTooLong,
    WrongArrow,
)
from .limits import Limits
from .line_ends import cuts, followers, goes_on, taken
from .misplaced import explained
from .source import Source, Span
from .tables import parser
from .tokens import CLOSERS, DECLARE, SIGNS, Placed, placed

BLANK = " \t\f\v\r\ufeff\u00a0"
REPLACEMENTS = {
    "×": "x", "−": "-", "–": "-", "“": '"', "”": '"', "≤": "<=", "≥": ">=", "≠": "!=", "·": "*",
}  # fmt: skip


STAND_INS = {"NUMBER": "1", "SHAPE": "1x1", "STRING": '""'}
"""What a token that was reported counts as, so that the rest of its statement can be read."""


HOPELESS = 16
"""Nesting of so many times the limit ends the reading: what follows could not be told apart."""

MANY = 1000
"""So many unreadable tokens end the reading too."""

MOST_DIGITS = 4000
"""Past some 4300 digits Python refuses to read a whole number, whatever the limit is raised to."""

JUDGED = frozenset({"WRONG_ARROW", "BAD_NUMBER", "BAD_STRING", "WORD", "STRING", "NUMBER", "SHAPE"})
"""Terminals of which some texts are mistakes."""


@cache
def grammar() -> Lark:
    """The parser's tables, read once."""
    return parser()


@cache
def scanner() -> tuple[re.Pattern[str], Mapping[str, str]]:
    """The grammar's terminals as one pattern, and the words that are terminals by themselves.

    lark's own lexer reads a seventh of this pattern's tokens in the same time.
    """
    terminals = grammar().terminals
    word = re.compile(next(t.pattern.to_regexp() for t in terminals if t.name == "WORD"))
    keywords = {
        t.pattern.value: t.name
        for t in terminals
        if isinstance(t.pattern, PatternStr) and word.fullmatch(t.pattern.value)
    }
    rest = [t for t in terminals if t.name not in keywords.values()]
    rest.sort(key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    pattern = "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in rest)
    return re.compile(pattern), keywords


def parse(source: Source, limits: Limits | None = None) -> tuple[tree.File, tuple[Mistake, ...]]:
    """The syntax tree of a text, and everything wrong with it.

    Statements with mistakes are left out of the tree. Nothing is raised, whatever the text.
    """
    limits = limits or Limits()
    whole = Span(source, 0, len(source.text))
    size = len(source.text.encode("utf-8", "surrogatepass"))
    if size > limits.bytes:
        return tree.File(whole, ()), (FileTooLarge(Span(source, 0, 0), size, limits.bytes),)
    reader = _Reader(source, limits)
    tokens = list(reader.tokens())
    statements: list[tree.Statement] = []
    lost: set[str] = set()
    for piece in reader.pieces(tokens):
        statement = reader.statement(piece)
        if statement is not None:
            statements.append(statement)
        else:
            lost.update(_declared(piece.tokens))
    if not statements and not reader.mistakes:
        reader.mistakes.append(EmptyText(Span(source, 0, 0)))
    file = tree.File(whole, tuple(statements), tuple(reader.comments), frozenset(lost))
    return file, tuple(reader.mistakes)


@dataclass(frozen=True)
class _Piece:
    """The tokens of one statement; `whole` when nothing has been found wrong with them so far."""

    tokens: tuple[Placed, ...]
    whole: bool
    brackets: bool
    """Whether brackets match: without that, nothing can be parsed."""


@dataclass
class _Reader:
    source: Source
    limits: Limits
    mistakes: list[Mistake] = field(default_factory=list)
    comments: list[tree.Comment] = field(default_factory=list)
    flawed: list[int] = field(default_factory=list)
    """Offsets of tokens that were reported, or stand where something was dropped; ascending."""
    documentation: dict[int, str] = field(default_factory=dict)
    """The `##` comments that have a line to themselves, by line."""

    # ------------------------------------------------------------------------------- tokens

    def tokens(self) -> Iterator[Placed]:
        """Every token but the comments; what is no part of the language is reported and dropped."""
        pattern, keywords = scanner()
        run: Span | None = None
        depth = 0
        for match in pattern.finditer(self.source.text):
            kind, text = match.lastgroup or "", match[0]
            if kind == "SPACE":
                continue
            if len(self.mistakes) > MANY:
                return
            span = Span(self.source, match.start(), match.end())
            if kind == "BAD":
                if run is not None and run.end == span.start and text not in REPLACEMENTS:
                    run = run.to(span)
                    continue
                self._report_run(run)
                run = span
                continue
            self._report_run(run)
            run = None
            if kind == "COMMENT":
                self._comment(tree.Comment(span, text))
                continue
            if kind == "WORD":
                kind = keywords.get(text, kind)
            depth += (kind in CLOSERS) - (kind in SIGNS)
            if kind in JUDGED:
                mistake, kind = self._verdict(kind, text, span)
                if mistake is not None:
                    self.flawed.append(span.start)
                    self.mistakes.append(mistake)
                    text = STAND_INS.get(kind, text)
            yield placed(kind, text, span)
            if depth > HOPELESS * self.limits.nesting:
                break
        self._report_run(run)

    def _report_run(self, run: Span | None) -> None:
        if run is not None:
            self.flawed.append(run.start)
            self.mistakes.append(BadCharacter(run, run.text[:40], REPLACEMENTS.get(run.text, "")))

    def _comment(self, comment: tree.Comment) -> None:
        self.comments.append(comment)
        if not comment.text.startswith("##"):
            return
        line, column = self.source.position(comment.span.start)
        start = comment.span.start - column + 1
        if not self.source.text[start : comment.span.start].strip(BLANK):
            self.documentation[line] = comment.text.lstrip("#").strip()

    def _verdict(self, kind: str, token: str, span: Span) -> tuple[Mistake | None, str]:
        limits = self.limits
        match kind:
            case "WRONG_ARROW":
                return WrongArrow(span, token), "ARROW"
            case "BAD_NUMBER":
                return BadNumber(span, token[:60]), "NUMBER"
            case "BAD_STRING":
                return UnfinishedText(span), "STRING"
            case "WORD" if len(token) > limits.identifier:
                return WordTooLong(span, len(token), limits.identifier), kind
            case "STRING" if len(token) - 2 > limits.string:
                return TextTooLong(span, len(token) - 2, limits.string), kind
            case "NUMBER" | "SHAPE":
                return self._long(token, span), kind
            case _:
                return None, kind

    def _long(self, token: str, span: Span) -> Mistake | None:
        limits = self.limits
        whole = token.replace("_", "").rstrip("KMGTiB")
        parts = whole.split("x")
        if len(parts) > 1 or whole.isdigit():
            longest, most = max(map(len, parts)), min(limits.digits, MOST_DIGITS)
            return NumberTooLong(span, longest, most) if longest > most else None
        if len(token) > limits.literal:
            return LiteralTooLong(span, len(token), limits.literal)
        digits, _, power = whole.lower().partition("e")
        reach = sys.float_info.max_10_exp
        places = int(power[:10]) if power else 0
        if abs(places) > reach or not math.isfinite(float(whole)):
            found = abs(places) if power else len(digits)
            return NumberTooLong(span, found, limits.literal)
        return None

    # --------------------------------------------------------------------------- statements

    def pieces(self, tokens: Sequence[Placed]) -> Iterator[_Piece]:
        """Cut the tokens at line ends that end a statement."""
        current: list[Placed] = []
        open_: list[Placed] = []
        sound, count = True, 0
        follower = followers(tokens)
        ends = cuts(tokens)
        for index, token in enumerate(tokens):
            if token.type == "NEWLINE":
                if index not in ends and (open_ or goes_on(current, follower[index])):
                    continue
                if current:
                    yield self._piece(current, open_, sound)
                    count += 1
                current, open_, sound = [], [], True
                continue
            if not current and count >= self.limits.statements:
                most = self.limits.statements
                self.mistakes.append(TooManyStatements(token.span, most + 1, most))
                return
            current.append(token)
            sound = self._bracket(token, open_, sound) and sound
        if current:
            yield self._piece(current, open_, sound)

    def _bracket(self, token: Placed, open_: list[Placed], sound: bool) -> bool:
        """Keep track of open brackets; returns False once they do not match."""
        top = open_[-1] if open_ else None
        if taken(token, open_):
            if len(open_) == self.limits.nesting + 1 and token.type in CLOSERS and sound:
                depth = self.limits.nesting
                self.mistakes.append(NestedTooDeep(token.span, depth + 1, depth))
            return len(open_) <= self.limits.nesting
        if sound:
            self.mistakes.append(StrayCloser(token.span, str(token), top.span if top else None))
        return False

    def _piece(self, tokens: list[Placed], open_: list[Placed], sound: bool) -> _Piece:
        if open_ and sound:
            opener = open_[-1]
            sign = SIGNS[CLOSERS[opener.type]]
            self.mistakes.append(UnclosedBracket(opener.span, str(opener), sign))
        start, end = tokens[0].span.start, tokens[-1].span.end
        place = bisect_left(self.flawed, start)
        clean = place == len(self.flawed) or self.flawed[place] >= end
        return _Piece(tuple(tokens), clean, sound and not open_)

    def statement(self, piece: _Piece) -> tree.Statement | None:
        """The statement's tree; None when something is wrong with it."""
        first = piece.tokens[0]
        if not piece.brackets:
            return None
        statement, found = self._parsed(piece.tokens)
        if piece.whole:
            self.mistakes.extend(found)
        if found or not piece.whole or statement is None:
            return None
        if isinstance(statement, tree.Flow | tree.Block):
            return replace(statement, documentation=self._above(first))
        return statement

    def _above(self, first: Placed) -> str:
        """The `##` lines that stand directly above."""
        line, found = first.span.line - 1, []
        while line in self.documentation:
            found.append(self.documentation[line])
            line -= 1
        return "\n".join(reversed(found))

    def _parsed(
        self, tokens: Sequence[Placed]
    ) -> tuple[tree.Statement | None, tuple[Mistake, ...]]:
        """Parse; after a mistake go on behind the next `->` outside all brackets."""
        found: list[Mistake] = []
        arrows = _arrows(tokens)
        begin: int | None = 0
        while begin is not None:
            statement, failed = _fed(tokens, begin)
            if failed is None:
                return statement, tuple(found)
            found.append(explained(tokens, failed))
            begin = next((place + 1 for place in arrows if place >= failed), None)
        return None, tuple(found)


def _declared(tokens: Sequence[Placed]) -> Iterator[str]:
    """The names that a declaration gives meaning to, as far as it can be told."""
    if tokens[0].type in DECLARE:
        for token in tokens[1:]:
            if token.type == "WORD":
                yield str(token)
            if token.type in ("EQUAL", "CALL"):
                break


def _fed(tokens: Sequence[Placed], begin: int) -> tuple[tree.Statement | None, int | None]:
    """The statement that begins at a token, or the place where the grammar has no reading."""
    state = grammar().parse_interactive(start="statement")
    index = begin
    try:
        for index in range(begin, len(tokens)):
            state.feed_token(tokens[index])  # type: ignore[arg-type]
        index = len(tokens)
        return state.feed_token(placed("$END", "", tokens[-1].span)), None  # type: ignore[arg-type]
    except UnexpectedToken:
        return None, index


def _arrows(tokens: Sequence[Placed]) -> Iterator[int]:
    """Places of the arrows outside all brackets behind which a chain can be taken up again.

    Of many arrows in a row the inner ones are left out: they are one mistake.
    """
    if tokens[0].type in ("EXPECT", "TRAIN"):
        return
    depth = 0
    for place, token in enumerate(tokens[:-1]):
        depth += (token.type in CLOSERS) - (token.type in SIGNS)
        beside = {tokens[place - 1].type, tokens[place + 1].type}
        if token.type == "ARROW" and depth == 0 and beside != {"ARROW"}:
            yield place
