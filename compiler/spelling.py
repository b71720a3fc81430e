"""Operators as text, every number filled in: `conv(4 * c) 1x1 s(s)` is `conv256 1x1 s2` where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .op import LETTERS, Op


def spelled(op: Op, axes: int = 1) -> str:
    """The operator as a spec would write it with plain numbers, over maps of so many spatial axes;
    without branches and ties."""
    return op.name + "".join(_arguments(op, axes))


def _arguments(op: Op, axes: int) -> Iterator[str]:
    """Each with what parts it from the word before: a first number needs nothing."""
    given = {name: value for name, value in op if name in op.model_fields_set}
    for index, name in enumerate(op.places):
        if name not in given:
            break
        value = given.pop(name)
        alone = value[0] if isinstance(value, tuple) and len(value) == 1 else value
        if index == 0 and isinstance(alone, int | float) and alone >= 0:
            yield _shown(alone)
        elif alone is not value:
            # A kernel behind a count: `conv64 3x3`.
            yield f" {_shown(value * axes)}"
        else:
            yield f" {_shown(value)}"
    for name, value in given.items():
        if value is None or value == type(op).model_fields[name].default:
            continue
        if value is True:
            yield f" {name}"
        elif name in LETTERS and isinstance(value, int | tuple):
            yield f" {name}{_shown(value)}"
        else:
            yield f" {name}={_shown(value)}"


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return "x".join(map(str, value))
        case float():
            return f"{value:.12g}"
        case _:
            return str(value)
