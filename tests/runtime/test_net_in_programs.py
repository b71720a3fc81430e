"""A net in a program of one's own: copies, threads, loops, and batches of every kind."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

import nnspec
from nnspec.compiler.training.optimizers import Adam
from nnspec.grammar.diagnostics import SpecError

RNG = np.random.default_rng(0)
NOISY = "3 -> fc4 bn relu dropout0.3 -> fc2"
X, Y = RNG.standard_normal((8, 3)), np.arange(8) % 2


def codes(error: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [mistake.code for mistake in error.value.diagnostics]


def trained(spec: str = NOISY, steps: int = 3, **settings: Any) -> nnspec.Net:
    net: nnspec.Net = nnspec.compile(spec, seed=0, **settings)
    for _ in range(steps):
        net.step(X, Y)
    return net


# ------------------------------------------------------------------------------------- copies


def pickled(net: nnspec.Net) -> nnspec.Net:
    found: nnspec.Net = pickle.loads(pickle.dumps(net))
    return found


COPIES = [copy.copy, copy.deepcopy, pickled]


@pytest.mark.parametrize("made", COPIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_copies_go_on_as_the_net_would(
    made: Callable[[nnspec.Net], nnspec.Net], dtype: Any
) -> None:
    """Weights, statistics, noise and what the optimiser remembers: to the bit."""
    net = trained(dtype=dtype, optimizer="adam(lr=0.03)", l2=1e-3)
    other = made(net)
    assert other.training == net.training
    assert (other.seed, other.dtype) == (net.seed, net.dtype)
    assert [other.step(X, Y) for _ in range(4)] == [net.step(X, Y) for _ in range(4)]
    np.testing.assert_array_equal(other(X), net(X))


@pytest.mark.parametrize("made", COPIES)
def test_copies_share_nothing(made: Callable[[nnspec.Net], nnspec.Net]) -> None:
    for net in (trained(), trained(steps=0)):
        before = net(X)
        other = made(net)
        other.step(X, Y)
        other.weights["fc1.weight"][:] = 7
        other.state["bn1.mean"][:] = 7
        np.testing.assert_array_equal(net(X), before)
        assert (other(X) != before).any()


def test_nets_of_one_graph_share_nothing() -> None:
    graph = nnspec.graph(NOISY)
    one, two = (nnspec.Net(graph, seed=seed) for seed in (0, 1))
    before = two(X)
    one.set(l2=0.5)
    one.step(X, Y)
    np.testing.assert_array_equal(two(X), before)
    assert two.training.l2 == 0


# ------------------------------------------------------------------------------------ threads


def at_once(*jobs: Callable[[], None]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_get_their_own_answers() -> None:
    net = nnspec.compile("3 -> fc64 relu -> fc64 relu -> fc2", seed=0)
    asked = [RNG.standard_normal((200, 3)) for _ in range(4)]
    wanted = [net(x) for x in asked]
    wrong: list[int] = []

    def ask(index: int) -> None:
        answers = (net(asked[index]) for _ in range(150))
        wrong.extend(index for answer in answers if not np.array_equal(answer, wanted[index]))

    at_once(*(partial(ask, index) for index in range(4)))
    assert not wrong


def test_threads_get_their_own_gradients() -> None:
    net = nnspec.compile("1 -> fc1 nobias", seed=0, dtype="float64", loss="mse")
    ones, weight = np.ones((64, 1)), float(net.weights["fc1.weight"][0, 0])
    found: list[float] = []

    def judge(sign: float) -> None:
        for _ in range(300):
            _, gradients = net.gradients(ones, ones * (weight + sign))
            found.append(float(gradients["fc1.weight"][0, 0]) * sign)

    at_once(lambda: judge(1.0), lambda: judge(-1.0))
    np.testing.assert_allclose(found, -2.0)


def test_a_net_answers_while_it_learns() -> None:
    """A callback may use the net, in this thread and in another, without waiting for ever."""
    net, seen = trained(steps=0), []

    def look(_: object) -> None:
        net.step(X, Y)
        at_once(lambda: seen.append(net(X).shape))

    net.fit(X, Y, epochs=2, on_epoch=look)
    assert seen == [(8, 2), (8, 2)]


# -------------------------------------------------------------------------- loops of one's own


def moved(net: nnspec.Net, optimizer: str) -> np.ndarray[Any, Any]:
    net.set(optimizer=optimizer)
    before = net.weights["fc1.weight"].copy()
    net.step(X, Y)
    return net.weights["fc1.weight"] - before


@pytest.mark.parametrize("kind", ["adam(lr={})", "momentum(lr={}, momentum=0.8)"])
def test_another_rate_keeps_what_the_optimiser_remembers(kind: str) -> None:
    """As with PyTorch's `group["lr"] = ...`: the same direction, another length."""
    net = trained("3 -> fc4 relu -> fc2", dtype="float64", optimizer=kind.format(0.02))
    other = copy.deepcopy(net)
    plain, tenth = moved(net, kind.format(0.02)), moved(other, kind.format(0.002))
    np.testing.assert_allclose(tenth, plain / 10, rtol=1e-9, atol=1e-16)


def test_another_rate_is_pytorchs() -> None:
    net = nnspec.compile("3 -> fc2", seed=0, dtype="float64", optimizer="adam(lr=0.02)")
    layer = torch.nn.Linear(3, 2, dtype=torch.float64)
    with torch.no_grad():
        layer.weight[:] = torch.tensor(net.weights["fc1.weight"])
        layer.bias[:] = torch.tensor(net.weights["fc1.bias"])
    rival = torch.optim.Adam(layer.parameters(), lr=0.02)
    for rate in (0.02, 0.02, 0.002, 0.3, 0.01):
        net.set(optimizer=f"adam(lr={rate})")
        net.step(X, Y)
        rival.param_groups[0]["lr"] = rate
        rival.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(torch.tensor(X)), torch.tensor(Y))
        loss.backward()  # type: ignore[no-untyped-call]
        rival.step()
    np.testing.assert_allclose(net.weights["fc1.weight"], layer.weight.detach(), atol=1e-12)


def test_another_optimiser_begins_anew() -> None:
    net = trained(optimizer="momentum(lr=0.1)")
    for optimizer in ("momentum(lr=0.1, momentum=0.5)", "adam"):
        net.set(optimizer=optimizer)
        assert net.learner.steps == 0
        assert not any(slot.any() for slot in net.learner.slots)
        net.step(X, Y)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"l2": np.float32(0.5)}, 0.5),
        ({"l2": np.int64(1)}, 1.0),
        ({"optimizer": Adam(lr=0.5)}, Adam(lr=0.5)),
        ({"optimizer": "adam(lr=0.5)"}, Adam(lr=0.5)),
        ({"epochs": np.int64(7)}, 7),
    ],
)
def test_settings_as_programs_have_them(settings: dict[str, Any], told: object) -> None:
    net = trained(steps=0)
    net.set(**settings)
    assert getattr(net.training, next(iter(settings))) == told


@pytest.mark.parametrize(
    "settings", [{"l2": "1, epochs = 5"}, {"l2": "0.1)\ntrain(epochs = 5"}, {"l2": True}]
)
def test_one_setting_sets_no_other(settings: dict[str, Any]) -> None:
    net = trained(steps=0)
    with pytest.raises(SpecError, match=r"NN1|NN0"):
        net.set(**settings)
    assert net.training == trained(steps=0).training


# -------------------------------------------------------------------------- batches of any kind

WIDE = np.repeat(np.asfortranarray(X), 2, axis=0)
SAME: dict[str, tuple[Any, Any]] = {
    "lists": (X.tolist(), Y.tolist()),
    "table": (pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(Y, index=range(9, 17))),
    "objects": (X.astype(object), Y.astype(object)),
    "nullable": (pd.DataFrame(X).astype("Float64"), pd.Series(Y).astype("Int64")),
    "column": (X, Y[:, None]),
    "every second": (WIDE[::2], np.repeat(Y, 2)[::2]),
    "from behind": (X[::-1][::-1], Y[::-1][::-1]),
    "big end first": (X.astype(">f8"), Y.astype(">i4")),
    "bytes": (X, Y.astype(np.uint8)),
    "truths": (X, Y.astype(bool)),
    "whole floats": (X, Y.astype(np.float32)),
    "read only": (np.frombuffer(X.tobytes()).reshape(8, 3), Y),
    "tensor": (torch.tensor(X), torch.tensor(Y)),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_numbers_make_the_same_step(name: str) -> None:
    one, two = trained(steps=0, dtype="float64"), trained(steps=0, dtype="float64")
    x, y = SAME[name]
    assert two.step(x, y) == one.step(X, Y)
    np.testing.assert_array_equal(two(x), one(X))


def test_rounded_numbers() -> None:
    net = trained()
    for dtype in ("f2", "f4", "i1", "u4", "?", "g"):
        x = X.astype(dtype)
        np.testing.assert_array_equal(net(x), net(x.astype(np.float64)))


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (pd.DataFrame({"a": ["x"], "b": [1], "c": [2]}), "the text 'x', not numbers"),
        (pd.DataFrame({"a": [1, None], "b": [1, 2], "c": [1, 2]}, dtype="Int64"), "a NAType"),
        (csr_matrix(X), "a csr_matrix, not numbers"),
        ({1, 2, 3}, "a set, not numbers"),
        ((row for row in X), "a generator, not numbers"),
        ([[1, 2, None]], "None, not numbers"),
        (X.astype(complex), "complex128, not numbers"),
        (torch.ones(2, 3, requires_grad=True), "no array: Can't call numpy"),
    ],
)
def test_what_holds_no_numbers(x: Any, told: str) -> None:
    with pytest.raises(SpecError, match=f"`input` holds {told}") as error:
        nnspec.compile("3 -> fc2")(x)
    assert codes(error) == ["NN553"]


def test_no_examples() -> None:
    net = trained()
    before = net.weights["fc1.weight"].copy()
    for teach in (net.step, net.gradients, net.fit):
        with pytest.raises(SpecError, match="NN556 there are no examples to train on"):
            teach(X[:0], Y[:0])
    with pytest.raises(SpecError, match="NN556 there are no examples to judge"):
        net.evaluate(X[:0], Y[:0])
    assert net(X[:0]).shape == (0, 2)
    np.testing.assert_array_equal(net.weights["fc1.weight"], before)


def test_seeds_as_numpy_has_them() -> None:
    seed: Any = np.int64(3)
    assert nnspec.compile(NOISY, seed=seed).seed == 3


@pytest.mark.parametrize("seed", ["a", 1.5, -1])
def test_seeds_that_are_none(seed: Any) -> None:
    with pytest.raises(SpecError, match=f"a seed is a whole number from 0, not `{seed}`"):
        nnspec.compile(NOISY, seed=seed)


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float64"), "float64"])
def test_dtypes_as_numpy_has_them(dtype: Any) -> None:
    assert nnspec.compile(NOISY, dtype=dtype).dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [None, np.float16, int, "nothing", [1]])
def test_dtypes_that_no_net_has(dtype: Any) -> None:
    with pytest.raises(SpecError) as error:
        nnspec.compile(NOISY, dtype=dtype)
    assert codes(error) == ["NN117"]
