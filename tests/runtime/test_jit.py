"""Compiled loops against NumPy, which is the reference: every operator, optimiser and a few nets."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import tracemalloc
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.graph import Node
from nnspec.compiler.op import Elementwise
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.ops.pool import Pool
from nnspec.compiler.plan import lanes as planned
from nnspec.compiler.plan.schedule import Phase
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import bind
from nnspec.runtime.net import DType, Net

numba = pytest.importorskip("numba", reason="the extra `jit` is not installed")

SPECS = Path(__file__).parents[2] / "specs" / "course"
CLOSE: dict[DType, float] = {"float32": 1e-5, "float64": 1e-12}
STEPS = 5

SAMPLES = [sample for kind in CATALOGUE.values() for sample in kind.samples]

SHAPES = [
    "6 -> fc9 gelu -> fc8 silu -> fc7 mish -> fc6 softplus -> fc5 selu -> fc3",
    "2x9x7 -> conv4 3x3 p1 -> bn relu -> maxpool3 s2 p1 -> conv3 3x3 p1 -> bn -> gap",
    "2x20x20 -> scale -> maxpool17 s1",
    "2x9x9x9 -> scale -> maxpool3 s2 p1 -> avgpool2",
    "3x40x41 -> scale -> maxpool3 s2 same -> scale -> avgpool3 s1 p1",
    "4x33x31 -> scale -> bn -> scale",
    "600 -> bn -> fc3",
    "3x20x23 -> scale -> dwconv5 s2 p2 d2 m=3 -> scale",
    "2x6x7x8 -> scale -> dwconv3 p1 nobias -> dwconv1",
    "2x11x12 -> scale -> maxpool 2x3 s=1x2 p=1x0 -> scale",
    "2x11x12 -> scale -> avgpool 3x2 s=1x2 p=0x1 -> scale",
    "2x6x7x9 -> scale -> dwconv 1x3x2 s=1x2x3 p=0x1x2 -> scale",
    "2x40x30 -> scale -> dwconv3 p1 freeze -> bn freeze -> scale",
    "7x24 -> scale -> bn -> scale",
    "7x24 -> scale -> maxpool3 s2 p1 -> scale",
]
"""Nets whose windows, strides and layouts the samples have not. A loop is the same for each of them but
for its bounds, and the samples show it in either precision: here they take turns."""

INTERLEAVED = [
    "16x9x7 -> conv16 3x3 p1 -> bn -> maxpool3 s2 p1 -> bn -> avgpool3 s1 p1 -> conv17 1x1",
    "16x8x9 -> conv18 3x3 -> avgpool2 -> maxpool2 -> bn relu -> conv16 1x1",
    "3x8x11 -> conv33 3x2 s2 -> maxpool 2x3 s=1x2 p=1x0 -> bn freeze -> conv16 1x1 -> bn",
    "3x6x7x5 -> conv32 3 p1 -> bn -> maxpool3 s1 p1 -> avgpool 1x2x3 s=1x1x2 -> conv16 1",
    "3x37x37 -> conv32 3x3 p1 -> maxpool17 s9 same -> bn -> gap",
]
"""Nets of maps whose channels lie side by side."""


def batch(node: Node, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    shape = (4, *node.value.shape)
    return rng.integers(0, 3, shape) if node.value.integer else rng.standard_normal(shape)


def given(net: Net) -> tuple[Any, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    x = {node.name: batch(node, rng) for node in net.graph.inputs}
    return x, rng.standard_normal((4, *net.graph.output.value.shape))


def both(spec: str | Path, **settings: Any) -> tuple[Net, Net]:
    """The same net by NumPy and by compiled loops."""
    one, other = (nnspec.compile(spec, seed=1, jit=jit, **settings) for jit in (False, True))
    assert isinstance(one, Net)
    assert isinstance(other, Net)
    return one, other


def alike(
    found: dict[str, np.ndarray[Any, Any]], wanted: dict[str, np.ndarray[Any, Any]], close: float
) -> None:
    """Equal up to so much of the largest number of them all."""
    assert found.keys() == wanted.keys()
    scale = max((np.abs(array).max(initial=0) for array in wanted.values()), default=0.0)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=close * scale, err_msg=name)


def calls(net: Net) -> int:
    """How many a step makes."""
    return sum(map(len, net.learner.bound(4).lanes))


def share(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nets use so many threads, however small they are."""
    for name in ("WORTH_SPLITTING", "REUSE", "WORTH_SWEEPING"):
        monkeypatch.setattr(planned, name, 0)
    monkeypatch.setattr(bind, "available", lambda: threads)


def everything(net: Net) -> dict[str, np.ndarray[Any, Any]]:
    return {name: array.copy() for name, array in (*net.weights.items(), *net.state.items())}


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        *((spec, dtype) for spec in SAMPLES for dtype in CLOSE),
        *zip(SHAPES, cycle(CLOSE), strict=False),
    ],
)
def test_as_numpy_computes(spec: str, dtype: DType) -> None:
    """Outputs, and of nets that learn the gradient and what five steps make of them."""
    close = CLOSE[dtype]
    if nnspec.graph(spec).output.value.integer:
        pytest.skip("answers whole numbers")
    one, other = both(spec, dtype=dtype, loss="mse", optimizer="sgd(lr=0.01)")
    x, y = given(one)
    alike({"y": np.asarray(other(x))}, {"y": np.asarray(one(x))}, close)
    if one.untrainable():
        return
    (loss, gradients), (same_loss, same_gradients) = (net.gradients(x, y) for net in (one, other))
    assert same_loss == pytest.approx(loss, rel=close)
    alike(same_gradients, gradients, close)
    for _ in range(STEPS):
        one.step(x, y)
        other.step(x, y)
    alike(everything(other), everything(one), close)
    alike({"y": np.asarray(other(x))}, {"y": np.asarray(one(x))}, close)


def test_a_run_tells_whose_loops_made_it(tmp_path: Path) -> None:
    """Their bits differ, so one that goes on with the others says so."""
    one, other = both("3 -> fc4 relu -> fc1", loss="mse")
    x, y = np.ones((4, 3)), np.ones((4, 1))
    for net, loops in ((one, "numpy"), (other, f"numba {numba.__version__}")):
        net.fit(x, y, epochs=1, run=tmp_path / loops)
        assert json.loads((tmp_path / loops / "run.json").read_text())["versions"]["loops"] == loops
        net.fit(x, y, epochs=2, run=tmp_path / loops, resume=True)
    said = f"begun with loops numpy, here is loops numba {numba.__version__}: its bits may differ"
    with pytest.warns(UserWarning, match=said):
        both("3 -> fc4 relu -> fc1", loss="mse")[1].fit(
            x, y, epochs=3, run=tmp_path / "numpy", resume=True
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "spec", [*INTERLEAVED, *(spec for spec in (*SAMPLES, *SHAPES) if " bn" in spec)]
)
def test_threads_that_share_a_batch(
    spec: str, threads: int, dtype: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many of NumPy's compute, on maps of either layout; and the same bits every time."""
    share(threads, monkeypatch)
    test_as_numpy_computes(spec, dtype)
    trained = []
    for _ in range(2):
        _, net = both(spec, dtype=dtype, loss="mse", optimizer="sgd(lr=0.01)")
        x, y = given(net)
        for _ in range(STEPS):
            net.step(x, y)
        assert len(net.learner.bound(4).lanes) == threads
        trained.append(everything(net))
    for name, array in trained[0].items():
        assert array.tobytes() == trained[1][name].tobytes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "spec", [*INTERLEAVED, "3x9x9 -> conv32 3x3 p1 nobias bn gelu -> maxpool2 -> gap -> bn silu"]
)
def test_batches_that_go_straight_in(
    spec: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is prepared of the weights, norms folded in, is prepared anew once they have moved."""
    share(threads, monkeypatch)
    one, other = both(spec, loss="mse", optimizer="sgd(lr=0.1)")
    x, y = given(one)
    (fed,) = (array.astype(np.float32) for array in x.values())
    answers = []
    for _ in range(3):
        one.step(fed, y)
        other.step(fed, y)
        answers.append(other(fed))
        alike({"y": answers[-1]}, {"y": one(fed)}, CLOSE["float32"])
        alike({"y": other(fed)}, {"y": answers[-1]}, 0.0)
    assert not np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[1], answers[2])


@pytest.mark.parametrize("spec", INTERLEAVED)
def test_interleaved_maps_are_pooled_by_loops(spec: str) -> None:
    _, net = both(spec, loss="mse")
    pooled = [
        (step.node.arrivals[0].interleaved, all(compiled(function) for function, _ in made))
        for group in net.learner.bound(4).groups
        for step, made in zip(group.steps, group.calls, strict=True)
        if step.phase is Phase.FORWARD and step.node and isinstance(step.node.op, Pool)
    ]
    assert pooled
    assert set(pooled) == {(True, True)}


LAWS = [name for name, kind in CATALOGUE.items() if issubclass(kind, Elementwise)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAWS)
def test_laws_far_out(name: str, dtype: DType) -> None:
    """From where exponentials vanish to where they overflow, and what is no number at all."""
    x = np.concatenate([np.linspace(-800, 800, 6401), np.linspace(-1e-3, 1e-3, 101)])
    x = np.concatenate([x, [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30]])[:, None]
    one, other = both(f"1 -> {name}", dtype=dtype)
    wanted, found = np.asarray(one(x)), np.asarray(other(x))
    near = CLOSE[dtype] * (1 + np.abs(np.nan_to_num(wanted, posinf=0, neginf=0)))
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        wrong = ~(same | (np.abs(found - wanted) <= near))
    assert not wrong.any(), (x[wrong], found[wrong], wanted[wrong])


@pytest.mark.parametrize("more", [{}, {"l2": 1e-2, "l1": 1e-3, "clip": 0.1}])
@pytest.mark.parametrize(
    "optimizer",
    [
        "gd(lr=0.01)", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "rmsprop(momentum=0.9)", "adam",
        "adamw", "adamw(decay=0)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 3])
def test_optimisers_to_the_bit(
    optimizer: str,
    more: dict[str, Any],
    dtype: DType,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share(threads, monkeypatch)
    settings = {"optimizer": optimizer, "loss": "mse", "dtype": dtype, **more}
    one, other = both("300 -> fc120 -> fc3", **settings)
    x, y = given(one)
    for _ in range(STEPS):
        assert one.step(x, y) == other.step(x, y)
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(other.weights[name], weight, err_msg=name)
    assert len(other.learner.updates) == len(one.learner.updates) == threads
    assert sum(map(len, other.learner.updates)) < sum(map(len, one.learner.updates))


def test_bits_repeat() -> None:
    spec = "3x16x16 -> conv8 3x3 p1 -> bn gelu -> maxpool2 -> flatten -> fc4"
    nets = [both(spec, loss="mse", optimizer="adam")[1] for _ in range(2)]
    x, y = given(nets[0])
    losses = [[net.step(x, y) for _ in range(STEPS)] for net in nets]
    assert losses[0] == losses[1]
    for name, weight in nets[0].weights.items():
        assert weight.tobytes() == nets[1].weights[name].tobytes()


def test_same_arrays_fewer_calls() -> None:
    one, other = both("3x16x16 -> conv8 3x3 p1 -> bn gelu -> maxpool3 s2 -> flatten -> fc4")
    first, second = (net.learner.bound(4) for net in (one, other))
    assert first.schedule.arrays == second.schedule.arrays
    assert first.schedule.offsets == second.schedule.offsets
    assert first.arena.size == second.arena.size
    assert calls(other) < calls(one)


def taken(net: Net, x: Any, y: Any) -> int:
    """The most memory that Python and NumPy take in a step, which are not the first."""
    for _ in range(2):
        net.step(x, y)
    bound = net._filled(x, y)
    tracemalloc.start()
    try:
        net.learner.step(bound)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def compiled(function: object) -> bool:
    return str(getattr(function, "__module__", "")).startswith("nnspec.runtime.jit")


def test_loops_allocate_nothing() -> None:
    """No array of Numba's, and no more of NumPy's than without."""
    from numba.core.runtime import _nrt_python, rtsys

    one, other = both("3x32x32 -> conv8 3x3 p1 -> bn gelu -> maxpool3 s2 -> flatten -> fc4")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3, 32, 32)), np.arange(4)
    lanes = (*other.learner.bound(4).lanes, *other.learner.updates)
    made = [call for lane in lanes for call in lane]
    loops = [arguments for function, arguments in made if compiled(function)]
    arrays = sum(isinstance(one, np.ndarray) for arguments in loops for one in arguments)
    other.step(x, y)
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats().alloc
    other.step(x, y)
    # For each array that it is given Numba makes a note of who owns it.
    assert rtsys.get_allocation_stats().alloc - before == arrays
    assert len(loops) == 9
    assert taken(other, x, y) <= taken(one, x, y) + 4096


def test_it_stays_when_the_net_is_copied_frozen_saved(tmp_path: Path) -> None:
    one, net = both("6 -> fc5 gelu -> fc3")
    assert net.jit
    assert not one.jit
    assert copy.deepcopy(net).jit
    assert pickle.loads(pickle.dumps(net)).jit
    net.freeze("fc1")
    assert net.jit
    net.save(tmp_path / "a.safetensors")
    for jit in (False, True):
        loaded = nnspec.load(tmp_path / "a.safetensors", jit=jit)
        assert isinstance(loaded, Net)
        assert loaded.jit is jit


def test_members_of_an_ensemble() -> None:
    plain, fast = (nnspec.compile("6 -> fc5 gelu -> fc3", ensemble=2, jit=j) for j in (False, True))
    assert [member.jit for member in fast.members] == [True, True]
    x = np.random.default_rng(0).standard_normal((4, 6))
    np.testing.assert_allclose(fast(x), plain(x), rtol=1e-5, atol=1e-6)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = str(tmp_path / "iris.safetensors")
    told = []
    for words in ([], ["--jit"]):
        spec = ["train", "4 -> fc16 relu -> fc3", "--data", "iris", "--epochs", "3"]
        assert main([*spec, "--save", saved, "--format", "json", *words]) == 0
        told.append(json.loads(capsys.readouterr().out)["test"])
        assert main(["evaluate", saved, "--data", "iris", *words]) == 0
        assert main(["predict", saved, "--input", "5.1,3.5,1.4,0.2", *words]) == 0
        assert main(["profile", "4 -> fc16 relu -> fc3", *words]) == 0
        assert main(["bench", "4 -> fc16 relu -> fc3", "--rounds", "1", *words]) == 0
        capsys.readouterr()
    assert told[1]["accuracy"] == told[0]["accuracy"]
    assert told[1]["loss"] == pytest.approx(told[0]["loss"], rel=1e-5)


ROOT = Path(__file__).parents[2]


def run_without(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / ".dev")},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_nothing_loads_numba_unasked() -> None:
    program = (
        "import nnspec, sys\nnnspec.compile('6 -> fc5 gelu -> fc3')([[0.0] * 6])\n"
        "print('numba' in sys.modules)"
    )
    assert run_without(program) == "False\n"


def test_without_numba(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.startswith("nnspec.runtime.jit")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(SpecError) as caught:
        nnspec.compile("6 -> fc3", jit=True)
    (mistake,) = caught.value.diagnostics
    assert mistake.code == "NN570"
    assert "numba, which is not installed" in str(caught.value)
    assert main(["profile", "6 -> fc3", "--jit"]) == 1
    assert 'pip install "nnspec[jit]"' in capsys.readouterr().err
