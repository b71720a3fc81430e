"""Every operator's gradient against central differences: float64, every element, poisoned memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nnspec.compiler.op import Trait
from nnspec.compiler.ops import CATALOGUE
from nnspec.runtime.kernels import Arrays, Calls, kernel_of

from .configurations import uses
from .harness import Bench, all_poisoned, bench

EVERY = [pytest.param(*use, id=f"{use[0]}-{i}") for i, use in enumerate(uses())]


def made(name: str, arguments: dict[str, Any], shapes: Any, batch: int, seed: int) -> Bench:
    return bench(CATALOGUE[name](**arguments), *shapes, batch=batch, seed=seed)


@pytest.mark.parametrize(("name", "arguments", "shapes"), EVERY)
def test_gradient(name: str, arguments: dict[str, Any], shapes: Any) -> None:
    for batch, seed in ((1, 0), (3, 1), (2, 2)):
        one = made(name, arguments, shapes, batch, seed)
        before = [x.copy() for x in one.inputs]
        if name == "bn" and batch * np.prod(shapes[0][1:] or 1) < 3:
            continue  # With one or two numbers a channel the gradient is zero, or nearly so.
        assert one.error() < 1e-6
        for x, kept in zip(one.inputs, before, strict=True):
            np.testing.assert_array_equal(x, kept)


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
def test_a_step_allocates_nothing(name: str, arguments: dict[str, Any], shapes: Any) -> None:
    """Beyond what NumPy needs to call a ufunc: small, and gone when the call returns."""
    one = made(name, arguments, shapes, 4000, 4)
    needs = one.op.needs(one.batch, *one.values)
    arrays = Arrays(
        values=one.values,
        inputs=tuple(one.inputs),
        output=np.empty(one.output_shape),
        weights=one.weights,
        state=one.state(),
        saved=all_poisoned(needs.saved),
        scratch=all_poisoned(needs.scratch),
        rng=np.random.default_rng(0),
    )
    calls = list(kernel_of(one.op, needs.algorithm).forward(one.op, arrays))
    one.run(calls)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for function, given in calls:
        function(*given)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 4096
    assert peak - before < CASTING


CASTING = 3 * 8192 * 8 + 4096
"""NumPy casts a mask to floats through buffers of 8,192 numbers."""


class Wrong:
    """A kernel whose gradient is one thousandth too large."""

    def __init__(self, right: Any) -> None:
        self.right = right

    def forward(self, op: Any, a: Arrays) -> Calls:
        yield from self.right.forward(op, a)

    infer = forward

    def backward(self, op: Any, a: Arrays) -> Calls:
        yield from self.right.backward(op, a)
        for gradient in (*a.d_inputs, *a.d_weights.values()):
            yield np.multiply, (gradient, 1.001, gradient)


@pytest.mark.parametrize("name", [n for n, k in CATALOGUE.items() if Trait.VIEW not in k.traits])
def test_the_check_notices_one_thousandth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, arguments, shapes = next(use for use in uses() if use[0] == name)
    if Trait.NO_GRADIENT in CATALOGUE[name].traits:
        return
    one = made(name, arguments, shapes, 3, 1)
    right = kernel_of(one.op)
    monkeypatch.setitem(Bench.backward.__globals__, "kernel_of", lambda *_: Wrong(right))
    assert one.error() > 1e-4
