"""Where a spec comes from: a path, standard input, or the text itself."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

from .diagnostics import SpecError
from .errors import FileTooLarge, Unreadable
from .limits import Limits
from .near import nearest
from .source import Source, Span

NO_FILE = "there is no such file"

A_SPEC = 'give a path, `-` for standard input, or the net itself: "3 -> fc4 relu -> fc1"'

ALIKE = 0.75
"""How like a file's name must be to be meant, without its ending: names of files are many."""

ENDING = ".nn"
"""How files of specs end."""

WEIGHTS = ".safetensors"
"""How files of weights end."""


def read(spec: str | os.PathLike[str], limits: Limits | None = None) -> Source:
    """The source that `spec` names; raises SpecError when it cannot be read.

    `-` is standard input. Text is taken as a net when it holds `->` or a line end, or when it could
    not be a file's name.
    """
    limits = limits or Limits()
    if not isinstance(spec, str | os.PathLike):
        problem = f"a {type(spec).__name__} is no spec"
        raise SpecError([Unreadable(None, repr(spec)[:40], problem, A_SPEC)])
    if spec == "-":
        return _decoded("<stdin>", _standard_input(limits), limits)
    text = os.fspath(spec)
    if not text:
        raise SpecError([Unreadable(None, text, "an empty text is no spec", A_SPEC)])
    if isinstance(spec, str) and is_text(text):
        return Source("<text>", text)
    try:
        return read_file(Path(text), limits)
    except SpecError as error:
        (mistake,) = error.diagnostics
        if isinstance(mistake, Unreadable) and mistake.problem == NO_FILE:
            mistake = replace(mistake, advice=_near(Path(text)))
        raise SpecError([mistake]) from None


def _standard_input(limits: Limits) -> bytes:
    if sys.stdin is None:
        raise SpecError([Unreadable(None, "<stdin>", "standard input is closed")])
    try:
        return sys.stdin.buffer.read(limits.bytes + 1)
    except OSError as error:
        problem = error.strerror or "it is not open for reading"
        raise SpecError([Unreadable(None, "<stdin>", problem.lower())]) from None


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


def read_file(path: Path, limits: Limits) -> Source:
    """The text of a file; raises SpecError when it cannot be read, is too large, or no text."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "it is a folder" if path.is_dir() else "it is no regular file"
            raise SpecError([Unreadable(None, str(path), kind)])
        if path.suffix == WEIGHTS:
            raise SpecError([Unreadable(None, str(path), "it holds weights", _of_weights(path))])
        with path.open("rb") as file:
            content = file.read(limits.bytes + 1)
    except FileNotFoundError:
        if path.is_symlink():
            problem = f"it is a link to `{path.readlink()}`, which is not there"
            raise SpecError([Unreadable(None, str(path), problem)]) from None
        raise SpecError([Unreadable(None, str(path), NO_FILE)]) from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "it is no file name"
        raise SpecError([Unreadable(None, str(path), problem.lower())]) from None
    return _decoded(str(path), content, limits)


def _of_weights(path: Path) -> str:
    spec = f'nnspec.load("{path}").graph.source.text'
    return f"`nnspec evaluate` and `nnspec predict` take it; in Python {spec} is its spec"


def _near(path: Path) -> str:
    try:
        names = [p.stem for p in path.parent.iterdir() if p.suffix == ENDING]
    except OSError:
        names = []
    near = nearest(path.name.removesuffix(ENDING), names, ALIKE)
    if near and near + ENDING != path.name:
        return f"did you mean `{path.with_name(near + ENDING)}`?"
    return A_SPEC


def _decoded(name: str, content: bytes, limits: Limits) -> Source:
    if len(content) > limits.bytes:
        source = Source(name, "")
        raise SpecError([FileTooLarge(Span(source, 0, 0), len(content), limits.bytes)])
    try:
        return Source(name, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is not UTF-8"
        raise SpecError([Unreadable(None, name, problem, "save it as UTF-8 text")]) from None
