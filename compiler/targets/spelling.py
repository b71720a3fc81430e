"""An operator as a spec writes it, with the numbers that it was given: `conv64 3x3 s2 nobias`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..graph import Layer
from ..op import LETTERS, Op


def spelled(layer: Layer) -> str:
    """The operators of a layer, one behind the other: `conv64 3x3 bn relu`."""
    return " ".join(operator(node.op) for node in layer.nodes)


def operator(op: Op) -> str:
    """One operator; what has its default is left out, and so is how weights begin."""
    fields = type(op).model_fields
    given = {
        name: getattr(op, name)
        for name, field in fields.items()
        if name != "init" and (field.is_required() or getattr(op, name) != field.default)
    }
    return "".join((op.name, *_placed(op, given), *_named(given)))


def _placed(op: Op, given: dict[str, Any]) -> Iterator[str]:
    """The arguments by position, the first without a space where it is one number."""
    for place, name in enumerate(op.places):
        if name not in given:
            return
        text = _worth(given.pop(name))
        yield text if not place and "x" not in text else f" {text}"


def _named(given: dict[str, Any]) -> Iterator[str]:
    """Flags, letters with a number behind them, and the rest by name."""
    for name, value in given.items():
        text = _worth(value)
        if value is True:
            yield f" {name}"
        elif name in LETTERS and text.isdigit():
            yield f" {name}{text}"
        else:
            yield f" {LETTERS.get(name, name)}={text}"


def _worth(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return "x".join(map(str, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)
