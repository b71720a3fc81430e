"""What inference makes of the weights beforehand: norms folded in, and never out of date."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import Kind, Phase
from nnspec.runtime.bind import Bound, bind_batch
from nnspec.runtime.monitor import open_everywhere
from nnspec.runtime.net import Net

SPEC = (
    "3x12x12 -> conv32 3x3 p1 nobias bn relu -> conv16 3x3 p1 bn relu "
    "-> conv24 1x1 bn -> conv16 3x3 s2 bn relu -> gap -> fc4"
)


def trained() -> tuple[Any, Any, Any]:
    net = nnspec.compile(SPEC, seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3, 12, 12)), rng.integers(0, 4, 40)
    net.fit(x, y, epochs=2, batch=10)
    return net, x, y


def unfolded(net: Any, x: Any) -> Any:
    """The same net, whose norms nothing can take in: every value is an output."""
    other = Net(open_everywhere(net.graph), dtype="float64")
    for mine, theirs in (
        (other.weights, list(net.weights.values())), (other.state, list(net.state.values())),
    ):  # fmt: skip
        for array, right in zip(mine.values(), theirs, strict=True):
            array[:] = right
    return list(other(x).values())[-1]


def test_folded_norms_say_the_same() -> None:
    net, x, _ = trained()
    plan = schedule(net.graph, 40, "infer")
    assert sum(step.folded is not None for step in plan.steps) == 4
    assert not [s for s in plan.steps if s.node and s.node.name.startswith("bn")]
    np.testing.assert_allclose(net(x), unfolded(net, x), rtol=0, atol=1e-13)


def test_a_norm_whose_input_is_read_elsewhere_stays() -> None:
    graph = nnspec.graph("3x12x12 -> conv16 3x3 p1 -> add[ bn | id ] -> gap -> fc4")
    plan = schedule(graph, 4, "infer")
    assert not [step for step in plan.steps if step.folded is not None]


def test_answers_follow_the_weights(tmp_path: Path) -> None:
    net, x, y = trained()
    before = net(x)
    net.step(x, y)
    after = net(x)
    assert (after != before).any()
    np.testing.assert_allclose(after, unfolded(net, x), rtol=0, atol=1e-13)
    net.save(tmp_path / "net.safetensors")
    loaded = nnspec.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(loaded(x), loaded(x))
    np.testing.assert_array_equal(loaded(x), net(x))
    held = net.weights["conv2.weight"]
    first = net(x)
    held[:] *= 2
    assert (net(x) != first).any()
    net.state["bn1.mean"][:] += 1
    np.testing.assert_allclose(net(x), unfolded(net, x), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(copy.deepcopy(net)(x), net(x))


def test_a_callback_sees_the_net_as_it_is() -> None:
    net, x, y = trained()
    seen: list[Any] = []
    net.fit(x, y, epochs=3, batch=10, on_epoch=lambda _: seen.append((net(x), net.evaluate(x, y))))
    assert (seen[0][0] != seen[1][0]).any()
    np.testing.assert_array_equal(seen[-1][0], net(x))


def test_weights_are_prepared_once() -> None:
    net = nnspec.compile(SPEC, seed=0)
    x = np.zeros((4, 3, 12, 12), np.float32)
    net(x)
    bound = net.inference(4)
    assert bound.preparations.calls
    prepared = [
        bound.arena[plan_start : plan_start + 4].view(np.float32)
        for plan_start in (
            bound.schedule.offsets[a.index]
            for a in bound.schedule.arrays
            if a.kind is Kind.PREPARED
        )
    ]
    prepared[0][:] = 77
    net(x)
    assert prepared[0][0] == 77, "nothing changed, nothing is made again"
    part = net.weights["conv2.weight"][0]
    net(x)
    assert prepared[0][0] != 77, "who has a view of the weights may have written into it"
    prepared[0][:] = 77
    net(x)
    assert prepared[0][0] != 77
    del part
    net(x)
    prepared[0][:] = 77
    net(x)
    assert prepared[0][0] == 77, "nobody has one any more"
    net.weights["conv2.weight"][:] += 1
    net(x)
    assert prepared[0][0] != 77, "it was written into, and let go"


@pytest.mark.parametrize("batch", [1, 3])
def test_the_short_way_in_is_the_long_one(batch: int) -> None:
    net = nnspec.compile(SPEC, seed=0)
    x = np.random.default_rng(0).standard_normal((batch, 3, 12, 12)).astype(np.float32)
    long = net(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(net, "answers", None)
        np.testing.assert_array_equal(net(x), long)
    np.testing.assert_array_equal(net(x.astype(np.float64)), long)
    np.testing.assert_array_equal(net(list(x)), long)
    np.testing.assert_array_equal(net(x[:, :, ::-1][:, :, ::-1]), long)
    assert net(x) is not net(x)
    with pytest.raises(nnspec.SpecError):
        net(x[:, :2])


SMALL = [
    "5 -> fc4 relu -> fc3",
    "5 -> fc4 -> fc3 -> fc1",
    "15 -> fc4 -> fc16 relu -> fc17 -> fc2",
    "63 -> fc64 relu -> fc2",
    "79 -> fc80 relu -> fc2",
    "6 -> fc5 -> fc4 tanh -> add[ fc4 | fc4 relu -> fc4 | id ] -> fc2",
    "5 -> add[ fc3 | fc3 | fc4 -> fc3 ] -> dropout0.5 -> fc3 sigmoid",
    "2x4x4 -> conv3 3x3 -> flatten -> add[ fc4 | fc4 nobias ] -> dropout0.5 -> fc3",
]


@pytest.mark.parametrize("spec", SMALL)
def test_a_bias_is_a_column_where_one_example_is_asked_for(spec: str) -> None:
    net = nnspec.compile(spec, seed=0, dtype="float64")
    rng = np.random.default_rng(1)
    x = rng.standard_normal((7, *net.graph.inputs[0].value.shape))
    net.inference(1).arena[:] = 255  # NaN, all over
    for _ in range(2):
        for weight in net.weights.values():
            weight[:] = rng.standard_normal(weight.shape)
        del weight
        # Twice over: nothing writes over the 1 behind an input.
        for _ in range(2):
            found = np.concatenate([net(x[i : i + 1]) for i in range(len(x))])
            np.testing.assert_allclose(found, net(x), rtol=0, atol=1e-12)
    small = {s.algorithm for s in net.inference(1).schedule.steps if s.node and s.node.weights}
    assert "one product" in small
    assert "one product" not in {s.algorithm for s in net.inference(2).schedule.steps}


def test_a_large_matrix_has_no_column_more() -> None:
    plan = schedule(nnspec.graph("2000 -> fc100 -> fc10"), 1, "infer")
    assert [s.algorithm for s in plan.steps] == ["", "one product"]


def test_batches_in_turns_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nnspec.compile(SPEC, seed=0)
    x = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)
    long = {batch: net(x[:batch]) for batch in (1, 2, 3)}
    monkeypatch.setattr(net, "answers", None)
    for batch in (2, 1, 3, 1):
        np.testing.assert_array_equal(net(x[:batch]), long[batch])
    assert [*net._bound.kept] == [2, 3, 1]


def test_a_net_is_not_frozen_while_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the answer is bound to would be the memory from before, for good."""
    net = nnspec.compile("3 -> fc4 relu -> fc2", seed=0)
    frozen = threading.Thread(target=net.freeze, args=("fc1",))

    def slowly(*args: Any) -> Bound:
        found = bind_batch(*args)
        if not frozen.ident:
            frozen.start()
            frozen.join(0.2)
        return found

    monkeypatch.setattr("nnspec.runtime.net.bind_batch", slowly)
    x = np.ones((5, 3), np.float32)
    assert net(x).any()
    frozen.join()
    for weight in net.weights.values():
        weight[:] = 0
    assert not net(x).any()


def test_what_was_asked_for_last_is_forgotten_last() -> None:
    net = nnspec.compile("3 -> fc2", seed=0)
    x = np.zeros((9, 3), np.float32)
    for batch in (1, 2, 3, 4, 1, 1, 5):
        net(x[:batch])
    assert [*net._bound.kept] == [3, 4, 1, 5]


def test_backward_is_not_planned() -> None:
    assert all(s.phase is Phase.FORWARD for s in schedule(nnspec.graph(SPEC), 2, "infer").steps)
