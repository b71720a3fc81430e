"""Metrics against scikit-learn's, and what becomes of numbers that are none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics

import nnspec
from nnspec.__main__ import main
from nnspec.runtime import metrics
from nnspec.runtime.history import Scores
from nnspec.runtime.kernels import Array

RNG = np.random.default_rng(0)
NAN = float("nan")


def drawn(classes: int, rows: int = 200) -> tuple[Array, Array]:
    """Scores that are better than chance, and labels, the last class rare."""
    labels = RNG.integers(0, classes, rows)
    labels[labels == classes - 1] = RNG.integers(0, classes, (labels == classes - 1).sum())
    scores = RNG.standard_normal((rows, classes))
    scores[np.arange(rows), labels] += 1
    return scores, labels


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_of_classes(classes: int) -> None:
    scores, labels = drawn(classes)
    found = metrics.chosen(scores)
    assert metrics.accuracy(found, labels) == sklearn.metrics.accuracy_score(labels, found)
    counts = metrics.confusion(found, labels, classes)
    np.testing.assert_array_equal(
        counts, sklearn.metrics.confusion_matrix(labels, found, labels=range(classes))
    )
    wanted = sklearn.metrics.precision_recall_fscore_support(labels, found, zero_division=0)
    for one, numbers in zip(
        metrics.by_class(counts, labels), zip(*wanted, strict=True), strict=True
    ):
        told = (one.precision, one.recall, one.f1, one.support)
        assert told == pytest.approx(numbers, rel=1e-12)


@pytest.mark.parametrize("most", [1, 2, 5, 11, 12])
def test_top(most: int) -> None:
    scores, labels = drawn(12)
    wanted = (np.argsort(-scores)[:, :most] == labels[:, None]).any(axis=1).mean()
    assert metrics.top(scores, labels, most) == pytest.approx(wanted)
    if most < 12:
        theirs = sklearn.metrics.top_k_accuracy_score(labels, scores, k=most, labels=range(12))
        assert wanted == pytest.approx(theirs)
    maps = scores.reshape(8, 5, 5, 12).transpose(0, 3, 1, 2)
    assert metrics.top(maps, labels.reshape(8, 5, 5), most) == pytest.approx(wanted)


def test_of_equal_scores_the_first_class_is_chosen() -> None:
    scores = np.ones((3, 12))
    labels = np.array([0, 4, 5])
    assert metrics.chosen(scores).tolist() == [0, 0, 0]
    assert metrics.top(scores, labels, 1) == pytest.approx(1 / 3)
    assert metrics.top(scores, labels, 5) == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(50, 1), (50, 3), (20, 2, 3)])
def test_of_numbers(shape: tuple[int, ...]) -> None:
    truth = RNG.standard_normal(shape) * np.arange(1, shape[-1] + 1)
    found = truth + RNG.standard_normal(shape) / 2
    flat = truth.reshape(len(truth), -1), found.reshape(len(truth), -1)
    assert metrics.mse(found, truth) == pytest.approx(sklearn.metrics.mean_squared_error(*flat))
    assert metrics.mae(found, truth) == pytest.approx(sklearn.metrics.mean_absolute_error(*flat))
    assert metrics.r2(found, truth) == pytest.approx(sklearn.metrics.r2_score(*flat), rel=1e-12)


def test_r2_of_what_never_varies() -> None:
    still = np.column_stack([np.ones(4), np.ones(4), np.arange(4.0)])
    found = np.add(still, [0.0, 0.5, 0.0])
    assert (
        metrics.r2(found, still) == sklearn.metrics.r2_score(still, found) == pytest.approx(2 / 3)
    )
    assert metrics.r2(found[:1], still[:1]) is None


def test_classes_that_are_never_called_or_never_so() -> None:
    found, labels = np.array([0, 0, 1]), np.array([0, 2, 0])
    told = metrics.by_class(metrics.confusion(found, labels, 3), labels)
    assert [(one.precision, one.recall, one.support) for one in told] == [
        (0.5, 0.5, 2),
        (0.0, 0.0, 0),
        (0.0, 0.0, 1),
    ]


def test_nan_ranks_worst() -> None:
    """A row with a NaN is wrong, even where argmax would happen to be right."""
    scores = np.array([[NAN, 0.0], [0.0, NAN], [1.0, 0.0], [math.inf, 0.0]])
    labels = np.array([0, 1, 0, 0])
    assert scores.argmax(axis=1).tolist() == labels.tolist()
    found = metrics.chosen(scores)
    assert metrics.accuracy(found, labels) == 0.5
    assert metrics.top(scores, labels, 1) == metrics.top(scores, labels, 2) == 0.5
    counts = metrics.confusion(found, labels, 2)
    assert counts.tolist() == [[2, 0], [0, 0]]
    assert [one.recall for one in metrics.by_class(counts, labels)] == [2 / 3, 0.0]
    assert metrics.said(np.array([NAN, -1.0, 1.0])).tolist() == [metrics.NONE, 0, 1]
    values = np.array([[NAN], [1.0]])
    assert metrics.mse(values, values) == metrics.mae(values, values) == math.inf
    assert metrics.r2(values, np.array([[0.0], [1.0]])) == -math.inf


@pytest.mark.parametrize(
    ("spec", "loss", "y", "told"),
    [
        ("4 -> fc3", "cross_entropy(weights=(1, 2, 3))", np.arange(20) % 3, {"accuracy"}),
        ("4 -> fc3", "squared_hinge", np.arange(20) % 3, {"accuracy"}),
        ("4 -> fc9", "cross_entropy", np.arange(20) % 9, {"accuracy"}),
        ("4 -> fc10", "hinge", np.arange(20) % 10, {"accuracy", "top5"}),
        ("4 -> fc1", "bce", np.arange(20) % 2, {"accuracy"}),
        ("4 -> fc1", "binary_hinge", np.arange(20) % 2, {"accuracy"}),
        ("4 -> fc2", "bce", np.arange(40) % 2, {"accuracy"}),
        ("4 -> fc2", "huber", np.arange(40.0).reshape(20, 2), {"mse", "r2"}),
    ],
)
def test_what_evaluate_tells(spec: str, loss: str, y: Array, told: set[str]) -> None:
    net = nnspec.compile(spec, loss=loss, seed=0, dtype="float64")
    x, y = RNG.standard_normal((20, 4)), y.reshape(20, -1).squeeze()
    scores = net.evaluate(x, y)
    assert {name for name, worth in vars(scores).items() if worth is not None} == {"loss", *told}
    if told == {"mse", "r2"}:
        assert scores.r2 == pytest.approx(sklearn.metrics.r2_score(y, net(x)))
        assert scores.mse == pytest.approx(sklearn.metrics.mean_squared_error(y, net(x)))
    if told == {"mse", "r2"} or y.ndim > 1:
        with pytest.raises(nnspec.SpecError, match="not one class of several"):
            net.confusion(x, y)
        return
    found = net.confusion(x, y)
    assert found.sum() == 20
    assert scores.accuracy == pytest.approx(found.trace() / 20)
    outputs = net(x)
    guess = outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs[:, 0] > 0
    np.testing.assert_array_equal(
        found, sklearn.metrics.confusion_matrix(y, guess, labels=range(len(found)))
    )


@pytest.mark.parametrize(("spec", "loss"), [("4 -> fc1", "bce"), ("4 -> fc3", "cross_entropy")])
def test_a_net_of_nan_is_never_right(spec: str, loss: str) -> None:
    net = nnspec.compile(spec, loss=loss, seed=0)
    net.weights["fc1.bias"][:] = NAN
    assert net.evaluate(np.ones((3, 4)), [0, 0, 0]) == Scores(math.inf, 0.0)
    assert not net.confusion(np.ones((3, 4)), [0, 0, 0]).any()


def test_steps_and_places() -> None:
    net = nnspec.compile("2x6x6 -> conv3 1", loss="cross_entropy", seed=0)
    x, y = RNG.standard_normal((5, 2, 6, 6)), RNG.integers(0, 3, (5, 6, 6))
    guess = net(x).argmax(axis=1)
    assert net.evaluate(x, y).accuracy == pytest.approx((guess == y).mean())
    wanted = sklearn.metrics.confusion_matrix(y.ravel(), guess.ravel())
    np.testing.assert_array_equal(net.confusion(x, y), wanted)


def saved(tmp_path: Path, spec: str, x: Array, y: Array, loss: str | None = None) -> list[str]:
    path, data = tmp_path / "net.safetensors", tmp_path / "data.npz"
    nnspec.compile(spec, seed=0, loss=loss).save(path)
    np.savez(data, x=x, y=y)
    return ["evaluate", str(path), "--data", str(data)]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = RNG.standard_normal((60, 4)), np.arange(60) % 3
    command = saved(tmp_path, "4 -> fc3", x, y, loss="hinge")
    assert main([*command, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    net = nnspec.load(tmp_path / "net.safetensors")
    assert told["confusion"] == net.confusion(x, y).tolist()
    assert (told["mse"], told["top5"]) == (None, None)
    guess = net(x).argmax(axis=1)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        y, guess, zero_division=0
    )
    for index, one in enumerate(told["classes"]):
        assert one["precision"] == pytest.approx(precision[index])
        assert one["recall"] == pytest.approx(recall[index])
        assert one["f1"] == pytest.approx(f1[index])
        assert one["support"] == support[index]
    assert main(command) == 0
    head, _, *table = capsys.readouterr().out.splitlines()
    assert head.startswith("60 examples of data.npz: accuracy ")
    assert table[0].split() == ["said", "0", "1", "2", "precision", "recall", "f1"]
    assert len({len(line) for line in table}) == 1


def test_the_command_of_many_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = RNG.standard_normal((60, 4)), np.arange(60) % 30
    assert main(saved(tmp_path, "4 -> fc30", x, y)) == 0
    head, _, title, _, *table = capsys.readouterr().out.splitlines()
    assert "top 5" in head
    assert title == "the 12 of 30 classes that it tells worst from the others"
    shares = [float(row.split()[5]) for row in table[1:]]
    assert len(shares) == 12
    assert shares == sorted(shares)


def test_the_command_of_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = RNG.standard_normal((20, 4)), RNG.standard_normal(20)
    command = saved(tmp_path, "4 -> fc1", x, y)
    assert main(command) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "data.npz: mse " in line
    assert ", r2 " in line
    net = nnspec.load(tmp_path / "net.safetensors")
    net.weights["fc1.bias"][:] = NAN
    net.save(tmp_path / "net.safetensors")
    assert main([*command, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (told["loss"], told["r2"], told["confusion"]) == (None, None, None)
