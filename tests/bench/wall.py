"""The whole command that trains LeNet-5 on MNIST, cold start included, beside a PyTorch script."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .nets import CASES
from .options import Options
from .results import Section, Skipped, Table, timed_pair

NAME = "wall"
ACCURACY = 0.975
EPOCHS = 8
"""So many let both sides reach the accuracy; neither stops before."""
LEARNED = 8_000
RUNS, QUICK = 5, 1
NET = f"d LeNet-5 to {100 * ACCURACY:.1f} % of MNIST"
RIVAL = "PyTorch script"
WORDS = (
    f"10,000 images, {LEARNED:,} to learn from and the others to judge on after every epoch; Adam at "
    f"2e-3, batches of 64, {EPOCHS} epochs for both sides, another seed in every run. `nnspec train` "
    "beside `tests/bench/student.py`, from the start of the process to its end."
)


def measured(options: Options) -> Section:
    if options.mnist is None:
        reason = "the digits are not here: name their folder by --mnist or NNSPEC_MNIST"
        return Section(NAME, skipped=(Skipped(NET, RIVAL, reason),), words=WORDS)
    times: dict[str, list[float]] = {"nnspec": [], RIVAL: []}
    best: dict[str, list[float]] = {name: [] for name in times}
    with tempfile.TemporaryDirectory() as folder:
        split(options.mnist, Path(folder))
        for seed in range(QUICK if options.quick else RUNS):
            commands = {"nnspec": ours(folder, seed), RIVAL: theirs(folder, seed)}
            for name in sorted(commands, reverse=bool(seed % 2)):
                options.say(f"wall: {name}, run {seed + 1}")
                seconds, accuracies = ran(commands[name])
                times[name].append(seconds)
                best[name].append(max(accuracies))
    pair = timed_pair(NAME, NET, RIVAL, times["nnspec"], times[RIVAL])
    head = ("side", "best epoch's accuracy", f"{100 * ACCURACY:.1f} % reached in")
    rows = tuple((name, spread(found), verdict(found)) for name, found in best.items())
    return Section(NAME, (pair,), tables=(Table("", head, rows),), words=WORDS)


def split(mnist: Path, folder: Path) -> None:
    """Both sides read the same two files."""
    with gzip.open(mnist / "t10k-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(mnist / "t10k-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    for name, part in (("train", order[:LEARNED]), ("test", order[LEARNED:])):
        np.savez(folder / f"{name}.npz", x=x[part], y=y[part])


def spread(found: Sequence[float]) -> str:
    return f"{100 * min(found):.2f} to {100 * max(found):.2f} %"


def verdict(found: Sequence[float]) -> str:
    return f"{sum(accuracy >= ACCURACY for accuracy in found)} of {len(found)} runs"


def ours(folder: str, seed: int) -> list[str]:
    (lenet,) = (case for case in CASES if case.key == "d")
    return [
        sys.executable, "-m", "nnspec", "train", lenet.spec, "--format", "json",
        "--data", f"{folder}/train.npz", "--validation", f"{folder}/test.npz",
        "--optimizer", "adam(lr=2e-3)", "--loss", "cross_entropy",
        "--batch", "64", "--epochs", str(EPOCHS), "--seed", str(seed),
    ]  # fmt: skip


def theirs(folder: str, seed: int) -> list[str]:
    script = Path(__file__).with_name("student.py")
    return [sys.executable, str(script), folder, str(EPOCHS), str(seed)]


def ran(command: list[str]) -> tuple[float, list[float]]:
    """Seconds of the whole process, and the held-out accuracies that it prints."""
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    printed = json.loads(done.stdout)
    if isinstance(printed, list):
        return seconds, printed
    return seconds, [epoch["validation"]["accuracy"] for epoch in printed["epochs"]]
