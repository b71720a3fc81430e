"""A fully connected layer behind `flatten` that holds most of the parameters.

Every number of the map gets a weight for every unit. A global average pool (`gap`) leaves one
number a channel, and the layer shrinks by the size of the map; the net then takes inputs of any
size.

Source: Lin et al. 2013, network in network, section 3.2; CS231n, convolutional networks, 'Case
studies'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.dense import Fc
from ...compiler.ops.shape import Flatten
from ...grammar.quantity import quantity
from ..facts.anatomy import Anatomy, passes, word
from ..rule import Finding

LEAST = 1_000_000
"""Parameters below which a layer is not worth a word."""
WRONG = ("3x64x64 -> conv64 3 same relu -> flatten fc128 relu -> fc10",)
RIGHT = (
    "3x64x64 -> conv64 3 same relu -> gap fc128 relu -> fc10",
    "1x8x8 -> conv8 3 same relu -> flatten fc10",
    "2000 -> fc1000 relu -> fc10",
    "128x64 -> fc64 relu -> flatten fc256 relu -> fc10",
)


def check(net: Anatomy) -> Iterator[Finding]:
    whole = sum(node.params for node in net.graph.nodes)
    for node in net.graph.nodes:
        if not isinstance(node.op, Fc) or node.params < LEAST or 2 * node.params < whole:
            continue
        for before in net.back(node):
            if isinstance(before.op, Flatten) and before.arrivals[0].rank > 2:
                yield Finding(
                    node.span,
                    f"`{word(node)}` holds {100 * node.params // whole}% of all parameters "
                    f"({node.params:,}): it reads a flattened {before.arrivals[0]}",
                    f"`gap` instead of `flatten` would leave {quantity(before.arrivals[0].channels, 'input')}",
                )
            if not passes(before):
                break
