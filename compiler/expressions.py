"""Expressions: what a number, a formula or a promise in the text is worth. Nothing is `eval`ed."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from ..grammar import tree
from ..grammar.near import nearest
from ..grammar.source import Span
from .errors import BadExpression
from .op import Refused
from .shapes import Value

Worth: TypeAlias = "int | float | bool | str | tuple[Worth, ...]"
"""What an expression can be worth."""


class Lost:
    """The worth of a name whose own expression was wrong."""


LOST = Lost()


@dataclass(frozen=True)
class Scope:
    """Where an expression stands.

    Attributes
    ----------
    names: what names stand for; `@a.shape` is looked up under that very text.
    inflow: the value that flows in, for `in.c`; None where nothing does, LOST after a mistake.
    """

    names: Mapping[str, Worth | Lost] = field(default_factory=dict)
    inflow: Value | Lost | None = None


LARGEST = 10**30
DEEPEST = 200
LONGEST = 100_000


def divisible(value: float, by: int) -> int:
    """The nearest multiple of `by`, never under 90 % of the value (MobileNet's rule)."""
    nearest = max(by, math.floor((value + by / 2) / by) * by)
    return nearest + by if nearest < 0.9 * value else nearest


def _range(*bounds: int) -> Worth:
    numbers = range(*bounds)
    if len(numbers) > LONGEST:
        raise OverflowError
    return tuple(numbers)


def _zip(*lists: tuple[Worth, ...]) -> Worth:
    return tuple(zip(*lists, strict=True))


FUNCTIONS: Mapping[str, Callable[..., Worth]] = MappingProxyType(
    {
        "min": min, "max": max, "abs": abs, "round": round, "floor": math.floor,
        "ceil": math.ceil, "sqrt": math.sqrt, "exp": math.exp, "log": math.log,
        "log2": math.log2, "len": len, "sum": sum, "divisible": divisible,
        "range": _range, "zip": _zip,
    }
)  # fmt: skip


def _divide(left: Any, right: Any) -> Any:
    """Exact where it comes out whole: `in.c / 2` is a number of channels."""
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return left / right


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > 1000 or abs(base) > LARGEST:
        raise OverflowError
    result = base**exponent
    if isinstance(result, complex):
        raise OverflowError
    return result


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide,
        "//": operator.floordiv, "%": operator.mod, "^": _power,
        "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
        ">": operator.gt, ">=": operator.ge,
    }
)  # fmt: skip

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


def evaluate(expression: tree.Expression, scope: Scope, depth: int = 0) -> Worth:
    """What the expression is worth; raises `Refused` with a placed mistake when it is nothing."""
    if depth > DEEPEST:
        raise Refused(BadExpression(expression.span, "this expression is nested too deep"))
    match expression:
        case tree.Number(value=value) | tree.Text(value=value) | tree.Truth(value=value):
            return value
        case tree.Shape(sizes=sizes):
            return sizes
        case tree.Tuple(items=items):
            return tuple(evaluate(item, scope, depth + 1) for item in items)
        case tree.Name(word=word):
            return _look_up(word, scope, expression.span)
        case tree.Attribute(owner=owner, word=word):
            return _attribute(owner, word, scope, expression.span)
        case tree.Reference(word=word, attribute=attribute):
            return _look_up(f"@{word}.{attribute or 'shape'}", scope, expression.span)
        case tree.Unary(operator=sign, operand=operand):
            return _unary(sign, evaluate(operand, scope, depth + 1), expression.span)
        case tree.Binary():
            return _binary(expression, scope, depth)
        case tree.Conditional(then=then, condition=condition, otherwise=otherwise):
            chosen = then if evaluate(condition, scope, depth + 1) else otherwise
            return evaluate(chosen, scope, depth + 1)
        case tree.Call():
            return _call(expression, scope, depth)


def _look_up(word: str, scope: Scope, span: Span) -> Worth:
    found = scope.names.get(word)
    if isinstance(found, Lost):
        raise Refused
    if found is not None:
        return found
    near = nearest(word, list(scope.names))
    advice = f"did you mean `{near}`?" if near else ""
    raise Refused(BadExpression(span, f"nothing here is called `{word}`", advice))


def _attribute(owner: str, word: str, scope: Scope, span: Span) -> Worth:
    if owner != "in":
        problem = f"`{owner}` has no parts; only `in` and `@name` have"
        raise Refused(BadExpression(span, problem))
    if isinstance(scope.inflow, Lost):
        raise Refused
    if scope.inflow is None:
        raise Refused(BadExpression(span, "nothing flows in here that `in` could mean"))
    facts = parts(scope.inflow)
    if word in facts:
        return facts[word]
    advice = f"it has {', '.join(f'in.{known}' for known in facts)}"
    raise Refused(BadExpression(span, f"`in` is {scope.inflow} here and has no `{word}`", advice))


def parts(value: Value) -> dict[str, Worth]:
    """What `in.` offers: sizes by the letters of the field, of CxHxW, CxL, TxD or a vector."""
    names = "td" if value.channels_last else ("c", "cl", "chw")[min(value.rank, 3) - 1]
    sizes = value.shape[:1] + value.shape[-2:] if value.rank > 3 else value.shape
    found: dict[str, Worth] = dict(zip(names, sizes, strict=True))
    features = {"c": value.channels, "d": value.channels} if value.rank < 3 else {}
    return {**found, **features, "size": value.size, "rank": value.rank, "shape": value.shape}


def _unary(sign: str, value: Worth, span: Span) -> Worth:
    if sign == "not":
        return not value
    if isinstance(value, int | float):
        return -value
    raise Refused(BadExpression(span, f"`-` needs a number, not {shown(value)}"))


def _binary(expression: tree.Binary, scope: Scope, depth: int) -> Worth:
    """A long sum leans to the left: its spine is walked, not recursed into."""
    spine = [expression]
    while isinstance(spine[-1].left, tree.Binary):
        spine.append(spine[-1].left)
    value = evaluate(spine[-1].left, scope, depth + 1)
    for part in reversed(spine):
        if part.operator in ("and", "or"):
            if bool(value) is (part.operator == "and"):
                value = evaluate(part.right, scope, depth + 1)
            continue
        value = _apply(part, value, evaluate(part.right, scope, depth + 1))
    return value


def _apply(part: tree.Binary, left: Worth, right: Worth) -> Worth:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if part.operator in ("==", "!=") or numbers:
        try:
            return _bounded(OPERATORS[part.operator](left, right), part.span)
        except ZeroDivisionError:
            problem = f"`{shown(left)} {part.operator} {shown(right)}` divides by zero"
        except (OverflowError, ValueError):
            problem = f"`{shown(left)} {part.operator} {shown(right)}` is too large, or no number"
        raise Refused(BadExpression(part.span, problem))
    problem = f"`{part.operator}` needs numbers, not {shown(left)} and {shown(right)}"
    raise Refused(BadExpression(part.span, problem))


def _call(call: tree.Call, scope: Scope, depth: int) -> Worth:
    function = FUNCTIONS.get(call.word)
    if function is None:
        near = nearest(call.word, list(FUNCTIONS))
        advice = f"did you mean `{near}`?" if near else f"there are {', '.join(FUNCTIONS)}"
        problem = f"no function is called `{call.word}`"
        raise Refused(BadExpression(call.span, problem, advice))
    if any(argument.name for argument in call.arguments):
        raise Refused(BadExpression(call.span, f"`{call.word}` takes no named arguments"))
    values = [evaluate(argument.value, scope, depth + 1) for argument in call.arguments]
    try:
        return _bounded(function(*values), call.span)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, RecursionError):
        given = ", ".join(map(shown, values))
        problem = f"`{call.word}({given})` has no value"
        raise Refused(BadExpression(call.span, problem)) from None


def _bounded(value: Worth, span: Span) -> Worth:
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise Refused(BadExpression(span, "this number is too large to mean anything here"))
    return value


def shown(value: Worth) -> str:
    """A value as the language writes it, with thousands parted."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case str():
            return f'"{value}"'
        case _:
            parts = [str(part) if isinstance(part, int) else shown(part) for part in value]
            return (
                "x".join(parts)
                if all(isinstance(p, int) for p in value)
                else f"({', '.join(parts)})"
            )


def literal(value: Worth) -> str:
    """A value as an expression that is worth it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"({', '.join(map(literal, value))},)"
        case _:
            return repr(value)
