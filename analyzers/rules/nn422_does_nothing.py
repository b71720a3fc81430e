"""An operator, a group or a repeat that does nothing here.

A merge of one branch, dropout of 0, a window of one, a vector flattened, brackets around what
nothing repeats: what comes out is what went in. Usually something was meant that is not there. In a
block, a loop or a repeat every use must be idle; an argument that is a name may be worth something
tomorrow.

Source: house style; ruff, useless-expression and extraneous-parentheses are the same idea.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...compiler.graph import Node
from ...compiler.op import Trait
from ...compiler.ops import CATALOGUE
from ...compiler.ops.noise import Dropout, DropPath, Noise
from ...compiler.ops.pool import Pool
from ...compiler.ops.resample import Upsample
from ...compiler.ops.shape import ChannelShuffle, Permute
from ...grammar import tree
from ...grammar.diagnostics import Edit, Fix
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> fc8 relu dropout0 -> fc2",
    "8 -> add[ fc8 ] relu -> fc2",
    "8 -> flatten fc2",
    "3x8x8 -> maxpool1 -> gap fc2",
    "3x8x8 -> upsample1 -> gap fc2",
    "8 -> fc8 relu -> permute (0,) -> fc2",
    "5x8 -> permute (0, 1) -> fc2",
    "3x8x8 -> pad0 -> gap fc2",
    "8 -> [ fc8 relu ] -> fc2",
    "8 -> [ fc8 relu -> fc8 relu ]*1 -> fc2",
    "8 -> [ fc8 relu ]*0 -> fc2",
)
RIGHT = (
    "8 -> fc8 relu dropout0.5 -> fc2",
    "8 -> add[ fc8 | id ] relu -> fc2",
    "3x8x8 -> maxpool2 -> flatten fc2",
    "block head = flatten fc8\n3x4x4 -> conv4 3 relu -> head -> relu -> head",
    "3x8x8 -> for (c, s) in ((4, 1), (8, 2)) [ conv(c) 3 same relu -> maxpool(s) ] -> gap fc2",
    "let p = 0\n8 -> fc8 relu dropout(p) -> fc2",
    "let n = 1\n8 -> [ fc8 relu ]*n -> fc2",
    "8 -> x: [ fc8 relu -> fc8 relu ] -> add[ id | @x -> fc8 ] -> fc2",
    "8x8x8 -> conv8 1 g2 relu -> chshuffle2 -> gap fc2",
    "3x4x4 -> permute (0, 2, 1) -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.throughout(_idle):
        if re.search(r"\([^)]*[A-Za-z_]", word(node)):
            continue
        merges = Trait.MERGES in node.op.traits
        edit = _alone(net, node) if merges else net.wording.without(node.span)
        mending = Fix("leave it out", (edit,)) if edit else None
        text = f"`{word(node)}` does nothing: {_idle(node)}"
        yield Finding(node.span, text, "leave it out", mending)
    for chain in net.wording.chains:
        for stage in chain.stages:
            yield from _groups(net, stage)


def _idle(node: Node) -> str:
    op, same = node.op, bool(node.arrivals) and node.value == node.arrivals[0]
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
    if isinstance(op, Permute):
        return "it leaves the axes in order" if same and op.axes == (*range(len(op.axes)),) else ""
    if Trait.MOVES in op.traits and same and not isinstance(op, ChannelShuffle):
        return f"{node.value} stays {node.value}"
    return ""


def _alone(net: Anatomy, node: Node) -> Edit | None:
    """The edit that leaves the chain alone of a merge: `fc8` of `add[ fc8 ]`."""
    chain, number, place = net.wording.pieces.get(node.span.start, (None, 0, 0))
    stage = chain.stages[number] if chain and not net.wording.commented(node.span) else None
    if stage is None or stage.label or stage.span.source.name != node.span.source.name:
        return None
    group = next((p for p in stage.pieces[place:] if isinstance(p, tree.Group)), None)
    return Edit(node.span, group.branches[0].span.text) if group else None


def _groups(net: Anatomy, stage: tree.Stage) -> Iterator[Finding]:
    """Brackets that no merge takes and no label names, around one chain that is not repeated."""
    for number, group in enumerate(stage.pieces):
        if not isinstance(group, tree.Group) or len(group.branches) != 1 or stage.label:
            continue
        match group.repeat:
            case None if not _taken(stage.pieces[:number]):
                text, advice = "these brackets group what nothing repeats", "leave them out"
            case tree.Number(value=1):
                text, advice = "repeated once is not repeated", "write the chain without `[ ]*1`"
            case tree.Number(value=0):
                yield Finding(group.span, "repeated 0 times, this chain is not there", "remove it")
                continue
            case _:
                continue
        inside = Edit(group.span, group.branches[0].span.text)
        mending = None if net.wording.commented(group.span) else Fix(advice, (inside,))
        yield Finding(group.span, text, advice, mending)


def _taken(before: Sequence[tree.Piece]) -> bool:
    """Whether a merge ahead of a bracket takes it."""
    for piece in reversed(before):
        if isinstance(piece, tree.Group):
            return False
        if isinstance(piece, tree.Word) and piece.word in CATALOGUE:
            return Trait.MERGES in CATALOGUE[piece.word].traits
    return False
