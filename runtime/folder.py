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
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..compiler.settings import as_text
from ..grammar.diagnostics import Mistake, SpecError
from .durable import (
    alone_in,
    append_durably,
    clear_unfinished,
    make_folder,
    remove,
    write_durably,
)
from .errors import DamagedRun, FolderTaken, NoWholeCheckpoint
from .examples import Examples
from .history import Epoch, History
from .identity import FORMAT, TOLD, compare, identity
from .kernels import Array
from .names import Names
from .tensors import decode, encode
from .train import Run
from .weights import write

CHECKPOINT = "checkpoint-"
KEPT = 2
"""Checkpoints that stay: should the newest be damaged, there is one before it."""

SPEC, LOG = "spec.nn", "log.jsonl"
BEST, LAST = "best.safetensors", "last.safetensors"
EXAMINED = "held_out.json"


class Folder:
    """Writes a run down while it goes on.

    Attributes
    ----------
    every: updates between checkpoints, beside those after each epoch; None for these alone.
    told: what `run.json` holds.
    names: what the data call their classes and columns.
    """

    def __init__(
        self, path: Path, every: int | None, told: Mapping[str, Any], names: Names
    ) -> None:
        self.path = path
        self.every = every
        self.told = told
        self.names = names

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

    def broken(self, run: Run, why: str) -> None:
        """The best weights are in the net again."""
        self._weights(LAST, run)
        self._tell(ended=why)

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
        """Write down what it is before its first step."""
        (self.path / EXAMINED).unlink(missing_ok=True)
        # What says that this is a run comes first: whatever happens next, it can then go on.
        self._tell()
        write_durably(self.path / SPEC, run.learner.graph.source.text.encode(), "run")
        write_durably(self.path / LOG, "".join(_lines(run)).encode(), "run")

    def take_up(self, run: Run) -> None:
        """Put the run where its newest whole checkpoint stood, and say when that is not the newest.
        Damaged ones lose their names. Raises SpecError when none is whole."""
        damaged: dict[Path, str] = {}
        for path in self._checkpoints():
            try:
                arrays, facts = self._read(path, run)
            except SpecError as error:
                damaged[path] = error.diagnostics[0].message()
                continue
            run.take_up(arrays, facts)
            if damaged:
                warnings.warn(
                    f"{'; '.join(damaged.values())}; going on from {path.name}", stacklevel=5
                )
            for other in damaged:
                os.replace(other, other.with_name(f"damaged-{other.name}"))
            self._thin_out()
            return
        if damaged:
            raise SpecError([NoWholeCheckpoint(None, str(self.path), tuple(damaged.values()))])

    def _read(self, path: Path, run: Run) -> tuple[dict[str, Array], dict[str, Any]]:
        """A checkpoint of this run; raises SpecError when it is damaged, or another's."""
        arrays, texts = decode(path, "checkpoint")
        shapes = {name: array.shape for name, array in run.standing()[0].items()}
        ours = {name: array.shape for name, array in arrays.items() if name != "before"}
        ours["order"] = shapes["order"]
        if texts.get("digest") != self.told["digest"] or ours != shapes:
            raise SpecError([DamagedRun(None, str(self.path), f"{path.name} is of another run")])
        return arrays, json.loads(texts["facts"])

    def _checkpoint(self, run: Run) -> None:
        run.check()
        arrays, facts = run.standing()
        texts = {"format": FORMAT, "digest": self.told["digest"], "facts": json.dumps(facts)}
        name = f"{CHECKPOINT}{run.learner.steps:08d}.safetensors"
        write_durably(self.path / name, encode(arrays, texts), "checkpoint")
        self._thin_out()

    def _thin_out(self) -> None:
        for old in self._checkpoints()[KEPT:]:
            remove(old, "checkpoint")

    def _checkpoints(self) -> list[Path]:
        """The newest first."""
        found = self.path.glob(f"{CHECKPOINT}*.safetensors")
        return sorted(found, key=lambda path: (len(path.name), path.name), reverse=True)

    def _weights(self, name: str, run: Run) -> None:
        memory = run.learner.memory
        arrays = {**memory.weights, **memory.statistics}
        write(self.path / name, run.learner.graph, arrays, as_text(run.settings), self.names)

    def _tell(self, **more: object) -> None:
        text = json.dumps({**self.told, **more}, indent=2, default=str) + "\n"
        write_durably(self.path / TOLD, text.encode(), "run")


@contextmanager
def kept_in(
    path: Path,
    run: Run,
    *,
    held: Examples | None,
    resume: bool,
    every: int | None,
    notes: Mapping[str, Any],
    names: Names,
) -> Iterator[Folder]:
    """A folder for the run, this process alone in it; where it holds the run already and `resume` is
    true, the run then stands where it was put down. `held`: the examples that epochs are judged by.

    Raises SpecError when the folder holds something else, or another run.
    """
    make_folder(path, "run")
    # A callback may go into another folder: this one stays where it is.
    folder = Folder(path.absolute(), every, identity(run, held, notes), names)
    with alone_in(folder.path, "run"):
        clear_unfinished(folder.path)
        inside = {f.name for f in folder.path.iterdir() if not f.name.startswith(".")}
        if TOLD in inside and resume:
            then = compare(folder.path, folder.told)
            folder.take_up(run)
            _remark(run, int(then["settings"].get("epochs", run.settings.epochs)))
        elif inside:
            raise SpecError([_taken(folder.path, inside)])
        folder.begin(run)
        yield folder


def _taken(path: Path, names: set[str]) -> Mistake:
    """What a folder holds that cannot take a new run."""
    if TOLD not in names and any(name.startswith(CHECKPOINT) for name in names):
        return DamagedRun(None, str(path), f"it has checkpoints, but no `{TOLD}`")
    return FolderTaken(None, str(path), TOLD in names)


def _remark(run: Run, planned: int) -> None:
    """Say what may surprise whoever goes on with a run that was begun for so many epochs."""
    epochs = run.settings.epochs
    if run.over:
        done = f"{run.stopped}, " if run.stopped else ""
        text = f"the run is over: {done}{len(run.epochs)} epochs are done, {epochs} were asked for"
        warnings.warn(f"{text}; nothing is trained", stacklevel=6)
    elif epochs != planned and len(run.epochs):
        then, now = run.rate_planned_for(planned), run.rate_planned_for(epochs)
        if then != now:
            text = f"the rate was planned over {planned} epochs, now over {epochs}"
            warnings.warn(f"{text}: it goes on at {now:.3g}, not at {then:.3g}", stacklevel=6)


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
