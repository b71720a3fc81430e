"""A kernel larger than its input.

It fits only because of its padding: the other taps are multiplied by zeros, and the same number
could be had from fewer.

Source: CS231n, convolutional networks, 'Spatial arrangement'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...compiler.ops.conv import Convolution, TransposedConv
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("3x2x2 -> conv4 3 p1 relu -> gap fc2", "8x1x1 -> conv8 3 same relu -> flatten fc2")
RIGHT = (
    "3x4x4 -> conv4 3 p1 relu -> gap fc2",
    "3x3x3 -> conv4 3 p1 relu -> gap fc2",
    "3x5x5 -> conv4 3 d2 p2 relu -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        op = node.op
        if not isinstance(op, Convolution) or isinstance(op, TransposedConv):
            continue
        windows = op.windows(node.arrivals[0])
        if any(window.reach > window.size for window in windows):
            reach = "x".join(str(window.reach) for window in windows)
            taps = math.prod(window.kernel for window in windows)
            met = math.prod(min(w.kernel, -(-w.size // w.dilation)) for w in windows)
            yield Finding(
                node.span,
                f"`{word(node)}` spans {reach} of an input of {node.arrivals[0]}: no more "
                f"than {met:,} of its {taps:,} taps are ever inside",
                "pool less before it, or use a smaller kernel",
            )
