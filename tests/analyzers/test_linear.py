"""Chains that are one affine map: the layer that is named computes what the chain does."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.analyzers.facts.anatomy import Anatomy
from nnspec.analyzers.facts.linear import OneMap, chains
from nnspec.compiler.graph import Node
from nnspec.compiler.ops.conv import Convolution
from nnspec.compiler.ops.dense import Fc
from nnspec.compiler.ops.learned import Scale, Shift
from nnspec.compiler.ops.norm import BatchNorm
from nnspec.compiler.ops.pool import AvgPool
from nnspec.runtime.net import Net


def told(spec: str) -> list[tuple[str | None, int, int, bool]]:
    found = chains(Anatomy(nnspec.graph(spec)))
    return [(one.equals, one.before, one.after, one.exact) for one in found]


@pytest.mark.parametrize(
    ("spec", "equals", "before", "after", "exact"),
    [
        ("5 -> fc4 -> fc3", "fc3", 39, 18, True),
        ("5 -> fc4 nobias -> dropout0.5 fc3 nobias", "fc3 nobias", 32, 15, True),
        ("6x5 -> fc4 bn -> fc3", "fc3", 47, 18, True),
        ("5 -> scale -> shift -> fc2", "fc2", 22, 12, True),
        ("5 -> bn scale", "bn", 15, 10, True),
        ("5 -> shift shift", "shift", 10, 5, True),
        ("3x9x9 -> conv4 3x3 -> conv5 3x3", "conv5 5x5", 297, 380, True),
        ("3x9x9 -> conv4 3x3 p1 -> conv5 3x3 p1", "conv5 5x5 p2", 297, 380, False),
        ("3x9x9 -> conv4 3x3 p1 -> conv5 3x3", "conv5 5x5 p1", 297, 380, True),
        ("3x9x9 -> conv4 5x5 s2 p2 nobias bn", "conv4 5x5 s2 p2", 308, 304, True),
        ("3x9x9 -> conv4 3x3 p1 -> conv5 1x1", "conv5 3x3 p1", 137, 140, True),
        ("3x9x9 -> conv4 1x1 -> conv5 3x3 p1", "conv5 3x3 p1", 201, 140, False),
        ("3x9x9 -> conv4 1x1 nobias -> conv5 3x3 p1", "conv5 3x3 p1", 197, 140, True),
        ("3x9x9 -> conv4 1x1 s2 nobias -> conv5 3x3 p1", "conv5 3x3 s2 p2 d2", 197, 140, True),
        ("3x9x9 -> dwconv 3x3 p1 -> conv5 1x1", "conv5 3x3 p1", 50, 140, True),
        ("4x9x9 -> dwconv 3 -> dwconv 3 m=2", "dwconv 5x5 m=2", 120, 208, True),
        ("8x9 -> conv8 3 g4 -> conv4 1 g2", "conv4 3 g2", 76, 52, True),
        ("6x9x9 -> conv6 3 g3 -> conv6 1 g2", "conv6 3x3", 138, 330, True),
        ("3x11x11 -> conv4 3 d2 -> conv5 3 d2", "conv5 5x5 d2", 297, 380, True),
        ("3x8x8 -> conv4 3x3 p1 -> avgpool2 -> conv5 1", "conv5 4x4 s2 p1", 137, 245, True),
        ("3x8x8 -> conv4 3x3 -> gap fc5", "flatten fc5", 137, 965, True),
        ("3x8x8 -> conv4 3x3 p1 -> conv5 3 p1 -> flatten fc2", "flatten fc2", 939, 386, True),
        ("3x8x8 -> bn -> conv4 3 p1", "conv4 3x3 p1", 118, 112, False),
        ("3x8x8 -> scale -> conv4 3 p1", "conv4 3x3 p1", 115, 112, True),
        ("3x8x8 -> conv4 3 -> upsample2 -> conv5 1", None, 137, 0, False),
        ("3x8x8 -> conv4 3 -> convt5 2 s2", None, 197, 0, False),
        ("6x5 -> fc4 -> pos -> fc3", None, 63, 0, False),
        ("6x5 -> bn -> conv4 3", None, 86, 0, False),
        ("6x5 -> conv4 1 -> fc3", None, 46, 0, False),
        ("6x5 -> conv4 1 -> fc3 -> fc2 relu", None, 54, 0, False),
    ],
)
def test_what_a_chain_equals(
    spec: str, equals: str | None, before: int, after: int, exact: bool
) -> None:
    assert told(spec) == [(equals, before, after, exact)]


@pytest.mark.parametrize(
    "spec",
    [
        "5 -> fc4 relu -> fc3",
        "5 -> fc4 ln -> fc3",
        "5 -> a: fc4 -> add[ fc4 | @a ]",
        "5 -> a: fc4 -> fc2 -> concat[ id | @a ]",
        "3x8x8 -> conv4 3 -> maxpool2 -> flatten fc2",
        "5 -> fc4",
        "3x8x8 -> conv4 3 gap",
        "5x4 -> attn2 -> gru3",
    ],
)
def test_what_is_no_chain(spec: str) -> None:
    assert told(spec) == []


# -------------------------------------------------------------------------------------- proof


@dataclass
class Filters:
    """A convolution without groups: `taps[offset]` is a matrix from channels to channels."""

    taps: dict[tuple[int, ...], Any]
    bias: Any
    stride: tuple[int, ...]

    def then(self, other: Filters) -> Filters:
        taps: dict[tuple[int, ...], Any] = {}
        for (one, w), (two, v) in product(self.taps.items(), other.taps.items()):
            at = tuple(o + s * t for o, s, t in zip(one, self.stride, two, strict=True))
            taps[at] = taps.get(at, 0.0) + v @ w
        bias = other.bias + sum(v @ self.bias for v in other.taps.values())
        strides = zip(self.stride, other.stride, strict=True)
        return Filters(taps, bias, tuple(s * t for s, t in strides))


def filters(node: Node, net: Net) -> Filters:
    """What a node does to maps, its padding apart."""
    x, op = node.arrivals[0], node.op
    still, here = (1,) * (x.rank - 1), (0,) * (x.rank - 1)
    eye, nothing = np.eye(x.channels), np.zeros(x.channels)
    match op:
        case BatchNorm() | Scale() | Shift():
            scale, shift = by_channel(node, net)
            return Filters({here: np.diag(scale)}, shift, still)
        case AvgPool():
            windows = op.windows(x)
            size = np.prod([w.kernel for w in windows])
            places = product(*(range(w.kernel) for w in windows))
            stride = tuple(w.stride for w in windows)
            return Filters(dict.fromkeys(places, eye / size), nothing, stride)
        case Convolution():
            windows, kernel = op.windows(x), net.weights[f"{node.name}.weight"]
            whole = spread(kernel, op.groups(x))
            places = product(*(range(w.kernel) for w in windows))
            taps = {
                tuple(w.dilation * a for w, a in zip(windows, at, strict=True)): whole[(..., *at)]
                for at in places
            }
            return Filters(taps, bias(node, net), tuple(w.stride for w in windows))
    return Filters({here: eye}, nothing, still)


def spread(kernel: Any, groups: int) -> Any:
    """A grouped kernel as a whole one, with zeros between groups."""
    n, c = kernel.shape[0] // groups, kernel.shape[1]
    whole = np.zeros((kernel.shape[0], c * groups, *kernel.shape[2:]))
    for g in range(groups):
        whole[g * n : (g + 1) * n, g * c : (g + 1) * c] = kernel[g * n : (g + 1) * n]
    return whole


def by_channel(node: Node, net: Net) -> tuple[Any, Any]:
    """What a channel is multiplied by, and what is added."""
    c, name, op = node.value.channels, node.name, node.op
    if isinstance(op, BatchNorm):
        scale = net.weights[f"{name}.scale"] / np.sqrt(net.state[f"{name}.variance"] + op.eps)
        return scale, net.weights[f"{name}.shift"] - scale * net.state[f"{name}.mean"]
    scale = net.weights[f"{name}.scale"] if isinstance(op, Scale) else np.ones(c)
    return scale, net.weights[f"{name}.shift"] if isinstance(op, Shift) else np.zeros(c)


def bias(node: Node, net: Net) -> Any:
    return net.weights.get(f"{node.name}.bias", np.zeros(node.value.channels))


def compiled(spec: str, seed: int) -> Net:
    """A net in float64 whose numbers are all drawn."""
    net, rng = nnspec.compile(spec, dtype="float64", seed=seed), np.random.default_rng(seed)
    for array in net.weights.values():
        array[...] = rng.normal(size=array.shape)
    for name, array in net.state.items():
        array[...] = rng.uniform(0.5, 2.0, array.shape) if "variance" in name else rng.normal()
    return net


def set_matrix(one: Net, net: Net) -> None:
    """The fully connected layer that does what the net does to nothing, and to each number."""
    shape = net.graph.inputs[0].value.shape
    if net.graph.output.value.rank == 2:
        units = np.zeros((shape[1] + 1, *shape))
        units[range(1, shape[1] + 1), 0, range(shape[1])] = 1.0
        values = net(units)[:, 0]
    else:
        size = int(np.prod(shape))
        values = net(np.concatenate((np.zeros((1, size)), np.eye(size))).reshape(-1, *shape))
    one.weights["fc1.weight"][...] = (values[1:] - values[0]).T
    if "fc1.bias" in one.weights:
        one.weights["fc1.bias"][...] = values[0]
    else:
        assert not values[0].any()


def set_filters(one: Net, net: Net, found: OneMap) -> None:
    first, *others = (filters(node, net) for node in found.nodes)
    for other in others:
        first = first.then(other)
    (node,) = (node for node in one.graph.nodes if isinstance(node.op, Convolution))
    assert isinstance(node.op, Convolution)
    x = node.arrivals[0]
    kernel: Any = one.weights[f"{node.name}.weight"]
    groups, windows = node.op.groups(x), node.op.windows(x)
    n, c = kernel.shape[0] // groups, kernel.shape[1]
    left = dict(first.taps)
    for at in product(*(range(w.kernel) for w in windows)):
        place = tuple(w.dilation * a for w, a in zip(windows, at, strict=True))
        whole = left.pop(place, np.zeros((n * groups, c * groups)))
        for g in range(groups):
            rows, columns = slice(g * n, (g + 1) * n), slice(g * c, (g + 1) * c)
            kernel[rows][(..., *at)] = whole[rows, columns]
            whole = whole.copy()
            whole[rows, columns] = 0.0
        assert not whole.any(), "groups that the one layer does not have"
    assert not left, "taps that the one layer does not reach"
    if f"{node.name}.bias" in one.weights:
        one.weights[f"{node.name}.bias"][...] = first.bias
    else:
        assert not first.bias.any()


def inside(found: OneMap) -> Any:
    """Where nothing that is padded between the layers arrives."""
    whole = np.ones(found.nodes[0].arrivals[0].shape[1:], bool)
    for index, node in enumerate(found.nodes):
        if not isinstance(node.op, Convolution | AvgPool):
            continue
        windows = node.op.windows(node.arrivals[0])
        margins = [(w.before, w.after) for w in windows]
        padded = np.pad(whole, margins, constant_values=index == 0)
        whole = np.ones([w.output for w in windows], bool)
        for at in np.ndindex(whole.shape):
            seen = tuple(
                slice(w.stride * i, w.stride * i + w.dilation * (w.kernel - 1) + 1, w.dilation)
                for w, i in zip(windows, at, strict=True)
            )
            whole[at] = padded[seen].all()
    return whole


def check(spec: str, seed: int) -> bool | None:
    """Both nets on the same batch; whether it was exact, None where no layer is named."""
    net = compiled(spec, seed)
    (found,) = chains(Anatomy(net.graph))
    assert [node.name for node in net.graph.nodes[1:]] == [node.name for node in found.nodes]
    if found.equals is None:
        return None
    one = compiled(f"{'x'.join(map(str, net.graph.inputs[0].value.shape))} -> {found.equals}", seed)
    assert one.params == found.after
    assert net.params == found.before
    assert one.graph.output.value.shape == net.graph.output.value.shape
    last = one.graph.output.op
    if isinstance(last, Fc):
        set_matrix(one, net)
    elif isinstance(last, Convolution):
        set_filters(one, net, found)
    else:
        return None
    x = np.random.default_rng(seed).normal(size=(3, *net.graph.inputs[0].value.shape))
    got, wanted = one(x), net(x)
    scale = np.abs(wanted).max()
    if found.exact:
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10 * scale)
    else:
        whole = inside(found)
        np.testing.assert_allclose(
            got[..., whole], wanted[..., whole], rtol=1e-10, atol=1e-10 * scale
        )
        assert not whole.all()
        assert np.abs(got - wanted)[..., ~whole].max() > 1e-6 * scale, "exact after all"
    return found.exact


def vectors(rng: Random) -> str:
    """Layers on vectors, or on the rows of a sequence."""
    stages = [rng.choice(("4", "7", "5x3"))]
    for _ in range(rng.randint(2, 4)):
        layer = f"fc{rng.randint(1, 6)}{rng.choice(('', ' nobias'))}"
        stages.append(layer + rng.choice(("", "", " bn", " scale", " shift", " dropout0.3")))
    return " -> ".join([*stages[:-1], stages[-1].split(" dropout")[0]])


def maps(rng: Random) -> str:
    """Layers on maps, of one or two axes, the last one learned."""
    flat = rng.random() < 0.3
    stages = ["4x23" if flat else "4x17x15"]
    for _ in range(rng.randint(1, 3)):
        k = rng.choice((1, 1, 2, 3))
        options = [
            rng.choice(("", "", f" p{rng.randint(1, 2)}")),
            rng.choice(("", "", " s2")),
            rng.choice(("", "", " d2")),
            rng.choice(("", " nobias")),
        ]
        groups = rng.choice(("", "", "", " g2", " g4"))
        layer = rng.choice(
            (
                f"conv{rng.choice((4, 8))} {k}{groups}",
                f"conv4 {k}",
                f"dwconv {k}",
                f"dwconv {k} m=2",
            )
        )
        behind = rng.choice(("", "", " bn", " scale", " dropout0.2", " -> avgpool2 s1"))
        stages.append(layer + "".join(options) + behind)
    end = rng.choice(("conv4 1", "conv8 2 g4", "conv4 3 p1", "dwconv 2", "gap fc3", "flatten fc2"))
    begin = rng.choice(("", "", "", "bn", "scale", "shift"))
    return " -> ".join(filter(None, (stages[0], begin, *stages[1:], end)))


@pytest.mark.parametrize(
    "spec",
    [
        "1x2000000000 -> conv1 900000000 -> conv1 900000000",
        "1x1x2000000000 -> scale -> shift -> conv1 1x3 p1 -> conv1 3",
        "1x9 -> conv1 3 p1000000000 -> avgpool2",
    ],
)
def test_windows_that_are_too_large_are_left_alone(spec: str) -> None:
    assert all(equals is None for equals, *_ in told(spec))


@pytest.mark.parametrize(
    "spec",
    [
        "6x9x9 -> conv6 3 g3 -> conv6 1 g2",
        "4x9x8 -> dwconv 3 p1 -> conv5 1x1",
        "3x9x9 -> conv4 1x1 s2 nobias -> conv5 3x3 p1",
        "3x8x8 -> conv4 3x3 p1 -> conv5 3 p1 -> flatten fc2",
        "3x5x5x5 -> conv2 2 p1 -> conv3 2 p1",
    ],
)
def test_chains_worth_a_name(spec: str) -> None:
    assert check(spec, 0) is (spec != "3x5x5x5 -> conv2 2 p1 -> conv3 2 p1")


@pytest.mark.parametrize("seed", range(60))
def test_vectors(seed: int) -> None:
    assert check(vectors(Random(seed)), seed)


def test_maps() -> None:
    """Chains of convolutions with every option: many are exact, many but for the edges."""
    kinds = []
    for seed in range(120):
        spec = maps(Random(seed))
        try:
            nnspec.graph(spec)
        except nnspec.SpecError:
            continue
        kinds.append(check(spec, seed))
    assert kinds.count(True) > 60
    assert kinds.count(False) > 30
