"""Reduced rules of the grammar to nodes of the syntax tree.

The parser calls the method named like the rule, children first, so no tree is ever walked and no
depth of brackets can overflow the stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

from . import tree
from .source import Span


class Located(Protocol):
    """A token or a node: it has a place."""

    @property
    def span(self) -> Span: ...


Child: TypeAlias = Any
Children: TypeAlias = Sequence[Any]

SUFFIXES = {
    "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip


def over(children: Children) -> Span:
    """The stretch from the first child to the last."""
    span: Span = children[0].span.to(children[-1].span)
    return span


def number(text: str) -> int | float:
    """What a literal is worth: whole where it is written whole, or has a suffix and comes out so."""
    digits = text.replace("_", "")
    suffix = next((s for s in ("KiB", "MiB", "GiB", *"KMGT") if digits.endswith(s)), "")
    if suffix:
        exact = Fraction(digits.removesuffix(suffix)) * SUFFIXES[suffix]
        return int(exact) if exact.denominator == 1 else float(exact)
    return int(digits) if digits.isdigit() else float(digits)


def only(children: Children, *kinds: str) -> list[Any]:
    """The children that are not punctuation; tokens of `kinds` count."""
    return [c for c in children if not hasattr(c, "type") or c.type in kinds]


def name_of(token: Child) -> tree.Name:
    return tree.Name(token.span, str(token))


class Builder:
    """One method for each rule."""

    # -------------------------------------------------------------------------- statements

    def flow(self, children: Children) -> tree.Flow:
        (chain,) = children
        head, *rest = chain.stages
        if head.label is None:
            return tree.Flow(chain.span, None, chain)
        stage = tree.Stage(head.span, None, head.pieces)
        return tree.Flow(chain.span, head.label, tree.Chain(chain.span, (stage, *rest)))

    def output(self, children: Children) -> tree.Flow:
        named = len(children) == 4 and children[1] is not None
        label = tree.Name(children[1].span, str(children[1])) if named else None
        return tree.Flow(over(children), label, children[-1], output=True)

    def expect(self, children: Children) -> tree.Expect:
        return tree.Expect(over(children), children[1])

    def train(self, children: Children) -> tree.Train:
        return tree.Train(over(children), self._arguments(children))

    # ------------------------------------------------------------------------ declarations

    def let(self, children: Children) -> tree.Let:
        return tree.Let(over(children), children[1], children[3])

    def block(self, children: Children) -> tree.Block:
        _, name, _, parameters, _, _, lets, chain = children
        return tree.Block(over(children), name_of(name), parameters, lets or (), chain)

    def shared(self, children: Children) -> tree.Block:
        _, name, _, lets, chain = children
        return tree.Block(over(children), name_of(name), None, lets or (), chain, shared=True)

    def parameters(self, children: Children) -> tuple[tree.Parameter, ...]:
        return tuple(c for c in children if isinstance(c, tree.Parameter))

    def parameter(self, children: Children) -> tree.Parameter:
        default = children[2] if len(children) == 3 else None
        return tree.Parameter(over(children), name_of(children[0]), default)

    def lets(self, children: Children) -> tuple[tree.Let, ...]:
        return tuple(c for c in children if isinstance(c, tree.Let))

    def use(self, children: Children) -> tree.Use:
        _, path, names = children
        span = over(children if names else children[:2])
        taken = names.names if names else None
        if isinstance(path, tree.Name):
            return tree.Use(span, path.word, True, taken)
        return tree.Use(span, str(path)[1:-1], False, taken)

    def path(self, children: Children) -> tree.Name:
        return tree.Name(over(children), "".join(map(str, children)))

    def names(self, children: Children) -> tree.Target:
        return self.target(children)

    def target(self, children: Children) -> tree.Target:
        written = [c for c in children if c is not None]
        names = tuple(name_of(c) for c in written if c.type == "WORD")
        return tree.Target(over(written), names, parted=len(written) > 1)

    # ------------------------------------------------------------------------------ chains

    def chain(self, children: Children) -> tree.Chain:
        return tree.Chain(over(children), tuple(only(children)))

    def stage(self, children: Children) -> tree.Stage:
        label = children[0] if isinstance(children[0], tree.Name) else None
        pieces = tuple(children[1:] if label else children)
        return tree.Stage(over(children), label, pieces)

    def label(self, children: Children) -> tree.Name:
        return tree.Name(over(children), str(children[0]))

    def word(self, children: Children) -> tree.Word:
        return tree.Word(children[0].span, str(children[0]))

    def call_word(self, children: Children) -> tree.Word:
        return tree.Word(over(children), str(children[0]), self._arguments(children))

    def value(self, children: Children) -> tree.Value:
        worth = children[0] if len(children) == 1 else self.parenthesised(children)
        return tree.Value(over(children), worth)

    def option(self, children: Children) -> tree.Option:
        return tree.Option(over(children), str(children[0]), children[2])

    def group(self, children: Children) -> tree.Group:
        branches = tuple(c for c in children if isinstance(c, tree.Chain))
        last = children[-1]
        repeat = None if hasattr(last, "type") else last
        return tree.Group(over(children), branches, repeat)

    def loop(self, children: Children) -> tree.Loop:
        _, target, _, items, (body, end) = children
        return tree.Loop(children[0].span.to(end), target, items, body)

    def choice(self, children: Children) -> tree.Choice:
        first, condition, (then, end), _, otherwise = children
        if isinstance(otherwise, tuple):
            otherwise, end = otherwise
        elif otherwise is not None:
            end = otherwise.span
        return tree.Choice(first.span.to(end), condition, then, otherwise)

    def body(self, children: Children) -> tuple[tree.Chain, Span]:
        """The chain in brackets, and where the brackets end."""
        return children[1], children[2].span

    def reference(self, children: Children) -> tree.Reference:
        return tree.Reference(over(children), str(children[1]))

    # ------------------------------------------------------------------------- expressions

    def conditional(self, children: Children) -> tree.Conditional:
        then, condition, otherwise = only(children)
        return tree.Conditional(over(children), then, condition, otherwise)

    def binary(self, children: Children) -> tree.Binary:
        left, sign, right = children
        return tree.Binary(over(children), str(sign), left, right)

    def unary(self, children: Children) -> tree.Unary:
        return tree.Unary(over(children), str(children[0]), children[1])

    def negative(self, children: Children) -> tree.Unary:
        inner = tree.Number(children[1].span, number(str(children[1])))
        return tree.Unary(over(children), "-", inner)

    def number(self, children: Children) -> tree.Number:
        return tree.Number(children[0].span, number(str(children[0])))

    def shape(self, children: Children) -> tree.Shape:
        sizes = str(children[0]).replace("_", "").split("x")
        return tree.Shape(children[0].span, tuple(map(int, sizes)))

    def string(self, children: Children) -> tree.Text:
        return tree.Text(children[0].span, str(children[0])[1:-1])

    def truth(self, children: Children) -> tree.Truth:
        return tree.Truth(children[0].span, children[0] == "true")

    def name(self, children: Children) -> tree.Name:
        return tree.Name(children[0].span, str(children[0]))

    def attribute(self, children: Children) -> tree.Attribute:
        return tree.Attribute(over(children), str(children[0]), str(children[2]))

    def at(self, children: Children) -> tree.Reference:
        attribute = str(children[3]) if len(children) == 4 else None
        return tree.Reference(over(children), str(children[1]), attribute)

    def call(self, children: Children) -> tree.Call:
        return tree.Call(over(children), str(children[0]), self._arguments(children))

    def parenthesised(self, children: Children) -> tree.Expression:
        inside: tree.Expression | tuple[tree.Expression, ...] = children[1]
        return tree.Tuple(over(children), inside) if isinstance(inside, tuple) else inside

    def items(self, children: Children) -> tree.Expression | tuple[tree.Expression, ...]:
        """A lone expression is itself; `(64,)` is a tuple."""
        lone: tree.Expression = children[0]
        if len(children) == 2 and children[1] is None:
            return lone
        return tuple(child for child in only(children) if child is not None)

    def arguments(self, children: Children) -> tuple[tree.Argument, ...]:
        return tuple(child for child in only(children) if child is not None)

    def argument(self, children: Children) -> tree.Argument:
        name = str(children[0]) if len(children) == 3 else None
        return tree.Argument(over(children), name, children[-1])

    def _arguments(self, children: Children) -> tuple[tree.Argument, ...]:
        return next((c for c in children if isinstance(c, tuple)), ())
