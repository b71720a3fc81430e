"""Outputs and gradients of random nets against PyTorch, in float64."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import nnspec
from nnspec.compiler.graph import Node
from nnspec.compiler.ops import CATALOGUE
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.kernels import Array

from .in_torch import OPERATIONS, run
from .random_nets import random_net

NETS = 500
EXTRA = ("3x3 -> matmul[ id | fc3 ] relu -> fc2", "4x2x6 -> conv2 1 -> avgpool2 -> flatten fc3")
UNSUITABLE = frozenset({"NN201", "NN202", "NN204", "NN205", "NN210", "NN211", "NN212"})
"""Codes of shapes that do not work out."""
torch.set_num_threads(1)


def compiled(seed: int) -> nnspec.Net | None:
    """The net of a seed with random weights; None when its shapes do not work out."""
    text = EXTRA[seed] if seed < len(EXTRA) else random_net(seed)
    try:
        net = nnspec.compile(text, dtype="float64", loss="mse", seed=seed)
    except SpecError as error:
        if {m.code for m in error.diagnostics} <= UNSUITABLE:
            return None
        raise
    rng = np.random.default_rng(seed)
    for weight in net.weights.values():
        weight[...] = rng.standard_normal(weight.shape) * 0.6
    return net


def by_torch(
    net: nnspec.Net, x: dict[str, Array], y: Array
) -> tuple[Array, float, dict[str, Array]]:
    weights = {n: torch.tensor(w, requires_grad=True) for n, w in net.weights.items()}
    output = run(net.graph, {n: torch.tensor(a) for n, a in x.items()}, weights)
    loss = F.mse_loss(output, torch.tensor(y))
    if weights:
        loss.backward()  # type: ignore[no-untyped-call]
    found = {
        n: (w.grad if w.grad is not None else torch.zeros_like(w)).numpy()
        for n, w in weights.items()
    }
    return output.detach().numpy(), float(loss.detach()), found


def batch(node: Node, count: int, rng: np.random.Generator) -> Array:
    shape = (count, *node.value.shape)
    return rng.integers(7, size=shape) if node.value.integer else rng.standard_normal(shape)


@pytest.mark.parametrize("part", range(10))
def test_random_nets(part: int) -> None:
    compared = 0
    for seed in range(part, NETS * 2, 10):
        net = compiled(seed)
        if net is None:
            continue
        rng = np.random.default_rng(seed)
        # Of many examples maps lie in another way than of few.
        count = 4 if seed % 3 else 20
        x = {n.name: batch(n, count, rng) for n in net.graph.inputs}
        y = rng.standard_normal((count, *net.graph.output.value.shape))
        output, loss, gradients = by_torch(net, x, y)
        if not net.weights:
            np.testing.assert_allclose(net(x), output, rtol=1e-9, atol=1e-9)
            continue
        found_loss, found = net.gradients(x, y)
        spec = net.graph.source.text
        np.testing.assert_allclose(found_loss, loss, rtol=1e-9, atol=1e-9, err_msg=spec)
        for name, gradient in gradients.items():
            scale = max(1.0, float(np.abs(gradient).max()))
            np.testing.assert_allclose(
                found[name] / scale,
                gradient / scale,
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{name} {spec}",
            )
        if not any(node.op.name == "bn" for node in net.graph.nodes):
            np.testing.assert_allclose(net(x), output, rtol=1e-9, atol=1e-9, err_msg=spec)
        compared += 1
    assert compared >= NETS // 10


def test_the_nets_are_made_of_all_operators() -> None:
    nets = [net for seed in range(NETS) if (net := compiled(seed)) is not None]
    used = Counter(node.op.name for net in nets for node in net.graph.nodes if not node.is_input)
    assert set(used) == set(CATALOGUE) == set(OPERATIONS)


@pytest.mark.parametrize("shape", [(2, 3, 3), (3,), (4, 3)])
def test_batch_norm_keeps_running_statistics_as_torch_does(shape: tuple[int, ...]) -> None:
    text = f"{'x'.join(map(str, shape))} -> bn -> flatten fc2"
    net = nnspec.compile(text, dtype="float64", loss="mse", optimizer="sgd(lr=0)")
    axis = 1 if len(shape) == 3 else len(shape)
    theirs = torch.nn.BatchNorm1d(net.weights["bn1.scale"].size, dtype=torch.float64)
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.standard_normal((5, *shape)) * 3 + 2
        net.step(x, rng.standard_normal((5, 2)))
        theirs(torch.tensor(x).movedim(axis, 1).flatten(1 if len(shape) == 1 else 2))
    np.testing.assert_allclose(net.state["bn1.mean"], theirs.running_mean, rtol=1e-12)  # type: ignore[arg-type]
    np.testing.assert_allclose(net.state["bn1.variance"], theirs.running_var, rtol=1e-12)  # type: ignore[arg-type]
    x = rng.standard_normal((2, *shape))
    wanted = (
        theirs.eval()(torch.tensor(x).movedim(axis, 1).flatten(1 if len(shape) == 1 else 2))
        .reshape(torch.tensor(x).movedim(axis, 1).shape)
        .movedim(1, axis)
    )
    seen = wanted.detach().numpy().reshape(2, -1) @ net.weights["fc1.weight"].T
    np.testing.assert_allclose(net(x), seen, rtol=1e-10)
