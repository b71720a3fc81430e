"""A transposed convolution whose kernel its stride does not divide.

Its windows overlap unevenly: with a kernel of 3 and a stride of 2, every other row and column is
written to twice, and their crossings four times. The pattern shows in the output as a checkerboard,
which the weights have to learn away.

Source: Odena et al. 2016, deconvolution and checkerboard artifacts.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.conv import TransposedConv
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "64x8x8 -> convt32 3x3 s2 p1 relu -> convt3 4x4 s2 p1 tanh",
    "1x50 -> conv16 5 relu -> convt8 5 s2 relu -> conv1 1",
    "64x8x8 -> convt32 2x2 s3 relu -> conv3 1",
)
RIGHT = (
    "64x8x8 -> convt32 4x4 s2 p1 relu -> convt3 4x4 s2 p1 tanh",
    "64x8x8 -> convt32 2x2 s2 relu -> conv3 1",
    "64x8x8 -> convt32 3x3 p1 relu -> conv3 1",
    "64x8x8 -> upsample2 -> conv32 3 same relu -> conv3 1",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not isinstance(node.op, TransposedConv):
            continue
        for window in node.op.windows(node.arrivals[0]):
            if window.kernel % window.stride:
                most = -(-window.kernel // window.stride)
                yield Finding(
                    node.span,
                    f"the windows of `{word(node)}` overlap unevenly: rows of the output are written "
                    f"to {most - 1} or {most} times",
                    f"use a kernel that the stride divides: {most * window.stride}",
                )
                break
