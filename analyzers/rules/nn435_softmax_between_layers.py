"""A softmax as the activation of a hidden layer.

Its outputs add up to 1: one unit speaks up only as others fall silent, and with n units each
carries about 1 / n of a signal. It belongs on an output, or where shares weight something else, as
in attention and gates, which are not reported.

Source: NeuraLint, Nikanjam et al. 2021; CS231n, linear classification, 'Softmax classifier'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.op import Trait
from ...compiler.ops.activation import LogSoftmax, Softmax
from ...grammar.quantity import quantity
from ..facts.anatomy import Anatomy, affine, passes, word
from ..rule import Finding

WRONG = (
    "8 -> fc16 softmax -> fc2",
    "3x8x8 -> conv8 3 softmax -> flatten fc2",
)
RIGHT = (
    "8 -> fc16 relu -> fc2 softmax",
    "9x16 -> matmul[ fc1 -> permute (1, 0) -> softmax | id ] -> flatten fc2",
    "8 -> mul[ fc16 softmax | fc16 ] -> fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not isinstance(node.op, Softmax | LogSoftmax) or node.value.channels == 1:
            continue
        behind = next((n for n in net.ahead(node) if not passes(n) and not _pools(n)), None)
        if behind is not None and affine(behind):
            yield Finding(
                node.span,
                f"`{word(node)}` makes the {quantity(node.value.channels, 'output')} of a hidden layer add "
                "up to 1",
                "use relu, or one of its kin (lrelu, elu, gelu, silu)",
            )


def _pools(node: Node) -> bool:
    return Trait.POOLS in node.op.traits
