"""A training that was cut off and taken up again leaves what an uninterrupted one leaves, to the bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from .combinations import Combination, combinations
from .cuts import MANNERS, PLACES, Cut, left_in, log, unequal, whole

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed that was forked"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

ROOT = Path(__file__).parents[2]
CUTS = [Cut(place, manner) for place, manner in product(PLACES, MANNERS)]
EACH = [(c, CUTS[(7 * number) % len(CUTS)]) for number, c in enumerate(combinations())]


@pytest.mark.parametrize(
    ("combination", "cut"), EACH, ids=[f"{i}-{c.net}-{cut}" for i, (c, cut) in enumerate(EACH)]
)
def test_resumed_is_uninterrupted(combination: Combination, cut: Cut, tmp_path: Path) -> None:
    """Each of fifty combinations under one of twenty cuts; `make safety` tries all thousand."""
    cut.happens(combination, tmp_path / "cut")
    found = whole(combination, tmp_path / "cut")
    assert unequal(found, whole(combination, tmp_path / "through")) == []
    assert len(log(tmp_path / "cut")) >= 2


def test_every_cut_is_tried() -> None:
    assert len(EACH) == 50
    assert {cut for _, cut in EACH} == set(CUTS)


def test_the_comparison_notices_a_bit(tmp_path: Path) -> None:
    """A generator that is a draw ahead, a slot, a place in the epoch: each is seen."""
    combination = next(combinations())
    before = whole(combination, tmp_path / "run")
    assert unequal(before, left_in(tmp_path / "run")) == ["weights held"]
    (tmp_path / "run" / "log.jsonl").write_text("")
    assert "log" in unequal(before, left_in(tmp_path / "run"))


# --------------------------------------------------------------------------- the command line

SPEC = "64 -> fc64 relu dropout0.3 bn -> fc10"
ARGUMENTS = ("--data", "digits", "--epochs", "40", "--every", "7", "--optimizer", "adam(lr=0.01)")


def command(folder: Path, *more: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT / ".dev"), "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "nnspec", "train", SPEC, *ARGUMENTS, "--run", str(folder), *more],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def under_way(run: subprocess.Popen[str], folder: Path, epochs: int) -> None:
    """Wait until so many epochs are written down."""
    until = time.monotonic() + 60
    while time.monotonic() < until and run.poll() is None:
        if (folder / "log.jsonl").exists() and len(
            (folder / "log.jsonl").read_text()
        ) > 90 * epochs:
            return
        time.sleep(0.005)
    raise AssertionError(f"the command ended before: {run.communicate()}")


def ended(run: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = run.communicate(timeout=60)
    return run.returncode, out, err


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the command leaves where nothing happens to it."""
    folder = tmp_path_factory.mktemp("through") / "run"
    code, _, err = ended(command(folder))
    assert code == 0, err
    return left_in(folder)


@pytest.mark.parametrize("manner", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_the_command_goes_on(manner: str, through: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for epochs in (3, 9):
        run = command(folder, "--resume")
        under_way(run, folder, epochs)
        run.send_signal(getattr(signal, manner))
        code, out, err = ended(run)
        if manner == "SIGKILL":
            assert code == -signal.SIGKILL
        else:
            assert code == 130
            assert "stopped after " in err
            assert err.endswith(f"the same command with --resume goes on in {folder}\n")
            assert "Traceback" not in err
        assert out == ""
    code, out, err = ended(command(folder, "--resume"))
    assert code == 0, err
    assert unequal(left_in(folder), through) == []


def test_a_second_interrupt_is_obeyed_at_once(tmp_path: Path) -> None:
    """The first waits for a step of ten seconds, the second does not."""
    program = """
import signal, sys, time
from nnspec.__main__ import main
from nnspec.runtime.learner import Learner
step = Learner.step
def slow(*arguments):
    print("begun", flush=True)
    time.sleep(10)
    return step(*arguments)
Learner.step = slow
sys.exit(main(sys.argv[1:]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".dev")}
    run = subprocess.Popen(
        [sys.executable, "-c", program, "train", SPEC, *ARGUMENTS, "--run", str(tmp_path / "run")],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline() == "begun\n"
    begun = time.monotonic()
    run.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    code, _, err = ended(run)
    assert code == 130
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert time.monotonic() - begun < 5
    assert not (tmp_path / "run" / ".lock").exists()
