"""Initialisers as they are written: `he`, `normal(0.01)`, `orthogonal(1.4)`, `torch`."""

from __future__ import annotations

from ..grammar import tree
from .arguments import Given, checked
from .errors import BadExpression
from .expressions import Scope, evaluate
from .op import SCALED, Initialiser, Refused


def read_initialiser(expression: tree.Expression, scope: Scope) -> Initialiser:
    """Raises `Refused` for what is none."""
    given: dict[str, Given] = {}
    match expression:
        case tree.Name(word=word):
            given["word"] = Given(word, expression.span)
        case tree.Call(word=word, arguments=(argument,)):
            given["word"] = Given(word, expression.span)
            given["scale"] = Given(evaluate(argument.value, scope), argument.span)
        case _:
            problem = "an initialiser is a name, as in `init=he` or `init=normal(0.01)`"
            raise Refused(BadExpression(expression.span, problem))
    found = checked(Initialiser, "init", given, expression.span)
    if found.scale is not None and found.word not in SCALED:
        problem = f"`{found.word}` takes no number"
        raise Refused(BadExpression(expression.span, problem, f"write `init={found.word}`"))
    return found
