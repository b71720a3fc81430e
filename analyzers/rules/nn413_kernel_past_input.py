"""A kernel larger than its input.

It fits only because of its padding: some of its weights never meet anything but zeros, and learn
nothing.

Source: CS231n, convolutional networks, 'Spatial arrangement'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.conv import Convolution, TransposedConv
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("3x2x2 -> conv4 3 p1 relu -> gap fc2", "8x1x1 -> conv8 3 same relu -> flatten fc2")
RIGHT = ("3x4x4 -> conv4 3 p1 relu -> gap fc2",)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        op = node.op
        if not isinstance(op, Convolution) or isinstance(op, TransposedConv):
            continue
        for window in op.windows(node.arrivals[0]):
            if window.reach > window.size:
                yield Finding(
                    node.span,
                    f"the window of `{word(node)}` spans {window.reach}, but its input is "
                    f"{node.arrivals[0]}: the rest is padding",
                    "pool less before it, or use a smaller kernel",
                )
                break
