"""Trainings that are cut off at a chosen place, taken up again, and compared with whole ones."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nnspec
from nnspec.runtime.examples import Examples
from nnspec.runtime.folder import BEST, LAST, LOG, Folder
from nnspec.runtime.history import Epoch, Scores, Step
from nnspec.runtime.kernels import Array
from nnspec.runtime.tensors import decode
from nnspec.runtime.train import Run

from .combinations import Combination

EPOCHS = 4
EVERY = 2

PLACES = (
    "inside an epoch", "at its last step", "in validation", "at its end", "behind a checkpoint",
)  # fmt: skip
MANNERS = ("exception", "SIGINT", "SIGTERM", "kill -9")


class Broken(Exception):
    """What a callback of the user's may raise."""


def fire(manner: str) -> None:
    if manner == "exception":
        raise Broken
    if manner == "kill -9":
        os.kill(os.getpid(), signal.SIGKILL)
    signal.raise_signal(getattr(signal, manner))


@dataclass(frozen=True)
class Cut:
    """Where in the second epoch a training ends, and how."""

    place: str
    manner: str

    def on_step(self, step: Step) -> None:
        inside = self.place == "inside an epoch" and step.number == min(2, step.steps)
        last = self.place == "at its last step" and step.number == step.steps
        if step.epoch == 2 and (inside or last):
            fire(self.manner)

    def on_epoch(self, epoch: Epoch) -> None:
        if self.place == "at its end" and epoch.number == 2:
            fire(self.manner)

    def judging(self, scores: Callable[..., Scores]) -> Callable[..., Scores]:
        turns: list[int] = []

        def judged(asked: Examples) -> Scores:
            turns.append(1)
            if self.place == "in validation" and len(turns) == 2:
                fire(self.manner)
            return scores(asked)

        return judged

    @contextmanager
    def behind_checkpoints(self) -> Iterator[None]:
        write = Folder._checkpoint

        def written(folder: Folder, run: Run) -> None:
            write(folder, run)
            if self.place == "behind a checkpoint" and run.learner.steps == run.begun + EVERY:
                fire(self.manner)

        with patch.object(Folder, "_checkpoint", written):
            yield

    def happens(self, combination: Combination, folder: Path) -> None:
        """Train into the folder until the cut."""
        if self.manner == "kill -9":
            if not (child := os.fork()):
                self._train(combination, folder)
                os._exit(0)
            _, ended = os.waitpid(child, 0)
            assert os.WIFSIGNALED(ended), "the training ended before the cut"
            return
        with suppress(Broken, KeyboardInterrupt):
            self._train(combination, folder)
            raise AssertionError("the training ended before the cut")

    def _train(self, combination: Combination, folder: Path) -> None:
        net = combination.compiled()
        with self.behind_checkpoints(), patch.object(net, "scores", self.judging(net.scores)):
            fit(net, combination, folder, on_step=self.on_step, on_epoch=self.on_epoch)


def fit(net: nnspec.Net, combination: Combination, folder: Path, **more: Any) -> None:
    x, y = combination.data()
    held = {name: array[:9] for name, array in x.items()}, y[:9]
    given: dict[str, Any] = {
        "run": folder,
        "every": EVERY,
        "epochs": EPOCHS,
        "watch": combination.seed % 3 == 0,
    }
    net.fit(x, y, validation=held, resume=True, **given, **more)


def whole(combination: Combination, folder: Path) -> dict[str, str]:
    """What a training that goes through, or goes on, leaves."""
    net = combination.compiled()
    fit(net, combination, folder)
    return {"weights held": digest({**net.weights, **net.state}), **left_in(folder)}


# ------------------------------------------------------------------------------- what is left


def left_in(folder: Path) -> dict[str, str]:
    """Digests of everything that a run left in its folder, wall times left out."""
    found = {
        "log": sha256("\n".join(map(json.dumps, log(folder))).encode()).hexdigest(),
        "run.json": sha256(json.dumps(told(folder)).encode()).hexdigest(),
    }
    for path in sorted(folder.glob("checkpoint-*")):
        arrays, texts = decode(path, "checkpoint")
        facts = json.loads(texts.pop("facts"))
        found[path.name] = digest(arrays, facts=timeless(facts), **texts)
    for name in (BEST, LAST):
        if (folder / name).exists():
            found[name] = sha256((folder / name).read_bytes()).hexdigest()
    return found


def log(folder: Path) -> list[dict[str, Any]]:
    """Its lines, each whole."""
    text = (folder / LOG).read_text()
    assert not text or text.endswith("\n"), f"torn: {text[-80:]!r}"
    return [timeless(json.loads(line)) for line in text.splitlines()]


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def timeless(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {name: timeless(worth) for name, worth in thing.items() if name != "seconds"}
    return [timeless(part) for part in thing] if isinstance(thing, list) else thing


def digest(arrays: dict[str, Array], **facts: Any) -> str:
    found = sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def unequal(here: dict[str, str], there: dict[str, str]) -> list[str]:
    return sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
