"""l2, l1 and max-norm: against PyTorch's arithmetic, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import nnspec
from nnspec.runtime.penalties import limit

from .torch_training import CONVNET, NETS, Twin, same, together


def pull(l1: float) -> Any:
    def touch(twin: Twin) -> None:
        torch.nn.utils.clip_grad_norm_(twin.weights.values(), 0.5)
        for weight in twin.heavy:
            assert weight.grad is not None
            weight.grad += l1 * weight.detach().sign()

    return touch


@pytest.mark.parametrize("spec", NETS, ids=["mlp", "convnet"])
@pytest.mark.parametrize("optimizer", ["sgd(lr=0.05)", "nesterov(lr=0.02, momentum=0.8)", "adam"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_l1_and_the_elastic_net_against_torch(spec: str, optimizer: str, l2: float) -> None:
    """Both join the gradient behind its clipping."""
    same(*together(spec, optimizer, touch=pull(0.003), l1=0.003, l2=l2, clip=0.5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_includes_them(dtype: Any) -> None:
    settings: dict[str, Any] = {"loss": "cross_entropy", "seed": 1, "dtype": dtype}
    bare = nnspec.compile(CONVNET, **settings)
    net = nnspec.compile(CONVNET, l1=0.02, l2=0.3, **settings)
    x, y = np.random.default_rng(0).standard_normal((6, 2, 6, 6)), np.arange(6) % 3
    heavy = {n: w for n, w in net.weights.items() if n.endswith("weight")}
    assert 0 < len(heavy) < len(net.weights)
    wanted = sum(0.15 * (w**2).sum() + 0.02 * abs(w).sum() for w in heavy.values())
    plain, plain_gradients = bare.gradients(x, y)
    loss, gradients = net.gradients(x, y)
    assert loss == pytest.approx(plain + wanted, rel=1e-6 if dtype == "float32" else 1e-12)
    for name, gradient in gradients.items():
        weight = heavy.get(name, np.zeros(()))
        expected = plain_gradients[name] + 0.3 * weight + 0.02 * np.sign(weight)
        np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert net.step(x, y) == loss


def test_l1_brings_weights_near_zero_and_leaves_zeros() -> None:
    net = nnspec.compile("3 -> fc2 nobias", loss="mse", optimizer="sgd(lr=0.1)", l1=1.0)
    net.weights["fc1.weight"][:] = [[0, 1, -1], [0, 0.35, 4]]
    net.learner.memory.gradient[:] = 0
    net.learner.update()
    np.testing.assert_allclose(net.weights["fc1.weight"], [[0, 0.9, -0.9], [0, 0.25, 3.9]])


def test_the_loss_of_huge_weights_is_told() -> None:
    """Their squares overflow single precision, l2 of them does not."""
    net = nnspec.compile("2 -> fc1 nobias", loss="mse", l2=1e-6)
    net.weights["fc1.weight"][:] = [[3e20, -4e20]]
    loss, _ = net.gradients(np.zeros((1, 2)), np.zeros((1, 1)))
    assert loss == pytest.approx(0.5e-6 * 25e40)


# ------------------------------------------------------------------------------------ max-norm


def held(most: float, shares: list[float]) -> Any:
    """What PyTorch's users write for it, over the rows of matrices and filters; `shares` are told how
    many of them were too long."""

    def after(twin: Twin) -> None:
        with torch.no_grad():
            for weight in twin.heavy:
                norms = weight.flatten(1).norm(dim=1)
                shares.append(float((norms > most).double().mean()))
                factor = (most / norms).clamp(max=1)
                weight *= factor.view(-1, *[1] * (weight.ndim - 1))

    return after


@pytest.mark.parametrize("spec", NETS, ids=["mlp", "convnet"])
@pytest.mark.parametrize("optimizer", ["momentum(lr=0.02, momentum=0.8)", "adamw"])
def test_max_norm_against_torch(spec: str, optimizer: str) -> None:
    shares: list[float] = []
    same(*together(spec, optimizer, after=held(0.5, shares), max_norm=0.5))
    assert 0.01 < sum(shares) / len(shares) < 0.99


SPECS = {
    "fc1.weight": ("7 -> fc5", (1,)),
    "conv1.weight": ("4x6x6 -> conv6 3x3 g2", (1, 2, 3)),
    "dwconv1.weight": ("4x6x6 -> dwconv 3x3 m=2", (1, 2, 3)),
    "maxout1.weight": ("7 -> maxout5 k3", (2,)),
    "convt1.weight": ("4x5x5 -> convt6 3x3", (0, 2, 3)),
    "embed1.weight": ("3 int -> embed9 4", (1,)),
    "attn1.in_weight": ("3x4 -> attn2", (1,)),
    "lstm1.state_weight": ("3x4 -> lstm5", (1,)),
}


@pytest.mark.parametrize("name", SPECS)
def test_what_comes_into_a_neuron(name: str) -> None:
    spec, axes = SPECS[name]
    net = nnspec.compile(spec, loss="mse", optimizer="sgd(lr=0)", max_norm=2.0, dtype="float64")
    weight = net.weights[name]
    weight[:] = np.random.default_rng(0).standard_normal(weight.shape)
    lengths = np.sqrt((weight**2).sum(axis=axes, keepdims=True))
    weight *= np.linspace(0.5, 3, lengths.size).reshape(lengths.shape) / lengths
    expected = weight * np.minimum(1, 2 / np.sqrt((weight**2).sum(axis=axes, keepdims=True)))
    assert not np.allclose(weight, expected)
    net.learner.update()
    np.testing.assert_allclose(weight, expected, rtol=1e-12)


def test_groups_of_a_transposed_convolution() -> None:
    """An output channel sees the input channels of its group alone."""
    net = nnspec.compile("4x5x5 -> convt6 3x3 g2", loss="mse", max_norm=1.0, optimizer="sgd(lr=0)")
    weight = net.weights["convt1.weight"]
    assert weight.shape == (4, 3, 3, 3)
    weight[:] = 0.1
    weight[:2, 1] = 10
    net.learner.update()
    np.testing.assert_allclose(np.sqrt((weight[:2, 1] ** 2).sum()), 1, rtol=1e-5)
    rest = np.delete(weight.reshape(2, 2, 3, 9).transpose(0, 2, 1, 3).reshape(6, -1), 1, axis=0)
    np.testing.assert_array_equal(rest, np.float32(0.1))


@pytest.mark.parametrize("shape", [(5, 3, 7, 2), (50, 1, 1, 9), (2, 6, 40, 1)])
@pytest.mark.parametrize("room", [1, 6, 11, 1000])
def test_tiles_of_a_limit(shape: tuple[int, ...], room: int) -> None:
    weight = np.random.default_rng(0).standard_normal(shape)
    lengths = np.sqrt((weight**2).sum(axis=(1, 3), keepdims=True))
    expected = weight * np.minimum(1, 1.5 / lengths)
    limit(weight, 1.5, np.empty(room))
    np.testing.assert_allclose(weight, expected, rtol=1e-12)


def test_a_limit_on_weights_whose_squares_overflow() -> None:
    weight = np.array([[3e30, 4e30], [0.1, 0.2], [-3e38, 0], [0, 0]], np.float32).reshape(
        4, 1, 1, 2
    )
    with np.errstate(over="ignore"):
        limit(weight, 0.5, np.empty(8, np.float32))
    expected = [[0.3, 0.4], [0.1, 0.2], [-0.5, 0], [0, 0]]
    np.testing.assert_allclose(weight.reshape(4, 2), np.array(expected), rtol=1e-6)
