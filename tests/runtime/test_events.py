"""What TensorBoard reads of a training: the numbers of its history."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nnspec
from nnspec.__main__ import main

TRAIN = ("train", "4 -> fc8 relu -> fc3", "--data", "iris", "--epochs", "3")


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every chart's points, as TensorBoard's own reader has them."""
    found = EventAccumulator(str(folder))
    found.Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_it_tells_the_history(tmp_path: Path) -> None:
    data = nnspec.load_data("iris")
    net = nnspec.compile("4 -> fc8 relu -> fc3")
    tell = nnspec.tensorboard(tmp_path / "logs")
    history = net.fit(data, validation=data, epochs=3, on_epoch=tell, watch=True)
    found = read(tmp_path / "logs")
    assert [step for step, _ in found["loss/training"]] == [1, 2, 3]
    pairs = {
        "loss/training": history.loss,
        "held out/accuracy": history.accuracy,
        "training/learning rate": [epoch.lr for epoch in history],
        "training/gradient": [epoch.gradient_norm for epoch in history],
        "dead/fc1": [epoch.vitals.layers[0].dead for epoch in history if epoch.vitals],
    }
    for tag, worths in pairs.items():
        assert [worth for _, worth in found[tag]] == pytest.approx(worths, rel=1e-6), tag
    assert "held out/mse" not in found


def test_from_the_command_line(tmp_path: Path) -> None:
    assert main([*TRAIN, "--tensorboard", str(tmp_path / "one")]) == 0
    assert len(read(tmp_path / "one")["loss/held out"]) == 3
    assert main([*TRAIN, "--ensemble", "2", "--tensorboard", str(tmp_path / "two")]) == 0
    assert len(read(tmp_path / "two" / "member2")["loss/held out"]) == 3


def test_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    assert main([*TRAIN, "--tensorboard", str(tmp_path / "logs")]) == 1
    said = capsys.readouterr().err
    assert "`--tensorboard` needs tensorboard, which is not installed" in said
    assert 'pip install "nnspec[tensorboard]"' in said
    assert not (tmp_path / "logs").exists()


def test_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([*TRAIN, "--tensorboard", str(tmp_path / "file")]) != 0
    assert str(tmp_path / "file") in capsys.readouterr().err
