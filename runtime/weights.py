"""Weights on disk: a safetensors file that carries its spec. Nothing is ever unpickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..compiler.expressions import literal
from ..compiler.files import from_here
from ..compiler.graph import Graph
from ..grammar.diagnostics import SpecError
from .errors import WeightsDisagree, WeightsUnreadable, WeightsUnwritable, WeightsWithoutSpec
from .kernels import Array

FORMAT = "nnspec 1"
"""The layout of the metadata; a file of another one is refused."""

KEYS = frozenset({"spec", "digest", "settings", "lets", "files"})


@dataclass(frozen=True)
class Saved:
    """What a weights file holds: the spec, its net's digest, settings, arrays by name.

    `files` are the texts that the spec uses, by their paths from its own; `lets` its constants that
    were given from outside.
    """

    spec: str
    digest: str
    settings: Mapping[str, str]
    lets: Mapping[str, str]
    files: Mapping[str, str]
    arrays: Mapping[str, Array]


def check_writable(path: Path) -> None:
    """Raise SpecError when weights could not be written here: better known before training."""
    folder = path.parent
    problem = ""
    if path.is_dir():
        problem = "it is a folder"
    elif not folder.is_dir():
        problem = f"there is no folder `{folder}`"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        problem = "permission denied"
    if problem:
        raise SpecError([WeightsUnwritable(None, str(path), problem)])


def write(
    path: Path, graph: Graph, arrays: Mapping[str, Array], settings: Mapping[str, str]
) -> None:
    """Write a weights file whole or not at all; raises SpecError when it cannot be written."""
    metadata = {
        "format": FORMAT,
        "spec": graph.source.text,
        "digest": graph.digest,
        "settings": json.dumps(settings, sort_keys=True),
        "lets": json.dumps({name: literal(worth) for name, worth in graph.lets.items()}),
        "files": json.dumps(from_here(graph.files, graph.source.name)),
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.write(save(dict(arrays), metadata))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        problem = error.strerror or "the system refused"
        raise SpecError([WeightsUnwritable(None, str(path), problem.lower())]) from None


def read(path: Path) -> Saved:
    """Read a weights file; raises SpecError when it is not one."""
    name = str(path)
    if not path.is_file():
        problem = "there is no such file" if not path.exists() else "it is no regular file"
        raise SpecError([WeightsUnreadable(None, name, problem)])
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in sorted(file.keys())}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        problem = "it is cut short, damaged, or not a safetensors file"
        raise SpecError([WeightsUnreadable(None, name, problem)]) from error
    if metadata.get("format") != FORMAT or not metadata.keys() >= KEYS:
        raise SpecError([WeightsWithoutSpec(None, name)])
    try:
        settings, lets, files = (
            {str(key): str(value) for key, value in json.loads(metadata[field]).items()}
            for field in ("settings", "lets", "files")
        )
    except (ValueError, AttributeError, RecursionError):
        raise SpecError([WeightsDisagree(None, name, "its settings cannot be read")]) from None
    return Saved(metadata["spec"], metadata["digest"], settings, lets, files, arrays)


def check_members(saved: Saved, path: Path, wanted: int) -> None:
    """Raise SpecError unless the arrays are those of so many members; one has no member's name."""
    found = len({name.partition(".")[0] for name in saved.arrays}) if wanted > 1 else 1
    if found != wanted:
        problem = f"it says it holds {wanted} nets, but holds {found}"
        raise SpecError([WeightsDisagree(None, str(path), problem)])


def pour(saved: Saved, path: Path, graph: Graph, into: Mapping[str, Array]) -> None:
    """Copy saved arrays into a net's own; raises SpecError unless they are exactly its arrays."""

    def refuse(problem: str) -> SpecError:
        return SpecError([WeightsDisagree(None, str(path), problem)])

    if saved.digest != graph.digest:
        raise refuse("the spec inside is not the one the weights were saved with")
    if missing := sorted(into.keys() - saved.arrays.keys()):
        raise refuse(f"{', '.join(missing[:5])} missing")
    if extra := sorted(saved.arrays.keys() - into.keys()):
        raise refuse(f"{', '.join(extra[:5])} unknown")
    for name, array in into.items():
        found = saved.arrays[name]
        if found.shape != array.shape or found.dtype != array.dtype:
            raise refuse(
                f"{name} is {found.dtype} {list(found.shape)}, not {array.dtype} {list(array.shape)}"
            )
    for name, array in into.items():
        array[...] = saved.arrays[name]
