"""A step, an answer: what they ask NumPy's allocator for, after the first."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import nnspec
from nnspec.compiler.training.losses import LOSSES
from nnspec.runtime.answering import quiet
from nnspec.runtime.net import Net

if sys.platform == "win32":
    pytest.skip("NumPy's own allocator is C's, asked for by name", allow_module_level=True)

from .allocations import counted

NUMBER = 8
"""Bytes of a single number: a loss that is read, a label's place."""
STATE = 32
"""Bytes of where a random stream stands, which is kept in case the step fails."""

SPECS = [
    "16 -> fc32 relu -> fc10",
    "16 -> fc32 nobias lrelu -> fc10 sigmoid",
    "16 -> fc32 prelu -> maxout16 -> dropout fc10",
    "1x12x12 -> conv8 3x3 p1 bn gelu -> conv8 3x3 p1 -> bn sigmoid -> flatten dropout -> fc10",
    "1x24x24 -> conv8 3x3 p1 bn relu -> maxpool2 -> conv4 3x3 relu -> maxpool3 s2 -> flatten fc10",
    "3x32x32 -> conv32 3x3 p1 -> conv32 3x3 p1 bn relu -> gmp fc10",
    "8x16x16 -> conv32 3x3 p1 bn tanh -> avgpool2 -> conv16 1x1 -> dwconv 3x3 -> gap fc10",
    "8x6x6 -> max[ conv8 3x3 p1 | id ] relu6 -> add[ conv8 3x3 p1 bn relu | id ] relu -> gap fc10",
    "12x16 -> lstm8 -> attn2 ln -> flatten fc10",
]


def started(spec: str) -> tuple[Net, np.ndarray, np.ndarray]:
    """A net that has made two steps, and its batch."""
    net = nnspec.compile(spec)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, *net.graph.inputs[0].value.shape), np.float32)
    y = rng.integers(0, 10, 64)
    for _ in range(2):
        net.step(x, y)
    return net, x, y


def test_the_counter_counts() -> None:
    with counted() as blocks:
        one = np.zeros(100)
        other = one + 1
        np.copyto(one, other)
        np.add(one, other, other)
        np.copyto(one[::2], other[1::2])
    assert [size for size in blocks if size > NUMBER] == [800, 800]
    held = len(blocks)
    np.zeros(100)
    assert len(blocks) == held


def test_short_casts_are_counted() -> None:
    """NumPy casts up to a buffer's numbers into an array of their own: so no kernel lets it."""
    mask, numbers = np.ones(100, np.bool), np.ones(100, np.float32)
    with counted() as blocks:
        np.multiply(numbers, mask, numbers)
        np.copyto(numbers, mask)
    assert blocks == [400]


@pytest.mark.parametrize("spec", SPECS)
def test_a_step_asks_for_no_array(spec: str) -> None:
    net, x, y = started(spec)
    with counted() as blocks:
        net.step(x, y)
    assert max(blocks, default=0) <= (STATE if "dropout" in spec else NUMBER)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("examples", [3, 64])
def test_no_lane_asks_for_an_array(spec: str, examples: int) -> None:
    """A thread counts for itself: so this one makes the calls of all."""
    net, x, y = started(spec)
    net.step(x[:examples], y[:examples])
    bound = net._filled(x[:examples], y[:examples])
    with quiet(), counted() as blocks:
        for group in bound.groups:
            group.run()
        for lane in net.learner.updates:
            for function, arguments in lane:
                function(*arguments)
    assert max(blocks, default=0) <= NUMBER


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_no_loss_asks_for_an_array(loss: str) -> None:
    one = LOSSES[loss]()
    net = nnspec.compile("16 -> fc32 tanh -> fc10", loss=loss)
    x = np.zeros((64, 16), np.float32)
    y = np.zeros(64, np.int64) if one.target == "labels" else np.zeros((64, 10), np.float32)
    for _ in range(2):
        net.step(x, y)
    with counted() as blocks:
        net.step(x, y)
    assert max(blocks, default=0) <= NUMBER


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("examples", [1, 3, 64])
def test_an_answer_asks_for_itself(spec: str, examples: int) -> None:
    net, x, _ = started(spec)
    net(x[:examples])
    with counted() as blocks:
        answer = net(x[:examples])
    assert [size for size in blocks if size > NUMBER] == [answer.nbytes]
