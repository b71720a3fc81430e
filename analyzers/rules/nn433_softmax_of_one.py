"""A softmax over a single score.

Shares of one are 1, whatever the score: the net says the same for every input, and no gradient
comes back. For a yes or no one score wants a sigmoid; shares of steps of time want the steps on the
channel axis first.

Source: CS231n, linear classification, 'Binary Softmax'; NeuraLint, Nikanjam et al. 2021.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.activation import LogSoftmax, Softmax
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "4 -> fc8 relu -> fc1 softmax",
    "9x16 -> mul[ fc1 softmax | fc1 ] -> flatten fc2",
    "4 -> fc1 logsoftmax",
)
RIGHT = (
    "4 -> fc8 relu -> fc2 softmax",
    "4 -> fc8 relu -> fc1 sigmoid",
    "9x16 -> matmul[ fc1 -> permute (1, 0) -> softmax | id ] -> flatten fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not isinstance(node.op, Softmax | LogSoftmax) or node.value.channels > 1:
            continue
        steps = node.value.size > 1
        worth = "1" if isinstance(node.op, Softmax) else "0"
        yield Finding(
            node.span,
            f"`{word(node)}` of one score is {worth} for every input",
            "`permute (1, 0)` before it makes the steps the axis it acts on"
            if steps
            else "use sigmoid, or two units",
        )
