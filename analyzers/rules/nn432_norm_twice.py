"""A norm behind a norm, with nothing learned between.

What has mean 0 and variance 1 has it already: the second norm finds little to do, and the scale and
the shift of the first are taken away again or learned a second time.

Source: NeuraLint, Nikanjam et al. 2021; Ioffe and Szegedy 2015, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.op import Trait
from ...compiler.ops.norm import LocalResponseNorm
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> fc8 nobias bn -> bn relu -> fc2",
    "16x8 -> attn2 ln -> ln -> gap fc2",
    "8x4x4 -> conv8 1 nobias bn -> flatten bn -> fc2",
)
RIGHT = (
    "8 -> fc8 nobias bn relu -> fc8 nobias bn relu -> fc2",
    "16x8 -> ln -> add[ ln attn2 | id ] -> gap fc2",
    "block pre = ln fc8\n16x8 -> ln -> pre -> pre -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.throughout(lambda node: _norm_before(net, node)):
        if before := _norm_before(net, node):
            yield Finding(
                node.span,
                f"`{word(node)}` normalises what `{word(before)}` has just normalised",
                "keep one of the two",
            )


def _norm_before(net: Anatomy, node: Node) -> Node | None:
    """The norm whose value, moved at most and read by nothing else, a norm takes."""
    if not _is_norm(node):
        return None
    for before in net.back(node):
        if len(net.readers[before.name]) > 1:
            return None
        if _is_norm(before):
            return before
        if Trait.MOVES not in before.op.traits:
            return None
    return None


def _is_norm(node: Node) -> bool:
    return Trait.NORMALISES in node.op.traits and not isinstance(node.op, LocalResponseNorm)
