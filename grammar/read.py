"""Where a spec comes from: a path, standard input, or the text itself."""

from __future__ import annotations

import os
import stat
import sys
from difflib import get_close_matches
from pathlib import Path

from .diagnostics import SpecError
from .errors import FileTooLarge, Unreadable
from .limits import Limits
from .source import Source, Span


def read(spec: str | os.PathLike[str], limits: Limits | None = None) -> Source:
    """The source that `spec` names; raises SpecError when it cannot be read.

    `-` is standard input. Text is taken as a net when it holds `->` or a line end, or when it could
    not be a file's name.
    """
    limits = limits or Limits()
    if spec == "-":
        return _decoded("<stdin>", sys.stdin.buffer.read(limits.bytes + 1), limits)
    text = os.fspath(spec)
    if isinstance(spec, str) and is_text(text):
        return Source("<text>", text)
    return _file(Path(text), limits)


def is_text(spec: str) -> bool:
    """Whether the argument is a net by itself."""
    return (
        "->" in spec or "\n" in spec or "\0" in spec or (" " in spec.strip() and not _exists(spec))
    )


def _exists(spec: str) -> bool:
    try:
        return Path(spec).exists()
    except OSError:
        return False


def _file(path: Path, limits: Limits) -> Source:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "it is a directory" if path.is_dir() else "it is no regular file"
            raise SpecError([Unreadable(None, str(path), kind)])
        with path.open("rb") as file:
            content = file.read(limits.bytes + 1)
    except FileNotFoundError:
        raise SpecError(
            [Unreadable(None, str(path), "there is no such file", _near(path))]
        ) from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "it is no file name"
        raise SpecError([Unreadable(None, str(path), problem.lower())]) from None
    return _decoded(str(path), content, limits)


def _near(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix == ".nn"]
    except OSError:
        names = []
    near = get_close_matches(path.name, names, 1)
    if near:
        return f"did you mean `{path.with_name(near[0])}`?"
    return 'give a path, `-` for standard input, or the net itself: "3 -> fc4 relu -> fc1"'


def _decoded(name: str, content: bytes, limits: Limits) -> Source:
    if len(content) > limits.bytes:
        source = Source(name, "")
        raise SpecError([FileTooLarge(Span(source, 0, 0), len(content), limits.bytes)])
    try:
        return Source(name, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is not UTF-8"
        raise SpecError([Unreadable(None, name, problem, "save it as UTF-8 text")]) from None
