"""The pieces of a stage, sorted: which operator or block each word is, and what belongs to it.

Nothing is evaluated here: one stage may run many times, with other constants each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from ..grammar import tree
from ..grammar.diagnostics import Mistake
from ..grammar.source import Span
from .apart import option_apart, unknown_option
from .arguments import Given, Signature, signature
from .errors import (
    ExtraArgument,
    NumberWithoutOperator,
    RepeatedArgument,
    SourceInside,
    UnknownOperator,
    UnknownOption,
)
from .files import Block, Module
from .foreign import called
from .op import LETTERS, Op, Refused, Trait
from .ops import CATALOGUE
from .training.learning import WORDS
from .words import OPTIONS, attached, native, unknown

Callee: TypeAlias = type[Op] | Block

INPUTS = frozenset({"input", "inputs", "inputlayer", "input_layer"})
"""What other tools call the input."""

TIMES = re.compile(r"[xX](\d+)")
"""How often a group is repeated, as one may write it by hand."""

FLAGS = frozenset(
    name
    for kind in CATALOGUE.values()
    for name, parameter in signature(kind).parameters.items()
    if parameter.flag
)
NOTHING = Signature("", (), {}, "")


@dataclass
class Use:
    """One use of an operator or a block, with the pieces that belong to it.

    Attributes
    ----------
    callee: None where the word means nothing; that has been reported.
    tie: `tie=@name`: the stage whose weight it takes.
    learning: how its weights learn: `freeze`, `lr=0.1`.
    flawed: something of it was refused and reported: it is not applied.
    """

    word: str
    callee: Callee | None
    signature: Signature
    span: Span
    given: dict[str, Given] = field(default_factory=dict)
    branches: tree.Group | None = None
    tie: tree.Reference | None = None
    learning: dict[str, Given] = field(default_factory=dict)
    flawed: bool = False

    @property
    def merges(self) -> bool:
        return isinstance(self.callee, type) and Trait.MERGES in self.callee.traits

    def place(self, name: str, argument: Given) -> None:
        if name in self.given:
            what = self.signature.parameters[name].described
            raise Refused(RepeatedArgument(argument.span, self.word, what))
        self.given[name] = argument
        self.span = self.span.to(argument.span)

    def position(self, argument: Given) -> None:
        free = next((p for p in self.signature.places if p not in self.given), None)
        if free is None:
            found = argument.span.text
            raise Refused(ExtraArgument(argument.span, self.word, found, self.signature.written))
        self.place(free, argument)

    def option(self, name: str, argument: Given, where: Span) -> None:
        if name == "tie" and "init" in self.signature.parameters:
            self._tied(argument)
            return
        found = self.signature.named(name)
        if found is None and name in WORDS:
            self.learns(name, argument)
            return
        if found is None:
            raise Refused(unknown_option(where, self.signature, name))
        self.place(found, argument)

    def learns(self, name: str, argument: Given) -> None:
        """Take the word as one of how its weights learn."""
        if name in self.learning:
            raise Refused(RepeatedArgument(argument.span, self.word, name))
        self.learning[name] = argument
        self.span = self.span.to(argument.span)

    def _tied(self, argument: Given) -> None:
        if not isinstance(argument.value, tree.Reference):
            raise Refused(UnknownOption(argument.span, self.word, "tie", ("tie=@name",)))
        self.tie = argument.value
        self.span = self.span.to(argument.span)


@dataclass
class Bracketed:
    """A group, a loop or a choice, and how the weights in it learn: `[ ... ] freeze`."""

    inner: tree.Group | tree.Loop | tree.Choice
    span: Span
    learning: dict[str, Given] = field(default_factory=dict)
    word: ClassVar[str] = "[ ... ]"

    def learns(self, name: str, argument: Given) -> None:
        if name in self.learning:
            raise Refused(RepeatedArgument(argument.span, self.word, name))
        self.learning[name] = argument
        self.span = self.span.to(argument.span)


Part: TypeAlias = Use | Bracketed


@dataclass
class Parts:
    """What a stage is made of, in order, and what was wrong with it."""

    found: list[Part] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def sort(pieces: Iterable[tree.Piece], module: Module) -> Parts:
    """Give every number, option and flag to the operator before it."""
    parts = Parts()
    current: Use | None = None
    written = tuple(pieces)
    taken: tree.Piece | None = None
    for piece, behind in zip(written, (*written[1:], None), strict=False):
        if piece is taken:
            continue
        try:
            if (
                isinstance(piece, tree.Group)
                and current
                and current.merges
                and not current.branches
            ):
                current.branches = piece
                current.span = current.span.to(piece.span)
            elif isinstance(piece, tree.Group | tree.Loop | tree.Choice):
                parts.found.append(Bracketed(piece, piece.span))
                current = None
            elif parts.found and _learns(piece, parts.found[-1]):
                continue
            elif mistaken := _mistaken(piece, behind, parts, module):
                raise Refused(mistaken)
            elif current and (apart := _apart(piece, behind, current, module)):
                mistake, takes = apart
                taken = behind if takes else None
                raise Refused(mistake)
            else:
                begun = _read(piece, current, module)
                if begun is not None:
                    parts.found.append(begun)
                    current = begun
        except Refused as refused:
            parts.mistakes.extend(refused.mistakes)
            if not refused.mistakes or isinstance(refused.mistake, UnknownOperator):
                current = Use(piece.span.text, None, NOTHING, piece.span, flawed=True)
                parts.found.append(current)
            elif current:
                current.flawed = True
            else:
                parts.found.append(Use(piece.span.text, None, NOTHING, piece.span, flawed=True))
    return parts


def _mistaken(
    piece: tree.Piece, behind: tree.Piece | None, parts: Parts, module: Module
) -> UnknownOperator | None:
    """The mistake of a word that is no operator anywhere, but is plain from where it stands."""
    if not isinstance(piece, tree.Word) or _known(piece, module):
        return None
    times = TIMES.fullmatch(piece.word)
    last = parts.found[-1] if parts.found else None
    if times and isinstance(last, Bracketed) and isinstance(last.inner, tree.Group):
        written = f"*{times[1]}"
        advice = f"a group is repeated by `{written}`: `[ ... ]{written}`"
        return UnknownOperator(piece.span, piece.word, whole=written, advice=advice)
    if piece.word.lower() in INPUTS and last is None:
        return _input(piece, behind)
    return None


def _input(word: tree.Word, behind: tree.Piece | None) -> UnknownOperator:
    """The mistake of a word for the input: its shape says all."""
    sizes = [argument.value.span.text for argument in word.arguments or () if not argument.name]
    shape = "x".join(sizes) if all(map(str.isdecimal, sizes)) else ""
    if isinstance(behind, tree.Value):
        shape = behind.span.text
    advice = f"begin with the input's shape alone: `{shape or '3x32x32'} -> ...`"
    return UnknownOperator(word.span, word.word, advice=advice)


def _known(word: tree.Word, module: Module) -> bool:
    """Whether something is called so, or may be."""
    stem, _ = attached(word.word) or (word.word, None)
    names = {*CATALOGUE, *module.blocks, *(module.lost or ()), "id", "freeze"}
    return module.lost is None or bool({word.word, stem} & names)


def _apart(
    piece: tree.Piece, behind: tree.Piece | None, current: Use, module: Module
) -> tuple[Mistake, bool] | None:
    """Whether the piece is a word that nothing is called by, but an option of the operator."""
    if not isinstance(piece, tree.Word) or current.callee is None:
        return None
    if _known(piece, module) or _is_option(piece, current):
        return None
    return option_apart(piece, behind, current.signature)


def _is_option(word: tree.Word, current: Use) -> bool:
    """Whether the word is written as an option is: `same`, `s2`, `s(2)`."""
    parameters = current.signature.parameters
    parts = attached(word.word)
    letter = parts[0] if parts else word.word
    if letter in LETTERS and (parts or word.arguments):
        return True
    flag = letter in parameters and parameters[letter].flag and word.arguments is None
    valued = letter in parameters and bool(parts or word.arguments)
    return flag or (valued and isinstance(current.callee, Block))


def _learns(piece: tree.Piece, part: Part) -> bool:
    """Take the piece as how the part's weights learn: `freeze`, `lr=0.1`."""
    match piece:
        case tree.Word(word="freeze", arguments=None):
            name, given = "freeze", Given(True, piece.span)
        case tree.Option(name=name, value=expression) if name in WORDS:
            given = Given(expression, piece.span)
        case _:
            return False
    if isinstance(part, Use) and (part.callee is None or name in part.signature.parameters):
        return False
    part.learns(name, given)
    return True


def _read(piece: tree.Piece, current: Use | None, module: Module) -> Use | None:
    """Give the piece to the current operator, or return the operator that it begins."""
    if current and current.callee is None and _is_argument(piece):
        return None
    match piece:
        case tree.Reference():
            raise Refused(SourceInside(piece.span, piece.span.text))
        case tree.Value(value=expression):
            if current is None:
                raise Refused(NumberWithoutOperator(piece.span, piece.span.text))
            current.position(Given(expression, piece.span))
        case tree.Option(name=name, value=expression):
            if current is None:
                raise Refused(NumberWithoutOperator(piece.span, piece.span.text))
            current.option(name, Given(expression, expression.span), piece.span)
        case tree.Word(word="freeze", arguments=arguments) if "freeze" not in module.blocks:
            if arguments is None:
                raise Refused(NumberWithoutOperator(piece.span, piece.span.text, "fc4 freeze"))
            found = ", ".join(argument.span.text for argument in arguments)
            raise Refused(ExtraArgument(piece.span, "freeze", found, "freeze"))
        case tree.Word() if not _as_option(piece, current, module):
            return _begun(piece, module)
        case _:
            pass
    return None


def _as_option(word: tree.Word, current: Use | None, module: Module) -> bool:
    """Take the word as a flag (`same`) or a lettered option (`s2`) of the current operator."""
    if current is None or word.word in CATALOGUE or word.word in module.blocks:
        return False
    parameters = current.signature.parameters
    flag = parameters.get(word.word)
    if flag and flag.flag and word.arguments is None:
        current.place(word.word, Given(True, word.span))
        return True
    parts = attached(word.word)
    letter = parts[0] if parts else word.word
    if letter not in parameters or not (letter in LETTERS or isinstance(current.callee, Block)):
        if letter in LETTERS and (parts or word.arguments):
            known = current.signature.known
            raise Refused(UnknownOption(word.span, current.word, LETTERS[letter], known))
        return False
    if parts:
        current.place(letter, Given(parts[1], word.span))
        return True
    if word.arguments:
        values = tuple(argument.value for argument in word.arguments)
        value = values[0] if len(values) == 1 else tree.Tuple(word.span, values)
        current.place(letter, Given(value, word.span))
        return True
    return False


def _begun(word: tree.Word, module: Module) -> Use | None:
    if word.word == "id" and word.arguments is None:
        return None
    callee, number = _called(word, module)
    known = callee.signature if isinstance(callee, Block) else signature(callee)
    use = Use(known.word, callee, known, word.span)
    if number is not None:
        use.position(Given(number, word.span))
    for argument in word.arguments or ():
        given = Given(argument.value, argument.value.span)
        if argument.name is None:
            use.position(given)
        else:
            use.option(argument.name, given, argument.span)
    return use


def _called(word: tree.Word, module: Module) -> tuple[Callee, int | float | None]:
    """What a word names, looked up whole first, and the number attached to it."""
    for name, number in ((word.word, None), attached(word.word) or ("", None)):
        callee = CATALOGUE.get(name) or module.blocks.get(name)
        if callee is not None:
            return callee, number
    if module.lost is None or {word.word, (attached(word.word) or ("",))[0]} & module.lost:
        raise Refused
    raise Refused(_foreign(word) or unknown(word.word, word.span, tuple(module.blocks)))


def _foreign(word: tree.Word) -> UnknownOperator | None:
    """The mistake of a word that is called otherwise here; what stands in its parentheses stays
    only where it means the same."""
    ours = native(word.word)
    if ours is None:
        return None
    if word.arguments is None:
        return UnknownOperator(word.span, word.word, foreign=ours, replacement=ours)
    whole = called(ours, word)
    written = whole or (signature(CATALOGUE[ours]).written if ours in CATALOGUE else ours)
    return UnknownOperator(word.span, word.word, foreign=written, whole=whole)


def _is_argument(piece: tree.Piece) -> bool:
    """Whether a piece behind an unknown operator is most likely meant for it."""
    if isinstance(piece, tree.Word):
        stem = (attached(piece.word) or (piece.word,))[0]
        return piece.word in FLAGS or piece.word == "freeze" or stem in OPTIONS
    return isinstance(piece, tree.Value | tree.Option)


def every_label(flow: tree.Flow) -> Iterator[tree.Name]:
    """Every label of a flow, those inside brackets too."""
    if flow.label:
        yield flow.label
    yield from (stage.label for stage in every_stage(flow.chain) if stage.label)


def every_stage(chain: tree.Chain) -> Iterator[tree.Stage]:
    """Every stage of a chain, those inside brackets too, whether or not it is ever run."""
    pending: list[tree.Chain | tree.Choice] = [chain]
    while pending:
        part = pending.pop()
        if isinstance(part, tree.Choice):
            pending += [part.then, *([part.otherwise] if part.otherwise else [])]
            continue
        for stage in part.stages:
            yield stage
            for piece in stage.pieces:
                match piece:
                    case tree.Group(branches=branches):
                        pending.extend(branches)
                    case tree.Loop(body=body):
                        pending.append(body)
                    case tree.Choice():
                        pending.append(piece)
                    case _:
                        pass
