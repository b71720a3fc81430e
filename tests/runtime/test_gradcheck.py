"""The gradient check: right nets pass, a gradient wrong by a thousandth does not, kinks are kinks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.op import Op
from nnspec.compiler.ops.dense import Fc
from nnspec.runtime.examples import examples
from nnspec.runtime.gradcheck import RIGHT, WRONG, compared, gradcheck
from nnspec.runtime.kernels import KERNELS, Arrays, Calls, Kernel

SPECS = Path(__file__).parents[2] / "specs" / "course"


@pytest.mark.parametrize(
    "spec",
    [
        SPECS / "digits.nn",
        SPECS / "lenet5.nn",
        "6 -> fc5 tanh dropout0.5 -> fc3",
        "7 int -> embed9 4 -> lstm5 last -> fc9",
        "2x6x6 -> conv4 3x3 relu -> maxpool2 -> flatten -> maxout8 -> fc3\ntrain(loss = hinge)",
        "6 -> fc5 gelu -> fc1\ntrain(loss = bce, l2 = 0.1, l1 = 0.1)",
        "6 -> fc5 prelu -> fc2\ntrain(loss = mse)",
    ],
)
def test_right_nets_pass(spec: Path | str) -> None:
    found = nnspec.gradcheck(spec)
    assert found.ok
    assert found.error <= RIGHT
    assert found.verdict == "the gradient is right"
    net = nnspec.compile(spec)
    rows = [weight for weight in found.weights if weight.weight != "l2 and l1"]
    assert {weight.weight for weight in rows} == set(net.weights)
    assert all(len(weight.samples) == min(20, weight.size) for weight in rows)
    assert found.checked == sum(len(weight.samples) for weight in found.weights)
    penalised = net.training.l2 or net.training.l1
    assert (len(rows) < len(found.weights)) is bool(penalised)


@pytest.mark.parametrize(("factor", "ok"), [(1.001, False), (1.0002, False), (1.000001, True)])
def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch, factor: float, ok: bool) -> None:
    place: tuple[type[Op], str] = (Fc, "")
    right = KERNELS[place]

    class Wrong:
        forward, infer = right.forward, right.infer

        def backward(self, op: Fc, a: Arrays) -> Calls:
            yield from right.backward(op, a)
            yield np.multiply, (a.d_weights["bias"], factor, a.d_weights["bias"])

    wrong: Kernel = Wrong()
    monkeypatch.setitem(KERNELS, place, wrong)
    found = nnspec.gradcheck("6 -> fc5 relu -> fc3", seed=0)
    assert found.ok is ok
    assert {weight.weight for weight in found.weights if weight.wrong} == (
        set() if ok else {"fc1.bias", "fc2.bias"}
    )


def test_standing_on_a_kink() -> None:
    """Where the input is 0 and so is the bias, relu has two slopes."""
    x = np.random.default_rng(0).standard_normal((8, 6))
    x[:4] = 0
    graph = nnspec.graph("6 -> fc5 relu -> fc3")
    loss = graph.training.learned_by(graph.output.value)
    given = examples(graph, loss, x, np.arange(8) % 3, np.dtype(np.float64))
    found = gradcheck(graph, given, seed=0)
    assert found.ok
    by = {weight.weight: weight for weight in found.weights}
    assert by["fc1.bias"].kinks == 5
    assert by["fc1.weight"].kinks == 0


def judged(f: Callable[[float], float], analytic: float) -> str:
    return compared((0,), analytic, f, 1.0).judged


def test_kinks_crossed_and_stood_upon() -> None:
    def relu(at: float) -> Callable[[float], float]:
        return lambda offset: max(0.0, at + offset)

    assert judged(relu(1.0), 1.0) == "agrees"
    assert judged(relu(3e-6), 1.0) == "kink"
    assert judged(relu(-3e-6), 0.0) == "kink"
    assert [judged(relu(0.0), slope) for slope in (0.0, 0.3, 1.0)] == ["kink"] * 3
    assert [judged(relu(0.0), slope) for slope in (-0.1, 1.1)] == ["wrong"] * 2
    assert judged(relu(3e-6), 0.9) == "wrong"
    assert judged(math.exp, 1 + 2 * WRONG) == "wrong"
    assert judged(math.exp, 1.0) == "agrees"
    assert judged(lambda _: float("nan"), 1.0) == "wrong"


def test_what_no_gradient_reaches_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", "3 -> fc4 step -> fc2"]) == 0
    out = capsys.readouterr().out
    assert "all 0" in out
    assert "no gradient reached fc1.weight, fc1.bias" in out


def test_after_some_training() -> None:
    before, after = (nnspec.gradcheck("6 -> fc5 relu -> fc3", after=n) for n in (0, 30))
    assert after.ok
    assert after.loss < before.loss


def test_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = str(SPECS / "digits_mlp.nn")
    words = ["gradcheck", spec, "--data", "digits", "--samples", "5", "--l1", "1e-3"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "the gradient is right: the largest relative error is" in out
    assert "l2 and l1   5 of 17,024" in out
    assert main([*words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert [row["checked"] for row in found["weights"]] == [5] * 7
    monkeypatch.setattr("nnspec.runtime.gradcheck.pulls", lambda *_: ())
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "the gradient is wrong: 5 of" in out
    assert "by backpropagation" in out
    assert main(["gradcheck", "3 -> relu"]) == 1


def test_frozen_layers_and_layers_of_their_own_penalties() -> None:
    found = nnspec.gradcheck("6 -> fc5 freeze relu -> fc4 l2=0.5 tanh -> fc3\ntrain(l2 = 1e-3)")
    rows = {weight.weight: weight for weight in found.weights}
    assert set(rows) == {"fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias", "l2 and l1"}
    assert rows["l2 and l1"].size == 5 * 4 + 4 * 3
    assert found.ok
