"""A kernel larger than its input.

It fits only because of its padding: much of what its weights are multiplied by is zeros, and those
at the rim meet little else.

Source: CS231n, convolutional networks, 'Spatial arrangement'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...compiler.ops.conv import Convolution, TransposedConv
from ...compiler.shapes import Window
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("3x2x2 -> conv4 3 p1 relu -> gap fc2", "8x1x1 -> conv8 3 same relu -> flatten fc2")
RIGHT = ("3x4x4 -> conv4 3 p1 relu -> gap fc2",)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        op = node.op
        if not isinstance(op, Convolution) or isinstance(op, TransposedConv):
            continue
        windows = op.windows(node.arrivals[0])
        if any(window.reach > window.size for window in windows):
            reach = "x".join(str(window.reach) for window in windows)
            zeros = 1 - math.prod(_met(window) for window in windows)
            yield Finding(
                node.span,
                f"`{word(node)}` spans {reach} of an input of {node.arrivals[0]}: "
                f"{zeros:.0%} of what it multiplies is padding",
                "pool less before it, or use a smaller kernel",
            )


def _met(window: Window) -> float:
    """The share of products along an axis that have a number of the input in them."""
    places = range(-window.before, window.output * window.stride - window.before, window.stride)
    taps = range(0, window.reach, window.dilation)
    met = sum(0 <= place + tap < window.size for place in places for tap in taps)
    return met / (len(places) * len(taps))
