"""A hidden layer of a single unit.

Everything behind it depends on one number, or on one channel of a map: the net can only tell apart
what differs along one direction.

Source: CS231n, neural networks 1, 'Setting number of layers and their sizes'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("8 -> fc1 relu -> fc4 relu -> fc2", "3x8x8 -> conv1 3 p1 relu -> conv8 3 relu -> gap fc2")
RIGHT = (
    "8 -> fc4 relu -> fc1",
    "1 -> fc4 relu -> fc2",
    "8 -> concat[ fc1 | fc16 relu ] -> fc1",
    "8x8x8 -> concat[ id | conv1 7 same sigmoid ] -> gap fc2",
    "9x16 -> matmul[ fc1 -> permute (1, 0) -> softmax | id ] -> flatten fc8 relu -> fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for layer in net.hidden:
        head = layer.head
        if head.value.channels == 1 < head.arrivals[0].channels and head.name in net.necks:
            yield Finding(
                head.span,
                f"all that follows depends on the one unit of `{word(head)}`",
                "give the layer more units",
            )
