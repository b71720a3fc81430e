"""Weights on disk: a safetensors file that carries its spec. Nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..compiler.expressions import literal
from ..compiler.files import from_here
from ..compiler.graph import Graph
from ..grammar.diagnostics import SpecError
from .durable import write_durably
from .file_errors import Origin, WeightsDisagree, WeightsWithoutSpec, quoted
from .header import DTYPES, Entry
from .kernels import Array
from .names import UNNAMED, Names
from .tensors import Opened, described, encode
from .tensors import opened as arrays_in

FORMAT = "nnspec 1"
"""The layout of the metadata; a file of another one is refused."""

KEYS = frozenset({"spec", "digest", "settings", "lets", "files"})

NAMES = ("classes", "features")
"""What stands in the metadata only where it is known."""


@dataclass(frozen=True)
class Saved:
    """What a weights file holds: the spec, its net's digest, settings, and arrays still on the disk.

    `files` are the texts that the spec uses, by their paths from its own; `lets` its constants that
    were given from outside; `names` what the training data called things.
    """

    spec: str
    digest: str
    settings: Mapping[str, str]
    lets: Mapping[str, str]
    files: Mapping[str, str]
    names: Names
    arrays: Opened


def write(
    path: Path,
    graph: Graph,
    arrays: Mapping[str, Array],
    settings: Mapping[str, str],
    names: Names = UNNAMED,
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
    known = {field: list(getattr(names, field)) for field in NAMES}
    metadata |= {field: json.dumps(found) for field, found in known.items() if found}
    write_durably(path, encode(arrays, metadata))


@contextmanager
def opened(path: Path) -> Iterator[Saved]:
    """A weights file, its header checked and its arrays still on the disk; raises SpecError."""
    with arrays_in(path) as found:
        texts = found.metadata
        if texts.get("format") != FORMAT or not texts.keys() >= KEYS:
            held = tuple(map(described, found.entries.values()))
            raise SpecError([WeightsWithoutSpec(None, found.file, held)])
        try:
            settings, lets, files = (
                {str(key): str(value) for key, value in json.loads(texts[field]).items()}
                for field in ("settings", "lets", "files")
            )
        except (ValueError, AttributeError, RecursionError):
            problem = ("its settings cannot be read",)
            raise SpecError([WeightsDisagree(None, found.file, problem)]) from None
        names = Names(*(_names(texts.get(field, "[]"), field, found.file) for field in NAMES))
        yield Saved(texts["spec"], texts["digest"], settings, lets, files, names, found)


def _names(text: str, field: str, file: Origin) -> tuple[str, ...]:
    """A list of different words; raises SpecError for anything else."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    listed = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not listed or len(set(words)) < len(words):
        raise SpecError([WeightsDisagree(None, file, (f"its {field} cannot be read",))])
    return tuple(words)


def check_members(saved: Saved, wanted: int) -> None:
    """Raise SpecError unless the arrays are those of so many members; one has no member's name."""
    names = {name.partition(".")[0] for name in saved.arrays.entries}
    if wanted > 1 and len(names) != wanted:
        problem = f"it says it holds {wanted} nets, but holds {len(names)}"
        raise SpecError([WeightsDisagree(None, saved.arrays.file, (problem,))])


def pour(saved: Saved, graph: Graph, into: Mapping[str, Array]) -> None:
    """Read saved arrays into a net's own; raises SpecError unless they are exactly its arrays."""
    problems = tuple(_differences(saved.arrays.entries, into))
    if saved.digest != graph.digest:
        problems = ("the spec inside is not the one the weights were saved with",)
    if problems:
        raise SpecError([WeightsDisagree(None, saved.arrays.file, problems)])
    saved.arrays.read_into(into)


def _differences(held: Mapping[str, Entry], wanted: Mapping[str, Array]) -> Iterator[str]:
    for name in sorted(wanted.keys() - held.keys()):
        yield f"{name} is missing"
    for name in sorted(held.keys() - wanted.keys()):
        yield f"{quoted(name)} is not in the net"
    for name in sorted(wanted.keys() & held.keys()):
        entry, array = held[name], wanted[name]
        if entry.shape != array.shape or DTYPES[entry.dtype] != array.dtype:
            yield (
                f"{name} is {DTYPES[entry.dtype]} {list(entry.shape)}, "
                f"not {array.dtype} {list(array.shape)}"
            )
