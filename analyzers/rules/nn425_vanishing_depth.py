"""Sigmoids in a row through which no gradient comes back.

Each passes at most a quarter of the gradient: after n of them at most 0.25 to the n-th is left. A norm
or a way past the layers would carry it.

Source: CS231n, neural networks 1, 'Sigmoid'; Hochreiter 1991.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Op, Trait
from ...compiler.ops.activation import HSigmoid, Sigmoid
from ..facts.anatomy import Anatomy
from ..rule import Finding

STEEPEST: dict[type[Op], float] = {Sigmoid: 1 / 4, HSigmoid: 1 / 6}
LEAST = 1e-2
WRONG = ("8" + " -> fc8 sigmoid" * 5 + " -> fc2",)
RIGHT = ("8 -> fc8 sigmoid -> fc2", "8" + " -> fc8 relu" * 5 + " -> fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    passed = {node.name: 1.0 for node in net.graph.inputs}
    for node in net.graph.nodes:
        before = max((passed[name] for name in node.inputs), default=1.0)
        slope = STEEPEST.get(type(node.op), 1.0)
        passed[node.name] = 1.0 if Trait.NORMALISES in node.op.traits else before * slope
    output = net.graph.output
    if passed[output.name] < LEAST:
        yield Finding(
            output.span,
            f"at most {passed[output.name]:.1g} of the gradient reaches the first layer",
            "use relu, or a norm between the layers",
        )
