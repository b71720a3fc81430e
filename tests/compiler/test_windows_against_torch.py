"""Conv and pool shapes against PyTorch's meta tensors over the whole grid: equal, or both refuse."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from nnspec.compiler.op import Refused
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.shapes import Value

SIZES, KERNELS, STRIDES, PADDINGS, DILATIONS = (
    range(1, 25), range(1, 8), range(1, 5), range(4), range(1, 4),
)  # fmt: skip


def ours(name: str, length: int, /, **arguments: object) -> int | None:
    try:
        return CATALOGUE[name](**arguments).shape(Value((1, length))).shape[1]
    except Refused:
        return None


def theirs(function: object, size: int, *arguments: object) -> int | None:
    assert callable(function)
    try:
        return int(function(torch.empty(1, 1, size, device="meta"), *arguments).shape[2])
    except (RuntimeError, ValueError):
        return None


@pytest.mark.parametrize("kernel", KERNELS)
def test_conv(kernel: int) -> None:
    weight = torch.empty(1, 1, kernel, device="meta")
    for n, s, p, d in product(SIZES, STRIDES, PADDINGS, DILATIONS):
        wanted = theirs(F.conv1d, n, weight, None, s, p, d)
        assert ours("conv", n, n=1, k=(kernel,), s=(s,), p=(p,), d=(d,)) == wanted, (n, s, p, d)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(
    ("name", "function"), [("maxpool", F.max_pool1d), ("avgpool", F.avg_pool1d)]
)
def test_pool(name: str, function: object, ceil: bool) -> None:
    for n, k, s, p in product(SIZES, KERNELS, STRIDES, PADDINGS):
        extra = (1, ceil) if name == "maxpool" else (ceil,)
        wanted = theirs(function, n, k, s, p, *extra)
        assert ours(name, n, k=(k,), s=(s,), p=(p,), ceil=ceil) == wanted, (n, k, s, p)


@pytest.mark.parametrize("kernel", KERNELS)
def test_convt(kernel: int) -> None:
    weight = torch.empty(1, 1, kernel, device="meta")
    grid = product(range(1, 9), STRIDES, PADDINGS, range(4), DILATIONS)
    for n, s, p, outpad, d in grid:
        if outpad >= s:
            continue  # PyTorch lets the dilation excuse it; ours asks for less than the stride.
        wanted = theirs(F.conv_transpose1d, n, weight, None, s, p, outpad, 1, d)
        given = {"n": 1, "k": (kernel,), "s": (s,), "p": (p,), "outpad": outpad, "d": (d,)}
        assert ours("convt", n, **given) == wanted, (n, s, p, outpad, d)


def test_adaptive_pool() -> None:
    for n, size in product(SIZES, SIZES):
        assert ours("apool", n, size=(size,)) == theirs(F.adaptive_avg_pool1d, n, size)
