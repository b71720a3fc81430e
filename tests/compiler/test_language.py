"""Blocks, shared chains, loops, choices, constants and files mean what they would, written out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.grammar.diagnostics import SpecError

RNG = np.random.default_rng(0)


def facts(text: str, **let: object) -> list[tuple[str, tuple[int, ...], int, int]]:
    """What every node is, without its name."""
    graph = nnspec.graph(text, let=let)
    return [(node.op.name, node.value.shape, node.params, node.macs) for node in graph.nodes]


def codes(text: str, **let: object) -> list[str]:
    with pytest.raises(SpecError) as error:
        nnspec.graph(text, let=let)
    return [mistake.code for mistake in error.value.diagnostics]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (
            "block b(c, k=3) = conv(c) (k) p(k // 2) relu\n3x8x8 -> b(4) -> b(8, k=1) -> b2",
            "3x8x8 -> conv4 3 p1 relu -> conv8 1 relu -> conv2 3 p1 relu",
        ),
        (
            "3 -> for (n, p) in ((4, 0.1), (5, 0.2)) [ fc(n) relu dropout(p) ] -> fc1",
            "3 -> fc4 relu dropout0.1 -> fc5 relu dropout0.2 -> fc1",
        ),
        ("3 -> for n in range(2, 5) [ fc(n) ]", "3 -> fc2 -> fc3 -> fc4"),
        ("4 -> for n in range(0) [ fc(n) ] -> fc1", "4 -> fc1"),
        (
            "3 -> for (a, b) in zip((1, 2), (3, 4)) [ fc(a) -> fc(b) ]",
            "3 -> fc1 -> fc3 -> fc2 -> fc4",
        ),
        ("3 -> if in.c == 3 [ fc4 ] else [ fc5 ]", "3 -> fc4"),
        ("3 -> if in.c > 3 [ fc4 ] else if in.c > 2 [ fc6 ] else [ fc5 ]", "3 -> fc6"),
        ("3 -> if false [ conv4 99 ] -> fc1", "3 -> fc1"),
        (
            "let (a, b) = (2 ^ 3, 7 // 2)\n3 -> fc(a) -> fc(b) -> fc(divisible(37, 8))",
            "3 -> fc8 -> fc3 -> fc40",
        ),
        (
            "block r = { let c = in.c } add[ fc(c) relu -> fc(c) | id ]\n3 -> r -> fc5 -> r",
            "3 -> add[ fc3 relu -> fc3 | id ] -> fc5 -> add[ fc5 relu -> fc5 | id ]",
        ),
        ("block f(t) = fc(t) relu\nblock two = f(3) -> f4\n2 -> two -> two", "2 -> fc3 relu -> fc4 relu -> fc3 relu -> fc4 relu"),
        ("let n = 2\n3 -> [fc4 relu]*(n + 1) -> fc(n)", "3 -> fc4 relu -> fc4 relu -> fc4 relu -> fc2"),
        (
            "use vision.vgg (stage)\n3x8x8 -> stage(4, 2)",
            "3x8x8 -> conv4 3x3 p1 relu -> conv4 3x3 p1 relu -> maxpool2",
        ),
    ],
)  # fmt: skip
def test_written_out(short: str, long: str) -> None:
    assert facts(short) == facts(long)


def test_shared_weights_count_once_and_collect_every_gradient() -> None:
    """Against two towers with the same numbers, whose gradients are added by hand."""
    tail = "a: 5\nb: 5\nmul[ @a -> {0} | @b -> {1} ] -> fc2"
    shared = nnspec.compile(
        "shared t = fc4 tanh -> fc3\n" + tail.format("t", "t"), dtype="float64", loss="mse"
    )
    apart = nnspec.compile(
        tail.format("fc4 tanh -> fc3", "fc4 tanh -> fc3"), dtype="float64", loss="mse"
    )
    assert shared.params == apart.params - (5 * 4 + 4 + 4 * 3 + 3)
    assert set(shared.weights) == {
        f"{n}.{w}" for n in ("t.fc1", "t.fc2", "fc1") for w in ("weight", "bias")
    }
    pairs = {"t.fc1": ("fc1", "fc3"), "t.fc2": ("fc2", "fc4"), "fc1": ("fc5",)}
    for ours, theirs in pairs.items():
        for kind in ("weight", "bias"):
            for name in theirs:
                apart.weights[f"{name}.{kind}"][...] = shared.weights[f"{ours}.{kind}"]
    x = {name: RNG.standard_normal((6, 5)) for name in "ab"}
    y = RNG.standard_normal((6, 2))
    np.testing.assert_array_equal(shared(x), apart(x))
    (loss, found), (same, single) = shared.gradients(x, y), apart.gradients(x, y)
    assert loss == same
    for ours, theirs in pairs.items():
        for kind in ("weight", "bias"):
            whole = sum(single[f"{name}.{kind}"] for name in theirs)
            np.testing.assert_allclose(found[f"{ours}.{kind}"], whole, rtol=1e-12, atol=1e-14)


def test_a_tied_weight_is_the_other_one() -> None:
    net = nnspec.compile(
        "5 int -> table: embed7 4 -> rnn4 -> fc7 nobias tie=@table",
        dtype="float64", loss="cross_entropy", optimizer="sgd(lr=0.1)",
    )  # fmt: skip
    assert net.params == 7 * 4 + 2 * (4 * 4) + 2 * 4
    assert "fc1.weight" not in net.weights
    x, y = RNG.integers(0, 7, (3, 5)), RNG.integers(0, 7, (3, 5))
    _, gradients = net.gradients(x, y)
    table = net.weights["table.weight"]
    index, step = (2, 1), 1e-6
    losses = []
    for move in (step, -2 * step):
        table[index] += move
        losses.append(net.evaluate(x, y).loss)
    table[index] += step
    measured = (losses[0] - losses[1]) / (2 * step)
    assert measured == pytest.approx(gradients["table.weight"][index], rel=1e-5)


def test_constants_from_outside(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "net.nn"
    path.write_text("let (width, deep) = (4, 1)\n3 -> [fc(width) relu]*deep -> fc1\n", "utf-8")
    assert nnspec.analyze(path).params == 3 * 4 + 4 + 5
    assert nnspec.analyze(path, let={"width": 2}).params == 3 * 2 + 2 + 3
    assert nnspec.compile(path, let={"width": 2, "deep": "1 + 1"}).params == 8 + 6 + 3
    assert main(["summary", str(path), "--let", "width=2", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["params"] == 11
    assert main(["check", str(path), "--let", "wide=2"]) == 2
    assert "did you mean `width`?" in capsys.readouterr().out
    assert codes(str(path), width=0) == ["NN105"]
    assert codes(str(path), width="(") == ["NN003"]


def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "mlp.nn").write_text(
        'use "act.nn" (act)\nlet wide = 6\nblock mlp(n) = fc(n) act -> fc(n) act\n', "utf-8"
    )
    (tmp_path / "parts" / "act.nn").write_text("block act = tanh\n", "utf-8")
    path = tmp_path / "net.nn"
    path.write_text(
        'use "parts/mlp.nn" (mlp, wide)\nlet n = 4\n3 -> mlp(wide) -> mlp(n) -> fc2\n'
        "train(loss = mse)\n",
        "utf-8",
    )
    return path


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project(tmp_path)
    assert nnspec.analyze(path).params == 3 * 6 + 6 + 6 * 7 + 6 * 4 + 4 + 4 * 5 + 10
    assert main(["check", str(tmp_path)]) == 0
    assert "Checked 3 specs" in capsys.readouterr().out
    outside = tmp_path / "parts" / "outside.nn"
    outside.write_text('use "../../elsewhere.nn" (a)\n3 -> a\n', "utf-8")
    assert codes(str(outside)) == ["NN130"]


def test_weights_carry_the_files_and_constants_of_their_spec(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project(tmp_path)
    net = nnspec.compile(path, seed=3, let={"n": 5})
    x = RNG.standard_normal((4, 3))
    wanted = net(x)
    saved = tmp_path / "net.safetensors"
    net.save(saved)
    for file in tmp_path.rglob("*.nn"):
        file.unlink()
    again = nnspec.load(saved)
    np.testing.assert_array_equal(again(x), wanted)
    assert again.graph.digest == net.graph.digest
    assert main(["predict", str(saved), "--input", "1,2,3"]) == 0
    assert capsys.readouterr().out.startswith("   1  [")


def test_a_mistake_inside_a_block_shows_every_use_that_led_there() -> None:
    text = "block inner(n) = fc(n) conv8 3\nblock outer = inner(4)\n3 -> outer"
    with pytest.raises(SpecError) as error:
        nnspec.graph(text)
    (mistake,) = error.value.diagnostics
    assert mistake.span is not None
    assert mistake.span.text == "conv8 3"
    assert [note.span.text for note in mistake.trail] == ["inner(4)", "outer"]


def test_reports_say_whose_weights_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    text = "shared t = fc4\na: 5\nb: 5\nmul[ @a -> t | @b -> t ] -> fc2"
    rows = {row.name: row for row in nnspec.analyze(text).layers}
    assert (rows["t.fc1"].shares, rows["t.2.fc1"].shares) == ("", "t.fc1")
    assert (rows["t.fc1"].params, rows["t.2.fc1"].params) == (24, 0)
    assert main(["summary", text]) == 0
    assert "those of t.fc1" in capsys.readouterr().out
    assert main(["explain", text, "t.2.fc1"]) == 0
    assert "t.fc1.weight, counted there" in capsys.readouterr().out
