"""Maxout that holds most of the parameters.

Each unit learns k affine maps to use the largest: k times the parameters of a relu layer of as many
units.

Source: CS231n, neural networks 1, 'Maxout'; Goodfellow et al. 2013.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.dense import Maxout
from ...grammar.quantity import quantity
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("100 -> maxout100 -> fc10",)
RIGHT = ("100 -> fc100 relu -> fc10", "100 -> maxout100 k1 -> fc10", "4 -> maxout5 -> fc10 nobias")


def check(net: Anatomy) -> Iterator[Finding]:
    whole = sum(node.params for node in net.graph.nodes)
    for node in net.graph.nodes:
        if isinstance(node.op, Maxout) and node.op.k > 1 and 2 * node.params > whole:
            yield Finding(
                node.span,
                f"`{word(node)}` learns {node.op.k} maps for each unit: {quantity(node.params, 'parameter')} "
                f"where `fc{node.op.n} relu` has {node.params // node.op.k:,}",
                "keep it if the units are worth that, or use relu",
            )
