"""Where the time goes: every step is measured, and its work is the schedule's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers import flame
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import Mode
from nnspec.compiler.plan.work import least, traffic
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import profile as module
from nnspec.runtime import profile_table
from nnspec.runtime.machine import Neighbours
from nnspec.runtime.threads import available

SPECS = Path(__file__).parents[2] / "specs" / "course"
BRANCHES = (
    "a: 6 -> fc8 relu -> add[ fc8 relu -> fc8 | id ] bn dropout0.5\noutput b: @a -> fc2\n@a -> fc3"
)


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.05)


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(
    "spec", [SPECS / "lenet5.nn", BRANCHES, "7 int -> embed9 4 -> lstm5 last -> fc9"]
)
def test_its_parts_are_the_schedule(spec: Path | str, mode: Mode) -> None:
    found = nnspec.profile(spec, mode=mode, batch=4)
    report = nnspec.analyze(spec, batch=4)
    assert found.passes >= module.LEAST
    assert found.batch == 4
    assert all(part.seconds > 0 and part.least >= 0 for part in found.parts if part.calls)
    assert found.seconds == pytest.approx(sum(part.seconds for part in found.parts))
    known = {layer.name for layer in report.layers}
    assert {part.layer for part in found.parts} <= known | {""}
    if mode == "train":
        for row in report.cost:
            parts = {part.direction: part for part in found.parts if part.layer == row.layer}
            for direction, flops, moved in (
                ("forward", row.flops, row.bytes),
                ("backward", row.flops_back, row.bytes_back),
            ):
                part = parts.get(direction)  # type: ignore[call-overload]
                assert (part.flops, part.bytes) == (flops, moved) if part else flops == 0
        assert [part.direction for part in found.parts].count("update") == 1
    else:
        assert {part.direction for part in found.parts} == {"forward"}


def test_least_follows_the_machine() -> None:
    found = nnspec.profile("64 -> fc512 relu -> fc512", mode="infer", batch=64)
    part = next(part for part in found.parts if part.layer == "fc2")
    products = part.flops / found.machine.flops
    assert part.flops == 2 * 64 * 512 * 512
    assert part.least >= products
    assert part.least >= part.bytes / found.machine.bandwidth


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(SPECS / "lenet5.nn"), "--batch", "8"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("a training step over 8 examples")
    told = " ".join(text.split())
    for word in ("conv1", "backward", "update", "GFLOP/s in a matrix product"):
        assert word in told
    assert main(["profile", str(SPECS / "lenet5.nn"), "--mode", "infer", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["batch"] == 1
    assert found["seconds"] == pytest.approx(sum(part["seconds"] for part in found["parts"]))
    assert main(["profile", "4 -> relu", "--mode", "train"]) == 1
    assert "NN" in capsys.readouterr().err
    assert main(["profile", "4 -> fc2", "--batch", "0"]) == 2


def test_a_narrow_terminal_cuts_no_number() -> None:
    found = nnspec.profile(SPECS / "lenet5.nn", batch=8)
    shown = {
        width: profile_table.table(found, width=width, colour=False)
        for width in (40, 50, 66, 80, 120)
    }
    for width, text in shown.items():
        assert "…" not in text
        assert "update" in text
        assert max(map(len, text.splitlines())) <= width
    assert str(found) == profile_table.table(found, width=100, colour=False)
    assert all("share" in shown[width] for width in (50, 66, 80, 120))
    assert "products" in shown[120]
    assert "█" in shown[120]
    assert "products" not in shown[50]


SPLIT = "3x16x16 -> conv16 3x3 p1 bn relu -> add[ conv16 3x3 p1 bn | id ] relu -> gap -> fc10"


@pytest.fixture
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """How many threads there are is asked once in a process."""
    monkeypatch.setenv("NNSPEC_THREADS", "2")
    available.cache_clear()
    yield
    available.cache_clear()


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_threads_that_share_a_batch_are_timed_together(mode: Mode) -> None:
    found = nnspec.profile(SPLIT, mode=mode, batch=32)
    assert (found.lanes, found.threads) == ((16, 16), 2)
    (sharing,) = (part for part in found.parts if part.direction == "threads")
    assert sharing.layer == ""
    assert sharing.seconds > 0
    assert sharing.flops == 0
    report = nnspec.analyze(SPLIT, batch=32)
    forward = {part.layer: part.flops for part in found.parts if part.direction == "forward"}
    assert forward == {row.layer: row.flops for row in report.cost}
    assert len(found.by_layer) == len(report.layers) + 1 + (mode == "train")


@pytest.mark.usefixtures("_two_threads")
def test_a_pass_under_the_clock_is_the_pass() -> None:
    """Stamps take no call away and change no number."""
    spec = SPLIT + "\ntrain(loss = cross_entropy)"
    net = nnspec.compile(spec, seed=1)
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((32, 3, 16, 16)), draws.integers(0, 10, 32)
    _, expected = net.gradients(x, y)
    bound = net._filled(x, y)
    clock = module.Clock(bound)
    seconds = clock.seconds()
    assert len(seconds) == len(bound.groups) + 1
    assert all(one >= 0 for one in seconds)
    assert max(map(len, clock.stamps)) == min(map(len, clock.stamps)) == len(bound.groups) + 1
    for name, gradient in net.learner.memory.gradients.items():
        assert np.array_equal(gradient, expected[name])


def test_blocks_are_told() -> None:
    found = nnspec.profile(
        "block two(c) = fc(c) relu -> fc(c) relu\n4 -> two8 -> fc2", mode="infer", batch=4
    )
    assert {part.layer: part.blocks for part in found.parts} == {
        "two1.fc1": ("two1",), "two1.fc2": ("two1",), "fc1": (),
    }  # fmt: skip


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize(("others", "told"), [(0.0, False), (None, False), (0.8, True)])
def test_a_busy_machine_is_told(
    others: float | None,
    told: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Neighbours, "cores", lambda self: others)
    assert main(["profile", SPLIT, "--batch", "32"]) == 0
    assert ("measure again" in capsys.readouterr().err) is told


def test_a_net_that_cannot_train_is_profiled_as_it_answers() -> None:
    assert nnspec.profile("3x8x8 -> maxpool2").mode == "infer"
    with pytest.raises(SpecError, match="NN556"):
        nnspec.profile("3x8x8 -> maxpool2", mode="train")


def test_the_least_counts_the_products_that_are_made() -> None:
    """A quarter for Winograd's tiles, and no scratch."""
    graph = nnspec.graph("32x16x16 -> conv32 3x3 p1 nobias")
    (step,) = (s for s in schedule(graph, 8, "infer").steps if s.algorithm == "winograd")
    plan = schedule(graph, 8, "infer")
    found, moved = least(plan, step), traffic(plan, step)
    assert found.flops * 4 == 2 * 8 * 32 * 32 * 9 * 16 * 16
    assert found.bytes == moved.read + moved.written
    assert moved.scratch


def test_a_page_says_when_the_machine_was_busy() -> None:
    found = {
        "mode": "infer",
        "batch": 1,
        "lanes": (1,),
        "passes": 3,
        "disturbed": True,
        "others": 1.5,
    }
    assert "1.5 cores meanwhile" in flame._subtitle(found, "inference")


def test_a_page_that_cannot_be_written_costs_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "3 -> fc4", "--html", str(tmp_path)]) == 2
    assert "measured" in capsys.readouterr().out
