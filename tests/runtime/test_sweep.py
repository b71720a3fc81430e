"""`nnspec sweep`: what it trains, and what it says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.runtime.data import load, split
from nnspec.runtime.data_options import HELD_OUT

SPEC = "let width = 4\n4 -> fc(width) relu -> fc3\ntrain(epochs = 3, batch = 16)"


def swept(capsys: pytest.CaptureFixture[str], *words: str, spec: str = SPEC) -> list[Any]:
    code = main(["sweep", spec, "--data", "iris", "--format", "json", *words])
    out = capsys.readouterr().out
    assert code == 0, out
    found: list[Any] = json.loads(out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["sweep", SPEC, "--data", "iris", *words]) != 0
    return capsys.readouterr().err


def test_every_combination_is_trained_as_train_would(capsys: pytest.CaptureFixture[str]) -> None:
    rows = swept(capsys, "--vary", "width=4,8", "--vary", "optimizer=sgd(lr=0.1), adam")
    assert [row["choices"]["width"] for row in rows] == ["4", "4", "8", "8"]
    learned, held = split(load("iris"), HELD_OUT)
    for row in rows:
        chosen = row["choices"]
        net = nnspec.compile(SPEC, let={"width": chosen["width"]}, optimizer=chosen["optimizer"])
        history = net.fit(learned)
        assert row["params"] == net.params
        assert row["loss"] == history[-1].loss
        assert row["held_out_loss"] == net.evaluate(held).loss


def test_seeds_begin_at_the_spec_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPEC.replace("batch", "seed = 5, batch")
    (row,) = swept(capsys, "--vary", "width=4", "--seeds", "3", spec=spec)
    assert [trial["seed"] for trial in row["trials"]] == [5, 6, 7]
    assert len({trial["loss"] for trial in row["trials"]}) == 3
    (row,) = swept(capsys, "--vary", "width=4", "--seed", "2", spec=spec)
    assert [trial["seed"] for trial in row["trials"]] == [2]


def test_ensembles_vary(capsys: pytest.CaptureFixture[str]) -> None:
    one, three = swept(capsys, "--vary", "ensemble=1,3")
    assert three["params"] == 3 * one["params"]
    assert one["held_out_loss"] != three["held_out_loss"]


def test_the_loss_is_of_the_epoch_whose_weights_are_judged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = "4 -> fc64 relu -> fc3\ntrain(epochs = 60, optimizer = adam(lr=0.1), early_stop = 5)"
    (row,) = swept(capsys, "--vary", "batch=8", spec=spec)
    learned, held = split(load("iris"), HELD_OUT)
    history = nnspec.compile(spec, batch=8).fit(learned, validation=held)
    assert row["loss"] == history[history.best - 1].loss != history[-1].loss


def test_what_diverges_is_an_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = swept(capsys, "--vary", "optimizer=sgd(lr=0.1),sgd(lr=1e25)")
    assert (good["diverged"], bad["diverged"]) == (0, 1)
    assert bad["loss"] is None
    assert bad["accuracy"] is None
    main(["sweep", SPEC, "--data", "iris", "--vary", "optimizer=sgd(lr=0.1),sgd(lr=1e25)"])
    assert "diverged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--vary", "width"], "is not NAME=VALUE,VALUE"),
        (["--vary", "width=4,"], "is not NAME=VALUE,VALUE"),
        (["--vary", "seed=1,2"], "`--seeds 3`"),
        (["--vary", "l2=0", "--vary", "l2=1"], "`l2` is given twice"),
        (["--vary", "l2=0", "--l2", "1"], "`l2` is given twice"),
        (["--vary", "l2=0,two"], "`two`"),
        (["--vary", "depth=1,2"], "depth"),
        (["--vary", "width=4", "--held-out", "2"], "0 < --held-out < 1"),
    ],
)
def test_what_cannot_vary(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    assert says in refused(capsys, *words)
