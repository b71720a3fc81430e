"""The curves of a training: the same picture every time, told numbers, and refusals before training."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.records import epochs
from nnspec.analyzers.render.curves import curves
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.history import Epoch, History, Scores

NET = "4 -> fc8 relu -> fc3"
TRAIN = ("train", NET, "--data", "iris", "--epochs", "3")


def rows(*losses: float | None, accuracy: float | None = 0.5) -> list[dict[str, Any]]:
    return [
        {
            "epoch": number, "loss": loss, "held_out_loss": loss, "held_out_accuracy": accuracy,
            "lr": 0.1, "gradient_norm": 1.0, "best": number == 2, "seconds": 0.1,
        }
        for number, loss in enumerate(losses, 1)
    ]  # fmt: skip


def words(picture: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.decode())


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_training_gives_the_same_picture(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        path = tmp_path / f"{name}.{ending}"
        assert main([*TRAIN, "--plot", str(path)]) == 0
        assert f"drawn to {path}" in capsys.readouterr().out
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
    assert first == second
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])
    assert "pyplot" not in sys.modules


def test_a_picture_tells_what_there_is() -> None:
    told = words(curves(epochs(rows(2.0, 1.0, 1.5)), "net on $x^2$ <b>", "svg"))
    assert "net on $x^2$ &lt;b&gt;" in told
    for text in (
        "loss",
        "training",
        "held out",
        "accuracy on what was held out: 50.00 % at the best epoch",
    ):
        assert text in told
    assert told.count("best: 2") + told.count(" best: 2") == 2
    assert not [
        text
        for text in words(curves(epochs(rows(2.0, accuracy=None)), "", "svg"))
        if "accuracy" in text
    ]


def test_losses_that_fall_far_stand_on_a_log_scale() -> None:
    assert "loss, on a log scale" in words(curves(epochs(rows(2.0, 0.5, 0.05)), "", "svg"))
    assert "loss" in words(curves(epochs(rows(2.0, 0.5, 0.08)), "", "svg"))
    assert "loss" in words(curves(epochs(rows(2.0, 0.5, -0.01)), "", "svg"))


@pytest.mark.parametrize(
    "losses", [(), (1.0,), (None, None), (0.0, 0.0), (1e30, 1e-30), (-1.0, -2.0)]
)
def test_any_history_can_be_drawn(losses: tuple[float | None, ...]) -> None:
    assert curves(epochs(rows(*losses)), "", "png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("curves.gif", "it is no picture; one ends with .png, .svg, .pdf"),
        ("no/such/curves.png", "no such file or directory"),
    ],
)
def test_a_wrong_place_is_refused_before_training(
    place: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--run", str(tmp_path / "run"), "--plot", place]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*TRAIN, "--plot", str(tmp_path / "curves.png")]) == 1
    said = capsys.readouterr().err
    assert "NN135 `nnspec train --plot` needs matplotlib, which is not installed" in said
    assert 'pip install "nnspec[plot]"' in said


def test_from_python(tmp_path: Path) -> None:
    data = nnspec.load_data("iris")
    net = nnspec.compile(NET)
    history = net.fit(data.x, data.y, validation=(data.x, data.y), epochs=2, run=tmp_path / "run")
    nnspec.curves(history, tmp_path / "a.svg")
    nnspec.curves(tmp_path / "run", tmp_path / "b.svg")
    assert "training" in words((tmp_path / "a.svg").read_bytes())
    assert "run" in words((tmp_path / "b.svg").read_bytes())
    with pytest.raises(SpecError, match="NN136"):
        nnspec.curves(tmp_path, tmp_path / "c.svg")


def test_numbers_of_a_run_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--run", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["plot", str(tmp_path / "run"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in found] == [1, 2, 3]
    assert all(row["held_out"]["accuracy"] is not None for row in found)
    assert main(["plot", str(tmp_path / "run")]) == 2


# ------------------------------------------------------------------------------------ the table


def history(count: int, best: int, stopped: str = "") -> History:
    scores = Scores(0.25, 0.875)
    made = (Epoch(n, 1 / n, 0.5, 100, scores, 0.01, 1.5) for n in range(1, count + 1))
    return History(tuple(made), best, stopped)


def test_a_history_prints_as_a_table() -> None:
    assert str(history(2, 2)) == (
        "epoch    loss  held out  accuracy  rate  gradient  seconds\n"
        "    1  1.0000    0.2500   87.50 %  0.01       1.5     0.50\n"
        "    2  0.5000    0.2500   87.50 %  0.01       1.5     0.50  best"
    )
    assert str(History(())) == "no epoch was finished"
    bare = History((Epoch(1, 0.5, 0.1, 10),))
    assert str(bare).splitlines()[0].split() == ["epoch", "loss", "rate", "gradient", "seconds"]


def test_a_long_history_is_cut() -> None:
    lines = str(history(1000, 777, "no better epoch in 223")).splitlines()
    assert len(lines) < 50
    assert [line.split()[0] for line in lines if line.endswith("best")] == ["777"]
    assert lines[-2].endswith("of 1,000 epochs are left out")
    assert lines[-1] == "ended early: no better epoch in 223"
    assert lines[-3].split()[0] == "1000"


def test_a_history_in_a_notebook() -> None:
    shown = history(3, 2, "<b>bored</b>")._repr_html_()
    assert shown.count("<tr>") == 4
    assert shown.count("font-weight:bold") == 7
    assert "&lt;b&gt;bored" in shown
