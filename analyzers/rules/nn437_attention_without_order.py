"""Attention over words that does not know their order.

Attention treats its steps as a set: shuffle the words and every output is shuffled alike, so that
"dog bites man" is "man bites dog". Learned positions (`pos`), rotary ones (`rope`), a convolution
or a recurrent layer before it tell the order; `causal` tells some of it. Sets of things that are no
words are not reported.

Source: Vaswani et al. 2017, section 3.5, 'Positional encoding'; Haviv et al. 2022, on causal
attention.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.ops.attention import Attention
from ...compiler.ops.conv import Convolution
from ...compiler.ops.dense import Embed
from ...compiler.ops.learned import Positions
from ...compiler.ops.recurrent import Recurrent
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = (
    "64 int -> embed1000 32 -> attn4 -> gap fc2",
    "64 int -> embed1000 32 -> [ add[ ln attn4 | id ] ]*2 -> gap fc2",
)
RIGHT = (
    "64 int -> embed1000 32 -> pos -> attn4 -> gap fc2",
    "64 int -> embed1000 32 -> attn4 rope -> gap fc2",
    "64 int -> embed1000 32 -> attn4 causal -> fc1000",
    "64 int -> embed1000 32 -> lstm32 -> attn4 -> gap fc2",
    "10x3 -> fc32 relu -> attn4 -> gap fc2",
    "steps: 64 int\nplaces: 64 int\nadd[ @steps -> embed1000 32 | @places -> embed64 32 ] -> attn4 -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    if len(net.graph.inputs) != 1:
        return
    words: set[str] = set()
    ordered: set[str] = set()
    for node in net.graph.nodes:
        if _orders(node) or ordered.intersection(node.inputs):
            ordered.add(node.name)
        elif isinstance(node.op, Embed) or words.intersection(node.inputs):
            words.add(node.name)
            if isinstance(node.op, Attention):
                yield Finding(
                    node.span,
                    f"nothing tells `{word(node)}` the order of the words",
                    "put `pos` behind the table of words, or write `rope`",
                )
                return


def _orders(node: Node) -> bool:
    """Whether it tells what follows the order of the steps."""
    op = node.op
    told = isinstance(op, Attention) and (op.rope or op.causal)
    return told or isinstance(op, Positions | Convolution | Recurrent)
