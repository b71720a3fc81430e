"""Two activations in a row.

The second acts on what the first has already bent: relu of relu is relu, sigmoid of relu is never below
a half, softmax of relu calls every negative score the same.

Source: NeuraLint, Nikanjam et al. 2021, 'redundant activation'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("8 -> fc8 relu relu -> fc2", "8 -> fc8 relu -> fc2 relu softmax")
RIGHT = ("8 -> fc8 relu -> fc2 softmax",)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        after = next(net.ahead(node), None)
        if after and Trait.ACTIVATION in node.op.traits and Trait.ACTIVATION in after.op.traits:
            yield Finding(
                after.span,
                f"`{word(after)}` acts on what `{word(node)}` has already bent",
                "keep one of the two",
            )
