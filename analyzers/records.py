"""Trainings that were kept, read from the folders that they were written to: plain facts for tables,
charts and pages. What stands in a folder may have come from anywhere, so nothing in it is believed
before its type is known."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..grammar.diagnostics import SpecError
from .errors import UnreadableRun

TOLD, SPEC, LOG, EXAMINED, LOCK = "run.json", "spec.nn", "log.jsonl", "held_out.json", ".lock"

State = Literal["done", "stopped", "going on"]


@dataclass(frozen=True)
class Logged:
    """One epoch of the log; None for what was no finite number, or is not told.

    Attributes
    ----------
    held_out: loss, accuracy and other scores on what was held out, by name.
    best: whether it was the best so far.
    vitals: by layer, what was seen of it, where the net was watched.
    """

    number: int
    loss: float | None
    held_out: Mapping[str, float | None]
    lr: float | None
    gradient_norm: float | None
    seconds: float | None
    best: bool
    vitals: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A training.

    Attributes
    ----------
    path: its folder. spec: the name of the net's file; text: what stood in it.
    settings: of `train(...)`, as the language writes them, the seed among them.
    data: what is told of the data set. versions: of the programs that trained.
    ended: why it is over; empty where it is not.
    held_out: what was found on the held-out examples at its end.
    """

    path: str
    spec: str
    text: str
    digest: str
    params: int
    dtype: str
    examples: int
    settings: Mapping[str, str]
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    lets: Mapping[str, str]
    files: Mapping[str, str]
    epochs: Sequence[Logged]
    state: State
    ended: str
    held_out: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return Path(self.path).name or self.path

    @property
    def title(self) -> str:
        """What is trained, and on what."""
        net = self.name if self.spec in ("", "<text>", "<stdin>") else self.spec
        data = _text(self.data.get("name"))
        return f"{net} on {data}" if data else net

    @property
    def best(self) -> Logged | None:
        return best_of(self.epochs)

    @property
    def seconds(self) -> float:
        return math.fsum(epoch.seconds or 0.0 for epoch in self.epochs)


def best_of(epochs: Sequence[Logged]) -> Logged | None:
    """The last that was better than all before it."""
    return next((epoch for epoch in reversed(epochs) if epoch.best), None)


def is_record(place: str) -> bool:
    """Whether a path is a folder that keeps a training.

    Raises SpecError for one whose folders keep trainings, as those of an ensemble's members.
    """
    path = Path(place)
    if "\0" in place or not _is_folder(path):
        return False
    if (path / TOLD).is_file():
        return True
    inner = sorted(told.parent for told in path.glob(f"*/{TOLD}"))
    if inner:
        problem = f"it holds {len(inner)} of them: name one, as `{inner[0]}`"
        raise SpecError([UnreadableRun(None, place, problem)])
    return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def record(path: Path) -> Record:
    """The training that a folder keeps; raises SpecError when its files cannot be read."""
    told = _json(path, TOLD)
    if not str(told.get("format", "")).startswith("nnspec run "):
        raise SpecError([UnreadableRun(None, str(path), f"`{TOLD}` is not one of a training")])
    held = _json(path, EXAMINED) if (path / EXAMINED).is_file() else {}
    ended = _text(told.get("ended"))
    return Record(
        path=str(path),
        spec=_text(told.get("spec")),
        text=_read(path, SPEC) if (path / SPEC).is_file() else "",
        digest=_text(told.get("digest")),
        params=_count(told.get("params")),
        dtype=_text(told.get("dtype")),
        examples=_count(told.get("examples")),
        settings={**_texts(told.get("settings")), "seed": _text(told.get("seed"))},
        data=_mapping(_mapping(told.get("notes")).get("data")),
        versions=_texts(told.get("versions")),
        lets=_texts(told.get("lets")),
        files=_texts(told.get("files")),
        epochs=_log(path),
        state="done" if ended else "going on" if _held(path) else "stopped",
        ended=ended,
        held_out=held,
    )


# ---------------------------------------------------------------------------------------- the log


def epochs(rows: Iterable[Mapping[str, Any]]) -> tuple[Logged, ...]:
    """Epochs from the rows of a log."""
    return tuple(map(_epoch, rows))


HELD = "held_out_"
"""How scores on held-out examples are called in the log."""


def _epoch(row: Mapping[str, Any]) -> Logged:
    return Logged(
        number=_count(row.get("epoch")),
        loss=number(row.get("loss")),
        held_out={
            name.removeprefix(HELD): number(worth)
            for name, worth in row.items()
            if name.startswith(HELD)
        },
        lr=number(row.get("lr")),
        gradient_norm=number(row.get("gradient_norm")),
        seconds=number(row.get("seconds")),
        best=row.get("best") is True,
        vitals=_vitals(row.get("vitals")),
    )


SEEN = ("dead", "saturated", "gradient", "mean", "std")
"""What is told of a layer that was watched."""


def _vitals(found: object) -> dict[str, dict[str, float | None]]:
    layers = _mapping(found).get("layers")
    rows = [_mapping(row) for row in layers] if isinstance(layers, list) else []
    return {_text(row.get("layer")): {name: number(row.get(name)) for name in SEEN} for row in rows}


def _log(path: Path) -> tuple[Logged, ...]:
    """A last line that has no end was being written."""
    text = _read(path, LOG) if (path / LOG).is_file() else ""
    return epochs(_rows(path, text[: text.rfind("\n") + 1].splitlines()))


def _rows(path: Path, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            problem = f"line {number} of `{LOG}` is no epoch"
            raise SpecError([UnreadableRun(None, str(path), problem)])
        yield row


# ------------------------------------------------------------------------------------- the folder


def _held(path: Path) -> bool:
    """Whether the process that a lock names is alive: yes where that cannot be known."""
    try:
        words = (path / LOCK).read_text("utf-8", "replace").split()
    except OSError:
        return False
    if len(words) < 4 or not words[1].isdecimal():
        return False
    if words[3] != (platform.node() or "this").split()[0] or os.name == "nt":
        return True
    try:
        os.kill(int(words[1]), 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _read(path: Path, name: str) -> str:
    try:
        return (path / name).read_text("utf-8", "replace")
    except OSError as error:
        problem = f"`{name}` cannot be read: {(error.strerror or 'the system refused').lower()}"
        raise SpecError([UnreadableRun(None, str(path), problem)]) from None


def _json(path: Path, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_read(path, name))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SpecError([UnreadableRun(None, str(path), f"`{name}` is damaged")])
    return found


# ------------------------------------------------------------------------------------- the values


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> dict[str, str]:
    return {str(name): _text(worth) for name, worth in _mapping(found).items()}


def _text(found: object) -> str:
    return "" if found is None else str(found)


def _count(found: object) -> int:
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else 0


def number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        worth = float(found)
    except OverflowError:
        return None
    return worth if math.isfinite(worth) else None
