"""Two activations in a row.

The second acts on what the first has already bent: relu of relu is relu, sigmoid of relu is never
below a half, softmax of relu calls every negative score the same. The fix removes the second of two
relus.

Source: NeuraLint, Nikanjam et al. 2021, 'redundant activation'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.op import Trait
from ...compiler.ops.activation import Relu, Relu6, Step
from ...compiler.ops.noise import Dropout
from ...grammar.diagnostics import Fix
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "8 -> fc8 relu relu -> fc2",
    "8 -> fc8 relu -> fc2 relu softmax",
    "3x8x8 -> conv4 3 relu -> flatten -> relu -> fc2",
    "8 -> fc8 relu -> dropout0.5 relu -> fc2",
)
RIGHT = (
    "8 -> fc8 relu -> fc2 softmax",
    "block pre(c) = relu fc(c)\n8 -> fc8 relu -> pre8 -> pre8 -> fc2",
)
IDEMPOTENT = frozenset({Relu, Relu6, Step})
"""Twice is once."""


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.throughout(lambda node: _bent_before(net, node)):
        before = _bent_before(net, node) or node
        same = type(node.op) is type(before.op) and type(node.op) in IDEMPOTENT
        edit = net.wording.without(node.span) if same else None
        yield Finding(
            node.span,
            f"`{word(node)}` of what `{word(before)}` gives changes nothing"
            if same
            else f"`{word(node)}` acts on what `{word(before)}` has already bent",
            "keep one of the two",
            Fix(f"remove `{word(node)}`", (edit,)) if edit else None,
        )


def _bent_before(net: Anatomy, node: Node) -> Node | None:
    """The activation whose value, moved or dropped out at most, an activation takes."""
    if Trait.ACTIVATION not in node.op.traits:
        return None
    for before in net.back(node):
        if Trait.ACTIVATION in before.op.traits:
            return before
        if Trait.MOVES not in before.op.traits and not isinstance(before.op, Dropout):
            break
    return None
