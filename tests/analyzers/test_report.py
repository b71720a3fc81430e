"""What reports say is true: derivations add up, counts equal PyTorch's, memory is what is taken."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import pytest
from torch import nn

import nnspec
from nnspec.analyzers.explain import explain
from nnspec.analyzers.facts.receptive_field import receptive_fields
from nnspec.analyzers.facts.signal import signal

ROOT = Path(__file__).parents[2]
COURSE = sorted((ROOT / "specs" / "course").glob("*.nn"))
MORE = (
    "2x16x9x9 -> conv4 3x3x3 s2 bn relu -> maxpool 2x1x1 -> flatten -> fc7",
    "8x50 -> conv6 5 d2 g2 prelu -> avgpool 3 s2 p1 -> gap -> maxout(5, k=3)",
    "a: 4 -> fc8 relu -> add[ fc8 relu -> fc8 | id ] bn\noutput b: @a -> fc2\n@a -> fc3",
)
SPECS = [*map(str, COURSE), *MORE]


def value(formula: str) -> Fraction:
    """What a formula of a report comes to, by Python's own arithmetic."""
    text = formula.replace(",", "").replace("·", "*").replace("−", "-")
    text = text.replace("⌊", "floor(").replace("⌋", ")").replace("⌈", "ceil(").replace("⌉", ")")
    text = re.sub(r"\d+", lambda number: f"Fraction({number[0]})", text)
    return Fraction(eval(text, {"Fraction": Fraction, "floor": floor, "ceil": ceil}))


def result(derivation: str) -> int:
    """`3·4 + 4 = 16`: all sides come to the same whole number."""
    first, *others = map(value, derivation.split(" = "))
    assert all(other == first for other in others), derivation
    assert first.denominator == 1
    return int(first)


@pytest.mark.parametrize("spec", SPECS)
def test_every_derivation_comes_to_its_number(spec: str) -> None:
    report = nnspec.analyze(spec)
    for layer in report.layers:
        head = layer.operators[0]
        assert result(layer.formula) == layer.params
        assert result(layer.macs_formula or "0") == head.macs
        assert sum(weight.params for weight in layer.weights) == layer.params
        assert all(result(weight.formula) == weight.params for weight in layer.weights)
        if layer.output_formula:
            assert [result(size) for size in layer.output_formula] == head.output[1:]
    assert result(report.params_formula) == report.params
    assert sum(layer.params for layer in report.layers) == report.params
    assert sum(layer.macs for layer in report.layers) == report.macs


@pytest.mark.parametrize("spec", SPECS)
def test_explanations_come_to_their_numbers(spec: str) -> None:
    graph = nnspec.graph(spec)
    views, travels = receptive_fields(graph), signal(graph)
    for explanation, layer in zip(explain(graph), graph.layers, strict=True):
        for line in explanation.lines:
            if line.fact == "receptive field":
                view = views[layer.nodes[-1].name] or ()
                seen = "x".join(str(field.size) for field in view)
                assert line.derivation.startswith(f"{seen} of the input, a step of ")
            elif line.fact == "at the start":
                variance = travels[layer.nodes[-1].name].variance
                assert variance is None or f"{variance:.2g} out" in line.derivation
            else:
                result(line.derivation.removeprefix("(W − F + 2P)/S + 1 = "))


@pytest.mark.parametrize(
    ("spec", "title", "neurons", "depth"),
    [
        ("3072 -> fc10", "single-layer neural network (a linear classifier or regression)", 10, 1),
        ("3 -> fc1 sigmoid", "single-layer neural network", 1, 1),
        ("3 -> fc4 relu -> fc2", "2-layer neural network, 1 hidden layer", 6, 2),
        ("3 -> fc4 relu -> fc4 relu -> fc1", "3-layer neural network, 2 hidden layers", 9, 3),
        ("3x8x8 -> conv4 3x3 -> gap", "single-layer convolutional network", 144, 1),
        ("4 -> add[ fc4 -> fc4 | fc4 ] -> fc1", "3-layer neural network, 2 hidden layers", 13, 3),
        ("4 -> relu", "a net without weights", 0, 0),
    ],
)
def test_what_the_field_calls_it(spec: str, title: str, neurons: int, depth: int) -> None:
    report = nnspec.analyze(spec)
    assert (report.title, report.neurons, report.depth) == (title, neurons, depth)


def test_roles() -> None:
    layers = nnspec.analyze(
        "b: 4 -> fc8 relu -> a: fc4\noutput side: @a -> tanh\n@a -> fc2 softmax"
    ).layers
    assert {layer.name: layer.role for layer in layers} == {
        "b.fc1": "hidden", "b.a": "output", "side.tanh1": "", "fc1": "output",
    }  # fmt: skip


def test_counts_equal_those_of_pytorch() -> None:
    modules = {
        "3x32x32 -> conv8 3x3 same bn relu -> maxpool2 -> conv16 3x3 g4 -> gap -> fc10": [
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 16, 3, groups=4), nn.Linear(16, 10),
        ],
        "4x30 -> conv8 5 prelu -> flatten -> fc10 nobias": [
            nn.Conv1d(4, 8, 5), nn.PReLU(8), nn.Linear(208, 10, bias=False),
        ],
        "2x8x8x8 -> conv4 3 -> flatten -> fc3": [nn.Conv3d(2, 4, 3), nn.Linear(864, 3)],
    }  # fmt: skip
    for spec, parts in modules.items():
        theirs = sum(weight.numel() for part in parts for weight in part.parameters())
        assert nnspec.analyze(spec).params == theirs
