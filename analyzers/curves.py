"""The curves of a training, drawn to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from ..grammar.diagnostics import SpecError
from ..grammar.errors import Unwritable
from ..grammar.write import put
from .errors import MissingExtra
from .records import Logged
from .render.charts import PICTURES
from .render.curves import curves


def drawer(place: str, command: str) -> Callable[[Iterable[Logged], str], None]:
    """What draws epochs, under a title, to this file.

    Raises SpecError at once where it could not be drawn: by its name, or without matplotlib.
    """
    path = Path(place)
    if path.suffix.lower() not in PICTURES:
        problem = f"it is no picture; one ends with {', '.join(PICTURES)}"
        raise SpecError([Unwritable(None, place, problem)])
    if not path.resolve().parent.is_dir():
        raise SpecError([Unwritable(None, place, "no such file or directory")])
    if find_spec("matplotlib") is None:
        raise SpecError([MissingExtra(None, command, "matplotlib", "plot")])

    def draw(found: Iterable[Logged], title: str) -> None:
        put(path, curves(tuple(found), title, PICTURES[path.suffix.lower()]))

    return draw
