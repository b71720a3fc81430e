"""Losses: values and gradients against central differences and PyTorch, and at extremes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import nnspec
from nnspec.compiler.shapes import Value
from nnspec.compiler.training.losses import (
    LOSSES,
    Bce,
    BinaryHinge,
    CrossEntropy,
    Hinge,
    Huber,
    Loss,
    Mae,
    MixedCrossEntropy,
    Mse,
    SquaredHinge,
)
from nnspec.runtime.batches import as_truth
from nnspec.runtime.kernels import Array
from nnspec.runtime.losses import COMPUTE
from nnspec.runtime.losses import computed as calls

RNG = np.random.default_rng(0)


def computed(loss: Loss, scores: Array, truth: Array) -> tuple[float, Array]:
    """Value and gradient in the scores' precision, from poisoned memory."""
    kind = scores.dtype
    value, gradient = np.array(np.nan, kind), np.full_like(scores, np.nan)
    output = Value.read(scores.shape[1:])
    scratch: dict[str, Array] = {
        name: np.full(needed.shape, np.nan, kind)
        if needed.dtype == "float"
        else np.ones(needed.shape, needed.dtype)
        for name, needed in loss.scratch(len(scores), output).items()
    }
    for function, arguments in calls(loss, output, scores, truth, value, gradient, scratch):
        function(*arguments)
    return float(value), gradient


WEIGHTS = {3: (1.0, 0.25, 3.0), 4: (0.5, 2.0, 1.0, 0.0)}
SHAPES = ((6, 4), (1, 4), (5, 3), (3, 5, 4), (1, 2, 3), (2, 3, 2, 4), (1, 4, 3, 3), (2, 4, 2, 3, 2))
"""Batches of vectors, sequences (TxC), maps (CxHxW) and volumes, of one example too."""


def of_classes(loss: Loss, shape: tuple[int, ...]) -> tuple[Loss, Array, Array]:
    labels = RNG.integers(
        0, Value.read(shape[1:]).channels, (shape[0], *loss.truth(Value.read(shape[1:])))
    )
    return loss, 2 * RNG.standard_normal(shape), labels


def cases() -> list[tuple[Loss, Array, Array]]:
    """Scores, away from kinks by more than the step of a central difference, and truth."""
    found: list[tuple[Loss, Array, Array]] = []
    for shape in SHAPES:
        weights = WEIGHTS[Value.read(shape[1:]).channels]
        found += [
            of_classes(loss, shape)
            for loss in (
                CrossEntropy(),
                CrossEntropy(smoothing=0.1),
                CrossEntropy(weights=weights),
                CrossEntropy(weights=weights, smoothing=0.3),
                Hinge(),
                Hinge(margin=0.3),
                SquaredHinge(),
                SquaredHinge(margin=1.7),
            )
        ]
        scores = 2 * RNG.standard_normal(shape)
        shares = RNG.dirichlet(np.ones(4), shape).reshape(*shape, 4).sum(axis=-1) * RNG.random(
            shape
        )
        found += [
            (loss, scores, shares)
            for loss in (
                MixedCrossEntropy(),
                MixedCrossEntropy(weights=weights, smoothing=0.2),
            )
        ]
    found += [of_classes(loss, (2100, 4)) for loss in (CrossEntropy(), SquaredHinge())]
    for shape in (*SHAPES, (5, 1), (1, 1), (2, 2048), (3, 4099)):
        scores, values = 2 * RNG.standard_normal((2, *shape))
        yes = RNG.integers(0, 2, shape) * 1.0
        found += [(loss, scores, values) for loss in (Mse(), Mae(), Huber(), Huber(delta=0.4))]
        found += [(loss, scores, yes) for loss in (Bce(), BinaryHinge(), BinaryHinge(margin=0.3))]
        found.append((Bce(), scores, RNG.random(shape)))
    return found


CASES = pytest.mark.parametrize(("loss", "scores", "truth"), cases())


@CASES
def test_gradient(loss: Loss, scores: Array, truth: Array) -> None:
    _, gradient = computed(loss, scores, truth)
    for index in list(np.ndindex(scores.shape))[:: 1 + scores.size // 200]:
        moved = scores.copy()
        moved[index] += 1e-5
        above, _ = computed(loss, moved, truth)
        moved[index] -= 2e-5
        below, _ = computed(loss, moved, truth)
        measured = (above - below) / 2e-5
        assert abs(measured - gradient[index]) <= 1e-6 * max(1e-2, abs(measured))


def test_every_loss_is_covered() -> None:
    assert {type(loss) for loss, _, _ in cases()} == {*LOSSES.values(), MixedCrossEntropy}
    assert set(TORCH) == set(COMPUTE) == {*LOSSES.values(), MixedCrossEntropy}


def entropy(loss: CrossEntropy, s: Tensor, t: Tensor) -> Tensor:
    weight = None if loss.weights is None else torch.tensor(loss.weights, dtype=s.dtype)
    return F.cross_entropy(s, t, weight, label_smoothing=loss.smoothing)


def margins(loss: Hinge, s: Tensor, t: Tensor) -> Tensor:
    """PyTorch's is of rows alone, and over the number of classes."""
    power = 2 if isinstance(loss, SquaredHinge) else 1
    rows = s.movedim(1, -1).reshape(-1, s.shape[1])
    return F.multi_margin_loss(rows, t.reshape(-1), p=power, margin=loss.margin) * s.shape[1]


TORCH: Mapping[type[Loss], Callable[[Any, Tensor, Tensor], Tensor]] = {
    Mse: lambda _, s, t: F.mse_loss(s, t),
    Mae: lambda _, s, t: F.l1_loss(s, t),
    Huber: lambda loss, s, t: F.huber_loss(s, t, delta=loss.delta),
    CrossEntropy: entropy,
    MixedCrossEntropy: entropy,
    Hinge: margins,
    SquaredHinge: margins,
    Bce: lambda _, s, t: F.binary_cross_entropy_with_logits(s, t),
    BinaryHinge: lambda loss, s, t: (loss.margin - (2 * t - 1) * s).clamp(min=0).mean(),
}


def in_torch(loss: Loss, scores: Array, truth: Array) -> tuple[float, Array]:
    """PyTorch wants classes second; of time x classes they come last."""
    s, t = torch.tensor(scores, requires_grad=True), torch.tensor(truth)
    last = loss.compares and s.ndim == 3
    t = t.mT if last and loss.target == "shares" else t
    value = TORCH[type(loss)](loss, s.mT if last else s, t)
    value.backward()  # type: ignore[no-untyped-call]
    assert s.grad is not None
    return value.item(), s.grad.numpy()


@CASES
def test_against_torch(loss: Loss, scores: Array, truth: Array) -> None:
    (value, gradient), (wanted, slopes) = (f(loss, scores, truth) for f in (computed, in_torch))
    assert value == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12, atol=1e-12 * abs(slopes).max())


@CASES
def test_in_float32(loss: Loss, scores: Array, truth: Array) -> None:
    truth32 = truth if truth.dtype == np.int64 else truth.astype(np.float32)
    value, gradient = computed(loss, scores.astype(np.float32), truth32)
    wanted, slopes = computed(loss, scores, truth)
    assert value == pytest.approx(wanted, rel=3e-6)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=2e-6 * abs(slopes).max())


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("loss", [loss for loss, s, _ in cases() if s.shape == (5, 3)], ids=repr)
def test_scores_may_be_enormous(loss: Loss, size: float, kind: Any) -> None:
    """At +-1e4 a softmax or a sigmoid taken apart would overflow."""
    scores = np.array([[size, -size, 0.0], [-size, size, size]], kind)
    answers = np.array([[0.0, 0, 1], [1, 1, 0]], kind)
    truth = {"labels": np.array([1, 1]), "values": -2 * scores}.get(loss.target, answers)
    value, gradient = computed(loss, scores, truth)
    wanted, slopes = in_torch(
        loss, scores.astype(float), truth.astype(float) if truth.ndim > 1 else truth
    )
    assert value == pytest.approx(wanted, rel=1e-6 if kind is np.float32 else 1e-12)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-7 * abs(slopes).max())


def test_at_a_tie_nothing_pulls() -> None:
    """The rule at kinks: mae where it is right, huber's two halves meet, hinges with no slack."""
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    assert computed(Mae(), one, one) == (0.0, zero)
    assert computed(Huber(), one, zero) == (0.5, one)
    assert computed(BinaryHinge(), one, one) == (0.0, zero)
    for loss in (Hinge(), SquaredHinge()):
        value, gradient = computed(loss, np.array([[1.0, 0.0]]), np.array([0]))
        assert (value, gradient.tolist()) == (0.0, [[0.0, 0.0]])


def test_classes_that_count_nothing() -> None:
    """Where PyTorch divides 0 by 0 there is nothing to learn."""
    loss = CrossEntropy(weights=(1.0, 0.0))
    value, gradient = computed(loss, np.array([[3.0, 1.0]]), np.array([1]))
    assert (value, gradient.tolist()) == (0.0, [[0.0, 0.0]])


@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 4), (2, 4, 2, 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_mix_of_two_labels_is_the_mix_of_their_losses(
    shape: tuple[int, ...], smoothing: float
) -> None:
    """lam loss(one) + (1 - lam) loss(other): Zhang et al. 2018, mixup."""
    output, lam = Value.read(shape[1:]), 0.3
    loss = CrossEntropy(smoothing=smoothing)
    (_, scores, one), (_, _, other) = (of_classes(loss, shape) for _ in range(2))
    mixed = loss.mixed()
    rows = [as_truth(mixed, y, output, shape[0], scores.dtype) for y in (one, other)]
    value, gradient = computed(mixed, scores, lam * rows[0] + (1 - lam) * rows[1])
    (a, da), (b, db) = (computed(loss, scores, y) for y in (one, other))
    assert value == pytest.approx(lam * a + (1 - lam) * b, rel=1e-12)
    np.testing.assert_allclose(gradient, lam * da + (1 - lam) * db, rtol=1e-12, atol=1e-15)


def test_which_losses_may_be_mixed() -> None:
    assert {name for name, loss in LOSSES.items() if loss().mixed() is None} == {
        "hinge",
        "squared_hinge",
        "binary_hinge",
    }
    loss = CrossEntropy(weights=(1.0, 2.0), smoothing=0.1)
    assert loss.mixed().model_dump() == loss.model_dump()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("spec", ["4 -> fc3", "5x4 -> fc3", "4x3x3 -> conv3 1"])
def test_every_loss_trains(name: str, spec: str) -> None:
    """Through the plan: declared scratch is what the calls work in, and the loss goes down."""
    net = nnspec.compile(spec, loss=name, optimizer="sgd(lr=0.01)", dtype="float64", seed=0)
    value = net.graph.output.value
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, *net.graph.inputs[0].value.shape))
    shape = (8, *net.learner.loss.truth(value))
    kind = LOSSES[name].target
    y = rng.standard_normal(shape) if kind == "values" else rng.integers(0, 2, shape)
    first, gradients = net.gradients(x, y)
    for _ in range(30):
        net.step(x, y)
    assert net.gradients(x, y)[0] < first
    wanted, slopes = in_torch(net.learner.loss, net(x), y * 1.0 if kind != "labels" else y)
    value_now, gradients = net.gradients(x, y)
    assert value_now == pytest.approx(wanted, rel=1e-12)
    axes = tuple(i for i in range(slopes.ndim) if i != value.channel_axis + 1)
    bias = next(array for n, array in gradients.items() if n.endswith("bias"))
    np.testing.assert_allclose(bias, slopes.sum(axis=axes), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    ("loss", "outputs", "says"),
    [
        ("cross_entropy", 1, "use bce for yes or no"),
        ("hinge", 1, "use binary_hinge for yes or no"),
        ("squared_hinge", 1, "use binary_hinge for yes or no"),
        ("cross_entropy(weights=(1, 2))", 3, "has 2 weights, but the net has 3 classes"),
        ("cross_entropy(weights=(1,))", 3, "has 1 weight, but the net has 3 classes"),
        ("cross_entropy(weights=(0, 0))", 2, "has no weight above 0"),
        ("cross_entropy(weights=(1, -2))", 2, "is (1, -2), but must be numbers from 0"),
        ("cross_entropy(weights=2)", 2, "is 2, but must be numbers from 0"),
        ("cross_entropy(smoothing=1)", 2, "must be below 1"),
        ("huber(0)", 2, "must be above 0"),
    ],
)
def test_what_a_loss_cannot_judge(loss: str, outputs: int, says: str) -> None:
    with pytest.raises(nnspec.SpecError) as caught:
        nnspec.compile(f"3 -> fc{outputs}", loss=loss).step(np.ones((2, 3)), [0, 0])
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["bce", "binary_hinge"])
@pytest.mark.parametrize("y", [[-1, 1], [0, 2], [0, np.nan], [np.inf, 1]])
def test_answers_are_yes_or_no(name: str, y: list[float]) -> None:
    with pytest.raises(nnspec.SpecError, match="1 for yes and 0 for no"):
        nnspec.compile("3 -> fc1", loss=name).step(np.ones((2, 3)), y)


def test_l2_adds_half_its_share_of_the_squared_weights() -> None:
    x, y = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2))
    plain = nnspec.compile("3 -> fc4 tanh -> fc2", loss="mse", dtype="float64", seed=1)
    heavy = nnspec.compile("3 -> fc4 tanh -> fc2", loss="mse", dtype="float64", seed=1, l2=0.1)
    squares = sum((w**2).sum() for n, w in plain.weights.items() if n.endswith("weight"))
    (a, ga), (b, gb) = plain.gradients(x, y), heavy.gradients(x, y)
    assert b - a == pytest.approx(0.05 * squares)
    np.testing.assert_allclose(
        gb["fc1.weight"] - ga["fc1.weight"], 0.1 * plain.weights["fc1.weight"]
    )
    np.testing.assert_array_equal(gb["fc1.bias"], ga["fc1.bias"])
