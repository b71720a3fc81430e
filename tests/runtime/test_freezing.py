"""Layers that are frozen, or learn otherwise than the net: against PyTorch, and what they spare."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.analyzers.test_memory import exactly
from torch import Tensor

import nnspec
from nnspec.analyzers.facts import memory
from nnspec.compiler.graph import Node
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.plan.parameters import Group, lay_out
from nnspec.compiler.plan.schedule import Phase
from nnspec.compiler.training.learning import Learning
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.kernels import Array

from .in_torch import OPERATIONS, values
from .test_versus_torch import batch, compiled

Parameters = list[dict[str, Any]]
torch.set_num_threads(1)

HALF = "2x6x6 -> conv4 3x3 p1 freeze bn relu -> conv5 3x3 p1 nobias bn freeze relu -> gap fc3"


def by_torch(net: nnspec.Net, x: dict[str, Array], y: Array) -> dict[str, Array]:
    """Gradients of what learns; a frozen batch norm by its running statistics."""

    def bn(node: Node, given: list[Tensor], w: dict[str, Tensor]) -> Tensor:
        if not node.frozen:
            return OPERATIONS["bn"](node, given, w)
        mean, variance = (
            torch.tensor(net.state[node.keeper(kept)]).reshape(-1) for kept in node.state
        )
        axis = node.arrivals[0].channel_axis + 1
        moved = given[0].movedim(axis, 1)
        op: Any = node.op
        made = F.batch_norm(moved, mean, variance, w["scale"], w["shift"], False, 0.0, op.eps)
        return made.movedim(1, axis)

    weights = {n: torch.tensor(w) for n, w in net.weights.items()}
    learned = [n for n in weights if n not in net.graph.frozen]
    for name in learned:
        weights[name].requires_grad_()
    inputs = {n: torch.tensor(a) for n, a in x.items()}
    made = values(net.graph, inputs, weights, {**OPERATIONS, "bn": bn})
    loss = F.mse_loss(made[net.graph.output.name], torch.tensor(y))
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    gradients = {n: weights[n].grad for n in learned}
    return {
        n: (torch.zeros_like(weights[n]) if g is None else g).numpy() for n, g in gradients.items()
    }


@pytest.mark.parametrize("part", range(4))
def test_random_nets_with_half_of_them_frozen(part: int) -> None:
    compared = 0
    for seed in range(part, 240, 4):
        net = compiled(seed)
        if net is None:
            continue
        rng = np.random.default_rng(seed)
        names = sorted({node.name for node in net.graph.nodes if node.weights})
        chosen = [name for name in names if rng.random() < 0.5]
        if not names or len(chosen) in (0, len(names)):
            continue
        net.freeze(*chosen)
        for name, statistic in net.state.items():
            kept = rng.uniform(0.5, 2, statistic.shape)
            statistic[...] = kept if name.endswith("variance") else kept - 1
        before = {name: w.copy() for name, w in (*net.weights.items(), *net.state.items())}
        x = {n.name: batch(n, 4, rng) for n in net.graph.inputs}
        y = rng.standard_normal((4, *net.graph.output.value.shape))
        wanted = by_torch(net, x, y)
        _, found = net.gradients(x, y)
        assert found.keys() == wanted.keys()
        for name, gradient in wanted.items():
            scale = max(1.0, float(np.abs(gradient).max()))
            np.testing.assert_allclose(
                found[name] / scale, gradient / scale, atol=1e-9, err_msg=net.graph.source.text
            )
        net.step(x, y)
        for node in net.graph.nodes:
            for kept_one in (*node.weights, *node.state) if node.frozen else ():
                name = node.keeper(kept_one)
                now = (net.weights if name in net.weights else net.state)[name]
                assert now.tobytes() == before[name].tobytes(), name
        compared += 1
    assert compared >= 25


def samples() -> list[tuple[str, str]]:
    """Every operator with weights, frozen behind a layer that learns."""
    found = []
    for name, kind in CATALOGUE.items():
        for sample in kind.samples:
            source, _, rest = sample.partition(" -> ")
            graph = nnspec.graph(sample)
            node = next(node for node in graph.nodes if node.op.name == name)
            if node.weights and not graph.inputs[0].value.integer and "->" not in node.span.text:
                end = node.span.end - len(source) - 4
                text = f"{source} -> scale -> {rest[:end]} freeze{rest[end:]}"
                found.append((name, text))
    return found


@pytest.mark.parametrize(("name", "text"), samples())
def test_every_operator_frozen(name: str, text: str) -> None:
    """What flows back through it is PyTorch's, and it asks for no gradient of its own."""
    net = nnspec.compile(text, dtype="float64", loss="mse", seed=1)
    rng = np.random.default_rng(1)
    for weight in net.weights.values():
        weight[...] = rng.standard_normal(weight.shape)
    x = {n.name: batch(n, 4, rng) for n in net.graph.inputs}
    y = rng.standard_normal((4, *net.graph.output.value.shape))
    wanted = by_torch(net, x, y)
    _, found = net.gradients(x, y)
    assert {node.op.name for node in net.graph.nodes if node.frozen} == {name}
    assert "scale1.scale" in found
    assert found.keys() == wanted.keys()
    for weight_name, gradient in wanted.items():
        np.testing.assert_allclose(found[weight_name], gradient, rtol=1e-9, atol=1e-9)


def test_every_operator_with_weights_is_among_them() -> None:
    weighted = {
        name
        for name, kind in CATALOGUE.items()
        if any(n.weights for n in nnspec.graph(kind.samples[0]).nodes if n.op.name == name)
    }
    assert weighted - {name for name, _ in samples()} == {"embed"}


OPTIMIZERS: list[tuple[str, Callable[[Parameters], torch.optim.Optimizer]]] = [
    ("adam(lr=1e-2)", lambda groups: torch.optim.Adam(groups, lr=1e-2)),
    ("momentum(lr=0.05)", lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9)),
    ("sgd(lr=0.05)", lambda groups: torch.optim.SGD(groups, lr=0.05)),
    (
        "nesterov(lr=0.05)",
        lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True),
    ),
    ("rmsprop(lr=1e-3)", lambda groups: torch.optim.RMSprop(groups, lr=1e-3)),
    ("adagrad(lr=0.05)", lambda groups: torch.optim.Adagrad(groups, lr=0.05)),
]
OURS = """2x8x8
-> [conv4 3x3 p1 bn relu] freeze
-> conv5 3x3 p1 nobias l2=1e-2 bn relu
-> [conv6 3x3 p1 bn relu] freeze
-> gap fc8 lr=0.1 relu
-> fc3
train(loss = cross_entropy, l2 = 1e-3)
"""


def theirs() -> torch.nn.Sequential:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU(),
        nn.Conv2d(5, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3),
    ).double()  # fmt: skip


NAMES = ((0, "conv1"), (1, "bn1"), (3, "conv2"), (4, "bn2"), (6, "conv3"), (7, "bn3"), (11, "fc1"), (13, "fc2"))  # fmt: skip
KINDS = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


def pairs(net: nnspec.Net, model: torch.nn.Sequential) -> list[tuple[str, Array, Tensor]]:
    """Every weight and statistic of ours, beside theirs."""
    arrays = {**net.weights, **net.state}
    places = {name: place for place, name in NAMES}
    found = []
    for full, array in arrays.items():
        name, _, kind = full.partition(".")
        other: Tensor = getattr(model[places[name]], KINDS.get(kind, kind))
        found.append((full, array, other))
    return found


@pytest.mark.parametrize(("optimizer", "make"), OPTIMIZERS, ids=lambda given: str(given)[:8])
def test_fifty_steps_against_parameter_groups(
    optimizer: str, make: Callable[[Parameters], torch.optim.Optimizer]
) -> None:
    net = nnspec.compile(OURS, seed=1, dtype="float64", optimizer=optimizer)
    rng = np.random.default_rng(0)
    for name in ("bn1", "bn3"):
        net.state[f"{name}.mean"][:] = rng.normal(size=net.state[f"{name}.mean"].shape)
        net.state[f"{name}.variance"][:] = rng.uniform(0.5, 2, net.state[f"{name}.mean"].shape)
    m = theirs()
    with torch.no_grad():
        for _, array, other in pairs(net, m):
            other.copy_(torch.tensor(array))
    for layer in (m[0], m[1], m[6], m[7]):
        layer.eval().requires_grad_(False)
    rate = net.training.optimizer.lr
    stepper = make(
        [
            {"params": [m[3].weight], "weight_decay": 1e-2},
            {"params": [*m[4].parameters(), m[13].bias]},
            {"params": [m[11].weight], "weight_decay": 1e-3, "lr": rate * 0.1},
            {"params": [m[11].bias], "lr": rate * 0.1},
            {"params": [m[13].weight], "weight_decay": 1e-3},
        ]
    )
    before = {name: array.tobytes() for name, array, _ in pairs(net, m)}
    for _ in range(50):
        x, y = rng.normal(size=(16, 2, 8, 8)), rng.integers(0, 3, 16)
        net.step(x, y)
        stepper.zero_grad()
        F.cross_entropy(m(torch.tensor(x)), torch.tensor(y)).backward()  # type: ignore[no-untyped-call]
        stepper.step()
    for name, array, other in pairs(net, m):
        np.testing.assert_allclose(array, other.detach().numpy(), atol=1e-10, err_msg=name)
    still = {name for name, array, _ in pairs(net, m) if array.tobytes() == before[name]}
    assert {name.partition(".")[0] for name in still} == {"conv1", "bn1", "conv3", "bn3"}


def test_the_loss_and_the_gradients_hold_the_layers_own_l2() -> None:
    text = "3 -> fc4 l2=0.5 relu -> fc4 freeze relu -> fc2 l2=0\ntrain(loss = mse, l2 = 0.1)"
    net = nnspec.compile(text, dtype="float64")
    plain = nnspec.compile(text.replace("l2=0.5", "l2=0"), dtype="float64")
    x, y = np.ones((2, 3)), np.zeros((2, 2))
    (loss, found), (bare, without) = net.gradients(x, y), plain.gradients(x, y)
    w = net.weights["fc1.weight"]
    assert loss - bare == pytest.approx(0.25 * (w * w).sum(), rel=1e-12)
    np.testing.assert_allclose(found["fc1.weight"] - without["fc1.weight"], 0.5 * w, atol=1e-15)
    assert (found["fc3.weight"] == without["fc3.weight"]).all()


def test_decay_goes_by_the_layers_own_rate() -> None:
    """AdamW: what a layer loses is its rate times the decay."""
    text = "4 -> fc5 lr=0.1 tanh -> fc3 freeze tanh -> fc2"
    net = nnspec.compile(text, dtype="float64", loss="mse", optimizer="adamw(lr=0.01, decay=0.1)")
    theirs = {n: torch.tensor(w) for n, w in net.weights.items()}
    for name in theirs.keys() - net.graph.frozen:
        theirs[name].requires_grad_()
    groups = [
        {"params": [theirs[f"{layer}.{kind}"]], "lr": rate, "weight_decay": decay}
        for layer, rate in (("fc1", 1e-3), ("fc3", 1e-2))
        for kind, decay in (("weight", 0.1), ("bias", 0.0))
    ]
    stepper = torch.optim.AdamW(groups)
    rng = np.random.default_rng(2)
    for _ in range(50):
        x, y = rng.standard_normal((8, 4)), rng.standard_normal((8, 2))
        net.step(x, y)
        stepper.zero_grad()
        h = torch.tensor(x)
        for layer in ("fc1", "fc2", "fc3"):
            h = h @ theirs[f"{layer}.weight"].T + theirs[f"{layer}.bias"]
            h = h if layer == "fc3" else torch.tanh(h)
        F.mse_loss(h, torch.tensor(y)).backward()  # type: ignore[no-untyped-call]
        stepper.step()
    for name, weight in theirs.items():
        np.testing.assert_allclose(net.weights[name], weight.detach().numpy(), atol=1e-10)


def test_l1_and_the_longest_norm_of_one_layer() -> None:
    """sgd with l1 on one layer is the step without it less lr sign(w); the bound holds for its layer."""
    text = "3 -> fc4 {} tanh -> fc4 {} tanh -> fc2\ntrain(loss = mse, optimizer = sgd(lr=0.1))"
    x, y = np.ones((2, 3)), np.full((2, 2), 5.0)
    plain, penal = (nnspec.compile(text.format(w, ""), dtype="float64") for w in ("", "l1=0.5"))
    start = plain.weights["fc1.weight"].copy()
    losses = plain.step(x, y), penal.step(x, y)
    assert losses[1] - losses[0] == pytest.approx(0.5 * np.abs(start).sum(), rel=1e-12)
    moved = plain.weights["fc1.weight"] - penal.weights["fc1.weight"]
    np.testing.assert_allclose(moved, 0.05 * np.sign(start), atol=1e-15)
    assert (plain.weights["fc2.weight"] == penal.weights["fc2.weight"]).all()
    held = nnspec.compile(text.format("max_norm=0.25", "max_norm=0"), dtype="float64", max_norm=0.5)
    held.step(x, y)
    longest = [np.linalg.norm(held.weights[f"fc{i}.weight"], axis=1).max() for i in (1, 2, 3)]
    assert longest[0] == pytest.approx(0.25, rel=1e-12)
    assert longest[1] > 0.5
    assert longest[2] <= 0.5 * (1 + 1e-12)


def test_clipping_sees_the_gradient_of_what_learns() -> None:
    text = "3 -> fc4 freeze tanh -> fc2\ntrain(loss = mse, optimizer = sgd(lr=1), clip = 0.01)"
    net = nnspec.compile(text, dtype="float64")
    before = {name: w.copy() for name, w in net.weights.items()}
    net.step(np.ones((2, 3)), np.full((2, 2), 5.0))
    moved = math.sqrt(sum(((net.weights[n] - w) ** 2).sum() for n, w in before.items()))
    assert moved == pytest.approx(0.01, rel=1e-4)


# -------------------------------------------------------------------------------- what is spared


def test_what_is_frozen_lies_behind_what_learns() -> None:
    found = lay_out(nnspec.graph("3 -> fc4 freeze relu -> fc5 lr=0.1 relu -> fc2 relu -> fc2 l2=1"))
    names = [entry.name for entry in found.entries]
    assert [n.partition(".")[0] for n in names] == [*("fc3",) * 2, *("fc2",) * 2, *("fc4",) * 2, "fc1", "fc1"]  # fmt: skip
    assert (found.size, found.trainable) == (16 + 25 + 12 + 6, 25 + 12 + 6)
    assert found.groups == (
        Group(0, 10, 12),
        Group(12, 32, 37, Learning(lr=0.1)),
        Group(37, 41, 43, Learning(l2=1)),
    )


def test_backward_stops_below_the_lowest_layer_that_learns() -> None:
    whole = nnspec.compile("2x6x6 -> [conv4 3x3 p1 relu]*3 -> gap fc3", loss="cross_entropy")
    head = nnspec.compile("2x6x6 -> [conv4 3x3 p1 relu]*3 freeze -> gap fc3", loss="cross_entropy")
    plan = head.learner.bound(4).schedule
    done = [step.node.name for step in plan.steps if step.node and step.phase is Phase.BACKWARD]
    assert done == ["fc1"]
    assert plan.steps[-1].d_inputs == (None,)
    # Of 3 calls for a loss, 3 for the head; and not one for a convolution.
    spared = len(whole.learner.bound(4).lanes[0]) - len(head.learner.bound(4).lanes[0])
    assert spared >= 25
    assert plan.arena_bytes < whole.learner.bound(4).schedule.arena_bytes


def test_a_frozen_layer_between_makes_no_gradient_of_its_own() -> None:
    text = "2x6x6 -> conv4 3x3 p1 relu -> conv4 3x3 p1{} relu -> gap fc3"
    learns, frozen = (
        nnspec.compile(text.format(word), loss="cross_entropy").learner.bound(4)
        for word in ("", " freeze")
    )
    assert len(frozen.lanes[0]) < len(learns.lanes[0])
    (step,) = (
        s for s in frozen.schedule.steps
        if s.phase is Phase.BACKWARD and s.node and s.node.name == "conv2"
    )  # fmt: skip
    assert step.inputs == (None,)
    assert step.learned == ()
    assert not {"products", "total", "sums", "padded"} & step.scratch.keys()


FROZEN = (
    HALF,
    "3x12x12 -> [conv8 3x3 p1 bn relu]*3 freeze -> gap fc4",
    "9x6 -> fc6 -> lstm5 bi freeze -> attn2 freeze -> gru4 last -> fc2",
    "16 int -> embed20 8 freeze -> attn2 rope -> ln freeze -> fc5",
    "3x12x12 -> conv3 1 -> convt4 3 s2 p1 freeze gelu -> dwconv3 p1 freeze -> gmp maxout4 freeze -> fc3",
)


@pytest.mark.parametrize("text", FROZEN)
def test_memory_to_the_byte(text: str) -> None:
    exactly(nnspec.graph(text), "infer", 3)
    exactly(nnspec.graph(text), "train", 3)


def test_a_frozen_net_has_no_gradient_and_no_slots() -> None:
    """Of 1,000,000 + 10,000 weights 10,010 learn."""
    text = "1000 -> fc1000 freeze nobias relu -> fc10\ntrain(loss = cross_entropy)"
    found = memory.of_schedule(nnspec.graph(text), memory.planned(nnspec.graph(text), "train"))
    assert found.parameters == 4 * 1_010_010
    assert found.gradients == 4 * 10_010
    assert found.optimizer == 4 * 3 * 10_010


# ----------------------------------------------------------------------------------- from Python


def test_freeze_and_thaw_by_name() -> None:
    text = "block cbr(c) = conv(c) 3x3 p1 bn relu\n2x6x6 -> stem: cbr4 -> cbr4 -> gap fc3"
    net = nnspec.compile(text, loss="cross_entropy", seed=3)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 2, 6, 6)), rng.integers(0, 3, 8)
    whole, scores = net.trainable, net(x)
    net.freeze("stem", "cbr*.conv*")
    assert net.graph.frozen == {
        "stem.conv1.weight", "stem.conv1.bias", "stem.bn1.scale", "stem.bn1.shift",
        "cbr1.conv1.weight", "cbr1.conv1.bias",
    }  # fmt: skip
    assert (net(x) == scores).all()
    held = {name: net.weights[name].copy() for name in net.graph.frozen}
    for _ in range(3):
        net.step(x, y)
    assert all((net.weights[name] == array).all() for name, array in held.items())
    assert net.trainable == whole - sum(array.size for array in held.values())
    assert (net.weights["fc1.weight"] != 0).any()
    net.thaw("*")
    assert net.trainable == whole == net.params
    net.step(x, y)
    assert not (net.weights["stem.conv1.weight"] == held["stem.conv1.weight"]).all()


def test_shared_weights_freeze_together() -> None:
    text = "shared t = fc3 relu\n3 -> t -> fc3 -> t -> fc2"
    net = nnspec.compile(text, loss="mse")
    net.freeze("t.2")
    assert net.graph.frozen == {"t.fc1.weight", "t.fc1.bias"}
    net.step(np.ones((2, 3)), np.ones((2, 2)))
    tied = nnspec.compile("5 int -> t: embed7 3 freeze -> fc7 tie=@t", loss="cross_entropy")
    assert tied.trainable == 7
    assert tied.gradients(np.zeros((2, 5), int), np.zeros((2, 5), int))[1].keys() == {"fc1.bias"}


def test_a_name_that_means_nothing() -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc2")
    with pytest.raises(SpecError, match="no layer `fc9`"):
        net.freeze("fc9")
    with pytest.raises(SpecError, match="no layer `relu1`"):
        net.freeze("relu1")


def test_all_of_it_frozen_cannot_train() -> None:
    net = nnspec.compile("3 -> [fc4 relu -> fc2] freeze", loss="mse")
    assert net.trainable == 0
    assert net(np.ones((1, 3))).shape == (1, 2)
    with pytest.raises(SpecError, match="every weight of the net is frozen"):
        net.step(np.ones((1, 3)), np.ones((1, 2)))
    report = nnspec.analyze("3 -> [fc4 relu -> fc2] freeze")
    assert (report.params, report.trainable) == (26, 0)
    assert report.memory.training_parts.gradients == 0


def test_the_file_fits_whether_frozen_or_not(tmp_path: Any) -> None:
    net = nnspec.compile("3 -> fc4 freeze relu -> fc2", seed=4)
    assert net.graph.digest == nnspec.graph("3 -> fc4 relu -> fc2").digest
    net.save(tmp_path / "net.safetensors")
    again = nnspec.load(tmp_path / "net.safetensors")
    assert again.trainable == net.trainable == 10
    assert (again(np.ones((1, 3))) == net(np.ones((1, 3)))).all()


def test_a_run_goes_on_only_with_the_same_layers_frozen(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), rng.integers(0, 2, 20)
    settings: dict[str, Any] = {"epochs": 2, "run": tmp_path / "run"}

    def net() -> nnspec.Net:
        return nnspec.compile("3 -> fc4 freeze relu -> fc2", loss="cross_entropy", seed=1)

    net().fit(x, y, **settings)
    again = net()
    assert len(again.fit(x, y, **{**settings, "epochs": 3}, resume=True)) == 3
    other = net()
    other.thaw("fc1")
    other.freeze("fc2")
    with pytest.raises(SpecError, match="how its layers learn"):
        other.fit(x, y, **{**settings, "epochs": 4}, resume=True)


def test_a_copy_stays_frozen() -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc2", loss="mse", seed=1)
    net.freeze("fc1")
    x, y = np.ones((2, 3)), np.ones((2, 2))
    net.step(x, y)
    other = copy.deepcopy(net)
    assert other.trainable == net.trainable == 10
    assert net.step(x, y) == other.step(x, y)
    assert all((other.weights[name] == w).all() for name, w in net.weights.items())
