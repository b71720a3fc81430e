"""What a plan tells is the schedule that the runtime executes.

`make accept` takes the present tables as the expected ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.facts import cost, memory
from nnspec.compiler.op import Trait
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import Kind, Mode
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.bind import bind_batch
from nnspec.runtime.kernels import MEET
from nnspec.runtime.threads import available

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).parent / "plans"
DIGITS = str(ROOT / "specs" / "course" / "digits.nn")
RESIDUAL = (
    "3x16x16 -> conv16 3x3 p1 nobias bn relu -> "
    "[add[ conv16 3x3 p1 nobias bn relu -> conv16 1x1 nobias bn | id ] relu]*2 -> gap -> fc10\n"
    "train(loss = cross_entropy, batch = 33)"
)
TABLES = {
    "digits": (DIGITS, "--threads", "2"),
    "digits_alone": (DIGITS, "--threads", "1", "--mode", "infer"),
    "resnet18": (str(ROOT / "specs" / "vision" / "resnet18.nn"), "--threads", "3", "--batch", "8"),
    "branches": (RESIDUAL, "--threads", "2"),
    "few": ("3 -> fc4 relu -> fc1", "--threads", "2"),
    "large": ("3072 -> fc1024 relu -> fc10", "--threads", "2", "--batch", "128"),
    "one": (DIGITS, "--threads", "2", "--mode", "infer", "--batch", "1"),
    "frozen": ("3x8x8 -> [conv32 3x3 bn relu]*2 freeze -> upsample2 -> gap -> fc4", "--threads", "1"),
    "nothing_learns": ("3x8x8 -> maxpool2 -> gap", "--threads", "2"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_table(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["plan", *TABLES[name]]) == 0
    found = capsys.readouterr().out
    expected = EXPECTED / f"{name}.txt"
    if os.environ.get("NNSPEC_ACCEPT"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


@pytest.mark.parametrize("width", [40, 50, 60, 80, 120, 200])
def test_a_table_stays_within_its_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for words in (TABLES["digits"], TABLES["resnet18"]):
        main(["plan", *words])
        assert max(map(len, capsys.readouterr().out.splitlines())) <= width


@pytest.fixture
def _counted_anew() -> Iterator[None]:
    """How many threads there are is asked once in a process."""
    available.cache_clear()
    yield
    available.cache_clear()


@pytest.mark.usefixtures("_counted_anew")
@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("spec", [DIGITS, RESIDUAL, "8x16 -> attn2 -> fc4\ntrain(batch = 2000)"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_is_what_runs(
    spec: str, mode: Mode, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps, lanes, memory and meetings are those of the bound calls."""
    monkeypatch.setenv("NNSPEC_THREADS", str(count))
    net = nnspec.compile(spec)
    bound = (
        net.learner.bound(64)
        if mode == "train"
        else bind_batch(net.graph, 64, "infer", net._memory, {})
    )
    found = nnspec.plan(spec, batch=64, mode=mode, threads=count)
    assert found.lanes == bound.schedule.lanes
    assert found.arena == bound.schedule.arena_bytes
    assert [row.phase for row in found.steps] == [
        group.steps[0].phase.name.lower() for group in bound.groups
    ]
    for calls in bound.lanes:
        assert found.meetings == (calls.count(MEET) if len(bound.lanes) > 1 else 0)


@pytest.mark.parametrize("spec", [DIGITS, RESIDUAL])
def test_its_sums_are_the_reports(spec: str) -> None:
    graph = nnspec.graph(spec)
    batch = graph.training.batch
    found = nnspec.plan(spec, threads=1)
    costs = cost.of_schedule(graph, memory.planned(graph, "train"))
    assert 2 * found.macs == sum(c.forward.flops + c.backward.flops for c in costs.values())
    assert found.moved == sum(c.forward.bytes + c.backward.bytes for c in costs.values())
    for mode in ("train", "infer"):
        whole = nnspec.plan(spec, threads=1, mode=mode, batch=batch)
        split = nnspec.plan(spec, threads=2, mode=mode, batch=batch)
        assert len(split.lanes) == 2
        assert whole.macs == split.macs


def test_every_operator_with_a_choice_says_why() -> None:
    """A conv's kernel, filled in, and what made it that one."""
    found = nnspec.plan(
        "32x16x16 -> conv64 3x3 s2 p1 -> conv64 1x1 nobias bn -> conv4 3x3 p1 -> "
        "dwconv 3x3 -> convt2 2x2 s2",
        mode="infer", threads=1, batch=4,
    )  # fmt: skip
    said = {row.name: (row.layout, row.algorithm, row.why) for row in found.steps}
    gathered = "3x3 stride 2, 32 to 64 channels: windows gathered"
    assert said["conv1"] == ("last", "columns", gathered)
    pointwise = "1x1, 64 to 64 channels: one product over all places, bn folded in"
    assert said["conv2"] == ("last", "pointwise", pointwise)
    assert said["conv3"] == (
        "first",
        "",
        "3x3, 64 to 4 channels: 4 images at a time, short rows in two steps",
    )
    assert (
        said["dwconv1"][2]
        == "3x3, 4 to 4 channels in 4 groups: 4 images at a time, short rows in two steps"
    )
    assert said["convt1"][2] == "2x2 stride 2, 4 to 2 channels: 4 images at a time"
    (alone,) = nnspec.plan("3 -> fc4", mode="infer").steps[-1:]
    assert (alone.algorithm, alone.why) == (
        "one product",
        "3 to 4, one example: b is a column of W",
    )
    deep = nnspec.plan("32x9x9 -> dwconv 3x3 nobias bn", mode="infer", threads=1, batch=4)
    (tapped,) = (row for row in deep.steps if row.name == "dwconv1")
    assert (tapped.layout, tapped.algorithm) == ("last", "taps")
    assert tapped.why == "3x3, 32 to 32 channels in 32 groups: tap by tap, bn folded in"
    tiled = nnspec.plan("64x16x16 -> conv64 3x3 p1", mode="infer", threads=1, batch=64).steps[1]
    assert (tiled.algorithm, tiled.why) == (
        "winograd",
        "3x3, 64 to 64 channels: tiles, fewer products",
    )


def test_what_moves_is_told_apart() -> None:
    graph = nnspec.graph("32x8x8 -> conv64 3x3 s2 -> relu -> gap")
    plan = schedule(graph, 10, "train", graph.training.learned_by(graph.output.value))
    turned, conv, gap, *_ = nnspec.plan(
        "32x8x8 -> conv64 3x3 s2 -> relu -> gap", mode="train", batch=10, threads=1
    ).steps
    assert (turned.op, turned.read, turned.written) == ("channels last", 10 * 8192, 10 * 8192)
    assert conv.read == 10 * 8192 + (64 * 32 * 9 + 64) * 4
    assert conv.written == gap.read == 10 * 64 * 9 * 4
    scratch = plan.steps[1].scratch.values()
    assert conv.scratch == sum(plan.arrays[index].bytes(4) for index in scratch)


def test_what_is_prepared_is_only_read() -> None:
    spec = "32x8x8 -> conv64 3x3 s2 -> relu -> gap"
    plan = schedule(nnspec.graph(spec), 10, "infer")
    _, conv, *_ = nnspec.plan(spec, mode="infer", batch=10, threads=1).steps
    own = [plan.arrays[index] for index in plan.steps[1].scratch.values()]
    prepared = sum(array.bytes(4) for array in own if array.kind is Kind.PREPARED)
    assert prepared
    assert conv.read == 10 * 8192 + (64 * 32 * 9 + 64) * 4 + prepared
    assert conv.scratch == sum(array.bytes(4) for array in own) - prepared


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNSPEC_THREADS", "3")
    assert nnspec.plan(DIGITS).lanes == (22, 21, 21)
    assert nnspec.plan(DIGITS, threads=1).lanes == (64,)
    assert nnspec.plan("3x8x8 -> gap").mode == "infer"
    assert nnspec.plan(DIGITS, mode="infer").batch == 1
    with pytest.raises(SpecError, match="nothing that learns"):
        nnspec.plan("3x8x8 -> gap", mode="train")
    with pytest.raises(SpecError, match="`threads` cannot be 0"):
        nnspec.plan(DIGITS, threads=0)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", DIGITS, "--threads", "2", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lanes"] == [32, 32]
    assert found["steps"][0]["examples"] == [32, 32]
    assert [row["meets"] for row in found["steps"]].count(True) == found["meetings"]
    views = {n.name for n in nnspec.graph(DIGITS).nodes if Trait.VIEW in n.op.traits}
    assert not views & {row["name"] for row in found["steps"]}
