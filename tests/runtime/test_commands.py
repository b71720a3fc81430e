"""What `nnspec train`, `evaluate` and `predict` say of nets and words that they cannot take as they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main

TWO_OUTPUTS = "a: 4 -> fc4 relu\noutput side: @a -> fc2\n@a -> fc3\ntrain(loss = cross_entropy)"
TWO_INPUTS = "left: 3\nright: 2\na: @left -> fc4\nb: @right -> fc4\nadd[ @a | @b ] -> fc3"


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def saved(folder: Path, spec: str) -> str:
    path = str(folder / "net.safetensors")
    nnspec.compile(spec).save(path)
    return path


def test_predict_of_several_outputs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    weights = saved(tmp_path, TWO_OUTPUTS)
    asked = ("predict", weights, "--input", "1,2,3,4")
    code, out, _ = ran(capsys, *asked, "--format", "json")
    assert code == 0
    row = json.loads(out)[0]
    answers = nnspec.load(weights)(np.array([[1, 2, 3, 4]]))
    assert row["output"] == answers["output"][0].tolist()
    assert row["outputs"] == {name: found[0].tolist() for name, found in answers.items()}
    assert row["class"] == str(answers["output"][0].argmax())
    code, out, _ = ran(capsys, *asked)
    assert code == 0
    assert out.split()[:2] == ["1", row["class"]]


def test_scores_that_overflow_choose_no_class(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    weights = saved(tmp_path, "4 -> fc8 relu -> fc3")
    asked = ("predict", weights, "--input=3e38,3e38,-3e38,3e38")
    assert ran(capsys, *asked) == (0, "   1  no class: a score is NaN or infinite\n", "")
    code, out, _ = ran(capsys, *asked, "--format", "json")
    row = json.loads(out)[0]
    assert (code, row["class"], "probability" in row) == (0, None, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "1,2,3,4", "--data", "iris"], "not allowed with argument"),
        (["--data", "iris", "--first", "-38"], "`-38` is not a whole number from 1"),
        (["--data", "iris", "--first", "0"], "`0` is not a whole number from 1"),
        ([], "one of the arguments --data --input is required"),
    ],
)
def test_predict_used_wrongly(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], message: str
) -> None:
    code, out, err = ran(capsys, "predict", saved(tmp_path, TWO_OUTPUTS), *words)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1,2,3,nan", "`--input` is NaN or infinite in number 4: nan"),
        ("1,-inf,3,4", "`--input` is NaN or infinite in number 2: -inf"),
        ("1,2,-1e39,4", "`--input` goes beyond 3.4e38 in number 3: -1e39"),
        ("1,1_000,3,4", "`--input` is not a row of numbers"),
        ("", "`--input` is not a row of numbers"),
    ],
)
def test_inputs_that_are_no_numbers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, given: str, message: str
) -> None:
    code, _, err = ran(capsys, "predict", saved(tmp_path, TWO_OUTPUTS), f"--input={given}")
    assert code == 2
    assert message in err


def test_several_inputs_are_for_python(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    weights = saved(tmp_path, TWO_INPUTS)
    for words in (
        ("train", TWO_INPUTS, "--data", "iris"),
        ("evaluate", weights, "--data", "iris"),
        ("predict", weights, "--input", "1,2,3"),
    ):
        code, _, err = ran(capsys, *words)
        assert code == 1
        assert "the net has 2 inputs, `left`, `right`" in err
        assert 'net.fit({"left": ..., "right": ...}, y)' in err


def test_a_run_that_is_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    taken = tmp_path / "d.npz"
    taken.write_bytes(b"x")
    code, _, err = ran(capsys, "train", "4 -> fc3", "--data", "iris", "--run", str(taken))
    assert code == 2
    assert "a file stands where a folder is wanted" in err
    assert taken.read_bytes() == b"x"


@pytest.mark.parametrize("spec", ["4 -> fc3", "4 -> fc3\ntrain(ensemble = 2)"])
def test_a_run_put_down_before_it_was_judged(tmp_path: Path, spec: str) -> None:
    """Its last weights are what there is."""
    x, y = np.random.default_rng(0).standard_normal((20, 4)), np.arange(20) % 3
    net = nnspec.compile(spec, seed=5)
    net.fit(x, y, epochs=1, run=tmp_path / "run")
    for best in (tmp_path / "run").rglob("best.safetensors"):
        best.unlink()
    loaded = nnspec.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded(x), net(x))


def test_train_says_where_guessing_does_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    spec = "2 -> fc8 relu -> fc3"
    words = ("train", spec, "--data", "spiral", "--epochs", "2", "--optimizer", "sgd(lr=1e-9)")
    code, out, err = ran(capsys, *words)
    assert code == 0
    told = f"`nnspec doctor '{spec}' --data spiral --optimizer 'sgd(lr=1e-9)' --epochs 2`"
    assert "no better than always saying the same: " + told in err
    assert "always saying" not in out
    code, out, err = ran(capsys, *words, "--format", "json")
    assert "always saying" not in out + err
    assert json.loads(out)["test"]["accuracy"] < 0.4


def test_train_says_nothing_of_a_net_that_learned(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--epochs", "20", "--optimizer", "adam(lr=0.02)")
    _, _, err = ran(capsys, "train", "4 -> bn -> fc8 relu -> fc3", "--data", "iris", *words)
    assert "always saying" not in err


def test_train_says_where_the_mean_does_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--epochs", "1", "--optimizer", "sgd(lr=1e-9)")
    _, _, err = ran(capsys, "train", "10 -> fc1", "--data", "diabetes", *words)
    assert "no better than always saying the same" in err
