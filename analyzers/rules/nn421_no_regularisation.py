"""A large net that nothing keeps from learning its examples by heart.

More than a million parameters, a `train(...)`, and neither l2, nor dropout, nor a norm.

Source: CS231n, neural networks 2, 'Regularization'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy
from ..rule import Finding

LARGE = 1_000_000
WRONG = ("3072 -> fc1000 relu -> fc10\ntrain(loss = cross_entropy)",)
RIGHT = (
    "3072 -> fc1000 relu -> fc10\ntrain(loss = cross_entropy, l2 = 1e-4)",
    "3072 -> fc1000 relu dropout0.5 -> fc10\ntrain(loss = cross_entropy)",
    "3072 -> fc1000 relu -> fc10",
)


def check(net: Anatomy) -> Iterator[Finding]:
    params = sum(node.params for node in net.graph.nodes)
    kept = {Trait.RANDOM, Trait.NORMALISES}
    bound = net.graph.training.l2 or any(node.op.traits & kept for node in net.graph.nodes)
    if net.train and params > LARGE and not bound:
        yield Finding(
            net.train.span,
            f"{params:,} parameters, and neither l2 nor dropout nor a norm",
            "add `l2 = 1e-4`, or dropout before the last layer",
        )
