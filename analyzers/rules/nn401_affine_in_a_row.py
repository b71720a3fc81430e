"""Two affine layers with nothing nonlinear between them.

A product of matrices is a matrix: two layers in a row compute what one layer can, with more
parameters and a harder surface to descend. Where the layer between is narrower than both sides, or
one of the two works in groups, it is a factorisation, which is meant, and not reported.

Source: CS231n, neural networks 1, 'Modeling one neuron'; linear bottlenecks: Sandler et al. 2018.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.ops.conv import Convolution
from ...grammar.diagnostics import Applicability, Edit, Fix
from ..facts.anatomy import Anatomy, affine, passes, place, word
from ..facts.linear import OneMap, one_map
from ..rule import Finding

WRONG = ("8 -> fc8 -> fc4 relu -> fc2", "3x8x8 -> conv8 3 -> bn -> conv8 3 relu -> gap fc2")
RIGHT = (
    "8 -> fc8 relu -> fc4",
    "8 -> fc2 -> fc8 relu -> fc2",
    "8 -> add[ fc8 | id ] -> fc4",
    "8 -> fc8 softmax",
    "8x8x8 -> dwconv 3 p1 -> conv8 1 relu -> gap fc2",
    "8 -> fc8 ln -> fc8 relu -> fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        if not affine(node) or _grouped(node) or not net.bends:
            continue
        chain = [node]
        for after in net.ahead(node):
            chain.append(after)
            if affine(after) and not _grouped(after):
                before, between, behind = (
                    value.channels for value in (node.arrivals[0], node.value, after.value)
                )
                if between >= min(before, behind):
                    together = one_map(chain)
                    yield Finding(
                        after.span,
                        f"nothing nonlinear stands between `{word(node)}` and `{word(after)}`: "
                        f"together they are one affine map{_told(together)}",
                        _advice(together),
                        _merged(net, together),
                    )
            if not passes(after):
                break


def _merged(net: Anatomy, found: OneMap) -> Fix | None:
    """One layer of two that stand side by side, where it is the same map and no larger."""
    if len(found.nodes) != 2 or not found.exact or found.equals is None:
        return None
    first, second = found.nodes
    drawn = any(getattr(node.op, "init", None) or node.lent for node in found.nodes)
    once = all(len(net.uses[place(node.span)]) == 1 for node in found.nodes)
    edit = net.wording.without(first.span)
    if drawn or not once or first.blocks or edit is None or found.after > found.before:
        return None
    edits = edit, Edit(second.span, found.equals)
    return Fix(f"write `{found.equals}`", edits, Applicability.UNSAFE)


def _advice(found: OneMap) -> str:
    smaller = found.equals is None or found.after < found.before
    return "put an activation between them" + (", or make one layer of the two" * smaller)


def _told(found: OneMap) -> str:
    """The layer that the two are together, and what it would cost."""
    if found.equals is None:
        return ""
    edges = "" if found.exact else " but for the edges"
    return f"{edges}, `{found.equals}` {found.told}"


def _grouped(node: Node) -> bool:
    return isinstance(node.op, Convolution) and node.op.groups(node.arrivals[0]) > 1
