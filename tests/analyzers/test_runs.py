"""Trainings side by side: the best first, what differs between them, and what cannot be read."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.records import record
from nnspec.analyzers.render.runs import duration
from nnspec.analyzers.render.settings import brief
from nnspec.analyzers.runs import differing
from nnspec.grammar.diagnostics import SpecError

NET = "4 -> fc8 relu -> fc3"


def kept(folder: Path, *words: str) -> Path:
    """A training that is kept there."""
    assert main(["train", NET, "--data", "iris", "--run", str(folder), *words]) == 0
    return folder


@pytest.fixture
def trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    runs = tmp_path / "runs"
    for name, rate, epochs in (("slow", "1e-4", "2"), ("quick", "0.05", "30")):
        kept(runs / name, "--optimizer", f"adam(lr={rate})", "--epochs", epochs)
    kept(runs / "more" / "plain", "--optimizer", "sgd", "--epochs", "2")
    capsys.readouterr()
    return runs


def test_the_best_is_first(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = nnspec.runs(trained)
    assert found[0].name == "quick"
    assert len(found) == 3
    losses = [one.best.held_out["loss"] for one in nnspec.runs(trained, by="loss") if one.best]
    assert losses == sorted(losses, key=lambda loss: loss or 0.0)
    assert main(["runs", str(trained)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{found}\n", "")
    head, _, *rows = out.splitlines()
    columns = "run net parameters optimizer epochs best training held out accuracy time state"
    assert " ".join(head.split()) == columns
    assert "adam(lr=0.05)" in rows[0]
    assert "30/30" in rows[0]
    assert all(row.endswith("done") for row in rows)


def test_settings_are_told_where_they_differ(trained: Path) -> None:
    assert differing(nnspec.runs(trained).records) == ("optimizer", "epochs")
    assert differing(nnspec.runs(trained / "slow").records) == ()


def test_as_json(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(trained), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["by"] == "accuracy"
    assert [row["state"] for row in found["runs"]] == ["done"] * 3
    assert found["runs"][0]["params"] == 67
    assert found["runs"][0]["data"]["name"] == "iris"


def test_what_cannot_be_read_is_named(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "slow" / "run.json").write_text("{")
    (trained / "quick" / "log.jsonl").write_text('{"epoch": 1}\n[]\n')
    assert main(["runs", str(trained)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert (
        f"NN136 the training in `{trained / 'slow'}` cannot be read: `run.json` is damaged" in err
    )
    assert "line 2 of `log.jsonl` is no epoch" in err
    (trained / "more" / "plain" / "run.json").write_text('{"format": "another"}')
    assert main(["runs", str(trained)]) == 2
    assert "is not one of a training" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["null", "[]", '"a"', "[" * 100_000, "\ud800", "1e999"])
def test_any_text_is_answered(text: str, trained: Path) -> None:
    for name in ("run.json", "held_out.json"):
        (trained / "slow" / name).write_bytes(text.encode(errors="surrogatepass"))
        with pytest.raises(SpecError):
            record(trained / "slow")


def test_strange_values_are_not_believed(trained: Path) -> None:
    place = trained / "slow" / "run.json"
    told = json.loads(place.read_text())
    told |= {"params": "many", "settings": [1], "notes": 3, "examples": -1, "versions": None}
    place.write_text(json.dumps(told))
    row = {"epoch": True, "loss": "low", "best": 1, "held_out_loss": 10**400, "vitals": [1]}
    (trained / "slow" / "log.jsonl").write_text(json.dumps(row) + "\n" + '{"half a line')
    found = record(trained / "slow")
    assert (found.params, found.examples, dict(found.data)) == (0, 0, {})
    (epoch,) = found.epochs
    assert (epoch.loss, epoch.held_out["loss"], epoch.best, epoch.vitals) == (None, None, False, {})
    assert str(nnspec.runs(trained / "slow"))


def test_a_folder_of_trainings_is_none(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(trained)]) == 2
    assert f"it holds 2 of them: name one, as `{trained / 'quick'}`" in capsys.readouterr().err
    assert main(["report", "a" * 5000]) != 0
    assert "Traceback" not in capsys.readouterr().err


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 2
    assert "no training is kept in it" in capsys.readouterr().err
    assert main(["runs", str(tmp_path / "no")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_states(trained: Path) -> None:
    place = trained / "slow"
    told = json.loads((place / "run.json").read_text())
    del told["ended"]
    (place / "run.json").write_text(json.dumps(told))
    assert record(place).state == "stopped"
    here = platform.node() or "this machine"
    (place / ".lock").write_text(f"process {os.getpid()} on {here}\n")
    assert record(place).state == "going on"
    (place / ".lock").write_text(f"process {2**22 + 1} on {here}\n")
    assert record(place).state == "stopped"
    (place / ".lock").write_text("process 1 on some-other-machine\n")
    assert record(place).state == "going on"


def test_a_training_that_was_stopped_tells_how_far_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, net = nnspec.load_data("iris"), nnspec.compile(NET)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.fit(data, epochs=5, run=tmp_path / "a", on_epoch=stop)
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("stopped")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("optimizer", "adam(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-08)", "adam(lr=0.01)"),
        (
            "optimizer",
            "adam(lr=0.01, beta1=0.5, beta2=0.999, eps=1e-08)",
            "adam(lr=0.01, beta1=0.5)",
        ),
        ("schedule", "constant(warmup=0.0)", "constant"),
        ("l2", "0.0001", "0.0001"),
        ("optimizer", "<b>(x)", "<b>(x)"),
        ("optimizer", "adam(", "adam("),
        ("loss", "", ""),
    ],
)
def test_settings_in_brief(name: str, text: str, told: str) -> None:
    assert brief(name, text) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (99.94, "99.9 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told
