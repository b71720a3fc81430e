"""What `train(...)` may choose by name: `adam(lr=1e-3)`, `cross_entropy`, `cosine(warmup=2)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Choice(BaseModel):
    """Something that a setting of `train(...)` names: `adam(lr=1e-3)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, strict=True)

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    places: ClassVar[tuple[str, ...]] = ()
    """The fields that may be given by position."""


@dataclass(frozen=True)
class Menu:
    """What a setting is chosen from.

    Attributes
    ----------
    choices: by their names.
    many: several at once, in parentheses: `augment = (flip, shift(2))`.
    bare: the choice that a plain number means, given as its first place: `clip = 1.0`.
    """

    choices: Mapping[str, type[Choice]]
    many: bool = False
    bare: type[Choice] | None = None
