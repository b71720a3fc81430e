"""A step, an answer: what they ask NumPy's allocator for, after the first."""

from __future__ import annotations

import numpy as np
import pytest

import nnspec
from nnspec.runtime.answering import quiet
from nnspec.runtime.net import Net

from .allocations import counted

NUMBER = 8
"""Bytes of a single number: a loss that is read, a label's place."""
STATE = 32
"""Bytes of where a random stream stands, which is kept in case the step fails."""

SPECS = [
    "16 -> fc32 tanh -> fc10",
    "16 -> fc32 nobias -> fc10 sigmoid",
    "1x12x12 -> conv8 3x3 p1 bn gelu -> conv8 3x3 p1 -> bn sigmoid -> flatten dropout -> fc10",
    "3x32x32 -> conv32 3x3 p1 -> conv32 3x3 p1 bn tanh -> gap fc10",
    "8x16x16 -> conv32 3x3 p1 bn tanh -> avgpool2 -> conv16 1x1 -> dwconv 3x3 -> gap fc10",
    "12x16 -> lstm8 -> attn2 ln -> flatten fc10",
]


def started(spec: str) -> tuple[Net, np.ndarray, np.ndarray]:
    """A net that has made two steps, and its batch."""
    net = nnspec.compile(spec)
    x = np.zeros((64, *net.graph.inputs[0].value.shape), np.float32)
    y = np.zeros(64, np.int64)
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
    np.zeros(100)
    assert len(blocks) < 9


@pytest.mark.parametrize("spec", SPECS)
def test_a_step_asks_for_no_array(spec: str) -> None:
    net, x, y = started(spec)
    with counted() as blocks:
        net.step(x, y)
    assert max(blocks, default=0) <= (STATE if "dropout" in spec else NUMBER)


@pytest.mark.parametrize("spec", SPECS)
def test_no_lane_asks_for_an_array(spec: str) -> None:
    """A thread counts for itself: so this one makes the calls of all."""
    net, x, y = started(spec)
    bound = net._filled(x, y)
    with quiet(), counted() as blocks:
        for group in bound.groups:
            group.run()
        for lane in net.learner.updates:
            for function, arguments in lane:
                function(*arguments)
    assert max(blocks, default=0) <= NUMBER


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("examples", [1, 64])
def test_an_answer_asks_for_itself(spec: str, examples: int) -> None:
    net, x, _ = started(spec)
    net(x[:examples])
    with counted() as blocks:
        answer = net(x[:examples])
    assert [size for size in blocks if size > NUMBER] == [answer.nbytes]


def test_a_mask_is_cast_in_numpys_buffer() -> None:
    net, x, y = started("1x24x24 -> conv8 3x3 p1 bn relu -> maxpool2 -> flatten fc32 relu -> fc10")
    with counted() as blocks:
        net.step(x, y)
    assert max(blocks) <= np.getbufsize() * net.dtype.itemsize
