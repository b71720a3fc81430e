"""A stride larger than the window: some inputs are in no window.

Between two windows rows and columns lie that nothing sees. A 1x1 convolution with a stride leaves
them out by intention (the short way past a block); a larger one hardly does.

Source: CS231n, convolutional networks, 'Spatial arrangement'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.pool import Pool
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("3x9x9 -> conv4 2 s3 relu -> gap fc2", "3x9x9 -> maxpool2 s3 -> gap fc2")
RIGHT = ("3x9x9 -> conv4 3 s3 relu -> gap fc2", "3x9x9 -> conv4 1 s2 relu -> gap fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        op = node.op
        if not isinstance(op, Convolution | Pool) or isinstance(op, TransposedConv):
            continue
        for window in op.windows(node.arrivals[0]):
            if window.stride > window.reach > 1:
                yield Finding(
                    node.span,
                    f"`{word(node)}` steps {window.stride} at a time with a window of "
                    f"{window.reach}: {window.stride - window.reach} of every {window.stride} "
                    "inputs are never seen",
                    "use a stride up to the window, or a larger window",
                )
                break
