"""Schedules of the learning rate over whole runs, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

import nnspec
from nnspec.compiler.settings import as_text, overridden
from nnspec.compiler.training import Training
from nnspec.compiler.training.schedules import SCHEDULES, Schedule
from nnspec.runtime.history import Step
from nnspec.runtime.learner import Horizon

Plan = Callable[[Optimizer, int, int], LRScheduler]

PLANS: dict[str, Plan] = {
    "constant": lambda o, steps, total: ConstantLR(o, 1.0),
    "step": lambda o, steps, total: StepLR(o, 20 * steps, 0.1),
    "step(every=3, by=0.5)": lambda o, steps, total: StepLR(o, 3 * steps, 0.5),
    "exponential": lambda o, steps, total: StepLR(o, steps, 0.95),
    "exponential(by=0.7)": lambda o, steps, total: StepLR(o, steps, 0.7),
    "cosine": lambda o, steps, total: CosineAnnealingLR(o, total),
    "cosine(to=0.1)": lambda o, steps, total: CosineAnnealingLR(
        o, total, 0.1 * o.param_groups[0]["initial_lr"]
    ),
    "one_cycle": lambda o, steps, total: OneCycleLR(o, 0.3, total, cycle_momentum=False),
    "one_cycle(rise=0.45, start=0.1, to=0.001)": lambda o, steps, total: OneCycleLR(
        o, 0.3, total, pct_start=0.45, div_factor=10, final_div_factor=100, cycle_momentum=False
    ),
}
"""As `train(...)` writes them, and PyTorch's stepped after every step; StepLR over the steps of an
epoch is ExponentialLR epoch by epoch."""

LR = 0.3


def chosen(text: str, **fields: float) -> Schedule:
    training, mistakes = overridden(Training(), {"schedule": text})
    assert not mistakes
    return training.schedule.model_copy(update=fields)


def stepper() -> Optimizer:
    return SGD([{"params": [torch.zeros(1)], "initial_lr": LR}], lr=LR)


def rates(optimizer: Optimizer, schedule: LRScheduler, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return found


def test_every_schedule_is_compared() -> None:
    assert {text.partition("(")[0] for text in PLANS} == set(SCHEDULES)


@pytest.mark.parametrize(("steps", "epochs"), [(7, 10), (1, 90), (40, 25), (1563, 3)])
@pytest.mark.parametrize("text", PLANS)
def test_against_torch(text: str, steps: int, epochs: int) -> None:
    schedule, optimizer = chosen(text), stepper()
    # One step more than the run has, for the schedule is stepped behind the last one too.
    theirs = rates(optimizer, PLANS[text](optimizer, steps, steps * epochs), steps * epochs - 1)
    ours = [LR * schedule.factor(step, steps, epochs) for step in range(steps * epochs - 1)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("text", [text for text in PLANS if not text.startswith("one")])
@pytest.mark.parametrize("warmup", [1, 2.5, 5])
def test_warmup_against_torch(text: str, warmup: float) -> None:
    """LinearLR, and behind it the schedule over what is left of the run."""
    steps, epochs = 12, 30
    schedule, optimizer = chosen(text, warmup=warmup), stepper()
    warm = int(warmup * steps)
    linear = LinearLR(optimizer, 1 / (warm + 1), 1, warm)
    behind = PLANS[text](optimizer, steps, steps * epochs - warm)
    chained = SequentialLR(optimizer, [linear, behind], [warm])
    ours = [LR * schedule.factor(step, steps, epochs) for step in range(steps * epochs)]
    np.testing.assert_allclose(ours, rates(optimizer, chained, len(ours)), rtol=0, atol=1e-12)


def test_epochs_against_torch() -> None:
    """Those that fall epoch by epoch, with PyTorch's stepped once an epoch."""
    for text, make in (
        ("step(every=4, by=0.3)", lambda o: StepLR(o, 4, 0.3)),
        ("exponential(by=0.8)", lambda o: ExponentialLR(o, 0.8)),
    ):
        optimizer = stepper()
        theirs = np.repeat(rates(optimizer, make(optimizer), 20), 6)
        ours = [LR * chosen(text).factor(step, 6, 20) for step in range(120)]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("text", PLANS)
def test_bounds(text: str) -> None:
    """From 0 to 1 over any run, the shortest ones too, and behind its end."""
    for steps in (1, 2, 3, 10):
        for epochs in (1, 2, 3, 4):
            for warmup in (0.0, 0.5, 1.0, 7.0):
                schedule = chosen(text, warmup=warmup)
                shares = [schedule.factor(s, steps, epochs) for s in range(steps * epochs + 5)]
                assert all(0 <= share <= 1 for share in shares), (steps, epochs, warmup)


def test_the_last_share() -> None:
    """A cosine is one step short of its end, as in PyTorch; one_cycle reaches it."""
    assert chosen("cosine").factor(99, 10, 10) == pytest.approx((1 - np.cos(np.pi / 100)) / 2)
    assert chosen("one_cycle(to=0)").factor(99, 10, 10) == pytest.approx(0, abs=1e-15)


def test_warmup_by_hand() -> None:
    schedule = chosen("constant(warmup=0.75)")
    shares = [schedule.factor(step, 4, 2) for step in range(8)]
    assert shares == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("text", PLANS)
def test_settings_come_back_from_their_text(text: str) -> None:
    training, _ = overridden(Training(), {"schedule": text, "clip": "value(2)"})
    again, mistakes = overridden(Training(), as_text(training))
    assert not mistakes
    assert again == training


def test_fit_follows_the_schedule() -> None:
    """Each call of `fit` is a run of its own; a step outside has the optimiser's own rate."""
    x, y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2
    net = nnspec.compile(
        "3 -> fc2", optimizer="sgd(lr=0.5)", schedule="cosine(warmup=1)", batch=16, epochs=4
    )
    expected = [0.5 * net.training.schedule.factor(step, 3, 4) for step in range(12)]
    seen: list[float] = []

    def see(step: Step) -> None:
        assert step.lr == net.learner.rate
        seen.append(step.lr)

    for _ in range(2):
        seen.clear()
        net.fit(x, y, on_step=see)
        assert seen == expected
        assert net.learner.horizon is None
        net.step(x, y)
        assert net.learner.rate == 0.5
    net.learner.horizon = Horizon(3, 4, net.learner.steps)
    net.step(x, y)
    assert net.learner.rate == expected[0]


def test_a_broken_run_leaves_no_horizon() -> None:
    net = nnspec.compile("3 -> fc2", schedule="cosine", batch=16, epochs=4)

    def stop(step: Step) -> None:
        raise KeyboardInterrupt(step)

    with pytest.raises(KeyboardInterrupt):
        net.fit(np.ones((40, 3)), np.arange(40) % 2, on_step=stop)
    assert net.learner.horizon is None
