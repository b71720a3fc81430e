"""Rows and columns that nothing sees, against the gradients that PyTorch finds for them."""

from __future__ import annotations

import pytest
import torch
from tests.runtime.in_torch import run

import nnspec
from nnspec.analyzers.facts.unseen import unseen

NETS = [
    "2x33x33 -> conv3 3 s2",
    "2x34x35 -> conv3 3 s2 relu -> conv2 3 s2",
    "2x37x29 -> conv3 5 s3 p1 relu -> maxpool2 -> conv2 2 s2",
    "2x20x20 -> conv3 1 s2 relu -> gap fc2",
    "2x20x21 -> avgpool2 s3 -> flatten fc3",
    "2x12x12 -> crop 7x9 -> conv2 2 s2 -> flatten fc2",
    "2x12x12 -> pad2 -> conv2 5 s4 -> gap",
    "2x12x12 -> slice 2 9 axis=1 -> conv2 3 -> gap",
    "2x13x13 -> add[ conv4 1 s2 | conv4 3 s2 p1 ] relu -> crop 3x3 -> gap fc2",
    "2x13x13 -> add[ conv4 1 s2 | avgpool 1 s2 -> conv4 1 ] -> gap fc2",
    "2x7x7 -> convt3 3 s2 -> conv2 4 s5 -> gap fc2",
    "2x9x9 -> convt3 1 s2 -> slice 1 2 axis=2 -> gap fc2",
    "2x9x9 -> dwconv3 d3 s2 -> upsample2 -> conv2 3 s3 -> gap fc2",
    "2x30 -> conv4 4 s3 -> maxpool3 s4 ceil -> gap fc2",
    "2x9x9 -> conv3 2 s2 -> mul[ id | gap -> fc3 sigmoid ] -> gap fc2",
]


@pytest.mark.parametrize("text", NETS)
def test_against_gradients(text: str) -> None:
    graph = nnspec.graph(text)
    (entrance,) = graph.inputs
    rng = torch.Generator().manual_seed(0)
    weights = {
        f"{node.name}.{w.name}": torch.rand(w.shape, generator=rng, dtype=torch.float64) + 0.1
        for node in graph.nodes
        for w in node.weights
    }
    touched = torch.zeros(entrance.value.shape[1:], dtype=torch.bool)
    for _ in range(40):
        x = torch.rand((2, *entrance.value.shape), generator=rng, dtype=torch.float64)
        x.requires_grad_()
        output = run(graph, {entrance.name: x}, weights)
        (gradient,) = torch.autograd.grad(output.sum(), x)
        touched |= gradient.abs().sum((0, 1)) > 1e-12
    axes = range(touched.ndim)
    for axis, missed in enumerate(unseen(graph)[entrance.name]):
        others = tuple(i for i in axes if i != axis)
        seen = touched.any(dim=others) if others else touched
        assert missed == tuple(int(i) for i in (~seen).nonzero())


def test_what_has_no_places_has_nothing_unseen() -> None:
    assert unseen(nnspec.graph("8 -> fc2")) == {"input": ()}
    assert unseen(nnspec.graph("8x4 -> attn2 -> fc2")) == {"input": ()}
    assert unseen(nnspec.graph("8 int -> embed10 4 -> fc2")) == {"input": ()}
