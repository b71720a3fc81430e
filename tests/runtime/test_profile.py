"""Where the time goes: every step is measured, and its work is the schedule's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.plan.schedule import Mode
from nnspec.runtime import profile as module

SPECS = Path(__file__).parents[2] / "specs" / "course"
BRANCHES = (
    "a: 6 -> fc8 relu -> add[ fc8 relu -> fc8 | id ] bn dropout0.5\noutput b: @a -> fc2\n@a -> fc3"
)


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.05)


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(
    "spec", [SPECS / "lenet5.nn", BRANCHES, "7 int -> embed9 4 -> lstm5 last -> fc9"]
)
def test_its_parts_are_the_schedule(spec: Path | str, mode: Mode) -> None:
    found = nnspec.profile(spec, mode=mode, batch=4)
    report = nnspec.analyze(spec, batch=4)
    assert found.passes >= module.LEAST
    assert found.batch == 4
    assert all(part.seconds > 0 and part.least >= 0 for part in found.parts if part.calls)
    assert found.seconds == pytest.approx(sum(part.seconds for part in found.parts))
    known = {layer.name for layer in report.layers}
    assert {part.layer for part in found.parts} <= known | {""}
    if mode == "train":
        for row in report.cost:
            parts = {part.direction: part for part in found.parts if part.layer == row.layer}
            for direction, flops, moved in (
                ("forward", row.flops, row.bytes),
                ("backward", row.flops_back, row.bytes_back),
            ):
                part = parts.get(direction)  # type: ignore[call-overload]
                assert (part.flops, part.bytes) == (flops, moved) if part else flops == 0
        assert [part.direction for part in found.parts].count("update") == 1
    else:
        assert {part.direction for part in found.parts} == {"forward"}


def test_least_follows_the_machine() -> None:
    found = nnspec.profile("64 -> fc512 relu -> fc512", mode="infer", batch=64)
    part = next(part for part in found.parts if part.layer == "fc2")
    products = part.flops / found.machine.flops
    assert part.flops == 2 * 64 * 512 * 512
    assert part.least >= products
    assert part.least >= part.bytes / found.machine.bandwidth


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(SPECS / "lenet5.nn"), "--batch", "8"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("a training step over 8 examples")
    assert all(
        word in text for word in ("conv1", "backward", "update", "GFLOP/s in a matrix product")
    )
    assert main(["profile", str(SPECS / "lenet5.nn"), "--mode", "infer", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["batch"] == 1
    assert found["seconds"] == pytest.approx(sum(part["seconds"] for part in found["parts"]))
    assert main(["profile", "4 -> relu"]) == 1
    assert "NN" in capsys.readouterr().err
    assert main(["profile", "4 -> fc2", "--batch", "0"]) == 2
