"""A net of several layers without anything nonlinear.

However many affine layers follow each other, the whole is one affine map: a linear classifier with
more parameters. One that rebuilds its input through fewer numbers finds its principal components,
which is meant, and not reported.

Source: CS231n, neural networks 1, 'Example feed-forward computation'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.anatomy import Anatomy
from ..facts.roles import longest
from ..rule import Finding

WRONG = ("3 -> fc4 -> fc1", "3x8x8 -> conv4 3 -> flatten fc10")
RIGHT = (
    "3 -> fc4 relu -> fc1",
    "3072 -> fc10",
    "4 -> add[ fc4 | id ]",
    "784 -> fc32 -> fc784",
    "64 int -> embed1000 32 -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    depth = longest(net.graph)
    if depth > 1 and not net.bends and not net.rebuilds:
        yield Finding(
            net.graph.output.span,
            f"{depth} layers and no activation: together they are one affine map",
            "put relu behind the hidden layers",
        )
