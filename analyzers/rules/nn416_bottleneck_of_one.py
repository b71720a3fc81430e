"""A hidden layer of a single unit.

Everything behind it depends on one number: the net can only draw level sets along one direction.

Source: CS231n, neural networks 1, 'Setting number of layers and their sizes'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("8 -> fc1 relu -> fc4 relu -> fc2", "3x8x8 -> conv1 3 p1 relu -> conv8 3 relu -> gap fc2")
RIGHT = ("8 -> fc4 relu -> fc1", "1 -> fc4 relu -> fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    for layer in net.hidden:
        head = layer.head
        only_way = len(list(net.ahead(layer.nodes[-1]))) and not net.gates(layer.nodes[-1])
        if head.value.channels == 1 and head.arrivals[0].channels > 1 and only_way:
            yield Finding(
                head.span,
                f"all that follows depends on the one unit of `{word(head)}`",
                "give the layer more units",
            )
