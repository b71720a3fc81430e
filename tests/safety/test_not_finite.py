"""A number that is not finite is found, named, and harms nothing; large ones are let be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.training.losses import LOSSES
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.history import Epoch, History, Scores

from .broken_numbers import Found, nets, searched


def test_what_breaks_is_named() -> None:
    """Every operator's samples and fifty random nets, one array after the other."""
    found = Found()
    for seed, text in enumerate(nets(50)):
        try:
            searched(text, seed, found)
        except SpecError as error:
            found.unfit.append(str(error))
    assert found.wrong == []
    assert found.named.total() > 3000
    assert {key.split()[0] for key in found.named} >= set(CATALOGUE) - {"flatten", "reshape"}
    assert len(found.unfit) < 20


RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 3)), RNG.integers(0, 4, 40)
SPEC = "3 -> fc5 bn relu dropout0.2 -> fc4"


def refused(train: Callable[[], object]) -> str:
    with pytest.raises(SpecError) as met:
        train()
    return str(met.value)


def kept(net: nnspec.Net) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in {**net.weights, **net.state}.items()}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_are_refused_by_example(bad: float) -> None:
    x = X.copy()
    x[17, 2] = bad
    said = refused(lambda: nnspec.compile(SPEC).fit(x, Y))
    assert "17" in said
    assert ("NaN" if np.isnan(bad) else "inf") in said


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_scores_that_are_no_numbers(loss: str) -> None:
    """Whatever the loss: the layer that first made them is named, and nothing has moved."""
    net = nnspec.compile(SPEC, loss=loss, seed=0)
    target = net.training.learned_by(net.graph.output.value).target
    truth = Y if target == "labels" else np.eye(4)[Y]
    before = kept(net)
    net.weights["fc2.weight"][1, 2] = np.nan
    spoiled = kept(net)
    said = refused(lambda: net.step(X, truth))
    assert "first found: 1 NaN of 20 numbers in weight `fc2.weight`" in said
    assert kept(net) == spoiled
    net.weights["fc2.weight"][1, 2] = 0
    assert kept(net).keys() == before.keys()
    assert np.isfinite(net.step(X, truth))


def test_a_step_that_fails_leaves_streams_and_statistics() -> None:
    """The next batch sees the net as if the bad one had not been there."""
    one, other = (nnspec.compile(SPEC, seed=0) for _ in range(2))
    for net in (one, other):
        net.step(X, Y)
    assert "the output of `fc1`" in refused(lambda: one.step(np.full_like(X, 3e38), Y))
    assert one.step(X, Y) == other.step(X, Y)
    assert kept(one) == kept(other)


@pytest.mark.parametrize("rate", [1e30, 1e38])
def test_a_rate_that_is_far_too_high(rate: float) -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc1", loss="mse", optimizer=f"sgd(lr={rate})", seed=0)
    before = kept(net)
    said = refused(lambda: net.fit(X, Y, epochs=3, batch=10))
    assert "lower the learning rate" in said
    assert " at step " in said
    assert "first found: " in said
    assert kept(net) == before


def test_the_last_step_of_an_epoch_is_looked_at() -> None:
    """No loss tells of its weights; an epoch of one step has no other."""
    net = nnspec.compile("3 -> fc1", loss="mse", optimizer="sgd(lr=1e38)", seed=0)
    said = refused(lambda: net.fit(X * 1e3, Y, epochs=3, batch=40))
    assert "the weights are no longer finite at step 1 of epoch 1; first found:" in said
    assert "in weight `fc1.weight`" in said


def test_no_checkpoint_holds_what_is_not_finite(tmp_path: Path) -> None:
    net = nnspec.compile(SPEC, seed=0)

    def spoil(_: object) -> None:
        if net.learner.steps == 6:
            net.weights["fc1.bias"][0] = np.nan

    said = refused(
        lambda: net.fit(X, Y, batch=10, run=tmp_path / "run", every=2, epochs=3, on_step=spoil)
    )
    assert "NaN of 5 numbers in weight `fc1.bias`" in said
    names = {path.name for path in (tmp_path / "run").glob("checkpoint-*")}
    assert names == {f"checkpoint-0000000{number}.safetensors" for number in (2, 4)}


@pytest.mark.parametrize("worth", [-0.0, 1e-40, 1e12, -1e12])
def test_strange_numbers_that_are_finite_are_let_be(worth: float) -> None:
    x = X.copy()
    x[3] = worth
    nnspec.compile(SPEC, optimizer="adam").fit(x, Y, epochs=2)
    nnspec.compile("3 -> fc4 tanh -> fc4", optimizer="adam", clip=1.0).fit(x, Y, epochs=2)


def test_a_gradient_of_1e30_is_let_be() -> None:
    net = nnspec.compile("3 -> fc1", loss="mae", optimizer="sgd(lr=1e-30)", dtype="float32")
    net.fit(X * 1e30, Y, epochs=2)
    assert all(np.isfinite(array).all() for array in net.weights.values())


# --------------------------------------------------------------------------------- validation


def judged_by(worths: list[float], **settings: Any) -> History:
    """A training whose held-out losses are given."""
    net, seen = nnspec.compile("3 -> fc4", seed=0), iter(worths)

    def scores(_: object) -> Scores:
        return Scores(next(seen), 0.9)

    net.scores = scores  # type: ignore[method-assign,assignment]
    return net.fit(X, Y, validation=(X, Y), epochs=len(worths), **settings)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("worths", "best"),
    [
        ([NAN, 2.0, 1.0, NAN], 3), ([2.0, NAN, NAN], 1), ([NAN, NAN], 0), ([INF, 5.0], 2),
        ([INF, INF], 0), ([1.0, INF, 0.5], 3),
    ],
)  # fmt: skip
def test_no_number_is_never_best(worths: list[float], best: int) -> None:
    history = judged_by(worths)
    assert history.best == best


def test_early_stopping_waits_for_numbers_only() -> None:
    history = judged_by([3.0, NAN, NAN, 1.0, 0.5], early_stop="patience(2)")
    assert (len(history), history.best) == (3, 1)
    assert history.stopped == "no better epoch in 2"


def test_early_stopping_where_no_epoch_is_good() -> None:
    """The weights that training began with are put back."""
    before = nnspec.compile("3 -> fc4", seed=0)
    net = nnspec.compile("3 -> fc4", seed=0)
    net.scores = lambda _: Scores(NAN, 0.9)  # type: ignore[method-assign,assignment]
    history = net.fit(X, Y, validation=(X, Y), epochs=9, early_stop="patience(2)")
    assert (len(history), history.best) == (2, 0)
    assert kept(net) == kept(before)


def test_an_accuracy_is_worth_nothing_beside_a_loss_of_nan() -> None:
    epoch = Epoch(1, 0.5, 1.0, 10, Scores(NAN, 0.9))
    assert epoch.worth("loss") == -INF


def test_scores_of_nan_choose_no_class() -> None:
    net = nnspec.compile("3 -> fc4", seed=0)
    net.weights["fc1.weight"][:] = NAN
    found = net.evaluate(X, np.zeros(40, int))
    assert found.accuracy == 0
    assert found.loss == INF


@pytest.mark.parametrize(
    ("bad", "what"), [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (0.5, "fractions")]
)
def test_labels_that_are_none(bad: float, what: str) -> None:
    y = Y.astype(float)
    y[5] = bad
    said = refused(lambda: nnspec.compile("3 -> fc4").fit(X, y))
    assert f"`y` holds {what} (first in example 5, counted from 0), but cross_entropy takes" in said
