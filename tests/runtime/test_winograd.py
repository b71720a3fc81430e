"""Winograd's convolution against the definition, summed directly in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import nnspec
from nnspec.compiler import winograd as plan
from nnspec.compiler.op import Needed
from nnspec.compiler.shapes import Window
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.kernels import Calls, winograd

Array = NDArray[Any]
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}


@dataclass(frozen=True)
class Case:
    windows: tuple[Window, Window]
    batch: int
    channels: int
    filters: int


@dataclass(frozen=True)
class Found:
    y: Array
    dx: Array
    dw: Array


@dataclass(frozen=True)
class Given:
    x: Array
    dy: Array
    weight: Array
    bias: Array


def case(
    size: tuple[int, int],
    batch: int,
    channels: int,
    filters: int,
    padding: tuple[int, int, int, int] = (1, 1, 1, 1),
) -> Case:
    top, bottom, left, right = padding
    height = Window(size[0], 3, before=top, after=bottom)
    return Case((height, Window(size[1], 3, before=left, after=right)), batch, channels, filters)


def drawn(c: Case, seed: int = 0) -> Given:
    rng = np.random.default_rng(seed)
    sizes, outputs = [w.size for w in c.windows], [w.output for w in c.windows]
    return Given(
        rng.standard_normal((c.batch, *sizes, c.channels)),
        rng.standard_normal((c.batch, *outputs, c.filters)),
        rng.standard_normal((c.filters, c.channels, 3, 3)),
        rng.standard_normal(c.filters),
    )


def defined(c: Case, g: Given) -> Found:
    """Sums over what every window sees."""
    margins = [(0, 0), *((w.before, w.after) for w in c.windows), (0, 0)]
    seen = sliding_window_view(np.pad(g.x, margins), (3, 3), axis=(1, 2))
    spread = np.pad(np.zeros_like(g.x), margins)
    rows, columns = g.dy.shape[1:3]
    for i in range(3):
        for j in range(3):
            here = spread[:, i : i + rows, j : j + columns]
            here += np.einsum("nhwo,oc->nhwc", g.dy, g.weight[:, :, i, j])
    height, width = c.windows
    inner = (
        slice(None),
        slice(height.before, height.before + height.size),
        slice(width.before, width.before + width.size),
    )
    return Found(
        np.einsum("nhwcij,ocij->nhwo", seen, g.weight, optimize=True) + g.bias,
        spread[inner],
        np.einsum("nhwcij,nhwo->ocij", seen, g.dy, optimize=True),
    )


def room(needed: Mapping[str, Needed], dtype: str) -> dict[str, Array]:
    """Scratch as a plan leaves it: full of anything."""
    return {name: np.full(n.shape, np.nan, dtype) for name, n in needed.items()}


def run(calls: Calls, times: int = 1) -> None:
    bound = list(calls)
    for _ in range(times):
        for function, arguments in bound:
            function(*arguments)


def computed(c: Case, g: Given, dtype: str, times: int = 1) -> Found:
    x, dy, weight, bias = (a.astype(dtype) for a in (g.x, g.dy, g.weight, g.bias))
    y, dx, dw = (np.full_like(a, np.nan) for a in (dy, x, weight))
    sizes = (c.windows, c.batch, c.channels, c.filters)
    forward = room(plan.forward_scratch(*sizes), dtype)
    to_input = room(plan.input_scratch(*sizes), dtype)
    to_weights = room(plan.weight_scratch(*sizes), dtype)
    run(winograd.forward(x, y, weight, bias, c.windows, forward), times)
    run(winograd.to_input(dy, dx, weight, c.windows, to_input), times)
    run(winograd.to_weights(x, dy, dw, c.windows, to_weights), times)
    return Found(y, dx, dw)


def agree(found: Found, expected: Found, dtype: str) -> None:
    for name in ("y", "dx", "dw"):
        right = getattr(expected, name)
        off = np.abs(getattr(found, name) - right).max() / np.abs(right).max()
        assert off < TOLERANCE[dtype], (name, off)


PADDINGS = st.tuples(*[st.integers(0, 2)] * 4)
SIZES = st.tuples(st.integers(3, 14), st.integers(3, 14))
FEW = st.integers(1, 6)


@given(
    made=st.builds(case, SIZES, FEW, FEW, FEW, PADDINGS),
    dtype=st.sampled_from(["float32", "float64"]),
    cache=st.sampled_from([16, 64, 8192]),
    run_of=st.sampled_from([1, 8, 64]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=150, deadline=None)
def test_it_is_the_convolution_of_the_definition(
    made: Case, dtype: str, cache: int, run_of: int, seed: int
) -> None:
    numbers = drawn(made, seed)
    with patch.multiple(plan, IN_CACHE=cache, FEWEST=1, RUN=run_of):
        agree(computed(made, numbers, dtype), defined(made, numbers), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "made",
    [
        case((32, 32), 3, 16, 8),  # whole images
        case((34, 30), 5, 64, 64),  # rows of tiles that do not divide evenly
        case((13, 13), 9, 40, 24, (0, 0, 0, 0)),
        case((7, 7), 3, 200, 180),  # large filters
        case((1, 1), 1, 3, 2, (1, 1, 1, 1)),
        case((1, 6), 2, 3, 2, (2, 0, 0, 2)),
    ],
    ids=str,
)
def test_real_blocks(made: Case, dtype: str) -> None:
    numbers = drawn(made)
    agree(computed(made, numbers, dtype), defined(made, numbers), dtype)


def test_blocks_are_as_many_as_meant() -> None:
    """The cases above see one block and several, along images and along rows."""
    parts = {}
    for name, made in {"one": case((8, 8), 2, 8, 8), "many": case((34, 30), 5, 64, 64)}.items():
        padded = plan.forward_scratch(made.windows, made.batch, made.channels, made.filters)[
            "padded"
        ]
        whole = np.empty(padded.shape)
        parts[name] = list(winograd.blocks(made.windows, made.batch, whole))
    assert len(parts["one"]) == 1
    assert len({b.top for b in parts["many"]}) > 1
    assert len({b.images.start for b in parts["many"]}) > 1


def test_bits_repeat_and_scratch_carries_nothing_over() -> None:
    made = case((34, 30), 5, 64, 64)
    numbers = drawn(made)
    once, thrice = computed(made, numbers, "float32"), computed(made, numbers, "float32", times=3)
    for name in ("y", "dx", "dw"):
        assert np.array_equal(getattr(once, name), getattr(thrice, name)), name


def test_without_a_bias() -> None:
    made = case((6, 6), 2, 3, 4)
    numbers = drawn(made)
    y = np.full(numbers.dy.shape, np.nan)
    scratch = room(plan.forward_scratch(made.windows, 2, 3, 4), "float64")
    run(winograd.forward(numbers.x, y, numbers.weight, None, made.windows, scratch))
    expected = defined(made, numbers).y - numbers.bias
    assert np.abs(y - expected).max() < 1e-12 * np.abs(expected).max()


SAME = (Window(16, 3, before=1, after=1),) * 2


@pytest.mark.parametrize(
    ("windows", "batch", "channels", "filters", "groups"),
    [
        ((*SAME, *SAME), 32, 64, 64, 1),
        (SAME[:1], 32, 64, 64, 1),
        ((Window(16, 3, stride=2, before=1, after=1),) * 2, 32, 64, 64, 1),
        ((Window(16, 3, dilation=2, before=2, after=2),) * 2, 32, 64, 64, 1),
        ((Window(16, 5, before=2, after=2),) * 2, 32, 64, 64, 1),
        ((Window(16, 3, before=3, after=3),) * 2, 32, 64, 64, 1),
        (SAME, 32, 64, 64, 2),
        (SAME, 32, 3, 64, 1),
        (SAME, 32, 64, 4, 1),
        (SAME, 1, 64, 64, 1),
        ((Window(5, 3, before=1, after=1),) * 2, 32, 64, 64, 1),
    ],
    ids=str,
)
def test_others_are_left_to_columns(
    windows: tuple[Window, ...], batch: int, channels: int, filters: int, groups: int
) -> None:
    assert plan.suits(SAME, 2, 8, 8, 1)
    assert not plan.suits(windows, batch, channels, filters, groups)


TILED = "16x12x12 -> conv16 3x3 p1"


def places(spec: str) -> int:
    """How many places of the first filter's map are not finite where one of the input is not."""
    x = np.ones((8, 16, 12, 12), np.float32)
    x[0, 0, 5, 5] = np.nan
    return int((~np.isfinite(nnspec.compile(spec, seed=0)(x)[0, 0])).sum())


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NaN then reaches those places alone whose windows see it; the plan says so, and a run."""
    assert places(TILED) > 9
    for value, algorithm in (("1", "winograd"), ("0", "columns")):
        monkeypatch.setenv("NNSPEC_WINOGRAD", value)
        (step,) = (s for s in nnspec.plan(TILED, batch=8, mode="infer").steps if s.algorithm)
        assert step.algorithm == algorithm
        assert step.why.endswith("windows gathered, NNSPEC_WINOGRAD=0") == (value == "0")
    assert places(TILED) == 9
    monkeypatch.setenv("NNSPEC_WINOGRAD", "off")
    with pytest.raises(SpecError, match="NNSPEC_WINOGRAD"):
        nnspec.plan(TILED, batch=8, mode="infer")


def test_a_run_tells_whether_it_was_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.ones((4, 3)), np.ones((4, 1))
    net = nnspec.compile("3 -> fc1", loss="mse")
    net.fit(x, y, epochs=1, run=tmp_path / "run")
    monkeypatch.setenv("NNSPEC_WINOGRAD", "0")
    with pytest.warns(UserWarning, match="begun with winograd on, here is winograd off"):
        net.fit(x, y, epochs=2, run=tmp_path / "run", resume=True)


def test_windows_that_no_tile_suits_are_not_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNSPEC_WINOGRAD", "0")
    plan = nnspec.plan("16x12x12 -> conv16 5x5 p2", batch=8, mode="infer")
    assert not any("NNSPEC_WINOGRAD" in step.why for step in plan.steps)
