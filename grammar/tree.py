"""The syntax tree: what was written, frozen, each part with its place.

Spans do not take part in comparison, so two texts that differ in layout alone have equal trees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from .source import Span


@dataclass(frozen=True)
class Tree:
    """A part of the text."""

    span: Span = field(compare=False, repr=False)


# ------------------------------------------------------------------------------- expressions


@dataclass(frozen=True)
class Number(Tree):
    """`4`, `1_000`, `0.5`, `1e-3`, `4.2G`, `2MiB`: an int where the value is whole and written so."""

    value: int | float


@dataclass(frozen=True)
class Shape(Tree):
    """`3x32x32`, at least two sizes joined by `x`."""

    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Text(Tree):
    """`"words"`."""

    value: str


@dataclass(frozen=True)
class Truth(Tree):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True)
class Name(Tree):
    """`width`, `params`, `adam`: looked up where it stands."""

    word: str


@dataclass(frozen=True)
class Reference(Tree):
    """`@name`, or `@name.shape` with `attribute`."""

    word: str
    attribute: str | None = None


@dataclass(frozen=True)
class Attribute(Tree):
    """`in.c`: the owner and the attribute's name."""

    owner: str
    word: str


@dataclass(frozen=True)
class Tuple(Tree):
    """`(1, 7)`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Argument(Tree):
    """`lr=1e-3` or `64` inside a call's parentheses."""

    name: str | None
    value: Expression


@dataclass(frozen=True)
class Call(Tree):
    """`adam(lr=1e-3)`, `min(a, b)`: a name with parentheses right behind it."""

    word: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Unary(Tree):
    """`-x`, `not x`."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary(Tree):
    """`a + b`, `a == b`, `a and b`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Conditional(Tree):
    """`a if condition else b`."""

    then: Expression
    condition: Expression
    otherwise: Expression


Expression: TypeAlias = (
    Number | Shape | Text | Truth | Name | Reference | Attribute | Tuple | Call | Unary | Binary
    | Conditional
)  # fmt: skip


# ------------------------------------------------------------------------------------- chains


@dataclass(frozen=True)
class Word(Tree):
    """`fc4`, `relu`, `same`, `s2`: an operator, a block, a flag or an option, decided later.

    `arguments` holds what stands in parentheses right behind the word; None where none stand.
    """

    word: str
    arguments: tuple[Argument, ...] | None = None


@dataclass(frozen=True)
class Value(Tree):
    """A number, a shape or a parenthesised expression that stands by itself in a stage."""

    value: Expression


@dataclass(frozen=True)
class Option(Tree):
    """`stride=2`, `init=he`."""

    name: str
    value: Expression


@dataclass(frozen=True)
class Group(Tree):
    """`[ chain ]`, `[ chain | chain ]`, `[ chain ]*3`."""

    branches: tuple[Chain, ...]
    repeat: Expression | None = None


@dataclass(frozen=True)
class Loop(Tree):
    """`for (c, n) in ((64, 2), (128, 2)) [ chain ]`: the chain once for every item, one behind the other."""

    target: Target
    items: Expression
    body: Chain


@dataclass(frozen=True)
class Choice(Tree):
    """`if condition [ chain ] else [ chain ]`; without `else` the value itself."""

    condition: Expression
    then: Chain
    otherwise: Chain | Choice | None = None


@dataclass(frozen=True)
class Target(Tree):
    """What a `let` or a `for` gives values to: a name, or several in parentheses."""

    names: tuple[Name, ...]
    parted: bool = False
    """Written in parentheses: the value is taken apart."""


Piece: TypeAlias = Word | Value | Option | Group | Loop | Choice | Reference


@dataclass(frozen=True)
class Stage(Tree):
    """What stands between two arrows."""

    label: Name | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Chain(Tree):
    """Stages joined by `->`."""

    stages: tuple[Stage, ...]


# --------------------------------------------------------------------------------- statements


@dataclass(frozen=True)
class Flow(Tree):
    """A chain as a statement: `chain`, `name: chain`, `output name: chain`.

    `label` names the value of the whole chain; `documentation` is the `##` text above it.
    """

    label: Name | None
    chain: Chain
    output: bool = False
    documentation: str = ""


@dataclass(frozen=True)
class Expect(Tree):
    """`expect params == 41`."""

    condition: Expression


@dataclass(frozen=True)
class Train(Tree):
    """`train(loss = mse, batch = 32)`."""

    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Let(Tree):
    """`let width = 64`, `let (m, q) = (6 * width, width // 4)`."""

    target: Target
    value: Expression


@dataclass(frozen=True)
class Parameter(Tree):
    """`c` or `s=1` in the head of a block."""

    name: Name
    default: Expression | None = None


@dataclass(frozen=True)
class Block(Tree):
    """`block name(c, s=1) = { lets } chain`; `shared name = { lets } chain` has no parameters.

    `parameters` is None where a block has no parentheses.
    """

    name: Name
    parameters: tuple[Parameter, ...] | None
    lets: tuple[Let, ...]
    chain: Chain
    shared: bool = False
    documentation: str = ""


@dataclass(frozen=True)
class Use(Tree):
    """`use "blocks/resnet.nn" (basic)`, `use vision.resnet`.

    `path` is the text in quotes, or the dotted words; `names` is None where all are taken.
    """

    path: str
    ships: bool
    """Dotted words: from the library that ships."""
    names: tuple[Name, ...] | None = None


Statement: TypeAlias = Flow | Expect | Train | Let | Block | Use


@dataclass(frozen=True)
class Comment(Tree):
    """`# words`, with `##` for documentation; kept for the formatter and for silencing rules."""

    text: str


@dataclass(frozen=True)
class File(Tree):
    """A whole text.

    `lost` are the names declared by statements that could not be read.
    """

    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = ()
    lost: frozenset[str] = frozenset()
