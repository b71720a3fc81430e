"""Every operator's gradient against central differences: float64, every element, poisoned memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnspec.compiler.op import Elementwise, Trait
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.ops.activation import HSigmoid, HSwish, Relu6
from nnspec.runtime.kernels import Arrays, Call, Calls, kernel_of

from . import harness
from .configurations import uses
from .harness import BREAKS, Bench, bench

EVERY = [pytest.param(*use, id=f"{use[0]}-{i}") for i, use in enumerate(uses())]


def made(name: str, arguments: dict[str, Any], shapes: Any, batch: int, seed: int) -> Bench:
    return bench(CATALOGUE[name](**arguments), *shapes, batch=batch, seed=seed)


@pytest.mark.parametrize(("name", "arguments", "shapes"), EVERY)
def test_gradient(name: str, arguments: dict[str, Any], shapes: Any) -> None:
    for batch, seed in ((1, 0), (3, 1), (2, 2)):
        one = made(name, arguments, shapes, batch, seed)
        kept = [a.copy() for a in (*one.inputs, *one.weights.values())]
        if name == "bn" and batch * np.prod(shapes[0][1:] or 1) < 3:
            continue  # With one or two numbers a channel the gradient is zero, or nearly so.
        assert one.error() < 1e-6
        for array, before in zip((*one.inputs, *one.weights.values()), kept, strict=True):
            np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(("name", "arguments", "shapes"), EVERY)
def test_writing_over_the_input_changes_nothing(
    name: str, arguments: dict[str, Any], shapes: Any
) -> None:
    one = made(name, arguments, shapes, 2, 3)
    needs = one.op.needs(one.batch, *one.values)
    if needs.overwrites:
        np.testing.assert_array_equal(one.forward(onto_input=True)[0], one.forward()[0])
    if needs.overwrites_back:
        plain, onto = one.backward()[0][0], one.backward(onto_gradient=True)[0][0]
        np.testing.assert_array_equal(onto, plain)


@pytest.mark.parametrize(("name", "arguments", "shapes"), EVERY)
def test_backward_leaves_the_output_gradient_alone(
    name: str, arguments: dict[str, Any], shapes: Any
) -> None:
    """Other readers of the same value may still need it."""
    one = made(name, arguments, shapes, 2, 3)
    arrays = one.arrays_back()
    one.run(one.calls_back(arrays))
    np.testing.assert_array_equal(arrays.d_output, one.direction)


@pytest.mark.parametrize(("name", "arguments", "shapes"), EVERY)
def test_gradients_that_nobody_asks_for_change_no_other(
    name: str, arguments: dict[str, Any], shapes: Any
) -> None:
    one = made(name, arguments, shapes, 2, 3)
    d_inputs, d_weights = one.backward()
    for left_out in range(len(shapes)):
        arrays = one.arrays_back()
        asked = tuple(None if i == left_out else d for i, d in enumerate(arrays.d_inputs))
        arrays = replace(arrays, d_inputs=asked)
        one.run(one.calls_back(arrays))
        for found, whole in zip(arrays.d_inputs, d_inputs, strict=True):
            if found is not None:
                np.testing.assert_array_equal(found, whole)
        for weight, whole in d_weights.items():
            np.testing.assert_array_equal(arrays.d_weights[weight], whole)


CASTING = 3 * 8192 * 8 + 4096
"""NumPy casts a mask to floats through buffers of 8,192 numbers."""


def allocated(calls: Sequence[Call]) -> tuple[int, int]:
    """Bytes that stay after the calls, and the most at any time between; on their second run."""
    for function, given in calls:
        function(*given)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for function, given in calls:
        function(*given)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before, peak - before


@pytest.mark.parametrize(("name", "arguments", "shapes"), EVERY)
def test_a_step_allocates_nothing(name: str, arguments: dict[str, Any], shapes: Any) -> None:
    """Beyond what NumPy needs to call a ufunc: small, and gone when the call returns."""
    one = made(name, arguments, shapes, 4000, 4)
    needs = one.op.needs(one.batch, *one.values)
    arrays = one.arrays(needs, tuple(one.inputs), np.empty(one.output_shape))
    forward = list(kernel_of(one.op, needs.algorithm).forward(one.op, arrays))
    with np.errstate(over="ignore"):
        for calls in (forward, one.calls_back(one.arrays_back())):
            stays, peak = allocated(calls)
            assert stays < 4096
            assert peak < CASTING


class Wrong:
    """A kernel with one gradient a thousandth too large."""

    def __init__(self, right: Any, which: int) -> None:
        self.right, self.which = right, which

    def forward(self, op: Any, a: Arrays) -> Calls:
        yield from self.right.forward(op, a)

    infer = forward

    def backward(self, op: Any, a: Arrays) -> Calls:
        yield from self.right.backward(op, a)
        gradient = [d for d in (*a.d_inputs, *a.d_weights.values()) if d is not None][self.which]
        yield np.multiply, (gradient, 1.001, gradient)


@pytest.mark.parametrize("name", [n for n, k in CATALOGUE.items() if Trait.VIEW not in k.traits])
def test_the_check_notices_one_thousandth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if Trait.NO_GRADIENT in CATALOGUE[name].traits:
        return
    _, arguments, shapes = next(use for use in uses() if use[0] == name)
    one = made(name, arguments, shapes, 3, 1)
    right = kernel_of(one.op, one.op.needs(one.batch, *one.values).algorithm)
    for which in range(sum(not value.integer for value in one.values) + len(one.weights)):
        wrong = Wrong(right, which)
        monkeypatch.setattr(harness, "kernel_of", lambda *_, wrong=wrong: wrong)
        assert one.error() > 1e-4


class EndlessRelu6(Relu6):
    """A relu6 whose slope forgets the bound at 6."""

    name = ""

    def slope(self, m: Any, x: Any, y: Any) -> Any:
        return 1.0 * m.above(y, 0.0)


class EndlessHSigmoid(HSigmoid):
    """An hsigmoid whose slope never goes to zero."""

    name = ""

    def slope(self, m: Any, x: Any, y: Any) -> Any:
        return x * 0.0 + 1.0 / 6.0


class EndlessHSwish(HSwish):
    """An hswish that is a parabola everywhere, by its slope."""

    name = ""

    def slope(self, m: Any, x: Any, y: Any) -> Any:
        return x * (1.0 / 3.0) + 0.5


@pytest.mark.parametrize("kind", [EndlessRelu6, EndlessHSigmoid, EndlessHSwish])
def test_the_check_notices_a_forgotten_bound(kind: type[Elementwise]) -> None:
    assert bench(kind(), (5,), batch=3, seed=1).error() > 0.1


@pytest.mark.parametrize("batch", [1, 3, 2])
def test_activations_are_tried_on_every_side_of_every_break(batch: int) -> None:
    for shape in ((5,), (2, 3, 2)):
        numbers = np.sort(bench(Relu6(), shape, batch=batch, seed=0).inputs[0].ravel())
        counts = np.diff(np.searchsorted(numbers, (-np.inf, *BREAKS, np.inf)))
        assert counts.all()
        assert np.diff(numbers).min() >= 1e-3
        assert min(np.abs(numbers - place).min() for place in BREAKS) >= 1e-3
