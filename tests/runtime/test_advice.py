"""What is said where data, settings and the command line do not go together, and where all is well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec import SpecError
from nnspec.__main__ import main
from nnspec.runtime import commands_sweep
from nnspec.runtime.sweep import Outcome
from nnspec.runtime.sweep import sweep as swept

PICTURES = "1x8x8 -> flatten -> fc10"
FULL = Path("/dev/full")


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def table(folder: Path, *truth: str) -> str:
    """A .csv of two features whose truth goes round these words."""
    path = folder / "pets.csv"
    rows = [f"{i / 60},{i % 7 / 7},{truth[i % len(truth)]}" for i in range(60)]
    path.write_text("\n".join(["a,b,kind", *rows]))
    return str(path)


# ------------------------------------------------------------------------------------ classes


@pytest.mark.parametrize(
    ("ending", "truth", "loss", "said"),
    [
        ("fc1", "cat dog horse", "", ("3 classes, `cat`, `dog`, `horse`", "has 1 output", "fc3")),
        ("fc1", "cat dog horse", "bce", ("the net has 1 output", "end the spec with fc3")),
        ("fc2", "cat dog horse", "", ("the net has 2 outputs", "end the spec with fc3")),
        ("fc1", "cat dog", "", ("mse would take them for the numbers 0 and 1", "loss = bce")),
        ("fc3", "0 1 2", "mse", ("mse judges values", "use loss = cross_entropy")),
        ("fc2", "0 1 2", "bce", ("bce judges a yes or a no", "cross_entropy, and end the", "fc3")),
        ("fc3", "1 2 3", "", ("labels run from 1 to 3", "subtract 1 from each")),
    ],
)
def test_classes_that_a_loss_cannot_judge(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    ending: str,
    truth: str,
    loss: str,
    said: tuple[str, ...],
) -> None:
    words = ("train", f"2 -> {ending}", "--data", table(tmp_path, *truth.split()))
    code, out, err = ran(capsys, *words, *(("--loss", loss) if loss else ()))
    assert (code, out) == (1, "")
    assert all(part in err for part in said), err
    assert not err.startswith("\n")


@pytest.mark.parametrize(
    ("ending", "truth", "loss"),
    [("fc1", "cat dog", "bce"), ("fc1", "1 2 3", "mse"), ("fc3", "cat dog horse", "hinge")],
)
def test_classes_that_it_can(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ending: str, truth: str, loss: str
) -> None:
    data = table(tmp_path, *truth.split())
    words = ("train", f"2 -> {ending}", "--data", data, "--loss", loss, "--epochs", "1")
    assert ran(capsys, *words)[0] == 0


# ----------------------------------------------------------------------------- what train says


def test_progress_ends_with_the_last_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = ran(capsys, "train", "2 -> fc3", "--data", "spiral", "--epochs", "50")
    assert "epoch  50/50" in err.splitlines()[-1]


def test_one_quantity_has_one_value(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("train", "2 -> fc1", "--data", table(tmp_path, "1.5", "2300.25"), "--epochs", "1")
    assert re.search(r"never saw: mse [\d.e+]+, r2", ran(capsys, *words)[1])
    assert re.search(r"loss [\d.]+, mse [\d.e+]+", ran(capsys, *words, "--loss", "mae")[1])
    scores = nnspec.compile("2 -> fc1").evaluate(np.ones((7, 2)), np.arange(7.0))
    assert scores.mse == scores.loss


def test_weights_that_never_went_do_not_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "4 -> fc8 relu -> fc3", "--data", "iris", "--early-stop", "2", "--epochs")
    assert "are back" not in ran(capsys, *words, "3")[1]
    assert "are back" in ran(capsys, *words, "60", "--optimizer", "adam(lr=0.5)")[1]


def test_all_of_a_set_to_train_on(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = ran(capsys, "train", "2 -> fc3", "--data", "spiral", "--held-out", "0")
    assert "--validation names another set to test on, and trains on all" in err


def test_augment_draws_what_the_spec_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ("--data", "digits", "-o", str(tmp_path / "seen.png"), "--first", "1", "--times", "1")
    code, out, _ = ran(capsys, "augment", f"{PICTURES}\ntrain(augment = shift(1))", *asked)
    assert code == 0
    assert "shift(pixels=1)" in out
    assert "is not set" in ran(capsys, "augment", PICTURES, *asked)[2]


# ----------------------------------------------------------------------- the optimiser's numbers


def test_a_rate_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("train", "2 -> fc3", "--data", "spiral")
    assert '; write --optimizer "adam(lr=0.1)"' in ran(capsys, *asked, "--lr", "0.1")[2]
    assert '; write --optimizer "adam(lr=0.1)"' in ran(capsys, *asked, "--lr=0.1")[2]
    assert '; write --optimizer "adam(lr=...)"' in ran(capsys, *asked, "--lr")[2]
    assert "did you mean `--epochs`?" in ran(capsys, *asked, "--epoch", "3")[2]
    vary = ("sweep", "2 -> fc3", "--data", "spiral", "--vary", "lr=0.1,0.01")
    assert "write `optimizer = adam(lr=0.1)`" in ran(capsys, *vary)[2]


def test_a_rate_in_python_and_in_a_spec() -> None:
    with pytest.raises(SpecError, match=r'write optimizer="adam\(lr=0.1\)"'):
        nnspec.compile("2 -> fc3", lr=0.1)
    with pytest.raises(SpecError, match=r"write `schedule = constant\(warmup=2\)`"):
        nnspec.compile("2 -> fc3\ntrain(warmup = 2)")


# ------------------------------------------------------------------------------ what is written


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [("summary", "2 -> fc3"), ("docs",), ("train", "--help")])
def test_output_that_cannot_be_written(words: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "nnspec", *words]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ, check=False
        )
    assert done.returncode == 2
    said = "nnspec: cannot write to standard output: No space left on device\n"
    assert done.stderr == said


def test_an_input_that_begins_below_zero(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    weights = str(tmp_path / "net.safetensors")
    nnspec.compile("2 -> fc3").save(weights)
    code, out, _ = ran(capsys, "predict", weights, "--input", "-0.1,0.2")
    assert code == 0
    assert out == ran(capsys, "predict", weights, "--input=-0.1,0.2")[1]


@pytest.mark.parametrize("wanted", ["text", "json"])
def test_a_sweep_that_is_stopped_keeps_its_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    def interrupted(*given: Any) -> Iterator[Outcome]:
        yield next(swept(*given))
        raise KeyboardInterrupt

    monkeypatch.setattr(commands_sweep, "swept", interrupted)
    words = ("--data", "spiral", "--vary", "l2=0.125,0.25", "--epochs", "1", "--format", wanted)
    code, out, err = ran(capsys, "sweep", "2 -> fc3", *words)
    assert code == 130
    assert "0.125" in out
    assert "0.25" not in out
    assert "stopped after 1 of 2 combinations" in err


# ---------------------------------------------------------------------------------- in Python


def test_weights_by_a_wrong_name() -> None:
    weights = nnspec.compile("2 -> fc3").weights
    with pytest.raises(KeyError, match=r"did you mean `fc1\.weight`"):
        weights["fc1"]
    with pytest.raises(KeyError, match=r"did you mean `fc1\.bias`"):
        weights["fc1.bia"]
    with pytest.raises(TypeError, match=re.escape('["fc1.bias"][:] = ...')):
        weights["fc1.bias"] = np.zeros(3)  # type: ignore[index]
    assert weights.get("fc7.bias") is None


@pytest.mark.parametrize("spec", [None, 3, b"2 -> fc3"])
def test_what_is_no_spec(spec: Any) -> None:
    for function in (nnspec.compile, nnspec.analyze):
        with pytest.raises(SpecError, match=f"a {type(spec).__name__} is no spec"):
            function(spec)


def test_a_set_says_what_it_holds() -> None:
    assert repr(nnspec.load_data("spiral")) == "<Dataset spiral: 300 examples of 2, 3 classes>"
