"""Maps with their channels last or outermost: the same numbers as with the channels first, and
gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.compiler.op import Wanted
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.plan.build import schedule
from nnspec.compiler.plan.schedule import Mode, Phase
from nnspec.compiler.shapes import Layout, Value
from nnspec.runtime.kernels import Array
from nnspec.runtime.kernels.layout import moved

from .configurations import Use, uses
from .harness import Bench, bench
from .test_gradients import allocated

MORE: list[tuple[str, Use]] = [
    ("conv", ({"n": 17, "k": (3, 3)}, ((16, 6, 5),))),
    ("conv", ({"n": 16, "k": (3, 3), "p": (1,)}, ((16, 8, 8),))),
    ("conv", ({"n": 16, "k": (3, 3), "p": (2,), "nobias": True}, ((16, 9, 7),))),
    ("conv", ({"n": 32, "k": (3, 2), "s": (2, 1), "p": (1, 0)}, ((3, 9, 8),))),
    ("conv", ({"n": 32, "k": (5,), "p": (2,), "d": (1, 2)}, ((4, 10, 9),))),
    ("conv", ({"n": 32, "k": (3,), "p": (3,)}, ((2, 5, 5),))),
    ("conv", ({"n": 16, "k": (2,), "same": True}, ((16, 4, 3),))),
    ("conv", ({"n": 16, "k": (1,)}, ((17, 4, 5),))),
    ("conv", ({"n": 20, "k": (1,), "nobias": True}, ((16, 3, 3),))),
    ("conv", ({"n": 16, "k": (1,), "s": (2,)}, ((16, 5, 6),))),
    ("conv", ({"n": 32, "k": (2, 3, 2)}, ((3, 3, 4, 3),))),
    ("dwconv", ({"k": (3,), "p": (1,)}, ((16, 6, 7),))),
    ("dwconv", ({"k": (3, 2), "nobias": True}, ((17, 5, 4),))),
    ("dwconv", ({"k": (1,)}, ((16, 3, 5),))),
    ("dwconv", ({"k": (1,), "s": (2,)}, ((16, 5, 4),))),
    ("dwconv", ({"k": (3,), "s": (2,), "p": (1,)}, ((16, 6, 7),))),
    ("dwconv", ({"k": (3, 2), "s": (2, 1), "p": (1, 0)}, ((16, 6, 5),))),
    ("dwconv", ({"k": (2,), "s": (3,), "nobias": True}, ((16, 6, 7),))),
    ("dwconv", ({"k": (3,), "s": (2,), "d": (2, 3), "p": (3, 4)}, ((16, 6, 5),))),
    ("dwconv", ({"k": (3,), "s": (4,), "d": (2,), "p": (2,)}, ((16, 7, 9),))),
    ("dwconv", ({"k": (5,), "s": (3,), "p": (2,)}, ((16, 8, 7),))),
    ("dwconv", ({"k": (4,), "same": True}, ((20, 16, 9),))),
    ("dwconv", ({"k": (3,), "p": (1,)}, ((32, 40, 40),))),
    ("dwconv", ({"k": (2, 3, 2), "p": (1,)}, ((16, 2, 3, 4),))),
    ("conv", ({"n": 4, "k": (5, 3), "p": (2, 1)}, ((1, 11, 9),))),
    ("conv", ({"n": 3, "k": (3,), "s": (2,), "p": (1,), "nobias": True}, ((5, 9, 8),))),
    ("conv", ({"n": 6, "k": (2, 3), "s": (1, 3), "d": (3, 1)}, ((4, 8, 7),))),
    ("conv", ({"n": 2, "k": (3,), "p": (3,), "d": (2,)}, ((3, 4, 6),))),
    ("conv", ({"n": 3, "k": (4,), "same": True}, ((2, 21, 18),))),
    ("conv", ({"n": 5, "k": (1,), "nobias": True}, ((7, 4, 3),))),
    ("conv", ({"n": 5, "k": (1,), "s": (2,)}, ((3, 6, 5),))),
    ("conv", ({"n": 4, "k": (2, 3, 2), "p": (1,)}, ((2, 3, 5, 4),))),
]
"""Wide enough for the planner to turn them, the first so; the last are too narrow."""

TAKEN: dict[Wanted, tuple[Layout, ...]] = {
    "first": (), "last": ("last",), "outermost": ("outermost",), "either": ("last",),
    "any": ("last", "outermost"),
}  # fmt: skip


def turning() -> list[Any]:
    found: list[Any] = []
    for name, arguments, shapes in [*uses(), *((n, *use) for n, use in MORE)]:
        op = CATALOGUE[name](**arguments)
        values = tuple(Value.read(shape) for shape in shapes)
        if max(value.rank for value in values) > 2:
            for to in TAKEN[op.layout(100, *values)]:
                identity = f"{name}-{to}-{len(found)}"
                found.append(pytest.param(name, arguments, shapes, to, id=identity))
    return found


def laid(maps: Array, to: Layout) -> Array:
    return np.ascontiguousarray(moved(maps, "first", to)) if maps.ndim > 3 else maps


def first(maps: Array, layout: Layout) -> Array:
    return moved(maps, layout, "first") if maps.ndim > 3 else maps


def both(
    name: str, arguments: dict[str, Any], shapes: Any, to: Layout, batch: int
) -> tuple[Bench, Bench]:
    plain = bench(CATALOGUE[name](**arguments), *shapes, batch=batch, seed=5)
    values = tuple(value.laid(to) if value.rank > 2 else value for value in plain.values)
    inputs = [laid(x, to) for x in plain.inputs]
    return plain, Bench(plain.op, values, inputs, plain.weights, laid(plain.direction, to))


@pytest.mark.parametrize(("name", "arguments", "shapes", "to"), turning())
def test_either_layout_gives_the_same(
    name: str, arguments: dict[str, Any], shapes: Any, to: Layout
) -> None:
    for batch in (2, 5, 40):
        plain, turned = both(name, arguments, shapes, to, batch)
        assert turned.output_shape == laid(plain.direction, to).shape
        if not turned.op.traits & {t for t in turned.op.traits if t.name == "RANDOM"}:
            near(first(turned.forward()[0], to), plain.forward()[0])
            d_inputs, d_weights = turned.backward()
            wanted, by_weight = plain.backward()
            for found, right in zip(d_inputs, wanted, strict=True):
                near(first(found, to), right)
            for weight, right in by_weight.items():
                near(d_weights[weight], right)
            near(first(turned.infer(), to), plain.infer())


def near(found: Array, right: Array) -> None:
    scale = max(1.0, float(np.abs(right).max(initial=0)))
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(("name", "arguments", "shapes", "to"), turning())
def test_gradients_of_turned_maps(
    name: str, arguments: dict[str, Any], shapes: Any, to: Layout
) -> None:
    _, turned = both(name, arguments, shapes, to, 3)
    if sum(x.size for x in turned.inputs) < 700:
        assert turned.error() < 1e-6


@pytest.mark.parametrize(("name", "arguments", "shapes", "to"), turning())
def test_nothing_is_allocated(
    name: str, arguments: dict[str, Any], shapes: Any, to: Layout
) -> None:
    _, turned = both(name, arguments, shapes, to, 100)
    with np.errstate(over="ignore"):
        stays, peak = allocated(turned.calls_back(turned.arrays_back()))
    assert stays < 4096
    assert peak < 3 * 8192 * 8 + 4096


def test_every_algorithm_is_tried() -> None:
    tried = set()
    for use in turning():
        name, arguments, shapes, to = use.values
        _, turned = both(name, arguments, shapes, to, 40)
        tried.add(turned.op.needs(40, *turned.values).algorithm)
    assert tried >= {"", "columns", "pointwise", "winograd", "taps", "examples innermost"}


@pytest.mark.parametrize(("name", "arguments", "shapes", "to"), turning())
def test_weights_learn_without_what_only_serves_the_inputs(
    name: str, arguments: dict[str, Any], shapes: Any, to: Layout
) -> None:
    _, turned = both(name, arguments, shapes, to, 40)
    _, wanted = turned.backward()
    needs, arrays = turned.op.needs(40, *turned.values), turned.arrays_back()
    scratch = {n: arrays.scratch[n] for n in needs.unreturning.scratch_back}
    assert scratch.keys() == arrays.scratch.keys() - needs.to_return
    asked = replace(arrays, scratch=scratch, d_inputs=(None,) * len(arrays.d_inputs))
    turned.run(turned.calls_back(asked))
    for weight, right in wanted.items():
        np.testing.assert_array_equal(arrays.d_weights[weight], right)


@pytest.mark.parametrize("first", ["conv32 5x5 p2", "conv32 3x3 p1", "dwconv3 p1", "conv4 3x3 p1"])
def test_nobody_asks_the_first_layer_for_its_inputs_gradient(first: str) -> None:
    graph = nnspec.graph(f"16x16x16 -> {first} relu -> {first} -> gap -> fc3")
    plan = schedule(graph, 8, "train", graph.training.learned_by(graph.output.value))
    late, early = (
        {name for name in step.scratch if name == "padded_gradient" or name.startswith("back")}
        for step in plan.steps
        if step.phase is Phase.BACKWARD and step.node and "conv" in step.node.op.name
    )
    assert late
    assert not early


@pytest.mark.parametrize(
    ("spec", "batch", "outermost"),
    [
        ("1x12x12 -> conv4 3x3 relu -> maxpool2 -> gap -> fc3", 16, {"conv1", "relu1", "maxpool1", "gap1"}),
        ("1x12x12 -> conv4 3x3 relu -> maxpool2 -> gap -> fc3", 15, set()),
        ("1x12x12 -> conv4 3x3 relu -> conv4 3x3 -> flatten -> fc3", 16, {"conv1", "relu1", "conv2"}),
        ("1x12x12 -> conv4 3x3 relu -> flatten -> fc3", 16, set()),
        ("3x16x16 -> maxpool2 -> conv6 3x3 p1 -> gap -> fc3", 64, {"conv1", "gap1"}),
        ("4x12x12 -> relu -> conv4 1x1 -> maxpool2 -> flatten -> fc3", 16, set()),
        ("4x12x12 -> conv4 3x3 ln relu -> conv4 3x3 -> ln -> maxpool2 -> flatten -> fc3", 16, set()),
        ("4x12x12 -> add[ conv4 3x3 p1 | conv4 1x1 | id ] -> conv4 3x3 -> flatten -> fc3", 16,
         {"conv1", "conv2", "add1", "conv3"}),
        ("4x12x12 -> conv4 3x3 -> conv32 3x3 -> maxpool2 -> conv4 3x3 -> flatten -> fc3", 16, set()),
    ],
)  # fmt: skip
def test_channels_lie_outermost_where_it_pays(spec: str, batch: int, outermost: set[str]) -> None:
    """Where two gain by it, for turning maps takes as long as one gains; never at inference."""
    graph = nnspec.graph(spec)
    modes: tuple[tuple[Mode, set[str]], ...] = (("train", outermost), ("infer", set()))
    for mode, expected in modes:
        loss = graph.training.learned_by(graph.output.value) if mode == "train" else None
        steps = schedule(graph, batch, mode, loss).steps
        nodes = [step.node for step in steps if step.node and step.phase is Phase.FORWARD]
        lying = {n.name for n in nodes if any(v.outermost for v in n.arrivals)}
        assert {name for name in lying if " " not in name} | (expected & {"relu1"}) == expected
