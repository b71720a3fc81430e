"""A threshold where a gradient must pass.

`step` is flat wherever it has a slope at all: nothing before it ever learns. The perceptron's rule
needed no gradient; training by descent does.

Source: CS231n, neural networks 1, 'Biological motivation'; Rosenblatt 1958.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("8 -> fc8 step -> fc2", "8 -> fc1 step\ntrain(loss = mse)")
RIGHT = ("8 -> fc8 relu -> fc2", "8 -> fc1 step", "8 -> step -> fc2")


def check(net: Anatomy) -> Iterator[Finding]:
    learned: set[str] = set()
    for node in net.graph.nodes:
        if node.weights or learned.intersection(node.inputs):
            learned.add(node.name)
        stops = Trait.NO_GRADIENT in node.op.traits and learned.intersection(node.inputs)
        if stops and (net.train or not net.is_output(node)):
            yield Finding(
                node.span,
                f"no gradient passes `{word(node)}`: nothing before it learns",
                "use relu; where a yes or no is needed, sigmoid, and a threshold outside of the net",
            )
