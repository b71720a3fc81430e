"""Vitals: each number against its definition, and training that does not feel that it is watched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.runtime.vitals import Vitals, WeightVitals, line

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 6)), RNG.integers(0, 3, 40)
NOISY = "6 -> fc8 bn relu dropout0.5 -> fc8 tanh -> fc3"


def test_activations_and_gradients_are_those_of_the_net() -> None:
    net = nnspec.compile("6 -> fc5 relu -> fc4 tanh -> fc3", seed=0, dtype="float64", l2=0.1)
    found = net.vitals(X, Y)
    one = np.maximum(X @ net.weights["fc1.weight"].T + net.weights["fc1.bias"], 0)
    two = np.tanh(one @ net.weights["fc2.weight"].T + net.weights["fc2.bias"])
    by = {layer.layer: layer for layer in found.layers}
    assert found.examples == 40
    assert (by["fc1"].mean, by["fc1"].std) == pytest.approx((one.mean(), one.std()))
    assert by["fc1"].dead == (one == 0).all(axis=0).mean()
    assert by["fc1"].saturated is None
    assert by["fc2"].saturated == (1 - two**2 < 0.01).mean()
    assert by["fc2"].dead is None
    net.set(l2=0)
    _, gradients = net.gradients(X, Y)
    for weight in found.weights:
        gradient = gradients[weight.weight]
        assert weight.gradient == pytest.approx(np.sqrt(np.mean(gradient**2)))
        assert weight.update is None
    assert by["fc1"].gradient == next(w.gradient for w in found.weights if w.weight == "fc1.weight")
    first, last = (np.sqrt(np.mean(gradients[f"{n}.weight"] ** 2)) for n in ("fc1", "fc3"))
    assert found.flow == pytest.approx(first / last)


@pytest.mark.parametrize("word", ["relu", "relu6", "hswish"])
def test_dead_units_are_counted(word: str) -> None:
    net = nnspec.compile(f"6 -> fc8 {word} -> fc3", seed=0)
    net.weights["fc1.bias"][:3] = -100
    assert net.vitals(X, Y).layers[0].dead == 3 / 8


@pytest.mark.parametrize("word", ["lrelu", "elu", "tanh"])
def test_what_leaks_does_not_die(word: str) -> None:
    net = nnspec.compile(f"6 -> fc8 {word} -> fc3", seed=0)
    net.weights["fc1.bias"][:3] = -8
    assert not net.vitals(X, Y).layers[0].dead


def test_dead_channels_of_maps() -> None:
    net = nnspec.compile("1x6x6 -> conv4 3x3 relu -> flatten -> fc3", seed=0)
    net.weights["conv1.bias"][1] = -100
    x = RNG.standard_normal((20, 1, 6, 6))
    assert net.vitals(x, Y[:20]).layers[0].dead == 1 / 4


@pytest.mark.parametrize("filters", [4, 32])
@pytest.mark.parametrize("count", [10, 40])
def test_channels_are_seen_wherever_they_lie(filters: int, count: int) -> None:
    net = nnspec.compile(
        f"3x8x8 -> conv{filters} 3x3 relu -> maxpool2 -> conv{filters} 3x3 p1 relu -> flatten -> fc3",
        seed=0,
    )
    net.weights["conv1.bias"][1:3] = -100
    net.weights["conv2.bias"][0] = -100
    found = net.vitals(RNG.standard_normal((count, 3, 8, 8)), Y[:count])
    dead = {layer.layer: layer.dead for layer in found.layers}
    assert set(dead) == {node.layer for node in net.graph.nodes if not node.is_input}
    assert (dead["conv1"], dead["conv2"]) == (2 / filters, 1 / filters)


@pytest.mark.parametrize("word", ["sigmoid", "tanh", "hsigmoid"])
def test_saturated_units_are_counted(word: str) -> None:
    net = nnspec.compile(f"6 -> fc8 {word} -> fc3", seed=0)
    net.weights["fc1.weight"][:] *= 0.01
    net.weights["fc1.bias"][:2] = -50
    assert net.vitals(X, Y).layers[0].saturated == 2 / 8


def test_the_gradient_that_is_left() -> None:
    flows = [
        nnspec.compile(f"6 -> [fc8 sigmoid]*{depth} -> fc3", seed=0).vitals(X, Y).flow
        for depth in (1, 4, 8)
    ]
    assert flows[0] > 0.05 > flows[1] > 1e-4 > flows[2] > 0  # type: ignore[operator]


def test_the_size_of_the_last_update() -> None:
    """Momentum is left out: an update is the rate times the gradient."""
    kept = {}

    def keep(_: object) -> None:
        kept.update({name: array.copy() for name, array in net.weights.items()})

    settings: dict[str, Any] = {"optimizer": "sgd(lr=0.1)", "batch": 40, "seed": 0}
    net = nnspec.compile("6 -> fc5 relu -> fc3", dtype="float64", **settings)
    net.fit(X, Y, epochs=3, on_step=keep)
    before = kept.copy()
    history = net.fit(X, Y, epochs=1, watch=True)
    assert history[0].vitals is not None
    for weight in history[0].vitals.weights:
        was, now = before[weight.weight], net.weights[weight.weight]
        moved = np.linalg.norm(now - was) / np.linalg.norm(was)
        assert weight.update == pytest.approx(moved)


def test_watching_changes_nothing() -> None:
    def after(*, watch: bool) -> list[bytes]:
        net = nnspec.compile(NOISY, seed=0)
        net.fit(X, Y, epochs=3, batch=16, watch=watch)
        net.vitals(X, Y) if watch else None
        net.fit(X, Y, epochs=1, batch=16)
        return [array.tobytes() for array in (*net.weights.values(), *net.state.values())]

    assert after(watch=True) == after(watch=False)


def test_looking_twice_shows_the_same() -> None:
    net = nnspec.compile(NOISY, seed=0)
    assert net.vitals(X, Y) == net.vitals(X, Y)


def test_heads_that_the_loss_does_not_see() -> None:
    net = nnspec.compile("a: 6 -> fc8 relu\noutput b: @a -> fc2\n@a -> fc3", seed=0)
    assert [layer.layer for layer in net.vitals(X, Y).layers] == ["a.fc1", "fc1"]


def test_a_run_keeps_them_and_goes_on(tmp_path: Path) -> None:
    """Put down before the last step of an epoch, its last update is still seen."""

    def trained(folder: Path, stop: int) -> list[object]:
        net = nnspec.compile(NOISY, seed=0)

        def interrupt(step: object) -> None:
            if (step.epoch, step.number) == (2, stop):  # type: ignore[attr-defined]
                raise RuntimeError

        settings: dict[str, Any] = {
            "run": folder,
            "every": 1,
            "watch": True,
            "resume": True,
            "batch": 16,
        }
        if stop:
            with pytest.raises(RuntimeError):
                net.fit(X, Y, epochs=3, on_step=interrupt, **settings)
            net = nnspec.compile(NOISY, seed=0)
        net.fit(X, Y, epochs=3, **settings)
        rows = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
        return [row["vitals"] for row in rows]

    whole = trained(tmp_path / "whole", 0)
    assert len(whole) == 3
    for stop in (1, 2, 3):
        assert trained(tmp_path / str(stop), stop) == whole


def test_as_text() -> None:
    net = nnspec.compile("6 -> fc8 relu -> fc3", seed=0)
    net.weights["fc1.bias"][:4] = -100
    history = net.fit(X, Y, epochs=1, watch=True)
    found = history[0].vitals
    assert found is not None
    assert Vitals.of(json.loads(json.dumps(history.rows()))[0]["vitals"]) == found
    told = str(found).splitlines()
    assert told[0].split() == [
        "layer", "mean", "std", "dead", "saturated", "gradient", "weight", "update",
    ]  # fmt: skip
    assert told[1].startswith("fc1")
    assert "50 %" in told[1]
    assert "dead: fc1 50 %" in line(found)
    assert "of the weights" in line(found)


def test_nothing_to_compare() -> None:
    found = Vitals(1, (), (WeightVitals("a", 0.0, 0.0),))
    assert found.flow is found.update is None
    assert line(found) == ""


def test_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", "4 -> fc8 relu -> fc3", "--data", "iris", "--epochs", "2", "--watch"]
    assert main([*words, "--run", str(tmp_path / "a")]) == 0
    assert "gradient first/last" in capsys.readouterr().err
    rows = (tmp_path / "a" / "log.jsonl").read_text().splitlines()
    assert [len(json.loads(row)["vitals"]["layers"]) for row in rows] == [2, 2]
    assert main([*words, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"][0]["vitals"]["examples"] == 120


def test_frozen_layers_have_no_gradient() -> None:
    net = nnspec.compile("6 -> fc5 freeze relu -> fc4 relu -> fc3", seed=0)
    history = net.fit(X, Y, epochs=1, watch=True)
    assert history[0].vitals is not None
    assert [layer.gradient is None for layer in history[0].vitals.layers] == [True, False, False]
    assert history[0].vitals.weights[0].gradient is history[0].vitals.weights[0].update is None


def test_frozen_norms_are_seen_with_their_statistics() -> None:
    net = nnspec.compile("6 -> bn freeze -> fc3", seed=0)
    net.state["bn1.mean"][:] = 5
    net.state["bn1.variance"][:] = 4
    seen = net.vitals(X, Y).layers[0]
    assert (seen.mean, seen.std) == pytest.approx(((X.mean() - 5) / 2, X.std() / 2), rel=1e-3)
