"""A stride that steps over inputs: no window has them.

Between two windows rows and columns lie that nothing sees, or between the taps of a dilated kernel
that steps as it is spread. A 1x1 convolution with a stride leaves them out by intention (the short
way past a block); a larger one hardly does.

Source: CS231n, convolutional networks, 'Spatial arrangement'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.ops.pool import Pool
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "3x9x9 -> conv4 2 s3 relu -> gap fc2",
    "3x9x9 -> maxpool2 s3 -> gap fc2",
    "3x9x9 -> conv4 3 s2 d2 relu -> gap fc2",
)
RIGHT = (
    "3x9x9 -> conv4 3 s3 relu -> gap fc2",
    "3x9x9 -> conv4 1 s2 relu -> gap fc2",
    "3x9x9 -> conv4 3 d2 relu -> gap fc2",
    "8x9x9 -> convt4 2 s3 relu -> conv2 1",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        op = node.op
        if not isinstance(op, Convolution | Pool) or isinstance(op, TransposedConv):
            continue
        for window in op.windows(node.arrivals[0]):
            stride = window.stride
            missed = stride - min(window.kernel, stride // math.gcd(stride, window.dilation))
            if missed and window.kernel > 1:
                yield Finding(
                    node.span,
                    f"`{word(node)}` steps {stride} at a time, and its {window.kernel} taps miss "
                    f"{missed} of every {stride} rows",
                    "step less far, or use a larger kernel",
                )
                break
