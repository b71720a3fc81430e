"""From written arguments to checked models, with refusals in the user's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..grammar.source import Span
from .errors import BadArgument
from .op import LETTERS, Op, Refused

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Given:
    """An argument as it was written: its value and its place."""

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
            mistake = BadArgument(place, word, describe(model, field), found, wanted)
            wrong.setdefault(field, mistake)
        raise Refused(*wrong.values()) from None


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case tuple():
            return "x".join(map(_shown, value))
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
            return f"at most {context['le']:,}"
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
        case "literal_error":
            return f"one of {context['expected']}"
        case _:
            return "something else"


def is_flag(model: type[BaseModel], field: str) -> bool:
    return model.model_fields[field].annotation is bool


def field_named(model: type[BaseModel], word: str) -> str | None:
    """The field that an option's name means: its own name, or the long form of its letter.

    A letter that stands for something else here (the chance of `dropout p`) has no long form.
    """
    if word in model.model_fields:
        return word
    meant = {word, "window"} if word == "kernel" else {word}
    return next(
        (f for f in model.model_fields if LETTERS.get(f) == word and describe(model, f) in meant),
        None,
    )


def signature(op: type[Op]) -> str:
    """How an operator is written: `conv n kernel [stride= padding= dilation= groups= same nobias]`."""
    places = [LETTERS.get(place, place) for place in op.places]
    rest = [
        field if is_flag(op, field) else f"{LETTERS.get(field, field)}="
        for field in op.model_fields
        if field not in op.places
    ]
    options = f"[{' '.join(rest)}]" if rest else ""
    return " ".join(part for part in (op.name, *places, options) if part)
