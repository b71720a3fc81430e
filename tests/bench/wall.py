"""The whole command that trains LeNet-5 on MNIST, cold start included, beside a PyTorch script."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from .nets import CASES
from .options import Options
from .results import Section, Skipped, Table, timed_pair

NAME = "wall"
ACCURACY = 0.975
EPOCHS = 10
"""So many bring both sides to the accuracy; neither stops before."""
RUNS, QUICK = 5, 1
NET = "d LeNet-5 to 97.5 % of MNIST"
WORDS = (
    "10,000 images, 8,000 to train on and 2,000 to judge on after every epoch; Adam at 1e-3, batches "
    f"of 64, {EPOCHS} epochs, which bring both sides to {100 * ACCURACY:.1f} %. `nnspec train` from "
    "the command line beside `tests/bench/student.py`, from the start of the process to its end."
)


def measured(options: Options) -> Section:
    if options.mnist is None:
        reason = "the digits are not here: name their folder by --mnist or NNSPEC_MNIST"
        return Section(NAME, skipped=(Skipped(NET, "PyTorch script", reason),), words=WORDS)
    times: dict[str, list[float]] = {"nnspec": [], "PyTorch script": []}
    reached: dict[str, list[float]] = {name: [] for name in times}
    commands = {"nnspec": ours(options.mnist), "PyTorch script": theirs(options.mnist)}
    for turn in range(QUICK if options.quick else RUNS):
        for name in reversed(commands) if turn % 2 else commands:
            options.say(f"wall: {name}, run {turn + 1}")
            seconds, accuracy = ran(commands[name])
            times[name].append(seconds)
            reached[name].append(accuracy)
    pair = timed_pair(NAME, NET, "PyTorch script", times["nnspec"], times["PyTorch script"])
    rows = tuple(
        (name, f"{100 * min(found):.2f} to {100 * max(found):.2f} %", verdict(found))
        for name, found in reached.items()
    )
    table = Table("", ("side", "accuracy", f"{100 * ACCURACY:.1f} % reached"), rows)
    return Section(NAME, (pair,), tables=(table,), words=WORDS)


def verdict(found: list[float]) -> str:
    return f"{sum(accuracy >= ACCURACY for accuracy in found)} of {len(found)} runs"


def ours(mnist: Path) -> list[str]:
    (lenet,) = (case for case in CASES if case.key == "d")
    return [
        sys.executable, "-m", "nnspec", "train", lenet.spec, "--format", "json",
        "--data", str(mnist / "t10k-images-idx3-ubyte.gz"), "--held-out", "0.2",
        "--optimizer", "adam(lr=1e-3)", "--loss", "cross_entropy",
        "--batch", "64", "--epochs", str(EPOCHS),
    ]  # fmt: skip


def theirs(mnist: Path) -> list[str]:
    script = Path(__file__).with_name("student.py")
    return [sys.executable, str(script), str(mnist), str(EPOCHS)]


def ran(command: list[str]) -> tuple[float, float]:
    """Seconds of the whole process, and the accuracy that it prints."""
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    printed = json.loads(done.stdout)
    return seconds, printed if isinstance(printed, float) else printed["test"]["accuracy"]
