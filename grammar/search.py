"""The specs that a command line names: as they are given, and those in folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import Unreadable
from .read import ENDING, is_text


@dataclass
class Found:
    """What is to be read, what folders cannot be searched, and in which there is no spec."""

    specs: list[str] = field(default_factory=list)
    mistakes: list[Unreadable] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def tell(self) -> None:
        """A notice for each folder in which there is no spec."""
        for place in self.empty:
            print(f"nnspec: there is no {ENDING} file in `{place}`", file=sys.stderr)


def found_in(given: Iterable[str]) -> Found:
    """Specs as given; folders as the `.nn` files below them, what is hidden left out."""
    found = Found()
    for spec in given:
        if spec and spec != "-" and not is_text(spec) and os.path.isdir(spec):
            _search(spec, found)
        else:
            found.specs.append(spec)
    return found


def _search(folder: str, found: Found) -> None:
    if not _is_there(folder):
        found.mistakes.append(Unreadable(None, folder, "the working folder is gone"))
        return
    files: list[Path] = []
    locked: list[Unreadable] = []

    def refused(error: OSError) -> None:
        problem = error.strerror or "the system refused"
        locked.append(Unreadable(None, str(error.filename or folder), problem.lower()))

    for place, below, names in os.walk(folder, onerror=refused):
        files += [Path(place, name) for name in (*names, *below) if _is_spec(name)]
        below[:] = [name for name in below if not name.startswith(".")]
    found.specs += map(str, sorted(files))
    found.mistakes += locked
    if not files and not locked:
        found.empty.append(folder)


def _is_there(folder: str) -> bool:
    """Whether paths lead anywhere: from a working folder that is gone, `.` does, and holds nothing."""
    try:
        return bool(os.path.abspath(folder))
    except FileNotFoundError:
        return False


def _is_spec(name: str) -> bool:
    return name.endswith(ENDING) and not name.startswith(".")
