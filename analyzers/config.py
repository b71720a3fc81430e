"""`[tool.nnspec]` of the nearest pyproject.toml: which warnings are reported, what `--fix` may do.

[tool.nnspec]
select = ["NN4"]
ignore = ["NN414"]
unsafe-fixes = true
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from .errors import BadConfig

FILE = "pyproject.toml"


@dataclass(frozen=True)
class Config:
    """Prefixes of codes, and whether unsafe fixes are among those that are applied."""

    select: tuple[str, ...] = ("NN4",)
    ignore: tuple[str, ...] = ()
    unsafe_fixes: bool = False


def config_for(place: Path) -> Config:
    """What the nearest pyproject.toml above a file or folder says; raises SpecError."""
    try:
        start = Path(os.path.realpath(place))
    except FileNotFoundError:  # the working folder is gone, and no file says anything
        return Config()
    for folder in (start, *start.parents):
        path = folder / FILE
        if os.path.isfile(path):
            return _read(path)
    return Config()


def _read(path: Path) -> Config:
    try:
        text = path.read_text("utf-8")
        whole = tomllib.loads(text) if "nnspec" in text else {}
    except (OSError, ValueError) as error:
        raise SpecError([BadConfig(None, str(path), f"cannot be read: {error}")]) from None
    return _checked(path, _table(path, _table(path, whole, "tool"), "nnspec"))


def _table(path: Path, within: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table: object = within.get(name, {})
    if not isinstance(table, dict):
        advice = 'write [tool.nnspec], and below it settings as ignore = ["NN414"]'
        raise SpecError([BadConfig(None, str(path), f"`{name}` is no table", advice)])
    return table


def _checked(path: Path, table: Mapping[str, Any]) -> Config:
    known = {field.name.replace("_", "-"): field for field in fields(Config)}
    for key, value in table.items():
        if key not in known:
            near = nearest(key, known)
            advice = f"did you mean `{near}`?" if near else f"there are {', '.join(known)}"
            raise SpecError([BadConfig(None, str(path), f"`{key}` is no setting", advice)])
        if isinstance(known[key].default, bool):
            if not isinstance(value, bool):
                advice = f"write {key} = true, or false"
                raise SpecError([BadConfig(None, str(path), f"`{key}` is no yes or no", advice)])
        elif not isinstance(value, list) or not all(isinstance(code, str) for code in value):
            advice = f'write a list of codes: {key} = ["NN414"]'
            raise SpecError([BadConfig(None, str(path), f"`{key}` is no list of codes", advice)])
    values: dict[str, Any] = {
        known[key].name: tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
    }
    return Config(**values)
