"""Operators from their uses in the text: arguments worked out and checked, shapes applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..grammar import tree
from ..grammar.errors import AxisTooLong, TooManyAxes, TooManyElements
from ..grammar.limits import Limits
from ..grammar.source import Span
from .applied import Applied
from .arguments import Given, checked
from .errors import BadExpression, MissingArgument
from .expressions import Scope, evaluate
from .files import Block
from .initialisers import read_initialiser
from .op import Op, Refused, Trait
from .pieces import Part, Use
from .shape_errors import WholeNumbers
from .shapes import Value
from .training.learning import Learning


@dataclass
class Maker:
    """Makes each operator, and applies it to shapes, once: a repeat makes many nodes that are alike.

    Every method raises `Refused`.
    """

    limits: Limits
    operators: dict[object, Op] = field(default_factory=dict)
    """By kind and arguments."""
    applications: dict[tuple[int, tuple[Value, ...]], Applied] = field(default_factory=dict)
    """By the operator's identity and the shapes that arrive."""

    def operator(self, use: Use, scope: Scope) -> Op:
        assert isinstance(use.callee, type)
        kind: type[Op] = use.callee
        given = arguments(use, scope)
        key = (kind, tuple((name, type(g.value), g.value) for name, g in given.items()))
        made = self.operators.get(key)
        if made is None:
            made = self.operators[key] = checked(kind, use.word, given, use.span)
        return made

    def learning(self, part: Part, scope: Scope) -> Learning:
        """How the layers of an operator, a block's use or brackets learn, as written there."""
        worths = {
            name: Given(_evaluated(argument.value, scope), argument.span)
            for name, argument in part.learning.items()
        }
        return checked(Learning, part.word, worths, part.span)

    def applied(self, op: Op, arrivals: tuple[Value, ...], span: Span) -> Applied:
        """The operator on these shapes."""
        key = (id(op), arrivals)
        applied = self.applications.get(key)
        if applied is None:
            if any(arrival.integer for arrival in arrivals) and Trait.INTEGERS not in op.traits:
                raise Refused(WholeNumbers(None, op.name))
            value = op.shape(*arrivals)
            self.bounded(value, span)
            applied = self.applications[key] = Applied(op, arrivals, value)
        return applied

    def bounded(self, value: Value, span: Span) -> None:
        """Refuse a value past the limits."""
        if value.rank > self.limits.rank:
            raise Refused(TooManyAxes(span, value.rank, self.limits.rank))
        if max(value.shape) > self.limits.dimension:
            raise Refused(AxisTooLong(span, max(value.shape), self.limits.dimension))
        if value.size > self.limits.elements:
            raise Refused(TooManyElements(span, value.size, self.limits.elements))


def arguments(use: Use, scope: Scope) -> dict[str, Given]:
    """The worth of every argument where it stands; raises `Refused`."""
    for name, parameter in use.signature.parameters.items():
        if parameter.required and name not in use.given:
            missing = f"its {parameter.described}"
            raise Refused(MissingArgument(use.span, use.word, missing, use.signature.written))
    return {
        name: Given(_worth(use, name, given.value, scope), given.span)
        for name, given in use.given.items()
    }


def _worth(use: Use, name: str, value: Any, scope: Scope) -> object:
    if name == "init" and not isinstance(use.callee, Block):
        expression: Any = value
        return read_initialiser(expression, scope)
    _not_a_flag(use, name, value, scope)
    return _evaluated(value, scope)


def _not_a_flag(use: Use, name: str, value: Any, scope: Scope) -> None:
    """Refuse `padding=same`: the word is an option by itself."""
    match value:
        case tree.Name(word=word) | tree.Text(value=word) if word not in scope.names:
            parameter = use.signature.parameters.get(word)
            if parameter and parameter.flag and isinstance(use.callee, type):
                shown = use.signature.parameters[name].shown
                problem = f"`{word}` is no value of `{shown}`, but an option by itself"
                raise Refused(BadExpression(value.span, problem, f"write `{word}` alone"))
        case _:
            pass


def _evaluated(value: Any, scope: Scope) -> object:
    """The worth of an expression; what is none stands for itself, as `same` does for true."""
    if not isinstance(value, tree.Tree):
        return value
    expression: Any = value
    return evaluate(expression, scope)
