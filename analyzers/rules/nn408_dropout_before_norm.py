"""Dropout before batch norm.

Dropout changes the variance of what follows in training and not at inference; the running
statistics of a batch norm behind it are learned with the one and used with the other.

Source: Li et al. 2018, understanding the disharmony between dropout and batch normalization.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ...compiler.ops.noise import Dropout
from ...compiler.ops.norm import BatchNorm
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> fc8 relu dropout0.5 -> fc8 bn relu -> fc2",
    "8 -> fc8 relu -> dropout0.5 bn -> fc2",
)
RIGHT = ("8 -> fc8 bn relu dropout0.5 -> fc2", "8 -> fc8 relu dropout0.5 -> fc8 ln relu -> fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not isinstance(node.op, BatchNorm):
            continue
        weighted = 0
        for before in net.back(node):
            if isinstance(before.op, Dropout) and before.op.p:
                yield Finding(
                    before.span,
                    f"`{word(before)}` shifts the variance that the `bn` behind it learns",
                    "drop out behind the last batch norm",
                )
            weighted += Trait.NEURONS in before.op.traits
            if weighted > 1 or isinstance(before.op, BatchNorm):
                break
