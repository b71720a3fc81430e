"""Clipping against PyTorch's, and the gradient's norm where squares overflow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import nnspec
from nnspec.compiler.plan.build import SWEEP
from nnspec.compiler.training.clips import CLIPS, Norm
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.learner import NotFinite
from nnspec.runtime.length import length

from .torch_training import MLP, NETS, Twin, same, together


@pytest.mark.parametrize("spec", NETS, ids=["mlp", "convnet"])
@pytest.mark.parametrize("most", [0.05, 0.6, 100.0])
def test_norm_against_torch(spec: str, most: float) -> None:
    """Always, sometimes and never too long; l2 joins behind."""
    seen: list[float] = []

    def touch(twin: Twin) -> None:
        seen.append(float(torch.nn.utils.clip_grad_norm_(twin.weights.values(), most)))

    net, twin = together(spec, "momentum(lr=0.02, momentum=0.8)", touch=touch, clip=most, l2=0.1)
    same(net, twin)
    assert net.learner.gradient_norm == pytest.approx(seen[-1], rel=1e-9)
    assert (min(seen) > most, max(seen) > most) in ((True, True), (False, True), (False, False))
    assert (most == 0.05) == (min(seen) > most)
    assert (most == 100.0) == (max(seen) < most)


THEIRS: dict[str, Callable[..., object]] = {
    "norm": torch.nn.utils.clip_grad_norm_,
    "value": torch.nn.utils.clip_grad_value_,
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("spec", NETS, ids=["mlp", "convnet"])
def test_every_clip_against_torch(spec: str, name: str) -> None:
    touched: list[bool] = []

    def touch(twin: Twin) -> None:
        before = [w.grad.clone() for w in twin.weights.values()]  # type: ignore[union-attr]
        THEIRS[name](twin.weights.values(), 0.05)
        pairs = zip(before, twin.weights.values(), strict=True)
        touched.append(any(not torch.equal(old, w.grad) for old, w in pairs))  # type: ignore[arg-type]

    same(*together(spec, "sgd(lr=0.05)", touch=touch, clip=f"{name}(0.05)", l2=0.1))
    assert any(touched)


def test_a_number_means_the_norm() -> None:
    net = nnspec.compile("3 -> fc2", clip=2)
    assert net.training.clip == Norm(most=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-20, 1e-10, 1.0, 1e10, 1e20, 1e35])
def test_length_of_any_scale(scale: float, dtype: str) -> None:
    vector = np.random.default_rng(0).standard_normal(SWEEP + 5)
    small = (vector * scale).astype(dtype)
    exact = scale * math.sqrt(math.fsum((small.astype("longdouble") / scale) ** 2))
    with np.errstate(all="ignore"):
        found = length(small, np.empty(1000, dtype))
    assert found == pytest.approx(exact, rel=1e-5 if dtype == "float32" else 1e-12, abs=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_length_at_the_ends(dtype: str) -> None:
    block = np.empty(4, dtype)
    top, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    with np.errstate(all="ignore"):
        assert length(np.array([0, -top, 0], dtype), block) == float(top)
        assert length(np.array([0, tiny, 0], dtype), block) == float(tiny)
        assert length(np.zeros(7, dtype), block) == 0
        for odd in (np.inf, -np.inf):
            assert length(np.array([1, 2, 3, 4, odd], dtype), block) == math.inf
        for row in ([1, 2, np.nan, 4], [np.nan, np.inf, 1], [-np.inf, np.nan]):
            assert math.isnan(length(np.array(row, dtype), block))


def test_a_length_past_single_precision_is_told() -> None:
    block, top = np.empty(4, np.float32), np.finfo(np.float32).max
    with np.errstate(all="ignore"):
        assert length(np.full(9, top), block) == pytest.approx(3 * float(top))


def test_a_gradient_whose_squares_overflow_is_clipped_all_the_same() -> None:
    net = nnspec.compile("2 -> fc1 nobias", loss="mse", optimizer="sgd(lr=1)", clip=5.0)
    net.weights["fc1.weight"][:] = 0
    net.learner.memory.gradient[:] = np.array([3e25, 4e25])
    learner = net.learner
    with np.errstate(all="ignore"):
        learner.gradient_norm = length(learner.memory.gradient, np.empty(2, "float32"))
    learner.update()
    np.testing.assert_allclose(net.weights["fc1.weight"], [[-3, -4]], rtol=1e-6)


@pytest.mark.parametrize(
    ("first", "last", "truth", "what"),
    [
        (np.inf, 1.0, 0.0, "the loss became inf"),
        (3e38, 3e38, 0.0, "the loss became inf"),
        (1.0, 1e22, 1e18, "the gradient's norm became inf"),
        (1.0, np.nan, 0.0, "the loss became nan"),
    ],
)
def test_nothing_moves_when_a_step_is_not_finite(
    first: float, last: float, truth: float, what: str
) -> None:
    """By the third the net is right enough for a finite loss, whose gradient is not."""
    net = nnspec.compile("2 -> fc3 nobias -> fc1 nobias", loss="mse", optimizer="adam")
    net.weights["fc1.weight"][:] = first
    net.weights["fc2.weight"][:] = last
    before = {name: weight.copy() for name, weight in net.weights.items()}
    bound = net.learner.bound(4)
    next(iter(bound.inputs.values()))[:] = 1e-22 if truth else 1
    assert bound.target is not None
    bound.target[:] = truth
    with np.errstate(all="ignore"), pytest.raises(NotFinite) as met:
        net.learner.step(bound)
    assert met.value.what == what
    assert net.learner.steps == 0
    for name, weight in net.weights.items():
        np.testing.assert_array_equal(weight, before[name])


def test_a_step_says_what_became_infinite() -> None:
    net = nnspec.compile(MLP, loss="cross_entropy")
    net.weights["fc2.weight"][:] = 3e38
    with pytest.raises(SpecError, match=r"the loss became nan at step 1; first .* `fc2`"):
        net.step(np.ones((2, 5)), [0, 1])
