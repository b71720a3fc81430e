"""What a number sees, against the gradients that PyTorch finds for it."""

from __future__ import annotations

import pytest
import torch
from tests.runtime.in_torch import run

import nnspec
from nnspec.analyzers.facts.receptive_field import receptive_fields

NETS = [
    ("1x41x41 -> conv1 3", 1),
    ("1x41x41 -> conv2 3 p1 relu -> conv1 3 p1", 1),
    ("1x41x41 -> conv2 3 s2 p1 relu -> conv1 5 p2", 2),
    ("1x41x41 -> conv2 3 d2 -> conv2 3 d3 -> conv1 1", 1),
    ("1x41x41 -> conv2 7 s2 p3 -> maxpool3 s2 p1 -> conv1 3 p1", 4),
    ("1x41x41 -> conv2 3 -> avgpool2 -> conv2 3 -> avgpool2 -> conv1 3", 4),
    ("1x41x41 -> conv2 3 p1 -> add[ conv2 3 p1 -> conv2 3 p1 | id ] -> conv1 3 p1", 1),
    ("1x41x41 -> concat[ conv1 1 | conv1 5 p2 | conv1 3 p1 ] -> conv1 3 p1", 1),
    ("1x41x41 -> dwconv5 p2 -> conv2 1 relu -> conv1 3 s2 p1", 2),
    ("1x41x41 -> conv2 5x3 p2 -> maxpool 2x3 -> conv1 1x3", None),
    ("1x41 -> conv2 5 s2 -> conv1 3", 2),
    ("1x41x41 -> conv2 3 p1 -> convt2 4 s2 p1 -> conv1 1", None),
    ("1x41x41 -> conv2 3 s2 p1 -> upsample2 -> conv1 1", 1),
]


@pytest.mark.parametrize(("text", "stride"), NETS)
def test_against_gradients(text: str, stride: int | None) -> None:
    """The span of inputs that move a number in the middle, over several draws: a maximum passes the
    gradient of one input alone."""
    graph = nnspec.graph(text)
    view = receptive_fields(graph)[graph.output.name]
    assert view is not None
    axes = len(view)
    touched = torch.zeros(graph.inputs[0].value.shape[1:], dtype=torch.bool)
    places = [(size // 2) for size in graph.output.value.shape[1:]]
    for seed in range(60):
        rng = torch.Generator().manual_seed(seed)
        weights = {
            f"{node.name}.{w.name}": torch.rand(w.shape, generator=rng, dtype=torch.float64) + 0.1
            for node in graph.nodes
            for w in node.weights
        }
        x = torch.rand((2, *graph.inputs[0].value.shape), generator=rng, dtype=torch.float64)
        x.requires_grad_()
        output = run(graph, {graph.inputs[0].name: x}, weights)
        (gradient,) = torch.autograd.grad(output[(0, 0, *places)], x)
        touched |= gradient[0].abs().sum(0) > 1e-9
    for axis in range(axes):
        others = tuple(i for i in range(axes) if i != axis)
        seen = (touched.any(dim=others) if others else touched).nonzero()
        assert int(seen.max() - seen.min()) + 1 == view[axis].size
    if stride is not None:
        assert {field.stride for field in view} == {stride}


def test_what_sees_all_or_has_no_places() -> None:
    graph = nnspec.graph("3x8x8 -> conv4 3 p1 -> mul[ id | gap -> fc4 sigmoid ] -> flatten fc2")
    views = receptive_fields(graph)
    assert views["conv1"] is not None
    assert views["gap1"] is None
    assert views["mul1"] is None
    assert views["fc2"] is None
    sequence = nnspec.graph("8x4 -> fc6 relu -> attn2 -> fc2")
    views = receptive_fields(sequence)
    assert [f.size for f in views["relu1"] or ()] == [1]
    assert views["attn1"] is None
