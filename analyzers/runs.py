"""`nnspec runs`: trainings side by side, the best first."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..grammar.diagnostics import Mistake, SpecError, exit_code
from .check import write
from .errors import UnreadableRun
from .records import TOLD, Record, record
from .render.messages import messages
from .render.runs import table
from .render.structured import as_json, diagnostics

Metric = Literal["accuracy", "loss"]

DEPTH = 3
"""How many folders deep trainings are looked for."""


@dataclass(frozen=True)
class Runs:
    """Trainings, the best first, and what could not be read.

    Attributes
    ----------
    by: what they are ordered by, on what was held out.
    differing: the settings that are not the same in all of them.
    """

    records: tuple[Record, ...]
    unreadable: tuple[Mistake, ...]
    by: Metric

    @property
    def differing(self) -> tuple[str, ...]:
        return differing(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    def __str__(self) -> str:
        return table(self.records, self.differing)


def compared(path: Path, by: Metric | None = None) -> Runs:
    """The trainings in a folder and the folders in it; ordered by accuracy where all have one, and by
    loss otherwise. Raises SpecError when there is none."""
    found: list[Record] = []
    unreadable: list[Mistake] = []
    for place in _places(path):
        try:
            found.append(record(place))
        except SpecError as error:
            unreadable += error.diagnostics
    if not found and not unreadable:
        problem = "there is no such folder" if not path.is_dir() else "no training is kept in it"
        raise SpecError([UnreadableRun(None, str(path), problem)])
    chosen = by or ("accuracy" if all(map(_accuracy_of, found)) else "loss")
    found.sort(key=lambda one: (_order(one, chosen), one.path))
    return Runs(tuple(found), tuple(unreadable), chosen)


def _places(path: Path) -> Iterator[Path]:
    """The folders that keep a training, none of them inside another."""
    for folder, inner, files in os.walk(path):
        inner.sort()
        if TOLD in files:
            inner.clear()
            yield Path(folder)
        elif len(Path(folder).relative_to(path).parts) >= DEPTH:
            inner.clear()


def _accuracy_of(one: Record) -> bool:
    return one.best is not None and one.best.held_out.get("accuracy") is not None


def _order(one: Record, by: Metric) -> tuple[float, float]:
    """Less is better; what is not known comes last."""
    best = one.best
    if best is None:
        return float("inf"), float("inf")
    held, accuracy = best.held_out.get("loss"), best.held_out.get("accuracy")
    loss = best.loss if held is None else held
    told = float("inf") if loss is None else loss
    if by == "loss":
        return told, 0.0
    return (float("inf") if accuracy is None else -accuracy), told


def differing(records: Sequence[Record]) -> tuple[str, ...]:
    """The settings that are not the same in all, in the order in which they are written."""
    names = dict.fromkeys(name for one in records for name in one.settings)
    return tuple(name for name in names if len({one.settings.get(name) for one in records}) > 1)


# ------------------------------------------------------------------------------------ the command


def configure_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="runs", help="where they are kept: `runs`")
    parser.add_argument("--by", choices=("accuracy", "loss"), help="what is best")
    parser.epilog = (
        "examples:\n  nnspec runs\n  nnspec runs experiments --by loss\n"
        "  nnspec runs --format json\n\n"
        "`nnspec train ... --run runs/NAME` keeps a training, `nnspec report runs/NAME` shows it."
    )


def runs(options: argparse.Namespace) -> int:
    """A row for each training; what cannot be read is named on stderr."""
    found = compared(Path(options.folder), options.by)
    if options.format == "json":
        write(as_json(plain(found)))
        return 0
    if found.records:
        write(f"{found}\n")
    if found.unreadable:
        print(messages(found.unreadable), end="", file=sys.stderr)
    return 0 if found.records else exit_code(found.unreadable)


def plain(found: Runs) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "by": found.by,
        "differing": list(found.differing),
        "runs": [_row(one) for one in found],
        "unreadable": diagnostics(found.unreadable),
    }


def _row(one: Record) -> dict[str, Any]:
    best = one.best
    return {
        "path": one.path,
        "net": one.spec,
        "digest": one.digest,
        "params": one.params,
        "settings": dict(one.settings),
        "data": dict(one.data),
        "examples": one.examples,
        "epochs": len(one.epochs),
        "best": best.number if best else None,
        "loss": best.loss if best else None,
        "held_out": dict(best.held_out) if best else {},
        "seconds": one.seconds,
        "state": one.state,
        "ended": one.ended or None,
    }
