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
from itertools import takewhile

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
from .tables import parser
from .terminals import AFTER

CLOSERS = {"LPAR": "RPAR", "CALL": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
SIGNS = {"RPAR": ")", "RSQB": "]", "RBRACE": "}"}
CONTINUES_BEFORE = frozenset({"ARROW", "BAR"})
CONTINUES_AFTER = frozenset({"ARROW", "EQUAL", "BAR", "COMMA", "RBRACE"})
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

SOURCES = frozenset({"NUMBER", "SHAPE", "AT"})
"""What a chain can begin with when its first stage has no name."""

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
        follower = _followers(tokens)
        cuts = _cuts(tokens)
        for index, token in enumerate(tokens):
            if token.type == "NEWLINE":
                if index not in cuts and (open_ or _goes_on(current, follower[index])):
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
        if _matches(token, open_):
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
            found.append(_explained(tokens, failed))
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


def _matches(token: Placed, open_: list[Placed]) -> bool:
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


def _cuts(tokens: Sequence[Placed]) -> frozenset[int]:
    """The line ends at which a statement ends although a bracket is open: it is never closed.

    That is before a word that begins a statement. It is also before a name or a source that looks
    like a beginning, but only where every bracket open by then stays open, as nets may be laid
    out so inside brackets that do close.
    """
    cuts: set[int] = set()
    open_: list[Placed] = []
    fresh: list[tuple[int, int]] = []

    def settle() -> None:
        starts = [token.span.start for token in open_]
        cuts.update(
            place
            for place, depth in fresh
            if bisect_left(starts, tokens[place].span.start) == depth
        )
        open_.clear()
        fresh.clear()

    for index, token in enumerate(tokens):
        if token.type != "NEWLINE":
            _matches(token, open_)
        elif open_ and _begins(tokens, index + 1, open_[-1]):
            cuts.add(index)
            settle()
        elif open_ and _looks_fresh(tokens, index):
            fresh.append((index, len(open_)))
    settle()
    return frozenset(cuts)


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


def _explained(tokens: Sequence[Placed], index: int) -> Mistake:
    """The mistake at a token (or at the end) that the grammar has no place for."""
    found = tokens[index] if index < len(tokens) else None
    before = tokens[index - 1] if index else None
    if before is not None and before.type in KEPT and _names(tokens, index - 1):
        return ReservedWord(before.span, str(before))
    if found is not None and found.type in KEPT and _names(tokens, index):
        return ReservedWord(found.span, str(found))
    if found is not None and before is None:
        return OutOfPlace(found.span, str(found), advice="begin with the input's shape: `3 -> fc4`")
    assert before is not None
    if before.type in KEYWORDS and index > 1:
        if tokens[0].type not in ("EXPECT", "TRAIN") and tokens[index - 2].type in CHAINED:
            return _explained(tokens, index - 1)
    elif before.type in AFTER and (found is None or found.type not in ("LBRACE", "ELSE")):
        wanted, advice = AFTER[before.type]
        return Unexpected(before.span, wanted, _shown(before), advice)
    if found is None:
        wanted = "a chain" if before.type == "COLON" else "more"
        return Unexpected(before.span, wanted, _shown(before))
    advice = _statement_advice(tokens, index) or _advice(before, found) or _form(tokens, index)
    return OutOfPlace(found.span, _shown(found), _shown(before), advice)


def _statement_advice(tokens: Sequence[Placed], index: int) -> str:
    """What to do about a token in a statement of its kind."""
    if tokens[0].type == "EXPECT" and tokens[index].type == "EQUAL":
        return "a promise compares: write `==`"
    if tokens[0].type in ("EXPECT", "TRAIN", "LET"):
        return ""
    match tokens[index - 1].type, tokens[index].type:
        case "NUMBER", "COMMA" if index == 1 and [t.type for t in tokens[2:3]] == ["NUMBER"]:
            sizes = takewhile(lambda token: token.type in ("NUMBER", "COMMA"), tokens)
            shape = "x".join(size for size in sizes if size.type == "NUMBER")
            return f"sizes are joined by `x`: `{shape}`"
        case "NUMBER", "PERCENT" if _share(tokens[index - 1]) is not None:
            return f"a share is a number up to 1: write `{_share(tokens[index - 1]):g}`"
        case _, "MINUS":
            return _minus(tokens, index)
    return ""


def _share(percent: str) -> float | None:
    """`50` as 0.5; None for more than all, and for numbers with a suffix."""
    try:
        share = float(percent) / 100
    except ValueError:
        return None
    return share if share <= 1 else None


def _minus(tokens: Sequence[Placed], index: int) -> str:
    """What a `-` between the pieces of a chain was meant to be."""
    before, minus = tokens[index - 1], tokens[index]
    behind = tokens[index + 1] if index + 1 < len(tokens) else None
    if behind is None:
        return "stages are joined by `->`"
    close = before.span.end == minus.span.start and minus.span.end == behind.span.start
    if before.type == "WORD" and behind.type == "NUMBER" and close:
        return f"what is attached to a word must be at least 0: `{before}{behind}`"
    if behind.type == "MORE":
        return "an arrow has no space in it: write `->`"
    if behind.type in ("WORD", "AT", "LSQB"):
        return f"stages are joined by `->`: write `-> {_shown(behind)}`"
    return ""


def _form(tokens: Sequence[Placed], index: int) -> str:
    """How the declaration, loop or choice is written in which a token is out of place."""
    kinds = [token.type for token in tokens[:index]]
    if kinds[0] == "LET":
        return "a constant is written `let width = 64`"
    if kinds[0] in ("BLOCK", "SHARED") and "EQUAL" not in kinds:
        return "a block is written `block basic(c, s=1) = conv(c) 3x3 s(s) relu`"
    for kind in reversed(kinds):
        if kind == "FOR":
            return "a loop is written `for n in (64, 128) [ fc(n) relu ]`"
        if kind == "IF":
            return "a choice is written `if in.c > 64 [ conv64 1x1 ] else [ id ]`"
        if kind in ("ARROW", "LSQB", "BAR", "RSQB"):
            break
    return ""


def _names(tokens: Sequence[Placed], place: int) -> bool:
    """Whether a name was meant here: `for: fc4`, `@in`, `block if(c) = ...`."""
    before = tokens[place - 1].type if place else ""
    after = tokens[place + 1].type if place + 1 < len(tokens) else ""
    return before in ("AT", "DOT", *DECLARE, "FOR") or after in ("COLON", "EQUAL")


def _advice(before: Placed, found: Placed) -> str:
    match before.type, found.type:
        case ("WORD", "BAR") | ("NUMBER", "BAR") | ("SHAPE", "BAR"):
            return "branches stand in brackets: `add[ ... | ... ]`"
        case _, "STAR":
            return "only a group is repeated: `[fc4 relu]*3`"
        case _, "COLON":
            return "a name stands at the beginning of a stage: `e1: conv64 3x3`"
        case "WORD", ("TRUE" | "FALSE"):
            return "an option is written `name=value`, or by its name alone where it is switched on"
        case _, "COMMA":
            return "stages are joined by `->`, arguments by spaces"
        case _, "EQUAL":
            return "an option is written `name=value`"
        case _, ("EXPECT" | "TRAIN" | "OUTPUT" | "LET" | "BLOCK" | "SHARED" | "USE" | "SEMICOLON"):
            return "begin a new line for a new statement"
        case _, ("LBRACE" | "RBRACE"):
            return "a chain is grouped by `[ ]`; braces hold the lets of a block"
        case _, "ELSE":
            return "a choice is written `if in.c > 64 [ conv64 1x1 ] else [ id ]`"
        case _:
            return ""


def _shown(token: Placed) -> str:
    text = str(token)
    return text if len(text) <= 40 else text[:37] + "..."
