"""What changed between two nets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main

SPECS = Path(__file__).parents[2] / "specs" / "vision"


def changes(before: str, after: str) -> list[tuple[str, str, str]]:
    return [
        (
            one.change,
            one.before.written if one.before else "",
            one.after.written if one.after else "",
        )
        for one in nnspec.diff(before, after).layers
    ]


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("3 -> fc4 relu -> fc1", "3 -> fc4   relu\n-> fc1", []),
        ("3 -> fc4 relu -> fc1", "3 -> fc4 tanh -> fc1", [("changed", "fc4 relu", "fc4 tanh")]),
        (
            "3 -> fc4 relu -> fc1",
            "3 -> fc8 relu -> fc1",
            [("changed", "fc4 relu", "fc8 relu"), ("changed", "fc1", "fc1")],
        ),
        ("3 -> fc4 relu -> fc1", "3 -> fc4 relu -> fc4 relu -> fc1", [("added", "", "fc4 relu")]),
        ("3 -> fc4 relu -> fc4 relu -> fc1", "3 -> fc4 relu -> fc1", [("removed", "fc4 relu", "")]),
        (
            "3x8x8 -> conv4 3 relu -> flatten fc2",
            "3x8x8 -> conv4 3 relu -> gap fc2",
            [("removed", "flatten", ""), ("added", "", "gap"), ("changed", "fc2", "fc2")],
        ),
    ],
)
def test_layers(before: str, after: str, wanted: list[tuple[str, str, str]]) -> None:
    assert changes(before, after) == wanted


def test_totals() -> None:
    found = nnspec.diff(SPECS / "resnet18.nn", SPECS / "resnet34.nn")
    totals = {total.fact: (total.before, total.after) for total in found.totals}
    assert totals["params"] == (11_689_512, 21_797_672)
    assert totals["depth"] == (18, 34)
    assert not found.same
    assert nnspec.diff(SPECS / "resnet18.nn", SPECS / "resnet18.nn").same


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "3 -> fc4 relu -> fc1", "3 -> fc8 relu -> fc1"]) == 1
    told = capsys.readouterr().out
    (line,) = (line.split() for line in told.splitlines() if line.startswith("  parameters"))
    assert line == ["parameters", "21", "→", "41", "+20", "(+95.2%)"]
    assert "~ fc1  fc4 relu → fc8 relu  4 → 8  16 → 32 parameters" in told
    assert main(["diff", "3 -> fc4", "3 -> fc4", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"] == []
    assert main(["diff", "let n = 4\n3 -> fc(n)", "3 -> fc4"]) == 0
    assert "The two are the same" in capsys.readouterr().out
    assert main(["diff", "3 -> fc0", "3 -> fc4"]) == 2
    assert "NN105" in capsys.readouterr().err
    assert main(["schema", "diff"]) == 0
    assert "totals" in json.loads(capsys.readouterr().out)["properties"]


def test_nets_whose_layers_are_alike_may_still_differ() -> None:
    net = "3 -> fc4 relu -> fc1\ntrain(loss=mse, optimizer=sgd, batch=8)"
    found = nnspec.diff(net, net.replace("batch=8", "batch=16"))
    assert not found.layers
    assert not found.same
    assert nnspec.diff(net, net).same
