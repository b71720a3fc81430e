"""How training is shown while it goes on: a bar on stderr, and notices above it."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..compiler.training import Training
from .vitals import line

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from .history import Epoch, Step

PAUSE = 0.1
"""Seconds between two looks at the bar: more often costs time that a small net would train in."""


EPOCH = "epoch {task.fields[epoch]:>3}/{task.fields[epochs]}"


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def number(loss: float) -> str:
    """Four places, as long as that is readable."""
    return f"{loss:.4f}" if abs(loss) < 1e6 else f"{loss:.3g}"


class Bar:
    """Epochs, loss, held-out accuracy, learning rate, examples a second, time left; drawn from the
    first step on, so that a mistake before it stands alone."""

    def __init__(self, bar: Progress, training: Training) -> None:
        self._bar = bar
        self._task = bar.add_task(
            "",
            total=float(training.epochs),
            epoch=1,
            epochs=training.epochs,
            loss="",
            judged="",
            lr=training.optimizer.lr,
            rate=0.0,
        )
        self._due = 0.0

    def on_step(self, step: Step) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + PAUSE
        self._bar.start()
        done = step.epoch - 1 + step.number / step.steps
        told: dict[str, Any] = {"loss": number(step.loss), "epoch": step.epoch, "lr": step.lr}
        self._bar.update(self._task, completed=done, **told)

    def on_epoch(self, epoch: Epoch) -> None:
        held = epoch.validation
        if held is None:
            judged = ""
        elif held.accuracy is not None:
            judged = f"accuracy {percent(held.accuracy)}"
        else:
            judged = f"held out {number(held.loss)}"
        told: dict[str, Any] = {"loss": number(epoch.loss), "judged": judged, "rate": epoch.rate}
        told |= {"epoch": epoch.number, "lr": epoch.lr}
        self._bar.update(self._task, completed=epoch.number, **told)
        if epoch.vitals:
            seen = line(epoch.vitals)
            self._bar.console.print(f"epoch {epoch.number:>3}  {seen}", highlight=False)


def columns(begin: str, width: int) -> list[ProgressColumn]:
    """What a line has room for behind its beginning: loss and accuracy above all, then the time left, a
    bar, examples a second, the learning rate."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    least = len(begin) + len("epoch 100/100 loss 0.1234 accuracy 100.00 %")
    if width < least + 6:
        # One column, for of several rich cuts each.
        return [TextColumn(f"{begin}{EPOCH} loss {{task.fields[loss]}} {{task.fields[judged]}}")]
    left = width - least - 6
    bar, rate, pace = left >= 25, left >= 25 + 12, left >= 25 + 12 + 11
    return [
        TextColumn(begin + EPOCH),
        *([BarColumn(bar_width=24)] if bar else []),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[judged]}"),
        *([TextColumn("lr {task.fields[lr]:.2g}")] if pace else []),
        *([TextColumn("{task.fields[rate]:>9,.0f}/s")] if rate else []),
        TimeRemainingColumn(compact=True),
    ]


@contextmanager
def shown(training: Training, label: str = "") -> Iterator[Bar]:
    """A progress bar on stderr; `label` tells which net of several it is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=sys.stderr)
    bar = Progress(*columns(label, console.width), console=console, refresh_per_second=8)
    try:
        yield Bar(bar, training)
    finally:
        if bar.live.is_started:  # stopped, it ends its line, begun or not
            bar.stop()


@contextmanager
def noticed() -> Iterator[None]:
    """Print what we warn of as a notice."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: print(f"nnspec: {message}", file=sys.stderr)
        yield
