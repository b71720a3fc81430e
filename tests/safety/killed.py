"""Small trainings that keep checkpoints are killed at random moments, until they are done.

    python -m tests.safety.killed [KILLS] [SEED]

After every `kill -9` each file of the folder must be whole, and the next process must go on from at most
one interval of checkpoints before the last update that the killed one told of. What is left when a
training is done must be what an uninterrupted one leaves, by SHA-256.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.durable import UNFINISHED
from nnspec.runtime.folder import BEST, KEPT, LAST, LOG
from nnspec.runtime.history import Step
from nnspec.runtime.tensors import decode

from .combinations import Combination, combinations
from .cuts import left_in, log, unequal

EPOCHS = 12
PATIENCE = 60.0
"""Seconds that a process has for its first update."""

UPDATE = struct.Struct("<q")


@dataclass
class Count:
    """What happened in all trainings so far."""

    kills: int = 0
    trainings: int = 0
    lost: int = 0
    """The most updates that were made again."""
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = ", ".join(f"{count:,} {what}" for what, count in sorted(self.seen.items()))
        return (
            f"{self.kills:,} kills in {self.trainings:,} trainings ({found}); "
            f"at most {self.lost} updates lost; {len(self.wrong)} failures"
        )


def fit(combination: Combination, folder: Path, every: int, told: int) -> None:
    """Train into the folder, or go on in it, and write the number of each update to a pipe."""

    def on_step(step: Step) -> None:
        os.write(told, UPDATE.pack((step.epoch - 1) * step.steps + step.number))

    x, y = combination.data()
    held = {name: array[:9] for name, array in x.items()}, y[:9]
    settings: dict[str, Any] = {"run": folder, "every": every, "epochs": EPOCHS, "resume": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last process may have come to the end
        combination.compiled().fit(x, y, validation=held, on_step=on_step, **settings)


@contextmanager
def training(combination: Combination, folder: Path, every: int) -> Iterator[tuple[int, int]]:
    """A process that trains: its number, and the pipe that tells of its updates."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            fit(combination, folder, every, tell)
            status = 0
        except (SpecError, OSError, ValueError, LookupError) as error:
            print(f"{combination}: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    os.close(tell)
    try:
        yield child, told
    finally:
        os.close(told)


def updates(told: int) -> list[int]:
    """All that a dead process has told."""
    found = b""
    while part := os.read(told, 2**16):
        found += part
    return [number for (number,) in UPDATE.iter_unpack(found)]


def until_done(combination: Combination, every: int, rng: Random, kills: int, count: Count) -> None:
    """Kill a training again and again until it is done."""
    with tempfile.TemporaryDirectory() as name:
        through, folder = Path(name) / "through", Path(name) / "killed"
        begun = time.monotonic()
        with training(combination, through, every) as (child, told):
            updates(told)
            assert os.waitpid(child, 0)[1] == 0
        whole, reached = time.monotonic() - begun, 0
        while count.kills < kills:
            with training(combination, folder, every) as (child, told):
                if rng.random() < 0.8:
                    select.select([told], [], [], PATIENCE)
                time.sleep(rng.random() * whole / 4)
                os.kill(child, signal.SIGKILL)
                _, ended = os.waitpid(child, 0)
                made = updates(told)
            if made:
                count.lost = max(count.lost, reached - made[0] + 1)
                if reached - made[0] + 1 > every:
                    count.wrong.append(f"{combination}: {reached} made, on from {made[0] - 1}")
                reached = max(reached, made[-1])
            if ended == 0:
                break
            if not os.WIFSIGNALED(ended):
                count.wrong.append(f"{combination}: going on failed")
                break
            count.kills += 1
            look(folder, count)
        else:
            with training(combination, folder, every) as (child, told):
                updates(told)
                os.waitpid(child, 0)
        count.trainings += 1
        if differing := unequal(left_in(folder), left_in(through)):
            count.wrong.append(f"{combination}: {', '.join(differing)} differ in the end")


def look(folder: Path, count: Count) -> None:
    """Every file whole, and where the kill came."""
    if not (folder / "run.json").exists():
        count.seen["before the run was there"] += 1
        return
    try:
        json.loads((folder / "run.json").read_text())
        lines = log(folder) if (folder / LOG).exists() else []
        if [line["epoch"] for line in lines] != list(range(1, len(lines) + 1)):
            count.wrong.append(f"the log has epochs {[line['epoch'] for line in lines]}")
        kept = sorted(folder.glob("checkpoint-*"))
        for path in (*kept, folder / BEST, folder / LAST):
            if path in kept or path.exists():
                decode(path)
    except (SpecError, AssertionError, ValueError) as error:
        count.wrong.append(str(error))
        return
    count.seen["while a file was written"] += any(folder.glob(f".*{UNFINISHED}"))
    count.seen["before an old checkpoint was removed"] += len(kept) > KEPT


def main(words: list[str]) -> int:
    kills = int(words[0]) if words else 2000
    rng, count = Random(int(words[1]) if len(words) > 1 else 0), Count()
    every = 0
    while count.kills < kills:
        for combination in islice(combinations(), 50):
            if count.kills >= kills:
                break
            every = every % 5 + 1
            until_done(combination, every, rng, kills, count)
        print(count, *count.wrong, sep="\n", flush=True)
    return 1 if count.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
