"""Settings of a training, as short as they can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...compiler.training import MENUS

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

TOLD = frozenset({"lr"})
"""What is told even where it is as nothing said would have it."""


def brief(name: str, text: str) -> str:
    """`adam(lr=0.01)` for what is written `adam(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-08)`: without
    what stands there anyway. Text that is nothing of ours stays as it is."""
    word, bracket, rest = text.partition("(")
    choices = MENUS[name].choices if name in MENUS else {}
    if word not in choices or not bracket or "(" in rest or not rest.endswith(")"):
        return text
    fields = choices[word].model_fields
    kept = [
        argument
        for argument in rest[:-1].split(", ")
        if argument.partition("=")[0] in TOLD or not _usual(fields, argument)
    ]
    return f"{word}({', '.join(kept)})" if kept else word


def _usual(fields: Mapping[str, FieldInfo], argument: str) -> bool:
    name, _, worth = argument.partition("=")
    return name in fields and str(fields[name].default) == worth
