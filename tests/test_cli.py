"""The command line: exit codes, streams, JSON, help."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nnspec
from nnspec.__main__ import COMMANDS, main

NET = "3 -> fc4 relu -> fc4 relu -> fc1"
TRAIN = ("train", "4 -> fc3", "--data", "iris")
ROOT = Path(__file__).parents[1]


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def test_summary_of_the_text_itself(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "summary", NET)
    assert code == 0
    for part in (
        "41 parameters",
        "16 + 20 + 5",
        "9 neurons",
        "3·4 + 4 = 16",
        "4·4 + 4 = 20",
        "4·1 + 1 = 5",
    ):
        assert part in out
    assert "3-layer neural network, 2 hidden layers" in out
    assert "\x1b" not in out


def test_summary_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "summary", NET, "--format", "json")
    found = json.loads(out)
    assert code == 0
    top = {
        k: found[k] for k in ("params", "trainable", "macs", "neurons", "depth", "input", "output")
    }
    assert top == {
        "params": 41, "trainable": 41, "macs": 32, "neurons": 9, "depth": 3, "input": [3], "output": [1],
    }  # fmt: skip
    first = {
        k: found["layers"][0][k]
        for k in ("name", "op", "input", "output", "params", "macs", "formula")
    }
    assert first == {
        "name": "fc1", "op": "fc", "input": [3], "output": [4], "params": 16, "macs": 12,
        "formula": "3·4 + 4 = 16",
    }  # fmt: skip
    assert sum(layer["params"] for layer in found["layers"]) == 41


def test_the_schema_describes_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(ran(capsys, "schema", "summary")[1])
    found = json.loads(ran(capsys, "summary", NET, "--format", "json")[1])
    assert set(schema["required"]) == set(found)
    row: dict[str, Any] = schema["$defs"]["LayerRow"]
    assert set(row["required"]) == set(found["layers"][0])
    assert json.loads(ran(capsys, "schema", "explain")[1])["type"] == "array"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", NET], 0),
        (["check", "3 -> nope"], 1),
        (["check", "1x8x8 -> conv4 3 s2"], 0),
        (["summary", "3 -> nope"], 1),
        (["summary", NET + "\nexpect params == 42"], 1),
        (["summary", "missing.nn"], 2),
        (["summary"], 2),
        (["summary", NET, "--fromat", "json"], 2),
        (["summary", NET, "--format", "xml"], 2),
        (["summary", NET, "--limit", "nodes=x"], 2),
        (["check", NET, "--limit", "nodes=2"], 1),
        (["sumary", NET], 2),
        (["fmt", NET], 0),
        (["fmt", "3 -> -> fc4"], 1),
        (["fmt", "--check", "3->fc4"], 1),
        (["fmt", "missing.nn"], 2),
        (["fmt", "--chek"], 2),
        (["explain", NET, "fc9"], 2),
        (["explain", "3 -> id"], 1),
        (["summary", NET, "--let", "width=3"], 2),
        (["summary", "let width = 3\n3 -> fc(width)", "--let", "width=("], 2),
        (["diff", NET, NET], 0),
        (["diff", NET, "3 -> fc1"], 1),
        (["diff", NET, "3 -> nope"], 2),
        (["check", NET, "--select", "foo"], 2),
        (["check", NET, "--ignore", "NN2"], 2),
        (["docs", "zz"], 2),
        (["rule", "NN999"], 2),
        (["runs", "missing"], 2),
        (["draw", NET, "-o", "missing/net.dot"], 2),
        (["report", NET, "-o", "missing/net.html"], 2),
        (["explain", NET, "fc2"], 0),
        (["train", NET, "--data", "nothing"], 2),
        (["train", NET, "--data", "iris"], 1),
        ([*TRAIN, "--loss", "no"], 2),
        ([*TRAIN, "--loss", "mse("], 2),
        ([*TRAIN, "--held-out", "2"], 2),
        ([*TRAIN, "--resize", "axb"], 2),
        ([*TRAIN, "--resume"], 2),
        ([*TRAIN, "--max-memory", "abc"], 2),
        ([*TRAIN, "--epochs", "0"], 2),
        ([*TRAIN, "--seed", "-1"], 2),
        ([*TRAIN, "--lr", "0.1"], 2),
        ([*TRAIN, "--target", "no"], 2),
        ([*TRAIN, "--save", "missing/net.safetensors"], 2),
        ([*TRAIN, "--run", str(ROOT / "tests")], 2),
        (["train", "4 -> fc3\ntrain(loss = no)", "--data", "iris"], 1),
        (["train", "4 -> fc3\ntrain(loss = bce)", "--data", "iris"], 1),
        (["train", "4 -> fc3\ntrain(early_stop = plateau)", "--data", "iris"], 1),
        (["sweep", "4 -> fc3", "--data", "iris", "--vary", "epochs="], 2),
        (["doctor", "4 -> fc3", "--data", "iris", "--held-out", "2"], 2),
        (["plan", "4 -> relu", "--mode", "train"], 1),
        (["evaluate", "missing.safetensors", "--data", "iris"], 2),
        (["evaluate", str(ROOT / "README.md"), "--data", "iris"], 2),
        (["predict", "missing.safetensors", "--data", "iris"], 2),
        (["predict", "missing.safetensors"], 2),
        ([], 2),
        (["--version"], 0),
        (["--help"], 0),
    ],
)
def test_exit_code(capsys: pytest.CaptureFixture[str], words: list[str], code: int) -> None:
    assert ran(capsys, *words)[0] == code
    if code and words and words[0] in COMMANDS and "--form" not in " ".join(words):
        assert ran(capsys, *words, "--format", "json")[0] == code


@pytest.mark.parametrize("word", COMMANDS)
def test_help_shows_examples(capsys: pytest.CaptureFixture[str], word: str) -> None:
    code, out, _ = ran(capsys, word, "--help")
    assert code == 0
    assert "examples:" in out
    assert f"nnspec {word}" in out


def test_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean `summary`?" in ran(capsys, "sumary", NET)[2]
    assert "did you mean `--format`?" in ran(capsys, "summary", NET, "--fromat=json")[2]
    assert "did you mean `digits`?" in ran(capsys, "train", NET, "--data", "digit")[2]


def test_mistakes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "summary", "3 -> dense4", "--format", "json")
    (found,) = json.loads(out)["diagnostics"]
    assert (code, err) == (1, "")
    assert found["code"] == "NN101"
    assert found["location"] == {"row": 1, "column": 6}
    assert found["fix"]["edits"][0]["content"] == "fc4"
    code, out, _ = ran(capsys, "check", "3 -> dense4", "--format", "json")
    assert json.loads(out)["diagnostics"] == [found]


def test_folders_are_searched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "good.nn").write_text(NET)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "bad.nn").write_text("nope")
    assert "Checked 1 spec" in ran(capsys, "check", str(tmp_path))[1]
    (tmp_path / "a" / "bad.nn").write_text("3 -> nope")
    code, out, _ = ran(capsys, "check", str(tmp_path))
    assert code == 1
    assert f"{tmp_path / 'a' / 'bad.nn'}:1:6" in out


def test_every_spec_that_ships_keeps_its_promises(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "check", str(ROOT / "specs"))
    assert code == 0, out


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(NET.encode())))
    assert "41 parameters" in ran(capsys, "summary", "-")[1]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"3 -> fc4 \x00", b"\xef\xbb\xbf3 -> fc4 relu"])
def test_bytes_that_are_no_plain_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "net.nn"
    path.write_bytes(content)
    assert ran(capsys, "check", str(path))[0] == {b"\xff": 2, b"3": 1, b"\xef": 0}[content[:1]]


@pytest.mark.parametrize(
    ("variable", "value", "coloured"), [("NO_COLOR", "1", False), ("FORCE_COLOR", "1", True)]
)
def test_colour(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    coloured: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    assert ("\x1b[" in ran(capsys, "summary", NET)[1]) is coloured
    assert ("\x1b[" in ran(capsys, "check", "3 -> no")[1]) is coloured


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_width(capsys: pytest.CaptureFixture[str], width: int) -> None:
    spec = str(ROOT / "specs" / "course" / "lenet5.nn")
    _, out, _ = ran(capsys, "summary", spec, "--width", str(width))
    assert max(map(len, out.splitlines())) <= width
    assert "61,706" in out


def test_train_evaluate_predict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    weights = str(tmp_path / "iris.safetensors")
    spec = "4 -> fc16 relu -> fc3"
    code, out, err = ran(
        capsys, "train", spec, "--data", "iris", "--epochs", "40", "--optimizer", "adam(lr=0.02)",
        "--save", weights,
    )  # fmt: skip
    assert code == 0
    assert "99 parameters" not in out
    assert "131 parameters" in out
    assert "epoch" in err
    code, out, _ = ran(
        capsys, "evaluate", weights, "--data", "iris", "--held-out", "0.2", "--format", "json"
    )
    judged = json.loads(out)
    assert judged["accuracy"] > 0.9
    assert sum(map(sum, judged["confusion"])) == 30
    code, out, _ = ran(capsys, "predict", weights, "--input", "5.1,3.5,1.4,0.2", "--format", "json")
    assert json.loads(out)[0]["class"] == "setosa"
    code, out, _ = ran(capsys, "predict", weights, "--data", "iris", "--first", "2")
    assert out.splitlines()[0].split()[1] == "setosa"
    code, out, err = ran(
        capsys, "train", spec, "--data", "iris", "--epochs", "2", "--format", "json"
    )
    trained = json.loads(out)
    assert (len(trained["epochs"]), trained["settings"]["epochs"], err) == (2, "2", "")


@pytest.mark.parametrize(
    "call",
    [
        lambda: nnspec.analyze("3 -> fc4", batch=0),
        lambda: nnspec.analyze("3 -> fc4", batch=2.5),  # type: ignore[arg-type]
        lambda: nnspec.draw("3 -> fc4", depth=-3),
        lambda: nnspec.profile("3 -> fc4", batch=-1),
    ],
)
def test_numbers_that_are_none(call: Callable[[], object]) -> None:
    with pytest.raises(nnspec.SpecError, match="cannot be") as refused:
        call()
    assert refused.value.diagnostics[0].help() == "a whole number from 1"


def test_draw_does_not_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "3 -> fc4", "-o", str(tmp_path / "net.png")]) == 2
    assert "does not tell what to draw" in capsys.readouterr().err
    assert main(["draw", "3 -> fc4", "--format", "json", "-o", str(tmp_path / "net.dot")]) == 2
    assert not list(tmp_path.iterdir())
    assert main(["draw", "3 -> fc4", "-o", str(tmp_path / "net.md")]) == 0
    assert (tmp_path / "net.md").read_text().startswith("```mermaid\n")
    assert main(["explain", "3 -> id"]) == 1
    assert "the net has no layers" in capsys.readouterr().err


def test_files_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("noread.nn").write_text("3 -> fc4")
    Path("gone.nn").symlink_to("elsewhere.nn")
    assert "did you mean" not in ran(capsys, "check", "nope.nn")[1]
    assert "did you mean `noread.nn`?" in ran(capsys, "check", "norad.nn")[1]
    told = ran(capsys, "check", "gone.nn")[1]
    assert "it is a link to `elsewhere.nn`, which is not there" in told
    assert "did you mean" not in told
