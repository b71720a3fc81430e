"""Every family's numbers against PyTorch in float64, and the cases that have one right answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import nnspec
from nnspec.compiler.op import BLOCK
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.ops import conv as conv_family
from nnspec.compiler.ops.noise import DropPath
from nnspec.compiler.shapes import Value
from nnspec.runtime.kernels import Array
from nnspec.runtime.kernels.erf import erf

from .configurations import uses
from .harness import Bench, bench

Torch = Callable[[Any, dict[str, Any]], Any]
"""The same operator in PyTorch, of an input and weights by name."""

BY_AXES: dict[str, tuple[Any, ...]] = {
    "conv": (F.conv1d, F.conv2d, F.conv3d),
    "max": (F.max_pool1d, F.max_pool2d, F.max_pool3d),
    "avg": (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d),
}


def operator(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> Bench:
    return bench(CATALOGUE[name](**arguments), shape, batch=5, seed=5)


def agree(one: Bench, theirs: Torch) -> None:
    """Output and all gradients within 1e-9."""
    x = torch.tensor(one.inputs[0], requires_grad=True)
    weights = {n: torch.tensor(w, requires_grad=True) for n, w in one.weights.items()}
    y = theirs(x, weights)
    y.backward(torch.tensor(one.direction))
    near(one.forward()[0], y)
    d_inputs, d_weights = one.backward()
    near(d_inputs[0], x.grad)
    for name, gradient in d_weights.items():
        near(gradient, weights[name].grad)


def near(found: Array, expected: Any) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-9, atol=1e-9)


def named(name: str) -> list[Any]:
    found = [(a, s[0]) for n, a, s in uses() if n == name and not a.get("same")]
    return [pytest.param(*use, id=str(i)) for i, use in enumerate(found)]


def convolved(arguments: dict[str, Any], axes: int) -> Torch:
    def run(x: Any, w: dict[str, Any]) -> Any:
        return BY_AXES["conv"][axes - 1](
            x,
            w["weight"],
            w.get("bias"),
            stride=arguments.get("s", 1),
            padding=arguments.get("p", 0),
            dilation=arguments.get("d", 1),
            groups=arguments.get("g", 1),
        )

    return run


@pytest.mark.parametrize("block", [1, 300, 128 * 1024])
@pytest.mark.parametrize(("arguments", "shape"), named("conv"))
def test_conv(
    arguments: dict[str, Any], shape: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one image a block, with a last block that is smaller, and with all in one."""
    monkeypatch.setattr(conv_family, "COLUMNS", block)
    agree(operator("conv", arguments, shape), convolved(arguments, len(shape) - 1))


@pytest.mark.parametrize("g", [1, 2])
def test_conv_whose_last_block_is_smaller(g: int, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"n": 4, "k": (3,), "p": (1,), "g": g}
    ones = g == 1
    monkeypatch.setattr(conv_family, "COLUMNS", 2 * ((4 * 9 + ones) * 20 + 4 * 3 * 7 * 4) + 7)
    one = operator("conv", arguments, (4, 5, 4))
    columns = one.op.needs(one.batch, *one.values).scratch["columns"]
    assert one.batch % columns.shape[0]
    agree(one, convolved(arguments, 2))


def test_a_map_past_the_block_is_gathered_one_image_at_a_time() -> None:
    needs = conv_family.Conv(n=2, k=(3, 3)).needs(8, Value((64, 512, 512)))
    assert needs.scratch["columns"].shape == (1, 1, 64 * 9, 510 * 510)


@pytest.mark.parametrize(
    ("k", "s", "p", "d", "shape", "pays"),
    [
        ((5, 5), (1, 1), (2, 2), (1, 1), (2, 9, 28), True),
        ((3, 2), (1, 2), (1, 0), (2, 3), (3, 8, 11), True),
        ((2, 3, 2), (2, 1, 3), (1, 1, 0), (1, 2, 1), (2, 4, 6, 7), True),
        ((3, 3), (2, 1), (1, 1), (1, 1), (2, 7, 7), False),
        ((3, 1), (1, 1), (1, 0), (1, 1), (2, 7, 7), False),
        ((1, 3), (1, 1), (0, 1), (1, 1), (2, 7, 7), False),
        ((3, 3), (1, 1), (0, 0), (1, 1), (1, 4, 35), False),
    ],
)
def test_short_rows_become_stretches(
    k: Any, s: Any, p: Any, d: Any, shape: tuple[int, ...], pays: bool
) -> None:
    one = operator("conv", {"n": 2, "k": k, "s": s, "p": p, "d": d}, shape)
    needs = one.op.needs(5, *one.values)
    assert ("rows" in needs.scratch) == ("rows" in needs.scratch_back) == pays
    assert ("two steps" in needs.why) == pays
    theirs = BY_AXES["conv"][len(shape) - 2]
    agree(one, lambda x, w: theirs(x, w["weight"], w["bias"], stride=s, padding=p, dilation=d))
    # At inference the bias is a tap of its own, and added up with the others.
    np.testing.assert_allclose(one.infer(), one.forward()[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(("arguments", "shape"), named("maxpool"))
def test_pools(arguments: dict[str, Any], shape: tuple[int, ...], kind: str) -> None:
    def theirs(x: Any, _: dict[str, Any]) -> Any:
        return BY_AXES[kind][len(shape) - 2](
            x,
            arguments["k"],
            stride=arguments.get("s"),
            padding=arguments.get("p", 0),
            ceil_mode=arguments.get("ceil", False),
        )

    one = operator(f"{kind}pool", arguments, shape)
    agree(one, theirs)
    np.testing.assert_array_equal(one.infer(), one.forward()[0])


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("size", range(3, 12))
@pytest.mark.parametrize(
    ("k", "s", "p"),
    [(3, 2, 1), (2, 3, 1), (2, 3, 0), (3, 4, 0), (3, 3, 1), (4, 3, 2), (3, 1, 0)],
)
def test_pools_whose_last_window_hangs_over(kind: str, size: int, k: int, s: int, p: int) -> None:
    def theirs(x: Any, _: dict[str, Any]) -> Any:
        return BY_AXES[kind][1](x, k, stride=s, padding=p, ceil_mode=True)

    arguments = {"k": (k,), "s": (s,), "p": (p,), "ceil": True}
    for shape in ((2, size, 5), (2, size, size)):
        one = operator(f"{kind}pool", arguments, shape)
        agree(one, theirs)
        np.testing.assert_array_equal(one.infer(), one.forward()[0])


@pytest.mark.parametrize(("arguments", "shape"), named("maxpool"))
def test_what_is_not_finite_comes_out_of_a_maxpool(
    arguments: dict[str, Any], shape: tuple[int, ...]
) -> None:
    one = operator("maxpool", arguments, shape)
    flat = one.inputs[0].reshape(-1)
    flat[::7], flat[2::5], flat[3::11] = np.nan, -np.inf, np.inf
    np.testing.assert_array_equal(one.infer(), one.forward()[0])
    assert np.isnan(one.infer()).any()


@pytest.mark.parametrize("turned", [False, True])
def test_pools_take_some_images_at_a_time(turned: bool) -> None:
    arguments: dict[str, Any] = {"k": (3,), "s": (2,), "p": (1,)}
    one = bench(CATALOGUE["maxpool"](**arguments), (8, 31, 32), batch=40, seed=5)
    if turned:
        one.values = tuple(v.laid("last") for v in one.values)
        one.inputs = [np.ascontiguousarray(np.moveaxis(x, 1, -1)) for x in one.inputs]
    (room,) = one.op.needs(40, *one.values).scratch_in("infer").values()
    assert room.shape[0] == BLOCK // (8 * 16 * 32) == 16
    np.testing.assert_array_equal(one.infer(), one.forward()[0])


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(
    ("k", "s", "shape", "everywhere"),
    [
        ((2, 2), (2, 2), (3, 9, 64), True),
        ((3, 3), (2, 2), (2, 8, 10), True),
        ((3, 1), (1, 2), (2, 7, 8), True),
        ((2, 2), (3, 3), (2, 8, 8), True),
        ((1, 1), (2, 3), (2, 7, 8), False),
        ((4, 2), (4, 2), (2, 8, 8), False),
        ((2, 2), (2, 2), (19, 60, 60), False),
        ((2, 1, 3), (1, 2, 3), (2, 5, 4, 7), True),
        ((4,), (3,), (2, 64), True),
        ((2, 2), (2, 2), (3, 9, 65), False),
    ],
)
def test_windows_that_begin_everywhere(
    kind: str, k: Any, s: Any, shape: tuple[int, ...], everywhere: bool
) -> None:
    one = operator(f"{kind}pool", {"k": k, "s": s}, shape)
    scratch = one.op.needs(5, *one.values).scratch_in("infer")
    assert ("everywhere" in scratch) == everywhere
    agree(one, lambda x, w: BY_AXES[kind][len(shape) - 2](x, k, stride=s))
    if kind == "max":
        np.testing.assert_array_equal(one.infer(), one.forward()[0])


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_they_take_some_images_at_a_time(kind: str) -> None:
    arguments: dict[str, Any] = {"k": (3,), "s": (2,)}
    one = bench(CATALOGUE[f"{kind}pool"](**arguments), (8, 31, 32), batch=20, seed=5)
    (rooms,) = one.op.needs(20, *one.values).scratch_in("infer").values()
    assert rooms.shape == (2, BLOCK // (8 * 31 * 32), 8 * 31 * 32) == (2, 8, 7936)
    expected = BY_AXES[kind][1](torch.from_numpy(one.inputs[0]), 3, stride=2)
    np.testing.assert_allclose(one.infer(), expected.numpy(), rtol=0, atol=1e-12)


def test_padding_never_wins_a_maxpool() -> None:
    one = operator("maxpool", {"k": (3,), "s": (1,), "p": (1,)}, (2, 4, 3))
    one.inputs[0] -= 100
    assert one.forward()[0].max() < -90
    assert one.infer().max() < -90


@pytest.mark.parametrize("s", [1, 2])
def test_of_equal_numbers_the_first_wins_a_maxpool(s: int) -> None:
    one = operator("maxpool", {"k": (2,), "s": (s,)}, (1, 4, 4))
    one.inputs[0][...] = 1.0
    agree(one, lambda x, w: F.max_pool2d(x, 2, stride=s))


@pytest.mark.parametrize("taps", [255, 256, 257, 300])
def test_the_winner_of_more_places_than_a_byte_counts(taps: int) -> None:
    pool = operator("maxpool", {"k": (taps,), "s": (1,)}, (2, taps + 1))
    pool.inputs[0][:, :, -1] = 9.0
    agree(pool, lambda x, w: F.max_pool1d(x, taps, stride=1))
    maxout = operator("maxout", {"n": 2, "k": taps}, (3,))
    maxout.weights["bias"][-1] = 99.0
    found = maxout.backward()[1]["bias"]
    assert found[-1].all()
    assert not found[:-1].any()


LAWS: dict[str, Torch] = {
    "relu": lambda x, w: F.relu(x),
    "relu6": lambda x, w: F.relu6(x),
    "lrelu": lambda x, w: F.leaky_relu(x, 0.01),
    "elu": lambda x, w: F.elu(x),
    "selu": lambda x, w: F.selu(x),
    "gelu": lambda x, w: F.gelu(x),
    "gelutanh": lambda x, w: F.gelu(x, approximate="tanh"),
    "mish": lambda x, w: F.mish(x),
    "silu": lambda x, w: F.silu(x),
    "sigmoid": lambda x, w: torch.sigmoid(x),
    "tanh": lambda x, w: torch.tanh(x),
    # By its parts: PyTorch's own hardsigmoid multiplies gradients by a 1/6 rounded to float32.
    "hsigmoid": lambda x, w: torch.clamp(x / 6 + 0.5, 0, 1),
    "hswish": lambda x, w: F.hardswish(x),
    "softplus": lambda x, w: torch.logaddexp(x, torch.zeros_like(x)),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("size", [5, BLOCK // 5, BLOCK // 5 + 1, 7001])
def test_laws_within_a_block_and_past_it(name: str, size: int) -> None:
    agree(operator(name, {}, (size,)), LAWS[name])


@pytest.mark.parametrize("name", LAWS)
def test_laws_far_out(name: str) -> None:
    one = operator(name, {}, (2,))
    one.inputs[0][...] = np.array(
        [-900.0, -40.0, 40.0, 900.0, -1e4, 1e4, 0.5, -0.5, 25, -25]
    ).reshape(5, 2)
    agree(one, LAWS[name])


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1.2e-7), (np.float64, 4e-16)])
def test_erf(dtype: Any, bound: float) -> None:
    ends = np.array([np.inf, -np.inf])
    x = np.concatenate([np.linspace(-7, 7, 12_001), np.linspace(-0.01, 0.01, 4_001), ends])
    x = x.astype(dtype)
    y, z = np.full_like(x, np.nan), np.full_like(x, np.nan)
    for function, arguments in erf(x, y, z):
        function(*arguments)
    expected = np.array([math.erf(value) for value in x.tolist()])
    assert np.abs(y - expected).max() <= bound
    tiny = np.abs(expected) > 0
    relative = np.abs(y - expected)[tiny] / np.abs(expected)[tiny]
    assert relative.max() <= (4e-7 if dtype is np.float32 else 4e-14)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 3), (3, 1, 1), (2, 5)])
def test_bn_in_training_and_at_inference(shape: tuple[int, ...]) -> None:
    one = operator("bn", {"momentum": 0.3}, shape)
    one.inputs[0] += 20

    def channels_second(array: Any) -> Any:
        return array.transpose(1, 2) if len(shape) == 2 else array

    def theirs(x: Any, w: dict[str, Any]) -> Any:
        y = F.batch_norm(channels_second(x), None, None, w["scale"], w["shift"], training=True)
        return channels_second(y)

    agree(one, theirs)
    state = one.state()
    state["mean"][...], state["variance"][...] = 0.7, 1.9
    running = {n: torch.tensor(a.copy()) for n, a in state.items()}
    weights = {n: torch.tensor(a) for n, a in one.weights.items()}
    x = channels_second(torch.tensor(one.inputs[0]))

    def normed(*, training: bool) -> Any:
        return F.batch_norm(
            x, running["mean"], running["variance"], weights["scale"], weights["shift"],
            training=training, momentum=0.3,
        )  # fmt: skip

    normed(training=True)
    one.forward(state=state)
    near(state["mean"], running["mean"])
    near(state["variance"], running["variance"])
    near(one.infer(state), channels_second(normed(training=False)))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_norms_far_from_zero(offset: float) -> None:
    """One pass (the mean of squares less the square of the mean) would lose every digit."""
    for name, given, shape, theirs in (
        ("ln", {}, (6, 4), lambda x, w: F.layer_norm(x, (4,), w["scale"], w["shift"])),
        ("gn", {"g": 2}, (4, 3, 3), lambda x, w: F.group_norm(x, 2, w["scale"], w["shift"])),
        ("inorm", {}, (4, 3, 3), lambda x, w: F.instance_norm(x)),
        ("rms", {}, (6, 4), lambda x, w: F.rms_norm(x, (4,), w["scale"], 1e-6)),
        ("lrn", {"size": 3}, (4, 3, 3), lambda x, w: F.local_response_norm(x, 3)),
    ):
        one = operator(name, given, shape)
        one.inputs[0] += offset
        agree(one, theirs)


@pytest.mark.parametrize("eps", ["1e-30", "1e6"])
@pytest.mark.parametrize("word", ["bn", "ln", "rms", "gn2", "inorm"])
def test_norms_of_equal_numbers_in_single_precision(word: str, eps: str) -> None:
    """The least eps is above 0 there, the largest finite."""
    net = nnspec.compile(f"4x2x2 -> scale -> {word} eps={eps}", loss="mse")
    for number in (0.0, 7.0):
        x = np.full((3, 4, 2, 2), number, np.float32)
        loss, gradients = net.gradients(x, np.ones_like(x))
        assert np.isfinite(loss)
        assert np.isfinite(net(x)).all()
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("shape", [(4,), (3, 2, 2), (2, 5)])
def test_softmax(shape: tuple[int, ...]) -> None:
    axis = -1 if len(shape) == 2 else 1
    for name, theirs in (("softmax", F.softmax), ("logsoftmax", F.log_softmax)):
        one = operator(name, {}, shape)
        agree(one, over_channels(theirs, axis))
        one.inputs[0] += 1e6
        agree(one, over_channels(theirs, axis))


def over_channels(function: Any, axis: int) -> Torch:
    return lambda x, w: function(x, axis)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 2), (3, 9000)])
def test_prelu(shape: tuple[int, ...]) -> None:
    def theirs(x: Any, w: dict[str, Any]) -> Any:
        if len(shape) == 2:
            return F.prelu(x.transpose(1, 2), w["slope"]).transpose(1, 2)
        return F.prelu(x, w["slope"])

    agree(operator("prelu", {}, shape), theirs)


@pytest.mark.parametrize("shape", [(3, 4, 2), (1, 1, 1), (2, 2, 3, 2)])
def test_gap(shape: tuple[int, ...]) -> None:
    one = operator("gap", {}, shape)
    agree(one, lambda x, w: x.flatten(2).mean(2))
    np.testing.assert_array_equal(one.infer(), one.forward()[0])


@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_fc_and_maxout(shape: tuple[int, ...]) -> None:
    agree(operator("fc", {"n": 4}, shape), lambda x, w: F.linear(x, w["weight"], w["bias"]))

    def largest(x: Any, w: dict[str, Any]) -> Any:
        pieces = [F.linear(x, m, b) for m, b in zip(w["weight"], w["bias"], strict=True)]
        return torch.stack(pieces).max(0)[0]

    one = operator("maxout", {"n": 3, "k": 4}, shape)
    agree(one, largest)
    np.testing.assert_array_equal(one.infer(), one.forward()[0])


def test_of_equal_pieces_the_first_wins_a_maxout() -> None:
    one = operator("maxout", {"n": 2, "k": 3}, (3,))
    one.weights["weight"][...] = one.weights["weight"][0]
    one.weights["bias"][...] = 0.0
    assert not one.backward()[1]["weight"][1:].any()
    assert one.backward()[1]["weight"][0].all()


def test_of_equal_branches_the_first_wins_a_max() -> None:
    one = bench(CATALOGUE["max"](), (2, 3), (2, 3), (2, 3), batch=2, seed=5)
    one.inputs[1][...] = one.inputs[2][...] = one.inputs[0]
    first, *others = one.backward()[0]
    np.testing.assert_array_equal(first, one.direction)
    assert not any(d.any() for d in others)


def test_dropout_keeps_the_mean_and_its_share() -> None:
    one = operator("dropout", {"p": 0.25}, (40_000,))
    one.inputs[0][...] = 1.0
    y = one.forward()[0]
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    # Five standard deviations of 200,000 draws.
    assert abs(y.mean() - 1) < 5 * math.sqrt(0.25 / 0.75 / y.size)
    np.testing.assert_array_equal(one.infer(), one.inputs[0])


def test_droppath_drops_whole_examples() -> None:
    one = bench(DropPath(p=0.25), (3, 2, 2), batch=40_000, seed=5)
    one.inputs[0][...] = 1.0
    y = one.forward()[0].reshape(40_000, -1)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    # Five standard deviations of 40,000 draws.
    assert abs(y.mean() - 1) < 5 * math.sqrt(0.25 / 0.75 / len(y))
    np.testing.assert_array_equal(one.infer(), one.inputs[0])


def test_noise_has_its_deviation() -> None:
    one = operator("noise", {"sd": 0.5}, (40_001,))
    noise = one.forward()[0] - one.inputs[0]
    assert abs(noise.mean()) < 5 * 0.5 / math.sqrt(noise.size)
    assert abs(noise.std() - 0.5) < 5 * 0.5 / math.sqrt(2 * noise.size)
    assert len(np.unique(noise.round(12))) > 0.99 * noise.size
    np.testing.assert_array_equal(one.infer(), one.inputs[0])
