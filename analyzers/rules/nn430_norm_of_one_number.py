"""A norm whose statistics are taken over a single number.

A number minus its own mean is 0, whatever it was: only the learned shift goes on, and nothing
before the norm learns. Instance norm of a 1x1 map is one, group norm with as many groups as a
vector has numbers, batch norm of a vector in batches of one. Without a mean, `rms` leaves a sign.

Source: Ioffe and Szegedy 2015, section 3; PyTorch, "Expected more than 1 value per channel".
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.ops.norm import BatchNorm, RowNorm
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "64x1x1 -> conv64 1 nobias inorm relu -> flatten fc2",
    "8 -> fc8 gn8 relu -> fc2",
    "8 -> fc1 ln -> fc4 relu -> fc2",
    "8 -> fc8 nobias bn relu -> fc2\ntrain(loss = cross_entropy, batch = 1)",
)
RIGHT = (
    "64x4x4 -> conv64 1 nobias inorm relu -> gap fc2",
    "8 -> fc8 gn4 relu -> fc2",
    "3x8x8 -> conv4 3 nobias bn relu -> gap fc2\ntrain(loss = cross_entropy, batch = 1)",
    "8 -> fc8 nobias bn relu -> fc2\ntrain(loss = cross_entropy)",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if reason := _alone(net, node):
            yield Finding(
                node.span,
                f"`{word(node)}` normalises single numbers ({reason}): {_left(node)} is all that is "
                "left of them",
                "leave it out, or normalise over more",
            )


def _alone(net: Anatomy, node: Node) -> str:
    """Why a norm has one number to a statistic; empty where it has more."""
    op = node.op
    if isinstance(op, RowNorm) and op.rows(node.arrivals[0])[1] == 1:
        return f"its input is {node.arrivals[0]}"
    if isinstance(op, BatchNorm) and net.train and net.graph.training.batch == 1:
        places = node.value.size // node.value.channels
        return "a batch is one example" if places == 1 else ""
    return ""


def _left(node: Node) -> str:
    if isinstance(node.op, RowNorm) and not node.op.centred:
        return "the sign"
    return "its shift" if node.weights else "0"
