"""How often a group is repeated: refused before it is expanded when that would be too much."""

from __future__ import annotations

from ..grammar import tree
from ..grammar.errors import RepeatedTooOften, TooManyNodes
from .errors import BadExpression
from .expressions import evaluate, shown
from .op import Refused
from .pieces import Use, sort
from .reading import Reading


def times(reading: Reading, group: tree.Group, repeat: tree.Expression, value: str | None) -> int:
    """How many turns `[ ... ]*repeat` takes; raises `Refused`."""
    turns = evaluate(repeat, reading.scope(value))
    if not isinstance(turns, int) or isinstance(turns, bool) or turns < 0:
        problem = f"a group is repeated a whole number of times, not {shown(turns)}"
        raise Refused(BadExpression(repeat.span, problem))
    if turns > reading.limits.repeat:
        raise Refused(RepeatedTooOften(repeat.span, turns, reading.limits.repeat))
    nodes = len(reading.nodes) + turns * _least(reading, group.branches[0])
    if nodes > reading.limits.nodes:
        raise Refused(TooManyNodes(group.span, nodes, reading.limits.nodes))
    return turns


def _least(reading: Reading, chain: tree.Chain) -> int:
    """How many nodes a chain makes at least, without making them."""
    if id(chain) in reading.smallest:
        return reading.smallest[id(chain)]
    total = 0
    pending = [(chain, 1)]
    while pending:
        part, turns = pending.pop()
        for stage in part.stages:
            for piece in sort(stage.pieces, reading.frame.module).found:
                if isinstance(piece, Use):
                    total += turns
                    pending += (
                        [(c, turns) for c in piece.branches.branches] if piece.branches else []
                    )
                elif isinstance(piece.inner, tree.Group):
                    known = 1
                    if isinstance(piece.inner.repeat, tree.Number):
                        known = int(piece.inner.repeat.value)
                    pending += [(branch, turns * known) for branch in piece.inner.branches]
    reading.smallest[id(chain)] = total
    return total
