"""A net is refused before it takes more memory than it may, with what would fit."""

from __future__ import annotations

import os
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.graph import Graph
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import Schedule
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import bind
from nnspec.runtime import budget as budget_module
from nnspec.runtime.bind import FLOATS, aligned, allocate
from nnspec.runtime.budget import Budget, as_bytes, free_memory
from nnspec.runtime.errors import TooMuchMemory

NET = "1x28x28 -> conv8 3x3 relu -> flatten -> fc10"
"""54 thousand parameters; a training step takes 45 KiB an example and more."""

X, Y = np.random.default_rng(0).standard_normal((300, 1, 28, 28)), np.arange(300) % 10


def refusal(error: pytest.ExceptionInfo[SpecError]) -> TooMuchMemory:
    (mistake,) = error.value.diagnostics
    assert isinstance(mistake, TooMuchMemory)
    return mistake


@pytest.mark.parametrize(
    ("amount", "count"),
    [
        ("2GiB", 2**31),
        ("2 gib", 2**31),
        ("1.5MB", 1_500_000),
        ("7", 7),
        (7, 7),
        ("3TB", 3 * 10**12),
    ],
)
def test_amounts(amount: int | str, count: int) -> None:
    assert as_bytes(amount) == count


@pytest.mark.parametrize(
    "amount", ["", "x", "-1", "0", "0.1B", "1e9", "GiB", 0, -1, True, 1.5, "9" * 99]
)
def test_what_is_no_amount(amount: int | str) -> None:
    with pytest.raises(SpecError, match="NN117 `max_memory` cannot be"):
        nnspec.compile(NET, max_memory=amount)


def test_the_weights_alone_are_too_much() -> None:
    with pytest.raises(SpecError) as error:
        nnspec.compile(NET, max_memory="10KiB")
    found = refusal(error)
    assert (found.asked, found.left, found.what) == (True, 10 * 2**10, "the net")
    # Beside the weights' own bytes those that bring them to a cache line.
    assert found.wanted == 4 * nnspec.compile(NET).params + 64


@pytest.mark.parametrize("most", ["2MiB", "3MiB", "8MiB"])
def test_the_largest_batch_that_fits_does(most: str) -> None:
    net = nnspec.compile(NET, seed=0, max_memory=most, epochs=1)
    with pytest.raises(SpecError, match=r"a batch of 300 needs .* max_memory leaves") as error:
        net.step(X, Y)
    fits = refusal(error).fits
    assert fits > 1
    assert f"`batch = {fits}`" in str(error.value)
    with pytest.raises(SpecError, match=f"a batch of {fits + 1} needs"):
        net.step(X[: fits + 1], Y[: fits + 1])
    assert np.isfinite(net.step(X[:fits], Y[:fits]))
    # It trains with validation too, for which what training holds is let go, and the other way round;
    # a run holds the best weights besides.
    some = max(1, fits // 4)
    assert len(net.fit(X, Y, batch=some, validation=(X, Y))) == 1


TILED = "16x8x8 -> conv64 3x3 p1 relu -> conv64 3x3 p1 relu -> gap -> fc10"
"""Of 17 examples a block is smaller than of 16, and with it the scratch."""
NARROW = "4x16x16 -> conv4 3x3 p1 relu -> maxpool2 -> conv4 3x3 p1 relu -> flatten -> fc10"
"""Of 16 examples a thread and more maps lie in another way than of fewer, and take more."""


@cache
def arena(spec: str, batch: int, threads: int) -> int:
    graph = nnspec.graph(spec)
    loss = graph.training.learned_by(graph.output.value)
    return schedule(graph, batch, "train", loss, threads=threads).arena_bytes


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        (TILED, "6MiB"),
        (TILED, "8MiB"),
        *((NARROW, f"{n}KiB") for n in (300, 500, 700, 900, 1100)),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_no_larger_batch_fits(
    spec: str, most: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A larger batch may take less memory, and so may fewer threads: all are tried here."""
    monkeypatch.setattr(bind, "available", lambda: threads)
    net = nnspec.compile(spec, max_memory=most)
    x = np.zeros((60, *net.graph.inputs[0].value.shape), np.float32)
    y = np.zeros(60, np.int64)
    with pytest.raises(SpecError) as error:
        net.step(x, y)
    found = refusal(error)
    assert found.left is not None
    taken = {batch: min(arena(spec, batch, n) for n in (1, threads)) for batch in range(1, 60)}
    assert found.fits == max(batch for batch in taken if taken[batch] + 64 <= found.left)
    assert np.isfinite(net.step(x[: found.fits], y[: found.fits]))


def test_a_refusal_looks_at_few_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch far too large; what it tells is found again by asking for it."""
    net, asked = nnspec.compile(TILED, max_memory="1GiB"), list[int]()

    def counted(graph: Graph, batch: int, *more: Any) -> Schedule:
        asked.append(batch)
        return schedule(graph, batch, *more)

    monkeypatch.setattr(bind, "schedule", counted)
    with pytest.raises(SpecError) as error:
        net.learner.bound(10**8)
    fits = refusal(error).fits
    assert fits > 1000
    assert len(asked) < 250
    monkeypatch.undo()
    net.learner.bound(fits)
    with pytest.raises(SpecError):
        net.learner.bound(fits + fits // 8)


def test_fewer_threads_share_a_batch_that_fits_so_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind, "available", lambda: 3)
    x, y = np.random.default_rng(0).standard_normal((60, 16, 8, 8)), np.arange(60) % 10
    wanted = nnspec.compile(TILED, seed=0).gradients(x, y)[1]["fc1.weight"]
    kept = 2 * nnspec.compile(TILED).params * 4 + 4096
    for threads in (3, 2, 1):
        most = arena(TILED, 60, threads) + kept
        net = nnspec.compile(TILED, seed=0, max_memory=most, optimizer="sgd")
        assert len(net.learner.bound(60).lanes) == threads
        np.testing.assert_allclose(net.gradients(x, y)[1]["fc1.weight"], wanted, atol=1e-6)
        assert net._memory.budget.held <= most


def test_inference_takes_fewer_at_a_time() -> None:
    net = nnspec.compile(NET, seed=0, dtype="float64")
    small = nnspec.compile(NET, seed=0, dtype="float64", max_memory="1MiB")
    np.testing.assert_allclose(small(X), net(X), rtol=1e-12)
    assert small(X[:0]).shape == (0, 10)
    with pytest.raises(SpecError, match=r"a batch of 256 needs .*allow more, or use a smaller net"):
        nnspec.compile(NET, max_memory="230KiB")(X)


def test_what_is_let_go_can_be_taken_again() -> None:
    net = nnspec.compile(NET, seed=0, max_memory="4MiB")
    ledger = net._memory.budget
    weights = ledger.held
    for size in range(1, 30):
        net(X[:size])
    arenas = sum(bound.arena.nbytes + 64 for bound in net._bound.kept.values())
    assert ledger.held == weights + arenas
    net._bound.clear()
    assert ledger.held == weights
    net.step(X[:9], Y[:9])
    assert weights < ledger.held <= 4 * 2**20


def test_another_batch_takes_the_room_of_the_one_before() -> None:
    """Of whatever size and type it is: nobody holds on to arrays that are let go."""
    held: list[int] = []
    for sizes in ((64,), (64, 64, 40, 5, 64, 63)):
        most = held[0] + 2000 if held else None
        net = nnspec.compile(NET, seed=0, max_memory=most)
        for size in sizes:
            for x in (X[:size], X[:size].astype(np.float64)):
                assert net(x).shape == (size, 10)
        held.append(net._memory.budget.held)
    assert held[1] <= held[0] + 2000


def test_optimisers_count_their_slots() -> None:
    net = nnspec.compile(NET, max_memory="700KiB", optimizer="sgd")
    assert np.isfinite(net.step(X[:1], Y[:1]))
    with pytest.raises(SpecError, match=r"NN557 training needs 423\.2 KiB"):
        net.set(optimizer="adam")
    assert np.isfinite(net.step(X[:1], Y[:1]))
    with pytest.raises(SpecError, match=r"NN557 training needs 634\.\d KiB"):
        nnspec.compile(NET, max_memory="700KiB", optimizer="adam").step(X[:1], Y[:1])


def test_a_copy_may_take_as_much_as_its_original() -> None:
    for most in ("2MiB", None):
        budget = deepcopy(nnspec.compile(NET, max_memory=most))._memory.budget
        assert budget.asked == (most is not None)
    with pytest.raises(SpecError, match="NN557 a batch of 300"):
        deepcopy(nnspec.compile(NET, max_memory="2MiB")).step(X, Y)


class Free:
    """Memory that is free, as it is told."""

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, 0

    def __call__(self) -> int:
        self.asked += 1
        return self.count


def test_four_fifths_of_what_is_free() -> None:
    free = Free(1000)
    budget = Budget(free=free)
    assert budget.left() == 800
    kept = aligned(100, FLOATS[4], budget)
    assert budget.left() == 800 - 464
    free.count = 100  # another process took the rest
    assert budget.left() == 80
    with pytest.raises(
        SpecError, match="464 B, more than the 80 B that may be taken, 80 % of what"
    ):
        aligned(100, FLOATS[4], budget)
    free.count = 1000
    del kept
    assert budget.left() == 800


def test_free_memory_is_asked_once_a_bind(monkeypatch: pytest.MonkeyPatch) -> None:
    free = Free(2**30)
    monkeypatch.setattr(budget_module, "free_memory", free)
    net = nnspec.compile(NET)
    net(X[:3])
    before = free.asked
    net(X[:3])
    assert free.asked == before
    net(X[:4])
    assert free.asked - before <= 2


def test_a_refusal_allocates_nothing() -> None:
    plan = schedule(nnspec.graph("1000 -> fc1000"), 1, "infer")
    budget = Budget("3MiB")
    with pytest.raises(SpecError, match="NN557"):
        allocate(plan, budget)
    assert budget.held == 0


# ----------------------------------------------------------------------------- what is free


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n"}


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 4000 * 1024),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 4000 * 1024),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": "3000\n",
                "sys/fs/cgroup/a/memory.current": "2500\n",
                "sys/fs/cgroup/a/memory.stat": "anon 9\ninactive_file 200\nfile 1\n",
                "sys/fs/cgroup/a/b/memory.max": "9000\n",
                "sys/fs/cgroup/a/b/memory.current": "2500\n",
            },
            700,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/x\n4:memory:/x\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "100\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1000\n",
                "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "1100\n",
            },
            0,
        ),
    ],
    ids=["machine", "unlimited", "v2", "v1"],
)
def test_what_is_free(tmp_path: Path, files: dict[str, str], count: int) -> None:
    assert free_memory(machine(tmp_path, MEMINFO | files)) == count


def test_where_no_file_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**20 < free_memory(tmp_path) < 2**50
    monkeypatch.delattr(os, "sysconf")
    assert free_memory(tmp_path) > 2**60


# -------------------------------------------------------------------------- the command line


def test_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    weights = str(tmp_path / "w.safetensors")
    train = ["train", "4 -> fc16 relu -> fc3", "--data", "iris", "--epochs", "1"]
    assert main([*train, "--save", weights, "--max-memory", "1GiB"]) == 0
    refused = [
        [*train, "--max-memory", "100B"],
        ["evaluate", weights, "--data", "iris", "--max-memory", "100B"],
        ["predict", weights, "--data", "iris", "--max-memory", "100B"],
        ["profile", "4 -> fc16 relu -> fc3", "--max-memory", "100B"],
    ]
    capsys.readouterr()
    for words in refused:
        assert main(words) == 1
        assert "NN557 the net needs" in capsys.readouterr().err
    assert main([*train, "--batch", "120", "--max-memory", "20KiB"]) == 1
    assert "NN557 a batch of 120 needs" in capsys.readouterr().err
    assert main([*train, "--max-memory", "much"]) == 2
    assert "NN117 `max_memory` cannot be `much`" in capsys.readouterr().err
