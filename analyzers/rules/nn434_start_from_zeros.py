"""A hidden layer that begins as zeros and cannot leave them.

All units compute the same and get the same gradient: they stay alike. Behind a relu it is worse:
its slope at 0 is 0, so that the layer never moves at all. The last layer of a net or of a branch
beside `id` may begin at zero: its units are told apart by what follows.

Source: CS231n, neural networks 2, 'Pitfall: all zero initialization'; Goyal et al. 2017, section
5.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Graph, Node
from ...compiler.op import Trait
from ...compiler.ops.activation import Relu, Relu6
from ...compiler.plan.parameters import start
from ..facts.anatomy import Anatomy, affine, passes, word
from ..rule import Finding

WRONG = (
    "8 -> fc8(init=zeros) relu -> fc2",
    "8 -> fc8(init=zeros) tanh -> fc2(init=zeros)",
    "3x8x8 -> conv8 3 init=zeros nobias bn relu -> gap fc2",
)
RIGHT = (
    "8 -> fc8 relu -> fc2(init=zeros)",
    "8x4x4 -> add[ conv8 3 same relu -> conv8 3 same init=zeros | id ] relu -> gap fc2",
    "8 -> fc2(init=zeros)",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not _zero(node, net.graph):
            continue
        for after in net.ahead(node):
            if isinstance(after.op, Relu | Relu6):
                yield Finding(
                    node.span,
                    f"`{word(node)}` begins as zeros, where `{word(after)}` passes no gradient: "
                    "it never learns",
                    "leave `init=zeros` out",
                )
                break
            if _zero(after, net.graph):
                yield Finding(
                    node.span,
                    f"`{word(node)}` and `{word(after)}` both begin as zeros: neither ever leaves them",
                    "leave `init=zeros` out of one of the two",
                )
                break
            if affine(after) or not (passes(after) or Trait.ACTIVATION in after.op.traits):
                break


def _zero(node: Node, graph: Graph) -> bool:
    chosen = start(node.op, graph.training.init)
    return chosen is not None and chosen.word == "zeros" and affine(node)
