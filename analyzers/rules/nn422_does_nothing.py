"""An operator that does nothing here.

A merge of one branch, dropout of 0, a window of one, a vector flattened: what comes out is what went
in. Usually something was meant that is not there.

Source: house style; ruff's useless-expression is the same idea.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.op import Trait
from ...compiler.ops.noise import Dropout, DropPath, Noise
from ...compiler.ops.pool import Pool
from ...compiler.ops.resample import Upsample
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> add[ fc8 ] relu -> fc2",
    "8 -> fc8 relu dropout0 -> fc2",
    "8 -> flatten fc2",
    "3x8x8 -> maxpool1 -> gap fc2",
    "3x8x8 -> upsample1 -> gap fc2",
    "8 -> fc8 relu -> permute (0,) -> fc2",
    "3x8x8 -> pad0 -> gap fc2",
)
RIGHT = ("8 -> add[ fc8 | id ] relu -> fc2", "3x8x8 -> maxpool2 -> flatten fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if reason := _idle(node):
            yield Finding(node.span, f"`{word(node)}` does nothing: {reason}", "leave it out")


def _idle(node: Node) -> str:
    op, same = node.op, bool(node.arrivals) and node.value.shape == node.arrivals[0].shape
    if Trait.MERGES in op.traits and len(node.inputs) == 1:
        return "it has one branch"
    if isinstance(op, Dropout | DropPath) and not op.p:
        return "its chance is 0"
    if isinstance(op, Noise) and not op.sd:
        return "its deviation is 0"
    if isinstance(op, Pool):
        windows = op.windows(node.arrivals[0])
        return "its window is one" if all(w.kernel == w.stride == 1 for w in windows) else ""
    if isinstance(op, Upsample):
        return "its factor is 1" if same else ""
    if Trait.MOVES in op.traits and same and (node.value.rank == 1 or op.name != "permute"):
        return f"{node.value} stays {node.value}" if op.name not in ("chshuffle",) else ""
    return ""
