"""From written arguments to checked models, with refusals in the user's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..grammar.source import Span
from .errors import BadArgument
from .op import LETTERS, Op, Refused

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Given:
    """An argument as it was written: its value, or the expression for it, and its place."""

    value: Any
    span: Span


def checked(model: type[Model], word: str, given: Mapping[str, Given], span: Span) -> Model:
    """The model with the given arguments; raises `Refused` with every one that it cannot take."""
    try:
        return model(**{field: argument.value for field, argument in given.items()})
    except ValidationError as error:
        wrong: dict[str, BadArgument] = {}
        for detail in error.errors(include_url=False):
            field = str(detail["loc"][0])
            place = given[field].span if field in given else span
            found = _shown(given[field].value) if field in given else "missing"
            wanted = _wanted(detail["type"], detail.get("ctx", {}))
            advice = _advice(given[field].value, detail.get("ctx", {})) if field in given else ""
            mistake = BadArgument(place, word, describe(model, field), found, wanted, advice)
            wrong.setdefault(field, mistake)
        raise Refused(*wrong.values()) from None


FEWEST = 5
"""A share of fewer is a slip, not a number of percent."""


def _advice(value: Any, context: Mapping[str, Any]) -> str:
    """How a share that is given in percent is written."""
    most = context.get("lt", context.get("le"))
    if most == 1 and isinstance(value, int) and FEWEST <= value < 100:
        return f"{value} % is written `{value / 100:g}`"
    return ""


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case tuple() if all(isinstance(size, int) and size >= 0 for size in value):
            return "x".join(map(_shown, value))
        case tuple():
            return f"({', '.join(map(_shown, value))})"
        case _:
            return str(value)


def describe(model: type[BaseModel], field: str) -> str:
    """What a user calls the field: `stride`, `kernel`, `how many filters`."""
    return model.model_fields[field].description or LETTERS.get(field, field)


def _wanted(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than_equal":
            return f"at least {context['ge']:g}"
        case "greater_than":
            return f"above {context['gt']:g}"
        case "less_than_equal":
            return f"at most {context['le']:,}".removesuffix(".0")
        case "less_than":
            return f"below {context['lt']:g}"
        case "int_type" | "int_from_float" | "int_parsing":
            return "a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return "a number"
        case "bool_type" | "bool_parsing":
            return "true or false"
        case "tuple_type":
            return "a number, or one for each axis as in 3x3"
        case "weights":
            return "numbers from 0 in parentheses, one a class, as in (1, 2.5)"
        case "literal_error":
            return f"one of {context['expected']}"
        case _:
            return "something else"


@dataclass(frozen=True)
class Parameter:
    """One thing that an operator or a block can be given.

    Attributes
    ----------
    shown: its name in messages: the long form of a letter.
    described: what it is: `number of neurons`.
    flag: switched on by its bare name: `same`.
    """

    shown: str
    described: str
    required: bool
    flag: bool


@dataclass(frozen=True)
class Signature:
    """What an operator or a block can be given.

    Attributes
    ----------
    places: the parameters that are filled by position, in order.
    written: how it is used: `conv n kernel [stride= padding= same nobias]`, `basic(c, s=1)`.
    """

    word: str
    places: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    written: str

    def named(self, word: str) -> str | None:
        """The parameter that an option's name means: its own name, or the long form of its letter.

        A letter that stands for something else here (the chance of `dropout p`) has no long form.
        """
        if word in self.parameters:
            return word
        meant = {word, "window"} if word == "kernel" else {word}
        for letter, long in LETTERS.items():
            parameter = self.parameters.get(letter)
            if long == word and parameter and {parameter.shown, parameter.described} & meant:
                return letter
        return None

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(parameter.shown for parameter in self.parameters.values())


@cache
def signature(op: type[Op]) -> Signature:
    """What an operator takes: its fields."""
    parameters = {
        name: Parameter(
            LETTERS.get(name, name),
            describe(op, name),
            info.is_required(),
            info.annotation is bool,
        )
        for name, info in op.model_fields.items()
    }
    rest = [
        parameter.shown if parameter.flag else f"{parameter.shown}="
        for name, parameter in parameters.items()
        if name not in op.places
    ]
    words = [op.name, *(parameters[place].shown for place in op.places)]
    written = " ".join([*words, f"[{' '.join(rest)}]"] if rest else words)
    return Signature(op.name, op.places, parameters, written)
