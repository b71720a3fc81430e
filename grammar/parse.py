"""Text to tree and mistakes.

The text is cut into tokens, the tokens into statements, and every statement is parsed by itself:
a mistake in one never hides a mistake in the next.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from lark import Lark
from lark.exceptions import UnexpectedToken
from lark.lexer import PatternStr

from . import tree
from .build import Builder
from .diagnostics import Mistake
from .errors import (
    BadCharacter,
    BadNumber,
    EmptyText,
    FileTooLarge,
    NestedTooDeep,
    NumberTooLong,
    OutOfPlace,
    ReservedWord,
    StrayCloser,
    TextTooLong,
    TooManyStatements,
    UnclosedBracket,
    Unexpected,
    UnfinishedText,
    WordTooLong,
    WrongArrow,
)
from .limits import Limits
from .source import Source, Span
from .terminals import AFTER

CLOSERS = {"LPAR": "RPAR", "CALL": "RPAR", "LSQB": "RSQB"}
SIGNS = {"RPAR": ")", "RSQB": "]"}
CONTINUES_BEFORE = frozenset({"ARROW", "BAR"})
CONTINUES_AFTER = frozenset({"ARROW", "EQUAL", "BAR", "COMMA"})
RESERVED = frozenset({"LET", "BLOCK", "SHARED", "FOR", "USE"})
BEGINS = frozenset({"EXPECT", "TRAIN", "OUTPUT"}) | RESERVED
"""Terminals that begin a statement when they stand first on a line."""

APART = ("COMMENT", "NEWLINE", "WRONG_ARROW", "BAD_NUMBER", "BAD_STRING", "BAD", *RESERVED)
REPLACEMENTS = {
    "×": "x", "−": "-", "–": "-", "“": '"', "”": '"', "≤": "<=", "≥": ">=", "≠": "!=", ";": "a new line",
    "{": "[", "}": "]", "·": "*",
}  # fmt: skip


STAND_INS = {"NUMBER": "1", "SHAPE": "1x1", "STRING": '""'}
"""What a token that was reported counts as, so that the rest of its statement can be read."""


HOPELESS = 16
"""Nesting of so many times the limit ends the reading: what follows could not be told apart."""

MANY = 1000
"""So many unreadable tokens end the reading too."""


class Placed(str):
    """A token: its text, the terminal it is, and its place."""

    __slots__ = ("span", "type")

    type: str
    span: Span


def placed(kind: str, text: str, span: Span) -> Placed:
    token = Placed(text)
    token.type, token.span = kind, span
    return token


@cache
def grammar() -> Lark:
    """The parser's tables, made once, from `nn.lark`."""
    return Lark(
        files("nnspec.grammar").joinpath("nn.lark").read_text("utf-8"),
        parser="lalr",
        lexer="basic",
        start=["statement"],
        transformer=Builder(),
        keep_all_tokens=True,
        maybe_placeholders=True,
        postlex=_KeepApart(),
    )


class _KeepApart:
    """Tells lark to keep the terminals that no rule uses."""

    always_accept = APART

    def process(self, stream: Iterator[object]) -> Iterator[object]:
        return stream


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
    for piece in reader.pieces(tokens):
        statement = reader.statement(piece)
        if statement is not None:
            statements.append(statement)
    if not statements and not reader.mistakes:
        reader.mistakes.append(EmptyText(Span(source, 0, 0)))
    return tree.File(whole, tuple(statements), tuple(reader.comments)), tuple(reader.mistakes)


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
    flawed: set[int] = field(default_factory=set)
    """Offsets of tokens that were reported, or stand where something was dropped."""

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
                self.comments.append(tree.Comment(span, text))
                continue
            if kind == "WORD":
                kind = keywords.get(text, kind)
            depth += (kind in CLOSERS) - (kind in SIGNS)
            mistake, kind = self._verdict(kind, text, span)
            if mistake is not None:
                self.flawed.add(span.start)
                self.mistakes.append(mistake)
                text = STAND_INS.get(kind, text)
            yield placed(kind, text, span)
            if depth > HOPELESS * self.limits.nesting:
                break
        self._report_run(run)

    def _report_run(self, run: Span | None) -> None:
        if run is not None:
            self.flawed.add(run.start)
            self.mistakes.append(BadCharacter(run, run.text[:40], REPLACEMENTS.get(run.text, "")))

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
        whole = token.replace("_", "")
        parts = whole.split("x")
        longest = max(parts, key=len)
        fraction = len(parts) == 1 and not whole.rstrip("KMGTiB").isdigit()
        limit = self.limits.literal if fraction else self.limits.digits
        if len(longest) > limit:
            return NumberTooLong(span, len(longest), limit)
        if fraction and not math.isfinite(float(whole.rstrip("KMGTiB"))):
            return NumberTooLong(span, int(whole.lower().partition("e")[2]), limit)
        return None

    # --------------------------------------------------------------------------- statements

    def pieces(self, tokens: Sequence[Placed]) -> Iterator[_Piece]:
        """Cut the tokens at line ends that end a statement."""
        current: list[Placed] = []
        open_: list[Placed] = []
        sound, count = True, 0
        follower = _followers(tokens)
        for index, token in enumerate(tokens):
            following = follower[index]
            if token.type == "NEWLINE":
                begins = following is not None and following.type in BEGINS and open_
                if not begins and (open_ or _goes_on(current, following)):
                    continue
                if current:
                    yield self._piece(current, open_, sound)
                    count += 1
                    if count >= self.limits.statements:
                        span = (following or token).span
                        total = self.limits.statements
                        self.mistakes.append(TooManyStatements(span, total + 1, total))
                        return
                current, open_, sound = [], [], True
                continue
            current.append(token)
            sound = self._bracket(token, open_, sound) and sound
        if current:
            yield self._piece(current, open_, sound)

    def _bracket(self, token: Placed, open_: list[Placed], sound: bool) -> bool:
        """Keep track of open brackets; returns False once they do not match."""
        if token.type in CLOSERS:
            open_.append(token)
            if len(open_) == self.limits.nesting + 1 and sound:
                depth = self.limits.nesting
                self.mistakes.append(NestedTooDeep(token.span, depth + 1, depth))
            return len(open_) <= self.limits.nesting
        if token.type not in SIGNS:
            return True
        opener = open_.pop() if open_ else None
        if opener is not None and CLOSERS[opener.type] == token.type:
            return True
        if sound:
            where = opener.span if opener else None
            self.mistakes.append(StrayCloser(token.span, str(token), where))
        return False

    def _piece(self, tokens: list[Placed], open_: list[Placed], sound: bool) -> _Piece:
        if open_ and sound:
            opener = open_[-1]
            sign = SIGNS[CLOSERS[opener.type]]
            self.mistakes.append(UnclosedBracket(opener.span, str(opener), sign))
        start, end = tokens[0].span.start, tokens[-1].span.end
        clean = not self.flawed or not any(start <= place < end for place in self.flawed)
        return _Piece(tuple(tokens), clean, sound and not open_)

    def statement(self, piece: _Piece) -> tree.Statement | None:
        """The statement's tree; None when something is wrong with it."""
        first = piece.tokens[0]
        if first.type in RESERVED or first.type == "IF":
            self.mistakes.append(ReservedWord(first.span, str(first)))
            return None
        if not piece.brackets:
            return None
        rest: Sequence[Placed] | None = piece.tokens
        statement: tree.Statement | None = None
        whole = piece.whole
        while rest:
            statement, mistake, rest = self._parsed(rest)
            if mistake is None:
                break
            whole = False
            if piece.whole:
                self.mistakes.append(mistake)
        if not whole or statement is None:
            return None
        if isinstance(statement, tree.Flow):
            return replace(statement, documentation=self._documentation(first))
        return statement

    def _documentation(self, first: Placed) -> str:
        """The `##` lines that stand directly above."""
        line, found = first.span.line - 1, []
        for comment in reversed(self.comments):
            if comment.span.line > line:
                continue
            if comment.span.line < line or not comment.text.startswith("##"):
                break
            found.append(comment.text.lstrip("#").strip())
            line -= 1
        return "\n".join(reversed(found))

    def _parsed(
        self, tokens: Sequence[Placed]
    ) -> tuple[tree.Statement | None, Mistake | None, Sequence[Placed] | None]:
        """Parse; after a mistake also the tokens behind the next `->` outside all brackets."""
        state = grammar().parse_interactive(start="statement")
        for index, token in enumerate(tokens):
            try:
                state.feed_token(token)  # type: ignore[arg-type]
            except UnexpectedToken:
                return None, _explained(tokens, index), _resume(tokens, index)
        try:
            end = placed("$END", "", tokens[-1].span)
            return state.feed_token(end), None, None  # type: ignore[arg-type]
        except UnexpectedToken:
            return None, _explained(tokens, len(tokens)), None


def _followers(tokens: Sequence[Placed]) -> list[Placed | None]:
    """For every token the next one that is no line end."""
    found: list[Placed | None] = [None] * len(tokens)
    following: Placed | None = None
    for index in range(len(tokens) - 1, -1, -1):
        found[index] = following
        if tokens[index].type != "NEWLINE":
            following = tokens[index]
    return found


def _goes_on(current: Sequence[Placed], following: Placed | None) -> bool:
    """Whether a statement continues over a line end outside brackets."""
    if not current:
        return True
    if following is None:
        return False
    return current[-1].type in CONTINUES_AFTER or following.type in CONTINUES_BEFORE


def _resume(tokens: Sequence[Placed], index: int) -> Sequence[Placed] | None:
    """What stands behind the next outermost `->`, to be read for further mistakes."""
    if tokens[0].type in ("EXPECT", "TRAIN"):
        return None
    depth = 0
    for place, token in enumerate(tokens):
        if token.type in CLOSERS:
            depth += 1
        elif token.type in SIGNS:
            depth -= 1
        elif token.type == "ARROW" and depth == 0 and place >= index and _leads_on(tokens, place):
            return tokens[place + 1 :]
    return None


def _leads_on(tokens: Sequence[Placed], place: int) -> bool:
    return place + 1 < len(tokens) and tokens[place + 1].type != "ARROW"


def _explained(tokens: Sequence[Placed], index: int) -> Mistake:
    """The mistake at a token (or at the end) that the grammar has no place for."""
    found = tokens[index] if index < len(tokens) else None
    before = tokens[index - 1] if index else None
    if found is not None and found.type in RESERVED | {"IF", "ELSE", "IN"}:
        return ReservedWord(found.span, str(found))
    if found is not None and before is None:
        return OutOfPlace(found.span, str(found), advice="begin with the input's shape: `3 -> fc4`")
    assert before is not None
    if before.type in AFTER:
        wanted, advice = AFTER[before.type]
        return Unexpected(before.span, wanted, _shown(before), advice)
    if found is None:
        wanted = "a chain" if before.type == "COLON" else "more"
        return Unexpected(before.span, wanted, _shown(before))
    return OutOfPlace(found.span, _shown(found), _shown(before), _advice(before, found))


def _advice(before: Placed, found: Placed) -> str:
    match before.type, found.type:
        case ("WORD", "BAR") | ("NUMBER", "BAR") | ("SHAPE", "BAR"):
            return "branches stand in brackets: `add[ ... | ... ]`"
        case _, "STAR":
            return "only a group is repeated: `[fc4 relu]*3`"
        case _, "COLON":
            return "a name stands at the beginning of a stage: `e1: conv64 3x3`"
        case _, "COMMA":
            return "stages are joined by `->`, arguments by spaces"
        case _, "EQUAL":
            return "an option is written `name=value`"
        case _, ("EXPECT" | "TRAIN" | "OUTPUT"):
            return "begin a new line for a new statement"
        case _:
            return ""


def _shown(token: Placed) -> str:
    text = str(token)
    return text if len(text) <= 40 else text[:37] + "..."
