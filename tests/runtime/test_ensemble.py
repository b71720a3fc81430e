"""Ensembles: what averaging means, one file for all, and every way to be wrong."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.settings import as_text
from nnspec.compiler.shapes import Value
from nnspec.compiler.training.losses import Bce, CrossEntropy, Hinge, Mse
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.data import load, split
from nnspec.runtime.ensemble import Ensemble, seeds, together
from nnspec.runtime.weights import write

COURSE = Path(__file__).parents[2] / "specs" / "course"
RNG = np.random.default_rng(0)
NET = "1x4x4 -> conv3 3x3 bn relu -> flatten dropout0.2 -> fc3"
X, Y = RNG.standard_normal((40, 1, 4, 4)), RNG.integers(0, 3, 40)


def bits(net: Any) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in {**net.weights, **net.state}.items()}


# ------------------------------------------------------------------------------ what it answers


@pytest.mark.parametrize("shape", [(5,), (4, 5), (5, 2, 3)])
def test_mean_probability_against_torch(shape: tuple[int, ...]) -> None:
    value = Value.read(shape)
    axis = value.channel_axis + 1
    scores = [RNG.standard_normal((6, *shape)) * 5 for _ in range(3)]
    theirs = torch.stack([torch.softmax(torch.tensor(s), axis) for s in scores]).mean(0)
    ours = torch.softmax(torch.tensor(together(CrossEntropy(), value, scores)), axis)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_mean_of_yes_or_no_against_torch() -> None:
    scores = [RNG.standard_normal((6, 4)) * 5 for _ in range(3)]
    theirs = torch.stack([torch.sigmoid(torch.tensor(s)) for s in scores]).mean(0)
    ours = torch.sigmoid(torch.tensor(together(Bce(), Value((4,)), scores)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("loss", [Mse(), Hinge(), None])
def test_outputs_without_a_probability_are_averaged(loss: Any) -> None:
    scores = [RNG.standard_normal((6, 4)) for _ in range(3)]
    found = together(loss, Value((4,)), scores)
    np.testing.assert_allclose(found, np.mean(scores, axis=0), atol=1e-15)


def test_large_scores() -> None:
    """Two sure nets that disagree: a half each, and neither NaN nor a warning."""
    scores = [np.array([[1e4, -1e4, 0]], np.float32), np.array([[-1e4, 1e4, 0]], np.float32)]
    found = together(CrossEntropy(), Value((3,)), scores)
    np.testing.assert_allclose(found[0, :2], np.log([0.5, 0.5]), rtol=1e-6)
    assert found[0, 2] < -9000
    sure = together(Bce(), Value((1,)), [np.full((1, 1), 1e4), np.full((1, 1), 1e4)])
    np.testing.assert_allclose(sure, 1e4, rtol=1e-3)
    assert together(Bce(), Value((1,)), [np.full((1, 1), 1e4), np.full((1, 1), -1e4)]) == 0


def test_it_is_the_mean_of_its_members() -> None:
    net = nnspec.compile(NET, ensemble=3, dtype="float64")
    assert isinstance(net, nnspec.Ensemble)
    net.fit(X, Y, epochs=2)
    chances = [torch.softmax(torch.tensor(member(X)), 1).numpy() for member in net.members]
    mean = np.mean(chances, axis=0)
    np.testing.assert_allclose(net(X), np.log(mean), atol=1e-12)
    scores = net.evaluate(X, Y)
    assert scores.loss == pytest.approx(-np.log(mean[np.arange(40), Y]).mean(), abs=1e-12)
    assert scores.accuracy == (mean.argmax(1) == Y).mean()
    assert scores.loss <= np.mean([member.evaluate(X, Y).loss for member in net.members])


@pytest.mark.parametrize("loss", [CrossEntropy(), Bce(), Mse()])
def test_members_are_joined_one_by_one(loss: Any) -> None:
    """As one sum of all: scores of many sizes, float32."""
    scores = [RNG.standard_normal((50, 4)).astype(np.float32) * 10**n for n in range(5)]
    every = np.stack(scores).astype(np.float64)
    if loss.contains == Mse().contains:
        wanted = every.mean(axis=0)
    elif isinstance(loss, Bce):
        yes, no = -np.logaddexp(0, -every), -np.logaddexp(0, every)
        wanted = np.logaddexp.reduce(yes, axis=0) - np.logaddexp.reduce(no, axis=0)
    else:
        logs = every - np.logaddexp.reduce(every, axis=2, keepdims=True)
        wanted = np.logaddexp.reduce(logs, axis=0) - np.log(5)
    found = together(loss, Value((4,)), scores)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_what_they_say_is_not_held_of_all() -> None:
    """Beside the answers, what the members say of a few hundred examples."""
    net = nnspec.compile("8 -> fc500", ensemble=5, loss="cross_entropy")
    x = RNG.standard_normal((8000, 8)).astype(np.float32)
    net(x[:300])
    tracemalloc.start()
    answer = net(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * answer.nbytes


def test_parts_are_the_whole() -> None:
    net = nnspec.compile(NET, ensemble=2)
    x, y = RNG.standard_normal((600, 1, 4, 4)), RNG.integers(0, 3, 600)
    apart = net.scores_apart(net.judged(x, y))
    assert apart == (net.evaluate(x, y), tuple(m.evaluate(x, y) for m in net.members))
    np.testing.assert_array_equal(net(x)[300:], np.concatenate([net(x[300:512]), net(x[512:])]))


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many examples every net was asked about from here on."""
    asked: list[int] = []
    answers = nnspec.Net.answers

    def counted(net: Any, some: Any, truth: Any) -> Any:
        asked.append(len(some))
        return answers(net, some, truth)

    monkeypatch.setattr(nnspec.Net, "answers", counted)
    return asked


@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize("ways", ["text", "json"])
def test_every_example_is_answered_once(
    ways: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = str(tmp_path / "a.safetensors")
    words = ["--data", "iris", "--format", ways]
    asked = counting(monkeypatch)
    train = ["train", "4 -> fc3", *words, "--ensemble", "3", "--epochs", "1", "--save", saved]
    assert main(train) == 0
    assert sum(asked) == 30 * 3 * 2  # after the epoch, and at the end
    asked.clear()
    assert main(["evaluate", saved, *words]) == 0
    assert sum(asked) == 150 * 3
    assert main(["train", "4 -> fc3", *words, "--epochs", "1", "--save", saved]) == 0
    asked.clear()
    assert main(["evaluate", saved, *words]) == 0
    assert sum(asked) == 150


def test_several_outputs() -> None:
    text = "a: 3 -> fc4 relu\noutput side: @a -> fc2\n@a -> fc3"
    net = nnspec.compile(text, ensemble=2, loss="cross_entropy")
    x = RNG.standard_normal((5, 3))
    parts = [member(x) for member in net.members]
    np.testing.assert_allclose(net(x)["side"], (parts[0]["side"] + parts[1]["side"]) / 2, atol=1e-6)
    np.testing.assert_allclose(np.exp(net(x)["output"]).sum(1), 1, rtol=1e-6)
    assert net.evaluate(x, [0, 1, 2, 0, 1]).accuracy is not None


# ----------------------------------------------------------------------------------- the members


def test_seeds() -> None:
    assert seeds(7, 1) == [7]
    assert seeds(7, 4) == seeds(7, 9)[:4]
    assert len({*seeds(7, 50), *seeds(8, 50)}) == 100
    net = nnspec.compile(NET, ensemble=3, seed=7)
    assert [member.seed for member in net.members] == seeds(7, 3)
    assert bits(net.members[0]) == bits(nnspec.compile(NET, seed=7))
    assert net.params == 3 * nnspec.compile(NET).params


def test_the_first_member_is_the_net_alone() -> None:
    together, alone = nnspec.compile(NET, ensemble=2), nnspec.compile(NET)
    histories = together.fit(X, Y, epochs=2)
    assert histories[0].loss == alone.fit(X, Y, epochs=2).loss
    assert bits(together.members[0]) == bits(alone)
    again = nnspec.compile(NET, ensemble=2)
    again.fit(X, Y, epochs=2)
    assert bits(together) == bits(again)


def test_members_are_told_of() -> None:
    told: list[object] = []
    net = nnspec.compile(NET, ensemble=2)
    net.fit(
        X, Y, epochs=2, validation=(X, Y),
        on_member=told.append, on_epoch=lambda epoch: told.append(f"epoch {epoch.number}"),
    )  # fmt: skip
    assert told == [1, "epoch 1", "epoch 2", 2, "epoch 1", "epoch 2"]
    assert "2 nets" in repr(net)


@pytest.mark.parametrize("given", [{"ensemble": 1}, {}])
def test_one_net_is_a_net(given: dict[str, Any]) -> None:
    assert isinstance(nnspec.compile(NET, **given), nnspec.Net)


def test_the_spec_may_ask_for_it() -> None:
    net: Any = nnspec.compile(f"{NET}\ntrain(ensemble = 2)")
    assert isinstance(net, Ensemble)
    assert len(net.members) == 2
    assert isinstance(nnspec.compile(f"{NET}\ntrain(ensemble = 2)", ensemble=1), nnspec.Net)


def test_its_size_stays() -> None:
    for net in (nnspec.compile(NET), nnspec.compile(NET, ensemble=3)):
        with pytest.raises(SpecError, match="chosen when the net is compiled"):
            net.fit(X, Y, ensemble=2)
    net = nnspec.compile(NET, ensemble=3)
    net.set(ensemble=3, l2=0.5)
    assert {member.training.l2 for member in net.members} == {net.training.l2} == {0.5}


# -------------------------------------------------------------------------------------- on disk


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", [NET, f"{NET}\ntrain(ensemble = 3)"])
def test_saved_and_loaded(tmp_path: Path, text: str, dtype: Any) -> None:
    path = tmp_path / "net.safetensors"
    net = nnspec.compile(text, ensemble=3, dtype=dtype, l2=1e-3)
    net.fit(X, Y, epochs=1)
    net.save(path)
    again = nnspec.load(path)
    assert isinstance(again, Ensemble)
    assert bits(again) == bits(net)
    assert again.training == net.training
    assert again(X).tobytes() == net(X).tobytes()
    one = nnspec.compile(text, ensemble=1)
    one.save(path)
    assert isinstance(nnspec.load(path), nnspec.Net)


@pytest.mark.parametrize("count", ["2", "4", "100", "1"])
def test_a_file_of_another_number_of_nets(tmp_path: Path, count: str) -> None:
    changed = tmp_path / "changed.safetensors"
    net = nnspec.compile(NET, ensemble=3)
    settings = as_text(net.training) | {"ensemble": count}
    write(changed, net.graph, {**net.weights, **net.state}, settings)
    with pytest.raises(SpecError, match="NN532"):
        nnspec.load(changed)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "iris.safetensors")
    words = ["train", "4 -> fc8 relu -> fc3", "--data", "iris", "--ensemble", "3", "--epochs", "3"]
    assert main([*words, "--save", path]) == 0
    printed = capsys.readouterr()
    table = printed.out.partition("\n\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table] == ["net", "1", "2", "3", "mean", "ensemble"]
    assert "net 2/3 epoch" in printed.err
    assert main([*words, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [member["seed"] for member in report["members"]] == seeds(0, 3)
    assert [len(member["epochs"]) for member in report["members"]] == [3, 3, 3]
    assert "epochs" not in report
    assert main(["evaluate", path, "--data", "iris", "--held-out", "0.2", "--format", "json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["loss"] == report["test"]["loss"]
    assert main(["predict", path, "--data", "iris", "--first", "2"]) == 0


def test_a_run_is_kept_by_members_and_goes_on(tmp_path: Path) -> None:
    """Stopped in the second member, and taken up again: the same bits."""
    whole = nnspec.compile(NET, ensemble=2, epochs=3)
    whole.fit(X, Y)
    torn = nnspec.compile(NET, ensemble=2, epochs=3)
    told: list[int] = []

    def stop(epoch: Any) -> None:
        told.append(epoch.number)
        if len(told) == 5:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        torn.fit(X, Y, run=tmp_path / "run", on_epoch=stop)
    again = nnspec.compile(NET, ensemble=2, epochs=3)
    with pytest.warns(UserWarning, match="the run is over: 3 epochs are done"):
        again.fit(X, Y, run=tmp_path / "run", resume=True)
    assert bits(again) == bits(whole)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"member1", "member2"}


def test_it_beats_its_members_on_digits() -> None:
    learned, held = split(load("digits"))
    net = nnspec.compile(COURSE / "digits_mlp.nn", ensemble=5)
    net.fit(learned.x, learned.y)
    apart = [member.evaluate(held.x, held.y) for member in net.members]
    joint = net.evaluate(held.x, held.y)
    assert joint.loss < min(scores.loss for scores in apart)
    assert joint.accuracy is not None
    assert joint.accuracy > np.mean([float(scores.accuracy or 0) for scores in apart])


def test_a_run_of_members_is_loaded_with_the_best_of_each(tmp_path: Path) -> None:
    made = nnspec.compile("4 -> fc8 relu -> fc3", ensemble=2, epochs=2, early_stop=2)
    data = nnspec.load_data("iris")
    made.fit(data, validation=0.2, run=tmp_path / "run")
    again = nnspec.load(tmp_path / "run")
    assert isinstance(again, nnspec.Ensemble)
    assert np.array_equal(again(data.x), made(data.x))
    assert again.evaluate(data) == made.evaluate(data)
