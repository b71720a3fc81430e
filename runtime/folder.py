"""A run on the disk: a folder that holds what it was begun with, its log, checkpoints and weights.

    run.json                     the spec's name, settings, seed, data, versions, how it ended
    spec.nn                      the text of the spec
    log.jsonl                    a line for every finished epoch
    checkpoint-00001200.safetensors   everything the run stood at after 1,200 updates; the last two
    best.safetensors             the weights of the best epoch, for `nnspec evaluate`
    last.safetensors             the weights at the end
    held_out.json                what the net made of the held-out examples in the end

Every file is written whole or not at all, so that whatever ends the process, the folder can be read
and the run goes on from its last checkpoint, to the bit.
"""

from __future__ import annotations

import json
import math
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from ..compiler.expressions import literal
from ..compiler.files import from_here
from ..compiler.settings import as_text
from ..grammar.diagnostics import SpecError
from ..grammar.version import VERSION
from .durable import alone_in, append_durably, clear_unfinished, make_folder, write_durably
from .errors import FolderTaken, NoRun, NoWholeCheckpoint, RunDiffers
from .history import Epoch, History
from .tensors import decode, encode
from .threads import blas_threads
from .train import Run
from .weights import write

FORMAT = "nnspec run 1"

KEPT = 2
"""Checkpoints that stay: should the newest be damaged, there is one before it."""

TOLD, SPEC, LOG = "run.json", "spec.nn", "log.jsonl"
BEST, LAST = "best.safetensors", "last.safetensors"
EXAMINED = "held_out.json"


class Folder:
    """Writes a run down while it goes on.

    Attributes
    ----------
    every: updates between checkpoints, beside those after each epoch; None for these alone.
    told: what `run.json` holds.
    """

    def __init__(self, path: Path, run: Run, every: int | None, notes: Mapping[str, Any]) -> None:
        self.path = path
        self.every = every
        graph = run.learner.graph
        self.told: dict[str, Any] = {
            "format": FORMAT,
            "spec": graph.source.name,
            "digest": graph.digest,
            "learning": {n.name: str(n.learning) for n in graph.nodes if n.own and n.learning.said},
            "params": int(run.learner.memory.parameters.size),
            "settings": as_text(run.settings),
            "seed": run.seed,
            "dtype": str(run.learner.memory.parameters.dtype),
            "examples": len(run.examples),
            "data": _fingerprint(run),
            "lets": {name: literal(worth) for name, worth in graph.lets.items()},
            "files": from_here(graph.files, graph.source.name),
            "versions": _versions(),
            "notes": dict(notes),
        }

    # ------------------------------------------------------------------- while the run goes on

    def stepped(self, run: Run) -> None:
        if self.every and run.learner.steps % self.every == 0 and run.step < run.steps:
            self._checkpoint(run)

    def judged(self, run: Run, epoch: Epoch) -> None:
        best = run.best.epoch == epoch.number
        if best:
            self._weights(BEST, run)
        append_durably(self.path / LOG, _line(epoch, best).encode(), "run")
        self._checkpoint(run)

    def interrupted(self, run: Run) -> None:
        self._checkpoint(run)
        self._weights(LAST, run)

    def finished(self, run: Run) -> None:
        """Weights and words of the end, before the best weights are put back."""
        self._weights(LAST, run)
        self._tell(ended=run.stopped or "all epochs done")

    def examined(self, found: Mapping[str, Any]) -> None:
        """What the net that training leaves made of the held-out examples."""
        text = json.dumps(found, allow_nan=False) + "\n"
        write_durably(self.path / EXAMINED, text.encode(), "run")

    # --------------------------------------------------------------------------- to the disk

    def begin(self, run: Run) -> None:
        # What says that this is a run comes first: whatever happens next, it can then go on.
        self._tell()
        write_durably(self.path / SPEC, run.learner.graph.source.text.encode(), "run")
        write_durably(self.path / LOG, b"", "run")

    def resume(self, run: Run) -> None:
        """Take the run up from the newest checkpoint that is whole, and say when that is not the
        newest. The log is cut back to where that one stood."""
        problems = []
        for path in self._checkpoints():
            try:
                arrays, texts = decode(path, "checkpoint")
            except SpecError as error:
                problems.append(error.diagnostics[0].message())
                continue
            run.take_up(arrays, json.loads(texts["facts"]))
            if problems:
                warnings.warn(f"{'; '.join(problems)}: going on from {path.name}", stacklevel=5)
            break
        else:
            if problems:
                raise SpecError([NoWholeCheckpoint(None, str(self.path), tuple(problems))])
        write_durably(self.path / LOG, "".join(_lines(run)).encode(), "run")
        (self.path / EXAMINED).unlink(missing_ok=True)
        self._tell()

    def _checkpoint(self, run: Run) -> None:
        arrays, facts = run.standing()
        texts = {"format": FORMAT, "digest": self.told["digest"], "facts": json.dumps(facts)}
        name = f"checkpoint-{run.learner.steps:08d}.safetensors"
        write_durably(self.path / name, encode(arrays, texts), "checkpoint")
        for old in self._checkpoints()[KEPT:]:
            old.unlink(missing_ok=True)

    def _checkpoints(self) -> list[Path]:
        """The newest first."""
        found = self.path.glob("checkpoint-*.safetensors")
        return sorted(found, key=lambda path: (len(path.name), path.name), reverse=True)

    def _weights(self, name: str, run: Run) -> None:
        memory = run.learner.memory
        arrays = {**memory.weights, **memory.statistics}
        write(self.path / name, run.learner.graph, arrays, as_text(run.settings))

    def _tell(self, **more: object) -> None:
        text = json.dumps({**self.told, **more}, indent=2) + "\n"
        write_durably(self.path / TOLD, text.encode(), "run")


@contextmanager
def kept_in(
    path: Path, run: Run, *, resume: bool, every: int | None, notes: Mapping[str, Any]
) -> Iterator[Folder]:
    """A folder for the run, this process alone in it; where it holds the run already and `resume` is
    true, the run then stands where it was put down.

    Raises SpecError when the folder holds something else, or another run.
    """
    folder = Folder(path, run, every, notes)
    make_folder(path, "run")
    with alone_in(path, "run"):
        clear_unfinished(path)
        held = [found.name for found in path.iterdir() if not found.name.startswith(".")]
        if TOLD in held and resume:
            _compare(path, folder.told)
            folder.resume(run)
        elif held:
            raise SpecError([FolderTaken(None, str(path), TOLD in held)])
        else:
            folder.begin(run)
        yield folder


def told_in(path: Path) -> dict[str, Any]:
    """What a run's `run.json` holds; raises SpecError when it holds no run."""
    place = path / TOLD
    try:
        told = json.loads(place.read_text("utf-8"))
        known = isinstance(told, dict) and told.get("format") == FORMAT
    except FileNotFoundError:
        raise SpecError([NoRun(None, str(path), "there is no `run.json` in it")]) from None
    except (OSError, ValueError, RecursionError):
        known = False
    if not known:
        raise SpecError([NoRun(None, str(path), "its `run.json` cannot be read")])
    return dict(told)


MATTERS = ("digest", "learning", "dtype", "seed", "examples", "data")
"""What must be as it was for a run to go on; of the settings all but the epochs."""

WORDS = {
    "digest": "the spec",
    "learning": "how its layers learn",
    "data": "the training data",
    "examples": "the number of examples",
}


def _compare(path: Path, now: Mapping[str, Any]) -> None:
    """Raise SpecError unless the run in the folder may go on; warn where its bits may differ."""
    then = told_in(path)
    differences = [
        (WORDS.get(key, key), *_pair(key, then.get(key), now[key]))
        for key in MATTERS
        if then.get(key) != now[key]
    ]
    before, after = then.get("settings", {}), now["settings"]
    differences += [
        (name, before.get(name, "not set"), after.get(name, "not set"))
        for name in sorted({*before, *after} - {"epochs"})
        if before.get(name) != after.get(name)
    ]
    if differences:
        raise SpecError([RunDiffers(None, str(path), tuple(differences))])
    other = {
        name: was for name, was in then.get("versions", {}).items() if was != now["versions"][name]
    }
    if other:
        told = ", ".join(f"{name} {was}" for name, was in other.items())
        warnings.warn(f"the run was begun with {told}: its bits may differ from here", stacklevel=5)


def _pair(key: str, then: object, now: object) -> tuple[str, str]:
    return (
        ("another", "this one") if key in {"digest", "learning", "data"} else (str(then), str(now))
    )


def _versions() -> dict[str, str]:
    return {
        "nnspec": VERSION,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "blas threads": str(blas_threads()),
    }


def _fingerprint(run: Run) -> str:
    """A checksum of examples taken evenly from the whole set."""
    bound = run.learner.bound(run.batch)
    assert bound.target is not None
    chosen = np.linspace(0, len(run.examples) - 1, run.batch).astype(np.int64)
    run.examples.fill(chosen, bound.inputs, bound.target)
    found = crc32(np.ascontiguousarray(bound.target).data)
    for array in bound.inputs.values():
        found = crc32(np.ascontiguousarray(array).data, found)
    return f"{found:08x}"


def _lines(run: Run) -> Iterator[str]:
    """The log of a run so far."""
    best = float("-inf")
    for epoch in run.epochs:
        better = run.better(epoch, best)
        best = run.worth(epoch) if better else best
        yield _line(epoch, better)


def logged(history: History) -> list[dict[str, Any]]:
    """The rows of a log of these epochs; the best alone is called the best."""
    return [json.loads(_line(epoch, epoch.number == history.best)) for epoch in history]


def _line(epoch: Epoch, best: bool) -> str:
    """An epoch as JSON; numbers that are not finite are null, for JSON has none."""
    judged = {} if epoch.validation is None else asdict(epoch.validation)
    held = {f"held_out_{name}": worth for name, worth in judged.items() if worth is not None}
    row: dict[str, Any] = {"epoch": epoch.number, "loss": epoch.loss, "lr": epoch.lr}
    row |= {"gradient_norm": epoch.gradient_norm, **held, "best": best, "seconds": epoch.seconds}
    if epoch.vitals:
        row["vitals"] = asdict(epoch.vitals)
    return json.dumps(_finite(row)) + "\n"


def _finite(worth: Any) -> Any:
    if isinstance(worth, dict):
        return {name: _finite(inner) for name, inner in worth.items()}
    if isinstance(worth, list | tuple):
        return [_finite(inner) for inner in worth]
    return None if isinstance(worth, float) and not math.isfinite(worth) else worth
