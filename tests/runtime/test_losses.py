"""Losses: values and gradients against central differences and PyTorch, and at extremes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import nnspec
from nnspec.compiler.shapes import Value
from nnspec.compiler.training.losses import LOSSES, Hinge, Loss
from nnspec.runtime.kernels import Array
from nnspec.runtime.losses import COMPUTE
from nnspec.runtime.losses import computed as calls

RNG = np.random.default_rng(0)
TYPES = {"float": np.float64, "bool": np.bool_, "int64": np.int64, "uint8": np.uint8}


def computed(loss: Loss, scores: Array, truth: Array) -> tuple[float, Array]:
    """Value and gradient, from poisoned memory."""
    value, gradient = np.array(np.nan), np.full_like(scores, np.nan)
    output = Value.read(scores.shape[1:])
    needed = loss.scratch(len(scores), output)
    scratch: dict[str, Array] = {
        n: np.full(k.shape, np.nan if k.dtype == "float" else 1, TYPES[k.dtype])
        for n, k in needed.items()
    }
    for function, arguments in calls(loss, output, scores, truth, value, gradient, scratch):
        function(*arguments)
    return float(value), gradient


def cases() -> list[tuple[Loss, Array, Array]]:
    labels = RNG.integers(0, 4, 6)
    return [
        (LOSSES["mse"](), RNG.standard_normal((5, 3)), RNG.standard_normal((5, 3))),
        (LOSSES["mse"](), RNG.standard_normal((1, 1)), RNG.standard_normal((1, 1))),
        (LOSSES["mse"](), RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 3, 4))),
        (LOSSES["cross_entropy"](), RNG.standard_normal((6, 4)), labels),
        (LOSSES["cross_entropy"](), RNG.standard_normal((1, 2)), np.array([1])),
        (LOSSES["cross_entropy"](), RNG.standard_normal((3, 5, 4)), RNG.integers(0, 4, (3, 5))),
        (
            LOSSES["cross_entropy"](),
            RNG.standard_normal((2, 3, 2, 4)),
            RNG.integers(0, 3, (2, 2, 4)),
        ),
        (LOSSES["bce"](), RNG.standard_normal((5, 1)), RNG.integers(0, 2, (5, 1)) * 1.0),
        (LOSSES["bce"](), RNG.standard_normal((5, 3)), RNG.random((5, 3))),
        (LOSSES["hinge"](), RNG.standard_normal((6, 4)), labels),
        (Hinge(margin=0.3), RNG.standard_normal((6, 4)), labels),
        (LOSSES["hinge"](), RNG.standard_normal((6, 1)) * 2, RNG.integers(0, 2, 6)),
    ]


@pytest.mark.parametrize(("loss", "scores", "truth"), cases())
def test_gradient(loss: Loss, scores: Array, truth: Array) -> None:
    _, gradient = computed(loss, scores, truth)
    for index in np.ndindex(scores.shape):
        moved = scores.copy()
        moved[index] += 1e-5
        above, _ = computed(loss, moved, truth)
        moved[index] -= 2e-5
        below, _ = computed(loss, moved, truth)
        measured = (above - below) / 2e-5
        assert abs(measured - gradient[index]) <= 1e-6 * max(1e-2, abs(measured))


def test_every_loss_is_covered() -> None:
    assert {type(loss) for loss, _, _ in cases()} == set(LOSSES.values()) == set(COMPUTE)


@pytest.mark.parametrize(("loss", "scores", "truth"), cases())
def test_value_against_torch(loss: Loss, scores: Array, truth: Array) -> None:
    s, t = torch.tensor(scores), torch.tensor(truth)
    if isinstance(loss, Hinge):
        if scores.shape[1] == 1:
            wanted = (loss.margin - (2 * t - 1) * s[:, 0]).clamp(min=0).mean()
        else:
            wanted = F.multi_margin_loss(s, t, margin=loss.margin) * scores.shape[1]
    else:
        functions: dict[str, Any] = {
            "mse": F.mse_loss,
            "cross_entropy": F.cross_entropy,
            "bce": F.binary_cross_entropy_with_logits,
        }
        # PyTorch wants classes second; of time x classes they come last.
        classes_last = loss.name == "cross_entropy" and s.ndim == 3
        wanted = functions[loss.name](s.mT if classes_last else s, t)
    assert computed(loss, scores, truth)[0] == pytest.approx(float(wanted), rel=1e-12)


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_scores_may_be_enormous(size: float) -> None:
    """At +-1e4 a softmax or a sigmoid taken apart would overflow."""
    scores = np.array([[size, -size, 0.0], [-size, size, size]])
    value, gradient = computed(LOSSES["cross_entropy"](), scores, np.array([1, 1]))
    assert value == pytest.approx((2 * size + np.log(2)) / 2)
    assert np.isfinite(gradient).all()
    value, gradient = computed(LOSSES["bce"](), scores, np.array([[0.0, 0, 1], [1, 1, 0]]))
    assert value == pytest.approx((size + np.log(2) + size + size) / 6)
    assert np.isfinite(gradient).all()


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
