"""Dropout or other noise on the output.

What the net says is then partly thrown away while it learns to say it, and nothing behind can make
up for what is missing.

Source: Srivastava et al. 2014, section 4: dropout is for input and hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> fc8 relu -> fc2 dropout0.5",
    "8 -> fc2 dropout0.5 softmax",
    "8 -> trunk: fc8 relu\noutput spread: @trunk -> fc2 dropout0.1\n@trunk -> fc2",
)
RIGHT = (
    "8 -> fc8 relu dropout0.5 -> fc2",
    "8 -> noise0.1 fc8 relu -> fc2",
    "8 -> fc8 relu -> add[ fc8 droppath0.1 | id ]",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for name in net.graph.outputs.values():
        output = net.graph[name]
        for node in (output, *net.back(output)):
            if Trait.RANDOM in node.op.traits:
                yield Finding(
                    node.span,
                    f"`{word(node)}` acts on the output, not on a hidden layer",
                    "put it before the last layer",
                )
            if Trait.NEURONS in node.op.traits:
                break
