"""Files that `use` names: where they are, what they hold, and that none holds itself."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from ..grammar import tree
from ..grammar.diagnostics import SpecError
from ..grammar.errors import TooManyFiles, Unreadable
from ..grammar.limits import Limits
from ..grammar.near import nearest
from ..grammar.read import ENDING, read_file
from ..grammar.source import Source
from .arguments import Parameter, Signature
from .errors import CannotUse
from .expressions import Lost, Worth
from .op import Refused

LIBRARY = "<library>"
"""The folder that the names of sources from the library begin with."""

ROOT_MARKS = ("pyproject.toml", ".git", ".hg")
"""What marks the folder of a project."""


@dataclass
class Module:
    """What one file declares: its own, and what it takes from others.

    Attributes
    ----------
    lets: what its top-level constants are worth.
    blocks: its blocks and shared chains, by name.
    lost: names of blocks that a reported mistake left without meaning; None where any word may be
        one.
    """

    source: Source
    lets: dict[str, Worth | Lost] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    lost: set[str] | None = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Block:
    """A block or a shared chain, with the file whose names it sees."""

    written: tree.Block
    module: Module

    @property
    def name(self) -> str:
        return self.written.name.word

    @cached_property
    def signature(self) -> Signature:
        written = self.written.parameters or ()
        parameters = {
            p.name.word: Parameter(
                p.name.word, p.name.word, p.default is None, isinstance(p.default, tree.Truth)
            )
            for p in written
        }
        use = f"{self.name}({', '.join(p.span.text for p in written)})" if written else self.name
        return Signature(self.name, tuple(parameters), parameters, use)


class Files:
    """Finds what `use` names, on disk below the project's root or among texts given beforehand.

    Attributes
    ----------
    texts: everything that was read, by the name it is shown under.
    """

    def __init__(self, limits: Limits, given: Mapping[str, str] | None = None) -> None:
        self.limits = limits
        self.given = given
        self.texts: dict[str, str] = {}

    def find(self, use: tree.Use, by: Source) -> Source:
        """The source that a `use` in `by` names; raises Refused when there is none to be had."""
        name = self._name(use, by)
        if name not in self.texts:
            if len(self.texts) >= self.limits.files:
                raise Refused(TooManyFiles(use.span, len(self.texts) + 1, self.limits.files))
            self.texts[name] = self._text(use, name, by)
        return Source(name, self.texts[name])

    def _name(self, use: tree.Use, by: Source) -> str:
        if use.ships:
            return f"{LIBRARY}/{use.path.replace('.', '/')}{ENDING}"
        if "\\" in use.path or posixpath.isabs(use.path) or not use.path.isprintable():
            advice = "write a path with `/`, relative to the file it stands in"
            raise Refused(CannotUse(use.span, use.path, "it is no relative path", advice))
        if not use.path.endswith(ENDING):
            raise Refused(CannotUse(use.span, use.path, f"only `{ENDING}` files are used"))
        name = posixpath.normpath(posixpath.join(_folder(by.name), use.path))
        if by.name.startswith(LIBRARY) and not name.startswith(f"{LIBRARY}/"):
            raise Refused(CannotUse(use.span, use.path, "it lies outside of the library"))
        return name

    def _text(self, use: tree.Use, name: str, by: Source) -> str:
        if self.given is not None and name in self.given:
            return self.given[name]
        if name.startswith(f"{LIBRARY}/"):
            return self._shipped(use, name)
        if self.given is not None:
            raise Refused(CannotUse(use.span, use.path, "it was not kept with the weights"))
        root = _root(Path(by.name if by.name[:1] != "<" else "."))
        try:
            inside = Path(name).resolve().is_relative_to(root)
        except (OSError, RuntimeError):
            # Links that lead in a circle, or a name too long.
            raise Refused(CannotUse(use.span, use.path, "it leads nowhere")) from None
        if not inside:
            advice = f"files are used from below the folder that holds {' or '.join(ROOT_MARKS)}"
            raise Refused(CannotUse(use.span, use.path, "it lies outside of the project", advice))
        try:
            return read_file(Path(name), self.limits).text
        except SpecError as error:
            mistake = error.diagnostics[0]
            if isinstance(mistake, Unreadable):
                mistake = CannotUse(use.span, use.path, mistake.problem)
            raise Refused(replace(mistake, span=use.span)) from None

    def _shipped(self, use: tree.Use, name: str) -> str:
        place = files("nnspec").joinpath("specs", "lib", *name.split("/")[1:])
        if not place.is_file():
            near = nearest(use.path, _library())
            advice = f"did you mean `{near}`?" if near else f"it has {', '.join(_library())}"
            problem = "the library has no such file"
            raise Refused(CannotUse(use.span, use.path, problem, advice))
        return place.read_text("utf-8")


def _library() -> list[str]:
    """What `use` can name of it: `vision.resnet`."""
    folder = files("nnspec").joinpath("specs", "lib")
    return sorted(
        f"{family.name}.{file.name.removesuffix('.nn')}"
        for family in folder.iterdir()
        if family.is_dir()
        for file in family.iterdir()
    )


def _root(path: Path) -> Path:
    """The project that a file belongs to: the nearest folder above with a mark, else its own."""
    own = path.resolve() if path.is_dir() else path.resolve().parent
    marked = (f for f in (own, *own.parents) if any((f / m).exists() for m in ROOT_MARKS))
    return next(marked, own)


def _folder(name: str) -> str:
    """Where a source lies: nowhere, for text that is in no file."""
    outside = name.startswith("<") and not name.startswith(f"{LIBRARY}/")
    return "" if outside else posixpath.dirname(Path(name).as_posix())


def from_here(texts: Mapping[str, str], main: str) -> dict[str, str]:
    """Texts by their paths from the main one's folder."""
    folder = _folder(main) or "."
    return {
        name if name.startswith(LIBRARY) else posixpath.relpath(name, folder): text
        for name, text in texts.items()
    }


def from_there(texts: Mapping[str, str], main: str) -> dict[str, str]:
    """The inverse of `from_here`: texts by the names that a `use` below `main` gives them."""
    return {
        name
        if name.startswith(LIBRARY)
        else posixpath.normpath(posixpath.join(_folder(main), name)): text
        for name, text in texts.items()
    }
