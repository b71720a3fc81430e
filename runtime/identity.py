"""What a run was begun with, as its `run.json` tells it, and whether it may go on with what is there
now."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zlib import crc32

import numpy as np

from ..compiler import environment
from ..compiler.expressions import literal
from ..compiler.files import from_here
from ..compiler.settings import as_text
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from ..grammar.version import VERSION
from .batches import input_slots, truth_slot
from .errors import DamagedRun, NoRun, RunDiffers
from .examples import Examples
from .threads import available
from .train import Run

FORMAT = "nnspec run 1"
TOLD = "run.json"

LOOKED_AT = 4096
"""Examples of a set that its checksum covers: all of a smaller set, of a larger so many, evenly spread.
To read the whole of a set of pictures would take minutes."""

AT_ONCE = 32
"""Examples that are read at a time."""

NAMED: Mapping[str, str] = MappingProxyType(
    {
        "digest": "the spec",
        "learning": "how its layers learn",
        "dtype": "dtype",
        "seed": "seed",
        "examples": "the number of examples",
        "held": "the number of held-out examples",
    }
)
"""What must be as it was for a run to go on, and how messages call it; of the settings all but the
epochs."""

SETS: Mapping[str, str] = MappingProxyType(
    {"data": "the training data", "held_data": "the held-out data"}
)
"""What must be as it was too; but under another dtype or loss the same data are other numbers."""

SHOWN = frozenset({"dtype", "seed", "examples", "held"})
"""Of what differs, what a message shows then and now."""


def identity(run: Run, held: Examples | None, notes: Mapping[str, Any]) -> dict[str, Any]:
    """What `run.json` tells of a run. `held`: the examples that epochs are judged by."""
    graph, memory = run.learner.graph, run.learner.memory
    judging = run.settings.judged_by(graph.output.value)
    return {
        "format": FORMAT,
        "spec": graph.source.name,
        "digest": graph.digest,
        "learning": {n.name: str(n.learning) for n in graph.nodes if n.own and n.learning.said},
        "params": int(memory.parameters.size),
        "settings": as_text(run.settings),
        "seed": run.seed,
        "dtype": str(memory.parameters.dtype),
        "examples": len(run.examples),
        "data": _checksum(run, run.examples, run.learner.loss),
        "held": 0 if held is None else len(held),
        "held_data": "" if held is None else _checksum(run, held, judging),
        "lets": {name: literal(worth) for name, worth in graph.lets.items()},
        "files": from_here(graph.files, graph.source.name),
        "versions": {**_versions(), "loops": memory.engine.loops},
        "notes": dict(notes),
    }


def _versions() -> dict[str, str]:
    return {
        "nnspec": VERSION,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(available()),
        "winograd": "on" if environment.tiles() else "off",
    }


def _checksum(run: Run, examples: Examples, loss: Loss) -> str:
    """Of the examples' numbers as the net takes them."""
    graph, dtype = run.learner.graph, run.learner.memory.parameters.dtype
    inputs, truth = input_slots(graph, dtype), truth_slot(loss, graph.output.value, dtype)
    count = len(examples)
    places = np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(np.int64)
    sums = dict.fromkeys(("y", *inputs), 0)
    for start in range(0, len(places), AT_ONCE):
        chosen = places[start : start + AT_ONCE]
        arrays = {n: np.empty((len(chosen), *s.shape), s.dtype) for n, s in inputs.items()}
        answers = np.empty((len(chosen), *truth.shape), truth.dtype)
        examples.fill(chosen, arrays, answers)
        for name, array in {"y": answers, **arrays}.items():
            sums[name] = crc32(array.data, sums[name]) if array.size else 0
    return " ".join(f"{found:08x}" for found in sums.values())


# ------------------------------------------------------------------------------------ reading


def told_in(path: Path) -> dict[str, Any]:
    """What a run's `run.json` holds; raises SpecError when it holds no run."""
    try:
        told = json.loads((path / TOLD).read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError([NoRun(None, str(path), f"there is no `{TOLD}` in it")]) from None
    except (OSError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not _whole(told):
        raise SpecError([DamagedRun(None, str(path), f"its `{TOLD}` cannot be read")])
    if told["format"] != FORMAT:
        problem = (
            f"its `{TOLD}` is of the format `{told['format']}`, which this version cannot read"
        )
        raise SpecError([DamagedRun(None, str(path), problem)])
    return told


def _whole(told: Mapping[str, Any]) -> bool:
    """Whether it tells all that is asked for."""
    tables = (told.get("settings"), told.get("versions"))
    texts = all(
        isinstance(table, dict) and all(isinstance(text, str) for text in table.values())
        for table in tables
    )
    return texts and isinstance(told.get("format"), str) and {*NAMED, *SETS} <= told.keys()


def compare(path: Path, now: Mapping[str, Any]) -> dict[str, Any]:
    """What the run in the folder was begun with; raises SpecError unless it may go on with what is
    there now, and warns where its bits may differ."""
    then = told_in(path)
    differences = tuple(_differences(then, now)) or tuple(
        (what, "", "") for key, what in SETS.items() if then[key] != now[key]
    )
    if differences:
        raise SpecError([RunDiffers(None, str(path), differences)])
    changed = {n: v for n, v in now["versions"].items() if then["versions"].get(n) != v}
    if changed:
        was = ", ".join(f"{name} {then['versions'].get(name, 'unknown')}" for name in changed)
        here = ", ".join(f"{name} {version}" for name, version in changed.items())
        text = f"the run was begun with {was}, here is {here}: its bits may differ"
        warnings.warn(text, stacklevel=5)
    return then


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(what, then, now) of all that must be as it was, the data left out."""
    for key, what in NAMED.items():
        if then[key] != now[key]:
            shown = key in SHOWN
            yield (what, str(then[key]), str(now[key])) if shown else (what, "", "")
    before, after = then["settings"], now["settings"]
    for name in sorted({*before, *after} - {"epochs", "seed"}):
        if before.get(name) != after.get(name):
            yield name, before.get(name, "not set"), after.get(name, "not set")
