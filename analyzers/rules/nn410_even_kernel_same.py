"""An even kernel with `same`.

Padding that keeps the size must be odd in all, so one more row stands behind than in front: every
such layer shifts the map by half a pixel, to one side.

Source: Dumoulin and Visin 2016, section 2.3, half padding: the kernel is odd.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.conv import Convolution
from ...compiler.ops.pool import Pool
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("3x8x8 -> conv4 2 same relu -> gap fc2", "3x8x8 -> conv4 4x3 same relu -> gap fc2")
RIGHT = ("3x8x8 -> conv4 3 same relu -> gap fc2", "3x8x8 -> conv4 2 s2 same relu -> gap fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        op = node.op
        if not isinstance(op, Convolution | Pool):
            continue
        windows = op.windows(node.arrivals[0])
        lopsided = [w.kernel for w in windows if w.before != w.after and w.stride == 1]
        if lopsided:
            yield Finding(
                node.span,
                f"`{word(node)}` pads one side more than the other: its kernel of "
                f"{lopsided[0]} is even",
                "use an odd kernel",
            )
