"""Dropout behind dropout, with nothing learned between.

Two draws are one: what passes both has passed (1 - p)(1 - q) of the time, and is divided twice. Two
of 0.5 drop three quarters, which is hardly meant; more often one was left from an older version.

Source: Srivastava et al. 2014, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ...compiler.ops.noise import Dropout
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> fc8 relu dropout0.5 -> dropout0.5 -> fc2",
    "3x8x8 -> conv4 3 relu dropout0.2 -> flatten dropout0.5 -> fc2",
)
RIGHT = (
    "8 -> fc8 relu dropout0.5 -> fc8 relu dropout0.5 -> fc2",
    "3x8x8 -> conv4 3 relu dropout0.2 -> gap dropout0.5 -> fc2",
    "8 -> add[ fc8 relu dropout0.1 droppath0.1 | id ] -> fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not isinstance(node.op, Dropout) or not node.op.p:
            continue
        for before in net.back(node):
            if isinstance(before.op, Dropout) and before.op.p:
                both = 1 - (1 - node.op.p) * (1 - before.op.p)
                yield Finding(
                    node.span,
                    f"`{word(before)}` and `{word(node)}` together drop {both:.0%}",
                    f"keep one; `dropout{both:g}` is both",
                )
            if Trait.MOVES not in before.op.traits:
                break
