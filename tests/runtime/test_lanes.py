"""Threads that share a batch: the same numbers as one thread, the same bits every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.plan import lanes as planned
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import EVERY, Phase
from nnspec.runtime import bind, threads
from nnspec.runtime.answering import quiet
from nnspec.runtime.autopsy import first_broken
from nnspec.runtime.kernels import MEET, Array, products
from nnspec.runtime.net import DType

from ..safety.broken_numbers import behind

ROOT = Path(__file__).parents[2]

Threads = Callable[[int], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """Let nets use so many threads, however small they are."""
    monkeypatch.setattr(planned, "WORTH_SPLITTING", 0)
    monkeypatch.setattr(planned, "REUSE", 0)

    def to(count: int) -> None:
        monkeypatch.setattr(bind, "available", lambda: count)

    return to


NETS = {
    "mlp": "6 -> fc5 relu -> fc3",
    "conv": "3x8x8 -> conv16 3x3 p1 relu -> maxpool2 -> conv16 3x3 p1 relu -> flatten -> fc3",
    "bn": "3x8x8 -> conv16 3x3 p1 nobias bn relu -> conv16 1x1 bn relu -> gap -> fc3",
    "plain bn": "2x6x6 -> conv4 3x3 bn tanh -> avgpool2 -> flatten -> fc6 bn -> fc3",
    "residual": "4x6x6 -> conv16 3x3 p1 -> add[ conv16 3x3 p1 bn relu | id ] bn relu -> gap -> fc3",
    "frozen": "3x8x8 -> conv16 3x3 p1 freeze bn freeze relu -> conv16 3x3 p1 bn relu -> gap -> fc3",
    "maps": "2x8x8 -> conv16 3x3 p1 relu -> conv3 1x1",
    "steps": "7x4 -> lstm5 -> ln -> fc3",
}


def given(spec: str, batch: int, dtype: DType = "float64") -> tuple[Any, Array, Array]:
    made = nnspec.compile(spec, seed=3, dtype=dtype, loss="cross_entropy")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *made.graph.inputs[0].value.shape)).astype(dtype)
    output = made.graph.output.value
    y = rng.integers(0, 3, (batch, *made.training.learned_by(output).truth(output)))
    return made, x, y


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("count", [2, 3])
def test_as_one_thread_does(name: str, count: int, use: Threads) -> None:
    use(1)
    alone, x, y = given(NETS[name], 7)
    loss, gradients = alone.gradients(x, y)
    answers = alone(x)
    use(count)
    split, _, _ = given(NETS[name], 7)
    assert len(split.learner.bound(7).lanes) == count
    found, theirs = split.gradients(x, y)
    assert found == pytest.approx(loss, abs=1e-13)
    for weight, gradient in gradients.items():
        scale = max(1.0, float(np.abs(gradient).max()))
        np.testing.assert_allclose(theirs[weight], gradient, rtol=0, atol=1e-13 * scale)
    for statistic, kept in alone.state.items():
        np.testing.assert_allclose(split.state[statistic], kept, rtol=0, atol=1e-14)
    np.testing.assert_allclose(split(x), answers, rtol=0, atol=1e-13)


def test_bits_repeat(use: Threads) -> None:
    use(2)
    spec = NETS["bn"].replace("-> gap", "dropout0.3 -> gap")

    def trained() -> bytes:
        made, x, y = given(spec, 33, "float32")
        made.fit(x, y, epochs=4, batch=8)
        return b"".join(w.tobytes() for w in (*made.weights.values(), *made.state.values()))

    first = trained()
    assert all(trained() == first for _ in range(3))


def test_lanes_draw_noise_of_their_own(use: Threads) -> None:
    use(2)
    made = nnspec.compile("8 -> dropout0.5 -> fc4", loss="mse")
    bound = made.learner.bound(2)
    kept = [
        bind.view(bound.schedule, bound.arena, step.saved["kept"])
        for step in bound.schedule.steps
        if step.phase is Phase.FORWARD and "kept" in step.saved
    ]
    made.step(np.ones((2, 8)), np.ones((2, 4)))
    one, other = (array.copy() for array in kept)
    assert one.shape == other.shape == (1, 8)
    assert (one != other).any()


def test_a_run_goes_on_with_the_noise_of_every_lane(use: Threads, tmp_path: Any) -> None:
    use(2)
    spec, settings = "6 -> fc16 relu dropout0.5 -> fc3", {"batch": 8, "seed": 1}
    whole, x, y = given(spec, 40)
    whole.fit(x, y, epochs=4, **{**settings, "seed": 3})
    cut, _, _ = given(spec, 40)
    cut.fit(x, y, epochs=2, run=tmp_path / "run", **{**settings, "seed": 3})
    on, _, _ = given(spec, 40)
    on.fit(x, y, epochs=4, run=tmp_path / "run", resume=True, **{**settings, "seed": 3})
    for name, weight in whole.weights.items():
        np.testing.assert_array_equal(on.weights[name], weight)


def test_lanes_meet_equally_often(use: Threads) -> None:
    use(3)
    for spec in (NETS["bn"], NETS["residual"]):
        made, _, _ = given(spec, 9)
        meetings = {sum(call is MEET for call in lane) for lane in made.learner.bound(9).lanes}
        assert len(meetings) == 1


@pytest.mark.usefixtures("use")
def test_no_memory_is_used_by_two_lanes() -> None:
    graph = nnspec.graph(NETS["residual"])
    plan = schedule(graph, 10, "train", graph.training.learned_by(graph.output.value), 4, 2)
    taken = {
        lane: [
            (plan.offsets[a.index], plan.offsets[a.index] + a.bytes(4))
            for a in plan.arrays
            if a.lane == lane and a.part is None
        ]
        for lane in (EVERY, 0, 1)
    }
    spans = [(min(s for s, _ in t), max(e for _, e in t)) for t in taken.values()]
    ordered = sorted(spans)
    assert all(one[1] <= other[0] for one, other in pairwise(ordered))
    assert ordered[-1][1] <= plan.arena_bytes


def test_lanes_of_one_example_each(use: Threads) -> None:
    """No input can lie before a 1 where it lies before another lane's."""
    use(2)
    spec = "5 -> fc4 relu -> fc3"
    net = nnspec.compile(spec, seed=0, dtype="float64")
    x = np.random.default_rng(0).standard_normal((2, 5))
    found = net(x)
    assert net.inference(2).schedule.lanes == (1, 1)
    for row in nnspec.plan(spec, mode="infer", batch=2, threads=2).steps:
        assert not row.algorithm
        assert not row.why
    np.testing.assert_allclose(found, [net(x[:1])[0], net(x[1:])[0]], rtol=0, atol=1e-14)


def test_a_lane_that_fails_ends_the_step(use: Threads) -> None:
    use(2)
    made, x, y = given(NETS["bn"], 8)
    bound = made.learner.bound(8)

    def fails() -> None:
        raise MemoryError("no room")

    for lane in (0, 1):
        half = len(bound.lanes[lane]) // 2
        calls = list(bound.lanes)
        calls[lane] = (*calls[lane][:half], (fails, ()), *calls[lane][half:])
        with pytest.raises(MemoryError, match="no room"):
            threads.together(calls)
    loss = made.step(x, y)
    assert np.isfinite(loss)


def test_numbers_that_break_in_a_lane_are_named(use: Threads) -> None:
    use(2)
    made, x, y = given("6 -> fc5 relu -> fc3", 8)
    made.weights["fc1.weight"][:] = 1e200
    made.weights["fc2.weight"][:] = 1e200
    with pytest.raises(nnspec.SpecError, match="output of `fc2`"):
        made.step(np.abs(x), y)


@pytest.mark.parametrize("lane", [0, 1])
def test_a_gradient_that_breaks_in_a_lane_is_named_where_it_was_made(
    lane: int, use: Threads
) -> None:
    use(2)
    made, x, y = given(NETS["mlp"], 8)
    bound = made._filled(x, y)
    for name, one in (("fc2", lane), ("fc1", 0)):
        work = next(
            number
            for number, step in enumerate(bound.schedule.steps)
            if step.phase is Phase.BACKWARD and step.lane == one
            if step.node is not None and step.node.name == name
        )
        bound = behind(bound, work, bound.gradients[one][f"{name}.weight"], 7, np.nan)
    found = first_broken(bound, made.learner.memory)
    assert found.where == "1 NaN of 15 numbers in the gradient of weight `fc2.weight`"


@pytest.mark.parametrize("lane", [0, 1])
def test_the_numbers_of_every_lane_are_counted(lane: int, use: Threads) -> None:
    use(2)
    made, x, y = given(NETS["mlp"], 7)
    made.weights["fc1.weight"][:] = 1e200
    x[:] = 1
    x[6 * lane] = 1e200
    with quiet():
        found = first_broken(made._filled(x, y), made.learner.memory)
    assert found.where == "5 infinite of 35 numbers in the output of `fc1`"


def test_warnings_stay_away(use: Threads, recwarn: pytest.WarningsRecorder) -> None:
    use(2)
    made = nnspec.compile("6 -> fc5 sigmoid -> fc3", loss="mse")
    made.step(np.full((8, 6), 1e30, np.float32), np.ones((8, 3)))
    assert not recwarn.list


def test_blas_threads_are_put_back(use: Threads) -> None:
    before = threads.blas_threads()
    use(2)
    made, x, y = given(NETS["conv"], 8)
    made.step(x, y)
    assert threads.blas_threads() == before


def test_a_small_net_or_one_of_large_matrices_stays_with_one_thread() -> None:
    for spec, batch in (("6 -> fc5 relu -> fc3", 64), ("3072 -> fc1024 relu -> fc10", 128)):
        assert planned.lanes(nnspec.graph(spec), batch, 2) == (batch,)
    lenet = nnspec.graph(
        "1x28x28 -> conv6 5x5 p2 relu -> maxpool2 -> conv16 5x5 -> flatten -> fc10"
    )
    assert planned.lanes(lenet, 65, 2) == (33, 32)
    assert planned.lanes(lenet, 1, 2) == (1,)


@pytest.mark.parametrize("when", ["at work", "at the end", "while waiting"])
def test_an_interrupt_leaves_no_lane_behind(when: str, use: Threads) -> None:
    use(2)
    done: list[str] = []

    def slow() -> None:
        time.sleep(0.2)
        done.append("the other lane")

    def interrupts() -> None:
        raise KeyboardInterrupt

    mine = {"at work": ((interrupts, ()), MEET), "at the end": ((interrupts, ()),)}
    theirs = ((slow, ()), MEET) if when == "at work" else ((slow, ()),)
    if when == "while waiting":
        signal.signal(signal.SIGALRM, lambda *_: interrupts())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
    idle, before = len(threads.CREW.idle), threads.blas_threads()
    with pytest.raises(KeyboardInterrupt):
        threads.together([mine.get(when, ()), theirs])
    assert done == ["the other lane"]
    assert len(threads.CREW.idle) >= max(1, idle)
    assert threads.blas_threads() == before


INTERRUPTED = """
import os, signal, threading
import numpy as np
import nnspec

# Who is started in the background may have been told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
net = nnspec.compile("8x20x20 -> conv16 3x3 p1 relu -> conv16 3x3 p1 relu -> gap -> fc3")
x = np.ones((300, 8, 20, 20), np.float32)
wanted = net(x)
for number in range(40):
    delay = 0.004 + 0.0013 * (number % 13)
    try:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            net(x)
    except KeyboardInterrupt:
        pass
assert (net(x) == wanted).all()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a signal from within is Unix's")
def test_interrupts_wherever_they_come_hang_nothing() -> None:
    given = {**os.environ, "PYTHONPATH": str(ROOT / ".dev"), "NNSPEC_THREADS": "2"}
    command = [sys.executable, "-c", INTERRUPTED]
    subprocess.run(command, env=given, check=True, timeout=120, cwd=ROOT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_child_forked_while_another_thread_answers_can_answer() -> None:
    net = nnspec.compile("8x20x20 -> conv16 3x3 p1 relu -> gap -> fc3")
    x = np.ones((64, 8, 20, 20), np.float32)
    wanted, stop = net(x), threading.Event()

    def answer() -> None:
        while not stop.is_set():
            net(x)

    busy = threading.Thread(target=answer)
    busy.start()
    try:
        for _ in range(5):
            child = os.fork()
            if not child:
                signal.alarm(20)
                os._exit(0 if np.allclose(net(x), wanted) else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        busy.join()


def test_a_thread_that_cannot_start_hangs_nobody(
    use: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(2)
    monkeypatch.setattr(threads.CREW, "idle", [])
    made: list[int] = []

    class Scarce(threads.Worker):
        def __init__(self) -> None:
            if made:
                raise RuntimeError("can't start new thread")
            made.append(1)
            super().__init__()

    monkeypatch.setattr(threads, "Worker", Scarce)
    before = threads.blas_threads()
    with pytest.raises(RuntimeError, match="start"):
        threads.together([(MEET,), (MEET,), (MEET,)])
    assert threads.blas_threads() == before


def test_answers_while_another_thread_steps_are_not_out_of_date(
    use: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(1)
    made, x, y = given(NETS["bn"], 8)
    real: Callable[[Any, Any], float] = type(made.learner).gradient

    def gradient(self: Any, bound: Any) -> float:
        loss = real(self, bound)
        other = threading.Thread(target=lambda: made(x))
        other.start()
        other.join()
        return loss

    made(x)
    monkeypatch.setattr(type(made.learner), "gradient", gradient)
    made.step(x, y)
    monkeypatch.undo()
    answer = made(x)
    made.learner.bound(8)
    held = made.weights["fc1.bias"]
    np.testing.assert_array_equal(answer, made(x))
    assert held.size


def test_only_numpys_blas_is_asked_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else the process has loaded: PyTorch and SciPy bring theirs."""

    class Library:
        def __init__(self, filepath: str, count: int) -> None:
            self.filepath, self.count = filepath, count

        def get_num_threads(self) -> int:
            return self.count

        def set_num_threads(self, count: int) -> None:
            self.count = count

    class Loaded:
        def select(self, user_api: str) -> object:
            assert user_api == "blas"
            return self

    home = Path(np.__file__).parent
    own = Library(str(home.with_name("numpy.libs") / "libopenblas.so"), 3)
    other = Library(str(home.with_name("scipy.libs") / "libopenblas.so"), 5)
    Loaded.lib_controllers = [own, other]  # type: ignore[attr-defined]
    monkeypatch.setattr(threads, "controller", Loaded)
    threads.blas.cache_clear()
    try:
        assert threads.blas_threads() == 3
        with threads.blas_limited(1):
            assert (own.count, other.count) == (1, 5)
        assert (own.count, other.count) == (3, 5)
        Loaded.lib_controllers = [other]  # type: ignore[attr-defined]
        threads.blas.cache_clear()
        assert threads.blas_threads() == 5
    finally:
        threads.blas.cache_clear()


@pytest.mark.parametrize("wrong", ["abc", "0", "-3", "1.5"])
@pytest.mark.parametrize("command", ["plan", "train", "profile"])
def test_threads_that_are_no_number_are_refused(
    wrong: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NNSPEC_THREADS", wrong)
    threads.available.cache_clear()
    data = ["--data", "digits", "--epochs", "1"] if command == "train" else []
    assert main([command, "64 -> fc10", *data]) == 2
    assert f"`NNSPEC_THREADS` cannot be `{wrong}`" in capsys.readouterr().err
    monkeypatch.setenv("NNSPEC_THREADS", "")
    threads.available.cache_clear()
    assert threads.available() == threads.blas_threads()


@pytest.mark.parametrize(
    ("width", "one", "two"),
    [
        (64, threads.run, threads.run),
        (256, threads.with_one_blas_thread, threads.with_one_blas_thread),
        (1024, threads.with_one_blas_thread, threads.run),
    ],
)
def test_one_thread_is_one_for_products_too(
    width: int, one: object, two: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BLAS takes one by itself for the smallest; for others it has to be told."""
    for count, runner in ((1, one), (2, two)):
        monkeypatch.setattr(bind, "available", partial(int, count))
        net = nnspec.compile(f"{width} -> fc64 relu -> fc10")
        assert net.learner.bound(32).runner[0] is runner


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """Let so many threads share every product of a fully connected layer."""
    monkeypatch.setattr(products, "WORTH_SHARING", 0)

    def to(count: int) -> None:
        monkeypatch.setattr(bind, "available", lambda: count)

    return to


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "spec", ["7 -> fc5 relu -> fc2 -> fc3", "4x7 -> fc5 tanh -> flatten -> fc3"]
)
def test_products_that_threads_share(spec: str, count: int, sharing: Threads) -> None:
    """One lane has the whole batch, others their part of its products: the same numbers, and the same
    bits every time."""
    sharing(1)
    alone, x, y = given(spec, 8)
    wanted = [alone.step(x, y) for _ in range(3)]
    sharing(count)
    for _ in range(2):
        made, _, _ = given(spec, 8)
        bound = made.learner.bound(8)
        assert (len(bound.schedule.lanes), len(bound.lanes)) == (1, count)
        np.testing.assert_allclose([made.step(x, y) for _ in range(3)], wanted, rtol=1e-12)
        for name, weight in alone.weights.items():
            np.testing.assert_allclose(made.weights[name], weight, rtol=1e-9, atol=1e-12)
    runs = [given(spec, 8)[0] for _ in range(2)]
    first, second = ([net.step(x, y) for _ in range(3)] for net in runs)
    assert first == second


def test_groups_of_shared_products_run_alone(sharing: Threads) -> None:
    """Step by step, in one thread: for the profile, the autopsy and gradients checked."""
    sharing(2)
    made, x, y = given("7 -> fc5 relu -> fc3", 8)
    loss, gradients = made.gradients(x, y)
    bound = made.learner.bound(8)
    made.learner.filled(x, y)
    for group in bound.groups:
        group.run()
    assert float(bound.loss) == pytest.approx(loss, rel=1e-12)
    for name, gradient in made.learner.memory.gradients.items():
        np.testing.assert_allclose(gradient, gradients[name], rtol=1e-12)
    parts = nnspec.profile("7 -> fc5 relu -> fc3", batch=8).parts
    assert {part.layer for part in parts} == {"fc1", "fc2", ""}


@pytest.mark.parametrize(
    "spec",
    [
        "1x6x4 -> bn momentum=1 -> gap -> fc3",
        "16x6x4 -> conv16 1x1 nobias bn momentum=1 -> gap -> fc3",
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("dtype", "mean", "within"),
    [("float32", 1e4, 2e-6), ("float32", 1e6, 2e-5), ("float64", 1e6, 1e-13)],
)
def test_variance_where_the_mean_is_large(
    spec: str, count: int, dtype: DType, mean: float, within: float, use: Threads
) -> None:
    """Lanes of unequal size; each takes out its own mean, rounded, and then what that left."""
    use(count)
    net, x, y = given(spec, 23, dtype)
    x = (x + mean).astype(dtype)
    if "conv1.weight" in net.weights:
        net.weights["conv1.weight"][:] = np.eye(16).reshape(16, 16, 1, 1)
    net.step(x, y)
    assert len(net.learner.bound(23).lanes) == count
    precise = x.astype(np.longdouble).var(axis=(0, 2, 3), ddof=1)
    found = net.state["bn1.variance"]
    np.testing.assert_allclose(found, precise.astype(np.float64), rtol=within)
