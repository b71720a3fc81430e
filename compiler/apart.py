"""An option that is not joined to its value: `padding 1` in place of `padding=1`."""

from __future__ import annotations

from ..grammar import tree
from ..grammar.diagnostics import Mistake
from ..grammar.near import nearest
from ..grammar.source import Span
from .arguments import Signature
from .errors import OptionApart, UnknownOption
from .op import LETTERS
from .ops import CATALOGUE
from .words import FOREIGN, OPTIONS, attached

ALIKE = 0.75
"""How like an option's name a word must be to be meant as one."""

BIAS = frozenset({"bias", "use_bias"})
"""What other tools call the opposite of `nobias`."""


def option_apart(
    word: tree.Word, behind: tree.Piece | None, owner: Signature
) -> tuple[Mistake, bool] | None:
    """The mistake where a word that is no operator names an option of the operator before it, and
    whether what stands behind is its value; None where it does not."""
    stem, _ = attached(word.word) or (word.word, None)
    value, inside = _value(word, behind, owner)
    taken = bool(value) and not inside
    span = word.span.to(behind.span) if taken and behind else word.span
    if stem in BIAS:
        return unknown_option(span, owner, stem), taken
    if value in owner.parameters and owner.named(OPTIONS.get(stem, stem)):
        return OptionApart(span, owner.word, stem, str(value)), taken
    option = _meant(stem, value, owner)
    if option is None:
        known = OPTIONS.get(stem) if stem not in LETTERS or value else None
        return (unknown_option(span, owner, known), taken) if known else None
    if owner.parameters[option].flag:
        return None
    if value is None:
        return OptionApart(span, owner.word, stem), False
    shown = option if _own(option, owner) else owner.parameters[option].shown
    short = f"{option}{value}" if value[:1].isdigit() and option in LETTERS else ""
    if stem == option and short:
        return OptionApart(span, owner.word, shown, short), taken
    return OptionApart(span, owner.word, shown, f"{shown}={value}", short), taken


def unknown_option(span: Span, owner: Signature, name: str) -> UnknownOption:
    """The mistake of an option that the operator does not have."""
    known = owner.known
    if name in BIAS and "nobias" in owner.parameters:
        advice = "it has a bias unless `nobias` stands behind it"
        return UnknownOption(span, owner.word, name, known, advice=advice)
    ours = OPTIONS.get(name, "")
    near = ours if owner.named(ours) else nearest(name, known)
    return UnknownOption(span, owner.word, name, known, near)


def _value(word: tree.Word, behind: tree.Piece | None, owner: Signature) -> tuple[str | None, bool]:
    """The text of the value that the word seems to have, and whether it stands within the word."""
    if parts := attached(word.word):
        return word.word[len(parts[0]) :], True
    match word.arguments, behind:
        case (tree.Argument(name=None, value=value),), _:
            return value.span.text, True
        case None, tree.Value():
            return behind.span.text, False
        case None, tree.Word(word=flag, arguments=None) if _flag(flag, owner):
            return flag, False
        case _:
            return None, True


def _own(letter: str, owner: Signature) -> bool:
    """Whether a letter means something of the operator's own: `p` of dropout is no padding."""
    return letter in LETTERS and owner.parameters[letter].described not in (
        LETTERS[letter],
        "window",
    )


def _flag(word: str, owner: Signature) -> bool:
    return word in owner.parameters and owner.parameters[word].flag


def _meant(stem: str, value: str | None, owner: Signature) -> str | None:
    """The option that a word means, or, where a value stands by it, is most like."""
    option = owner.named(stem) or owner.named(OPTIONS.get(stem, stem))
    if option or value is None or stem in OPTIONS:
        return option
    near = nearest(stem, [*owner.known, *CATALOGUE, *FOREIGN], ALIKE)
    return owner.named(near) if near in owner.known else None
