"""Laws that other operators do: the same bits as where they are steps of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.compiler.op import Elementwise, Op
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.plan import lanes, order
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import Mode
from nnspec.compiler.training.losses import LOSSES
from nnspec.runtime import bind
from nnspec.runtime.kernels import Array
from nnspec.runtime.kernels.bounds import maximum
from nnspec.runtime.net import DType

NETS = {
    "winograd": "8x20x20 -> conv16 3x3 p1 relu -> conv8 3x3 p1 relu -> gap -> fc3",
    "images of part rows": "8x36x36 -> conv8 3x3 p1 sigmoid -> conv8 3x3 p1 relu -> gap -> fc3",
    "columns": "8x9x9 -> conv12 5x5 relu -> conv8 3x3 s2 tanh -> gap -> fc3",
    "pointwise": "16x12x12 -> conv24 1x1 relu -> conv8 1x1 relu -> gap -> fc3",
    "taps": "32x10x10 -> dwconv 3x3 p1 relu -> dwconv 3x3 s2 relu -> gap -> fc3",
    "channels first": "1x12x12 -> conv4 3x3 p1 relu -> conv6 3x3 nobias relu -> gap -> fc3",
    "groups": "8x9x9 -> conv8 3x3 p1 g4 relu -> conv8 3x3 p1 relu -> gap -> fc3",
    "sound": "4x30 -> conv16 5 relu -> bn relu -> gap -> fc3",
    "norms": "8x10x10 -> conv16 3x3 p1 nobias bn relu -> conv16 1x1 bn sigmoid -> gap -> fc3",
    "vectors": "7 -> fc9 bn relu -> fc9 bn tanh -> fc3",
    "residual": "8x8x8 -> add[ conv8 3x3 p1 bn relu | id ] relu -> add[ id | id | id ] relu -> gap -> fc3",
    "by channel": "8x8x8 -> add[ gap | conv8 3x3 p1 | id ] relu -> gap -> fc3",
    "of its input": "8x10x10 -> conv16 3x3 p1 gelu -> conv8 3x3 p1 bn silu -> gap -> fc3",
    "read twice": "8x8x8 -> h: conv8 3x3 p1 -> relu -> add[ id | @h ] relu -> gap -> fc3",
    "last": "8x8x8 -> conv3 3x3 p1 bn -> gap -> flatten -> fc3 relu",
    "frozen": "8x8x8 -> conv8 3x3 p1 bn freeze relu -> conv8 3x3 p1 freeze bn relu -> gap -> fc3",
    "chosen from": "1x16x16 -> conv6 5x5 p2 relu -> maxpool2 -> conv8 3x3 p1 relu6 -> maxpool3 s2 p1 -> gap -> fc3",
    "chosen from tiles": "8x12x12 -> conv16 3x3 p1 bn relu -> maxpool2 -> conv8 1x1 relu -> gmp -> fc3",
    "chosen from, and read": "8x8x8 -> conv8 3x3 p1 relu -> add[ maxpool2 | avgpool2 ] -> gap -> fc3",
    "chosen from a sum": "8x8x8 -> add[ conv8 3x3 p1 | id ] relu -> maxpool2 -> relu -> maxpool2 -> gap -> fc3",
    "chosen from inputs": "8x9x9 -> relu -> maxpool3 s2 ceil -> relu6 -> gmp -> fc3",
    "falling": "8x9x9 -> conv8 3x3 p1 silu -> maxpool2 -> conv8 3x3 p1 tanh -> maxpool2 -> gap -> fc3",
    "frozen below": "8x8x8 -> conv8 3x3 p1 freeze relu -> conv8 3x3 p1 relu -> gap -> fc3",
}  # fmt: skip


Threads = Callable[[int], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """Let nets use so many threads, however small they are."""
    monkeypatch.setattr(lanes, "WORTH_SPLITTING", 0)
    monkeypatch.setattr(lanes, "REUSE", 0)

    def to(count: int) -> None:
        monkeypatch.setattr(bind, "available", lambda: count)

    return to


def behind(spec: str, mode: Mode) -> set[tuple[str, str]]:
    """Operators, and the laws that they do."""
    graph = nnspec.graph(spec)
    loss = LOSSES["cross_entropy"]() if mode == "train" else None
    steps = schedule(graph, 4, mode, loss).steps
    return {(step.node.name, step.behind.name) for step in steps if step.node and step.behind}


@pytest.mark.parametrize(
    ("name", "training", "inference"),
    [
        ("winograd", {"conv1 relu1", "conv2 relu2"}, {"conv1 relu1", "conv2 relu2"}),
        ("norms", {"bn1 relu1", "bn2 sigmoid1"}, {"bn1 relu1", "conv2 sigmoid1"}),
        ("vectors", {"bn1 relu1", "bn2 tanh1"}, {"bn1 relu1", "bn2 tanh1"}),
        ("of its input", set(), {"conv1 gelu1", "bn1 silu1"}),
        ("read twice", {"add1 relu2"}, {"add1 relu2"}),
        ("last", set(), set()),
        (
            "chosen from",
            {"maxpool1 relu1", "maxpool2 relu61"},
            {"maxpool1 relu1", "maxpool2 relu61"},
        ),
        ("chosen from tiles", {"maxpool1 relu1", "gmp1 relu2"}, {"maxpool1 relu1", "gmp1 relu2"}),
        ("chosen from, and read", {"conv1 relu1"}, {"conv1 relu1"}),
        (
            "chosen from inputs",
            {"maxpool1 relu1", "gmp1 relu61"},
            {"maxpool1 relu1", "gmp1 relu61"},
        ),
        ("falling", {"conv2 tanh1"}, {"conv1 silu1", "conv2 tanh1"}),
    ],
)
def test_which(name: str, training: set[str], inference: set[str]) -> None:
    assert {" ".join(pair) for pair in behind(NETS[name], "train")} == training
    assert {" ".join(pair) for pair in behind(NETS[name], "infer")} == inference


def run(spec: str, dtype: DType, *, jit: bool = False) -> list[Array]:
    """Losses, gradients' work and answers of a net of this spec."""
    net = nnspec.compile(spec, seed=3, dtype=dtype, loss="cross_entropy", jit=jit)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((37, *net.graph.inputs[0].value.shape)).astype(dtype)
    y = rng.integers(0, 3, 37)
    losses = [np.array(net.step(x, y)) for _ in range(2)]
    weights = {name: np.array(array) for name, array in net.weights.items()}
    return [*losses, *weights.values(), net(x), net(x[:1])]


def is_law(kind: type[Op]) -> bool:
    return issubclass(kind, Elementwise)


def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_behind", lambda plan, readers: {})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", list(NETS))
def test_same_bits(
    name: str, count: int, dtype: DType, use: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(count)
    together = run(NETS[name], dtype)
    apart(monkeypatch)
    for one, other in zip(together, run(NETS[name], dtype), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["winograd", "norms", "residual", "taps", "chosen from"])
def test_compiled_loops_too(name: str, use: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    use(2)
    together = run(NETS[name], "float64", jit=True)
    apart(monkeypatch)
    for one, other in zip(together, run(NETS[name], "float64", jit=True), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("law", sorted(kind.name for kind in CATALOGUE.values() if is_law(kind)))
@pytest.mark.parametrize("side", [13, 14, 30])
def test_tiles_that_hang_over(law: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A law with registers, on whole tiles that hold more than the value has."""
    spec = f"16x{side}x{side} -> conv24 3x3 p1 {law} -> conv16 3x3 p1 bn {law} -> gap -> fc3"
    rng = np.random.default_rng(0)
    for batch in (1, 3, 5):
        x = rng.standard_normal((batch, 16, side, side)).astype(np.float32)
        together = nnspec.compile(spec, seed=0)(x)
        with monkeypatch.context() as patched:
            apart(patched)
            np.testing.assert_array_equal(nnspec.compile(spec, seed=0)(x), together)


def function(call: Any) -> Any:
    return call[0].func if isinstance(call[0], partial) else call[0]


@pytest.mark.parametrize(
    ("spec", "batch"),
    [
        ("16x32x32 -> conv16 3x3 p1 relu", 64),
        ("64x32x32 -> conv64 5x5 p2 relu", 16),
        ("64x32x32 -> conv64 1x1 relu", 32),
        ("64x32x32 -> dwconv 3x3 p1 relu", 32),
        ("4x32x32 -> conv4 5x5 g2 relu", 64),
        ("16x64x64 -> add[ id | id ] relu", 32),
        ("16x64x64 -> conv4 1x1 -> conv16 1x1 bn relu", 64),
    ],
)
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_stretch_by_stretch(spec: str, batch: int, mode: Mode) -> None:
    """The law is done between the blocks, not after the last."""
    net = nnspec.compile(f"{spec} -> gap -> fc3", seed=0, loss="cross_entropy")
    bound = net.inference(batch) if mode == "infer" else net.learner.bound(batch)
    host = next(
        calls
        for group in bound.groups
        for step, calls in zip(group.steps, group.calls, strict=True)
        if step.behind is not None
    )
    cuts = [number for number, call in enumerate(host) if function(call) is maximum]
    assert len(cuts) > 1
    assert cuts[-1] - cuts[0] >= len(cuts)


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("name", list(NETS))
def test_no_more_is_moved_than_apart(
    name: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The foretold bytes of a pass: of numbers in cache none are counted as going to memory."""
    together = nnspec.plan(NETS[name], batch=8, mode=mode, threads=1)
    apart(monkeypatch)
    assert together.moved <= nnspec.plan(NETS[name], batch=8, mode=mode, threads=1).moved
