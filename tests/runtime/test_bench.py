"""A net beside its like in PyTorch: the same numbers first, then the times."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.ops import CATALOGUE
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import bench as module
from nnspec.runtime import machine, profile_table
from nnspec.runtime.threads import available, limited
from nnspec.runtime.torch_twin import WAYS, Twin, as_tensors, loss_of

DIGITS = str(Path(__file__).parents[2] / "specs" / "course" / "digits.nn")
NETS = (
    "5 -> fc7 tanh -> fc6 gelu -> fc3",
    "2x6x6 -> conv4 3x3 p1 nobias bn relu -> maxpool2 -> conv5 3x3 same s2 nobias bn silu -> flatten fc3",
    "4x8x8 -> conv16 3x3 p1 relu -> add[ conv16 3x3 p1 bn | id ] relu -> dwconv 3x3 -> gap fc3",
    "6x8 -> ln attn2 causal -> pos -> cls -> rms slice0 1 axis=0 -> flatten fc3",
    "7 int -> embed9 4 -> flatten fc3",
    "3x4x4 -> convt4 2x2 s2 lrelu -> concat[ avgpool2 | maxpool2 ] -> gmp -> fc3",
    "a: 6 -> fc8 relu -> mul[ fc8 sigmoid | id ]\noutput b: @a -> fc2\n@a -> fc3",
    "3x6x6 -> [conv4 3x3 bn relu] freeze -> apool2 -> flatten fc3",
)


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.005)
    monkeypatch.setattr(module, "SETTLE", 0.0)


@pytest.mark.parametrize("spec", NETS)
def test_outputs_and_gradients_are_alike(spec: str) -> None:
    net = nnspec.compile(spec, seed=1, dtype="float64", loss="cross_entropy")
    twin = Twin(net)
    inputs = module._inputs(net, 4)
    truth = np.arange(4) % 3
    given = next(iter(inputs.values()))
    assert module._difference(net, twin, given, inputs) < 1e-9
    loss, gradients = net.gradients(given, truth)
    found = loss_of(twin, net.learner.loss)(
        twin.scores(as_tensors(net, inputs)), twin.torch.tensor(truth)
    )
    found.backward()
    assert found.item() == pytest.approx(loss, abs=1e-10)
    assert gradients
    for name, gradient in gradients.items():
        theirs = twin.weights[name].grad
        if theirs is None:
            assert name.startswith("b."), name
            assert not gradient.any()
        else:
            np.testing.assert_allclose(theirs.numpy(), gradient, atol=1e-9, rtol=0)
    assert {name for name, w in twin.weights.items() if w.requires_grad} == gradients.keys()


@pytest.mark.parametrize("name", sorted(WAYS))
def test_every_operator_that_is_claimed(name: str) -> None:
    for sample in CATALOGUE[name].samples:
        net = nnspec.compile(sample, seed=1, dtype="float64")
        inputs = module._inputs(net, 3)
        given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        if "rope" not in sample:
            assert module._difference(net, Twin(net), given, inputs) < 1e-8, sample


@pytest.mark.parametrize(
    "optimizer",
    ["sgd(lr=0.05)", "momentum", "nesterov", "adagrad", "rmsprop(momentum=0.5)", "adam", "adamw"],
)
def test_training_goes_the_same_way(optimizer: str) -> None:
    decay = 0.0 if optimizer == "adamw" else 1e-2
    net = nnspec.compile(
        NETS[1], seed=1, dtype="float64", loss="cross_entropy", optimizer=optimizer, l2=decay
    )
    twin = Twin(net)
    inputs, truth = module._inputs(net, 4), np.arange(4) % 3
    step = module._step(net, twin, as_tensors(net, inputs), truth)
    given = next(iter(inputs.values()))
    for _ in range(10):
        net.step(given, truth)
        step()
    for name, weight in net.weights.items():
        np.testing.assert_allclose(twin.weights[name].detach().numpy(), weight, atol=1e-8, rtol=0)
    for name, worth in net.state.items():
        np.testing.assert_allclose(twin.state[name].numpy(), worth, atol=1e-8, rtol=0)


@pytest.mark.parametrize(
    ("spec", "settings", "named"),
    [
        ("5x8 -> lstm5 last -> maxout3", {}, "lstm5 last"),
        ("4x6 -> attn3 rope -> flatten fc3", {}, "attn3 rope"),
        ("4 -> fc3", {"loss": "hinge"}, "hinge"),
        ("4 -> fc3", {"l1": 0.1}, "l1"),
        ("4 -> fc3", {"clip": 1.0}, "clip"),
        ("4 -> fc3 lr=0.1", {}, "learn in their own way"),
    ],
)
def test_what_has_no_counterpart_is_named(
    spec: str, settings: dict[str, object], named: str
) -> None:
    graph = nnspec.graph(spec, settings=settings)
    with pytest.raises(SpecError, match=named) as told:
        module.bench(graph, versus="torch", mode="train", rounds=1)
    assert told.value.diagnostics[0].code == "NN567"


def test_other_outputs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WAYS, "relu", lambda use, x: x[0])
    with pytest.raises(SpecError, match="differ"):
        module.bench(nnspec.graph("4 -> fc8 relu -> fc3"), versus="torch", rounds=1)


def test_without_pytorch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SpecError) as told:
        module.bench(nnspec.graph("4 -> fc3"), versus="torch", rounds=1)
    assert "nnspec[torch]" in told.value.diagnostics[0].help()


def test_threads_are_put_back() -> None:
    before, asked = available(), os.environ.get("NNSPEC_THREADS")
    with limited(3) as count:
        assert count == available() == 3
    assert (available(), os.environ.get("NNSPEC_THREADS")) == (before, asked)


def test_spread() -> None:
    assert module.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == module.Spread(3.0, 2.0, 4.0)
    assert module.spread([7.0]) == module.Spread(7.0, 7.0, 7.0)


def test_sides_take_turns() -> None:
    order: list[str] = []
    names = ("a", "b")
    passes = {name: lambda name=name: order.append(name) for name in names}
    found = module.in_turns(passes, 3)
    assert [len(times) for times in found.values()] == [3, 3]
    turns = [name for i, name in enumerate(order) if not i or order[i - 1] != name]
    assert turns[:2] == ["a", "b"]


@pytest.mark.parametrize(("others", "trusted"), [(0.0, True), (None, True), (0.9, False)])
def test_a_busy_machine_is_told_and_gives_no_ratio(
    others: float | None,
    trusted: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine.Neighbours, "cores", lambda self: others)
    assert main(["bench", "4 -> fc3", "--vs", "torch", "--rounds", "2", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert ("times as long" in out) is trusted
    assert ("cannot be trusted" in err) is not trusted
    assert "outputs agree" in out


def test_what_others_use_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([10.0, 13.0])
    monkeypatch.setattr(machine, "_others", lambda: next(told))
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(machine, "perf_counter", lambda: next(clock))
    assert machine.Neighbours().cores() == 1.5


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", DIGITS, "--rounds", "2", "--threads", "1", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["mode"], found["batch"], found["threads"]) == ("train", 64, 1)
    (side,) = found["sides"]
    assert side["examples"] == pytest.approx(64 / side["seconds"]["median"])
    assert found["ratio"] is None
    assert main(["bench", "3x8x8 -> gap", "--rounds", "1"]) == 0
    assert capsys.readouterr().out.startswith("inference over one example")
    assert main(["bench", "3x8x8 -> gap", "--mode", "train"]) == 1
    assert profile_table.duration(0.0098) == "9.8 ms"


def test_from_python() -> None:
    found = nnspec.bench("3 -> fc4 relu -> fc1", rounds=2, batch=np.int64(4))  # type: ignore[arg-type]
    assert (found.mode, found.batch, found.rounds, len(found.sides)) == ("train", 4, 2, 1)
    assert str(found).startswith("a training step over 4 examples")
    assert nnspec.bench("3x8x8 -> maxpool2", rounds=1).mode == "infer"


@pytest.mark.parametrize("call", [nnspec.bench, nnspec.profile, nnspec.plan])
def test_what_cannot_be_asked_of_a_pass(call: Any) -> None:
    for asked in ({"mode": "x"}, {"batch": True}, {"batch": 0}, {"batch": 2.0}, {"batch": "4"}):
        with pytest.raises(SpecError, match="cannot be") as caught:
            call("3 -> fc4", **asked)
        assert caught.value.diagnostics[0].help()


def test_memory_is_looked_at_before_numbers_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(_: Any, batch: int) -> None:
        raise AssertionError(batch)

    monkeypatch.setattr(module, "_inputs", drawn)
    with pytest.raises(SpecError, match="NN557"):
        nnspec.bench("3 -> fc4 relu -> fc1", batch=20_000_000, max_memory="10MiB")
    with pytest.raises(SpecError, match=r"NN557 a batch of 10,000,000,000,000 needs 145.5 TiB"):
        nnspec.bench("3 -> fc4 relu -> fc1", batch=10**13, mode="infer")


def test_what_is_answered_in_parts_needs_no_memory_for_the_whole() -> None:
    found = nnspec.bench(
        "64 -> fc256 relu -> fc10", mode="infer", batch=20_000, rounds=1, max_memory="4MiB"
    )
    assert found.batch == 20_000
