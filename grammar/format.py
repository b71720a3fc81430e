"""The one spelling of a text.

Words keep their order and their spelling; what stands between them is decided here. Where a line
may end (before `->` and `|`, behind `,`, inside brackets) the author's line ends are kept; a line
that is too long is opened from the outside inwards: one stage a line, then one branch or item.
A comment stays beside the word it stood beside, or on lines of its own above the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from .diagnostics import SpecError
from .errors import EmptyText
from .layout import Aside, Comma, Doc, Group, Line, Nest, is_broken, printed
from .limits import Limits
from .mending import tried
from .parse import parse, scanner
from .source import Source
from .tokens import CLOSERS, SIGNS

STEP = 2
ARROW, BAR = "-> ", "| "

LEADING = frozenset({"ARROW", "BAR"})
"""Separators that begin a line where a line ends."""

TRAILING = frozenset({"COMMA", "SEMICOLON"})
"""Separators that end it."""

DECLARE = frozenset({"LET", "BLOCK", "SHARED"})
"""Words before a name and `=`."""

VALUES = frozenset(
    {"WORD", "NUMBER", "SHAPE", "STRING", "TRUE", "FALSE", "RPAR", "OUTPUT", "TRAIN", "EXPECT"}
)
"""Behind these a `-` takes away; elsewhere it makes negative."""

OPENS = frozenset({*CLOSERS, "IS", "RBRACE"})
"""Behind these no empty line is kept."""

TIGHT_BEFORE = frozenset({"COLON", "CALL", "DOT", "TIMES", "EQUAL", "MERGE"})
TIGHT_AFTER = frozenset({"AT", "DOT", "TIMES", "EQUAL", "NEGATIVE"})

OPERATORS = (
    {"IF", "ELSE"}, {"OR"}, {"AND"}, {"SAME", "DIFFERENT", "LESS", "AT_MOST", "MORE", "AT_LEAST"},
    {"PLUS", "MINUS"}, {"STAR", "SLASH", "FLOOR", "PERCENT"}, {"CARET"},
)  # fmt: skip
"""From the loosest to the tightest."""


def formatted(source: Source, limits: Limits | None = None) -> str:
    """The text as it should be laid out; raises SpecError where it has mistakes."""
    file, found = parse(source, limits)
    mistakes = [mistake for mistake in found if not isinstance(mistake, EmptyText)]
    if mistakes:
        raise SpecError(tried(source, mistakes, lambda text: parse(text, limits)[1]))
    parts: list[Doc] = []
    before: Token | None = None
    for tokens in _statements(source.text, {s.span.start for s in file.statements}):
        parts += _between(before, tokens[0], "") if before else _above(tokens[0])
        parts.append(_statement(tokens))
        before = tokens[-1]
    text = printed(tuple(parts)).strip("\n")
    return text + "\n" if text else ""


# ------------------------------------------------------------------------------------- tokens


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, and whether an empty line stands above it."""

    text: str
    blank: bool = False


@dataclass(slots=True)
class Token:
    """A word or a sign, how many lines end before it, and the comments above and beside it."""

    kind: str
    text: str
    breaks: int = 0
    above: list[Comment] = field(default_factory=list)
    beside: Comment | None = None

    @property
    def first(self) -> Token:
        return self

    @property
    def last(self) -> Token:
        return self


def _statements(text: str, starts: AbstractSet[int]) -> Iterator[list[Token]]:
    """The tokens of each statement; a last one without words holds the comments at the end."""
    current: list[Token] = []
    above: list[Comment] = []
    breaks = 0
    pattern, keywords = scanner()
    for match in pattern.finditer(text):
        kind, word = match.lastgroup or "", match[0]
        if kind == "NEWLINE":
            breaks += word.count("\n")
        elif kind == "COMMENT" and current and not breaks:
            current[-1].beside = Comment(word.rstrip())
        elif kind == "COMMENT":
            above.append(Comment(word.rstrip(), breaks > 1))
            breaks = 0
        elif kind != "SPACE":
            if match.start() in starts and current:
                yield current
                current = []
            current.append(Token(keywords.get(word, kind), word, breaks, above))
            above, breaks = [], 0
    if current:
        yield current
    if above:
        yield [Token("END", "", above=above)]


def _settle(tokens: Sequence[Token]) -> None:
    """Tell apart the signs of two meanings, and bring what is around a separator to one side."""
    depth, named = 0, -1
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else token
        token.kind = _meaning(token, before, tokens[0])
        depth += (token.kind in CLOSERS) - (token.kind in SIGNS)
        if token.kind in DECLARE:
            named = depth
        elif token.kind == "EQUAL" and depth == (1 if tokens[0].kind == "TRAIN" else named):
            token.kind, named = "IS", -1
        elif token.kind in LEADING | TRAILING:
            _gather(before, token, tokens[place + 1])
        if token.kind in SIGNS or before.kind in OPENS:
            token.breaks = min(token.breaks, 1)
            token.above[:1] = [replace(comment, blank=False) for comment in token.above[:1]]


def _meaning(token: Token, before: Token, first: Token) -> str:
    match token.kind:
        case "CALL" if first.kind == "USE" or before.kind not in ("WORD", "TRAIN"):
            return "LPAR"
        case "LPAR" if before is first and first.kind == "TRAIN":
            return "CALL"
        case "MINUS" if before.kind not in VALUES or (before is first and first.kind == "EXPECT"):
            return "NEGATIVE"
        case "STAR" if before.kind == "RSQB":
            return "TIMES"
        case kind:
            return kind


def _gather(before: Token, separator: Token, after: Token) -> None:
    """Comments and line ends around a separator go to where the line ends."""
    if separator.beside and not (before.beside or separator.above):
        before.beside, separator.beside = separator.beside, None
    beside = [separator.beside] if separator.beside else []
    above, breaks = [*separator.above, *beside, *after.above], max(separator.breaks, after.breaks)
    here, there = (separator, after) if separator.kind in LEADING else (after, separator)
    here.above, here.breaks = above, breaks
    there.above, there.breaks, separator.beside = [], 0, None


# --------------------------------------------------------------------------- between two tokens


def _between(before: Token, after: Token, flat: str) -> tuple[Doc, ...]:
    """The end of a line where comments or the author ask for it, and the comments there."""
    hard = bool(after.breaks or after.above or before.beside)
    return (Line(flat, hard, _blanks(after)[0]), *_above(after))


def _above(token: Token) -> tuple[Doc, ...]:
    texts = [comment.text for comment in token.above]
    lines = [Line("", True, blank) for blank in _blanks(token)[1:]]
    return tuple(part for pair in zip(texts, lines, strict=True) for part in pair)


def _blanks(token: Token) -> list[bool]:
    """Which of the comments above a token, and whether the token, follow an empty line."""
    return [*(comment.blank for comment in token.above), token.breaks > 1]


def _aside(token: Token) -> tuple[Doc, ...]:
    return (Aside(token.beside.text),) if token.beside else ()


# --------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Bracket:
    """A pair of brackets and what stands inside, laid out."""

    first: Token
    last: Token
    parts: tuple[Doc, ...]


Node: TypeAlias = Token | Bracket


def _statement(tokens: Sequence[Token]) -> Doc:
    """Brackets are laid out when they close, so no depth of them can overflow the stack."""
    _settle(tokens)
    levels: list[list[Node]] = [[]]
    for token in tokens:
        if token.kind in CLOSERS:
            levels.append([token])
        elif token.kind in SIGNS:
            _, *inside = inner = levels.pop()
            levels[-1].append(_bracket(inner[0].first, inside, token, levels[-1]))
        else:
            levels[-1].append(token)
    (nodes,) = levels
    match tokens[0].kind:
        case "LET":
            return _let(nodes)
        case "BLOCK" | "SHARED":
            return _block(nodes)
        case "EXPECT" | "TRAIN" | "USE" | "END":
            return _words(nodes)
        case _:
            return _chain(nodes)


def _let(nodes: Sequence[Node]) -> Doc:
    """A value without brackets moves to a line of its own where there is no room for it."""
    head, value = _named(nodes)
    if any(isinstance(node, Bracket) for node in value):
        return _words(nodes)
    room = _between(head[-1].last, value[0].first, " ")
    return Group((*_words(head), Nest(STEP, (*room, *_words(value)))))


def _block(nodes: Sequence[Node]) -> Doc:
    head, chain = _named(nodes)
    if chain[0].first.kind == "LBRACE":
        head, chain = [*head, chain[0]], chain[1:]
    room = _between(head[-1].last, chain[0].first, " ")
    return Group((*_words(head), Nest(STEP, (*room, *_chain(chain)))))


def _named(nodes: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """What stands up to the `=`, and behind it."""
    cut = 1 + next(place for place, node in enumerate(nodes) if node.first.kind == "IS")
    return list(nodes[:cut]), list(nodes[cut:])


def _chain(nodes: Sequence[Node]) -> tuple[Doc, ...]:
    head, *rest = runs = _cut(nodes, {"ARROW"})
    stages = [(ARROW, Nest(len(ARROW), _words(run[1:]))) for run in rest]
    return _rows(runs, [_words(head), *stages])


def _cut(nodes: Sequence[Node], kinds: AbstractSet[str]) -> list[list[Node]]:
    """In runs; every one but the first begins with a node of these kinds."""
    runs: list[list[Node]] = [[]]
    for node in nodes:
        if node.first.kind in kinds and runs[-1]:
            runs.append([])
        runs[-1].append(node)
    return runs


def _rows(runs: Sequence[Sequence[Node]], docs: Sequence[Doc]) -> tuple[Doc, ...]:
    """The runs on the lines on which the author has them; of a line with no room, one a line."""
    rows: list[Doc] = []
    row = [docs[0]]
    for before, run, doc in zip(runs, runs[1:], docs[1:], strict=False):
        line = _between(before[-1].last, run[0].first, " ")
        if is_broken(line):
            rows += [Group(tuple(row)), *line]
            row = [doc]
        else:
            row += [*line, doc]
    return (*rows, Group(tuple(row)))


def _words(nodes: Sequence[Node]) -> tuple[Doc, ...]:
    """What stands on one line but for its brackets; those of a choice open together."""
    parts: list[Doc] = []
    choice: int | None = None
    for place, node in enumerate(nodes):
        if place:
            parts.append(_gap(nodes[place - 1].last, node.first))
        if isinstance(node, Token):
            parts.append(node.text)
        elif node.last.kind != "RSQB":
            parts.append(Group(node.parts))
        else:
            choice = len(parts) if choice is None else choice
            parts += node.parts
            if [after.first.kind for after in nodes[place + 1 : place + 2]] != ["ELSE"]:
                parts[choice:] = [Group(tuple(parts[choice:]), yields=True)]
                choice = None
        parts += _aside(node.last)
    return tuple(parts)


def _gap(before: Token, after: Token) -> Doc:
    """What parts two words of one line; a comment between them ends it all the same."""
    if after.above or before.beside:
        return Nest(STEP, _between(before, after, ""))
    return "" if before.kind in TIGHT_AFTER or after.kind in TIGHT_BEFORE else " "


# ----------------------------------------------------------------------------------- brackets


def _bracket(opener: Token, inside: list[Node], closer: Token, around: Sequence[Node]) -> Bracket:
    match opener.kind:
        case "LSQB":
            parts = _branches(opener, inside, closer, around)
        case "LBRACE":
            parts = _lets(opener, inside, closer)
        case _:
            parts = _items(opener, inside, closer)
    return Bracket(opener, closer, (opener.text, *_aside(opener), *parts))


def _branches(
    opener: Token, inside: Sequence[Node], closer: Token, around: Sequence[Node]
) -> tuple[Doc, ...]:
    """Branches, and the body of a loop or choice, have room inside their brackets."""
    head, *rest = _cut(inside, {"BAR"})
    pad = " " if rest or _is_body(around) else ""
    if rest and around and around[-1].last.kind == "WORD":
        opener.kind = "MERGE"
    parts: list[Doc] = [Nest(STEP, (*_between(opener, head[0].first, pad), *_chain(head)))]
    last = head[-1].last
    for bar, *branch in rest:
        parts += [*_between(last, bar.first, " "), BAR, Nest(STEP, _chain(branch))]
        last = branch[-1].last
    return (*parts, *_closed(last, closer, pad))


def _is_body(around: Sequence[Node]) -> bool:
    """Whether the next bracket is the body of the loop or choice that stands before it."""
    for node in reversed(around):
        if node.first.kind in ("FOR", "IF", "ELSE"):
            return True
        if node.first.kind == "ARROW" or node.last.kind == "RSQB":
            return False
    return False


def _lets(opener: Token, inside: Sequence[Node], closer: Token) -> tuple[Doc, ...]:
    runs = _cut([node for node in inside if node.first.kind != "SEMICOLON"], {"LET"})
    parts: list[Doc] = []
    last, flat = opener, " "
    for run in runs:
        parts += [*_between(last, run[0].first, flat), _let(run)]
        last, flat = run[-1].last, "; "
    return (Nest(STEP, tuple(parts)), *_closed(last, closer, " "))


def _items(opener: Token, inside: Sequence[Node], closer: Token) -> tuple[Doc, ...]:
    """`(64,)` is a tuple, `(64)` is not: elsewhere a comma ends what is parted by line ends."""
    if not inside:
        return _closed(opener, closer, "")
    head, *rest = _cut(inside, {"COMMA"})
    items = [head, *(run[1:] for run in rest if run[1:])]
    ends: Doc = ""
    if len(items) > 1 or opener.kind == "CALL":
        ends = Comma()
    elif rest:
        ends = ","
    docs = [*((_terms(item), ",") for item in items[:-1]), _terms(items[-1])]
    inner = (*_between(opener, head[0].first, ""), *_rows(items, docs), ends)
    return (Nest(STEP, inner), *_closed(items[-1][-1].last, closer, ""))


def _terms(nodes: Sequence[Node]) -> tuple[Doc, ...]:
    """An expression, which may be parted before its loosest operators."""
    for kinds in OPERATORS:
        runs = _cut(nodes, kinds)
        if len(runs) > 1:
            return _rows(runs, [_words(run) for run in runs])
    return _words(nodes)


def _closed(last: Token, closer: Token, flat: str) -> tuple[Doc, ...]:
    """The closing bracket; comments above it belong to what stands inside."""
    *comments, line = _between(last, closer, flat)
    return (Nest(STEP, tuple(comments)), line, closer.text)
