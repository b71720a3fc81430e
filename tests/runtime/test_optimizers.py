"""Every optimiser against PyTorch's, and what the largest and smallest gradients do to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, StepLR

import nnspec
from nnspec.compiler.plan.build import SWEEP
from nnspec.compiler.training.optimizers import OPTIMIZERS
from nnspec.runtime.answering import quiet
from nnspec.runtime.net import DType
from nnspec.runtime.optimizers import FADING
from nnspec.runtime.threads import run

from .torch_training import CONVNET, MLP, NETS, Twin, same, together
from .torch_training import OPTIMIZERS as IN_TORCH


def test_every_optimiser_is_compared() -> None:
    assert {text.partition("(")[0] for text in IN_TORCH} == set(OPTIMIZERS)


@pytest.mark.parametrize("spec", NETS, ids=["mlp", "convnet"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("optimizer", IN_TORCH)
def test_against_torch(optimizer: str, l2: float, spec: str) -> None:
    """Parameters after 200 steps from the same weights on the same batches."""
    if l2 and optimizer.startswith("adamw"):
        pytest.skip("PyTorch's AdamW has no l2 beside its decay")
    same(*together(spec, optimizer, l2=l2))


DTYPES: tuple[DType, ...] = ("float32", "float64")
PLANS: dict[str, Callable[[Optimizer], LRScheduler]] = {
    "step(every=3, by=0.5)": lambda o: StepLR(o, 18, 0.5),
    "cosine": lambda o: CosineAnnealingLR(o, 60),
}
"""Over 60 steps, which are 10 epochs."""


@pytest.mark.parametrize("optimizer", IN_TORCH)
@pytest.mark.parametrize("schedule", PLANS)
def test_schedules_against_torch(optimizer: str, schedule: str) -> None:
    """Clipped by norm as well, which shortens most of these gradients, and penalised."""
    l2 = 0.0 if optimizer.startswith("adamw") else 0.01
    clipped: list[bool] = []

    def shorten(twin: Twin) -> None:
        norm = torch.nn.utils.clip_grad_norm_(twin.weights.values(), 0.4)
        clipped.append(float(norm) > 0.4)

    same(
        *together(
            CONVNET, optimizer, 60, PLANS[schedule], shorten, schedule=schedule, clip=0.4, l2=l2
        )
    )
    assert 20 < sum(clipped) <= 60


@pytest.mark.parametrize("optimizer", IN_TORCH)
def test_single_precision(optimizer: str) -> None:
    """Near double precision after 50 steps from the same weights."""
    single, double = (
        nnspec.compile(MLP, seed=1, dtype=dtype, loss="cross_entropy", optimizer=optimizer)
        for dtype in DTYPES
    )
    for name, weight in double.weights.items():
        weight[:] = single.weights[name]
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = rng.standard_normal((8, 5)), rng.integers(0, 3, 8)
        assert single.step(x, y) == pytest.approx(double.step(x, y), rel=1e-3)
    for name, weight in double.weights.items():
        np.testing.assert_allclose(single.weights[name], weight, rtol=0, atol=1e-3)


LARGE = "250 -> fc300 relu -> fc3"
"""Its matrices end inside the second block of an update's sweep."""


@pytest.mark.parametrize("optimizer", IN_TORCH)
def test_blocks_of_the_sweep(optimizer: str) -> None:
    net, twin = together(LARGE, optimizer, 20, l2=0.0 if optimizer.startswith("adamw") else 0.1)
    decaying = sum(weight.numel() for weight in twin.heavy)
    assert SWEEP < decaying < net.params < 2 * SWEEP
    same(net, twin)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gradient", [0.0, 1e-30, -1e-30, 1e-9, 1e30, -1e30])
@pytest.mark.parametrize("optimizer", IN_TORCH)
def test_gradients_of_any_size(optimizer: str, gradient: float, dtype: DType) -> None:
    """Three steps along one gradient stay finite, and where PyTorch's steps lead."""
    net = nnspec.compile(MLP, seed=1, dtype=dtype, optimizer=optimizer)
    twin = Twin(net, IN_TORCH[optimizer])
    learner = net.learner
    for _ in range(3):
        learner.memory.gradient[:] = gradient
        for weight in twin.weights.values():
            weight.grad = torch.full_like(weight, gradient)
        with quiet():
            learner.update()
        twin.optimizer.step()
    for name, weight in twin.weights.items():
        assert np.isfinite(net.weights[name]).all()
        tight = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(
            net.weights[name], weight.detach().numpy(), rtol=tight, atol=tight, err_msg=name
        )


def test_rmsprop_keeps_a_velocity_only_for_a_momentum() -> None:
    plain, fast = (
        nnspec.compile(MLP, optimizer=text) for text in ("rmsprop", "rmsprop(momentum=0.9)")
    )
    assert (len(plain.learner.slots), len(fast.learner.slots)) == (1, 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", IN_TORCH)
def test_nothing_stays_below_the_normal_numbers(optimizer: str, dtype: DType) -> None:
    """Where nothing arrives any more, what is kept fades until it is rounded back to where it was; what is
    of normal size keeps its bits."""
    net = nnspec.compile(MLP, seed=1, dtype=dtype, optimizer=optimizer)
    learner = net.learner
    normal = np.finfo(dtype).smallest_normal
    learner.memory.gradient[:] = 0
    learner.steps = 2 * FADING - 2
    for slot, name in zip(learner.slots, net.training.optimizer.keeps, strict=False):
        sign = 1 if name == "squares" else -1
        slot[:3] = normal / 16, sign * normal / 16, sign * 4 * normal
        slot[3:] = 1
    learner.update()
    before = [slot.copy() for slot in learner.slots]
    assert all((np.abs(slot[:2]) < normal).all() and slot[:2].all() for slot in before)
    learner.fading, fading = (), learner.fading
    learner.update()
    alone = [slot.copy() for slot in learner.slots]
    run(fading)
    for slot, left in zip(learner.slots, alone, strict=True):
        assert not slot[:2].any()
        np.testing.assert_array_equal(slot[2:], left[2:])
        assert slot[2:].all()
    for slot, kept in zip(learner.slots, before, strict=True):
        slot[:] = kept
    learner.fading = fading
    learner.steps = 2 * FADING - 1
    learner.update()
    assert not any(slot[:2].any() for slot in learner.slots)


def test_adamw_leaves_biases_and_loss_alone() -> None:
    net = nnspec.compile(MLP, seed=1, optimizer="adamw(lr=0.1, decay=0.5)")
    plain = nnspec.compile(MLP, seed=1, optimizer="adam(lr=0.1)")
    x, y = np.ones((4, 5)), np.zeros(4, int)
    assert net.gradients(x, y)[0] == plain.gradients(x, y)[0]
    net.weights["fc1.bias"][:] = 1
    net.learner.memory.gradient[:] = 0
    before = net.weights["fc1.weight"].copy()
    net.learner.update()
    np.testing.assert_array_equal(net.weights["fc1.bias"], 1)
    np.testing.assert_allclose(net.weights["fc1.weight"], 0.95 * before, rtol=1e-6)
