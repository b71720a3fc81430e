"""What is wrong with a token that the grammar has no place for, and what was meant by it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from .diagnostics import Mistake
from .errors import OutOfPlace, ReservedWord, Unexpected
from .terminals import AFTER
from .tokens import CHAINED, DECLARE, KEPT, KEYWORDS, Placed


def explained(tokens: Sequence[Placed], index: int) -> Mistake:
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
            return explained(tokens, index - 1)
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
