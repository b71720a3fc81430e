"""A loss and an output that do not go together.

The squared error of probabilities goes flat where a softmax is wrong and sure of it; a hinge or a
cross entropy of numbers that an activation has cut off cannot tell the classes apart.

Source: CS231n, neural networks 2, 'Losses'; Glorot and Bengio 2010, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3 softmax\ntrain(loss = mse)",
    "4 -> fc3 relu\ntrain(loss = cross_entropy)",
    "4 -> fc3 softmax\ntrain(loss = hinge)",
    "4 -> fc1 tanh\ntrain(loss = bce)",
)
RIGHT = ("4 -> fc3\ntrain(loss = cross_entropy)", "4 -> fc3 softmax", "4 -> fc1\ntrain(loss = mse)")
PROBABLE = ("softmax", "logsoftmax")


def check(net: Anatomy) -> Iterator[Finding]:
    output, loss = net.graph.output, net.loss
    if loss is None or Trait.ACTIVATION not in output.op.traits:
        return
    name, activation = loss.name, output.op.name
    if name == "mse":
        if activation in PROBABLE:
            yield Finding(
                output.span,
                f"`mse` judges numbers, but `{activation}` makes probabilities",
                "leave it out and use `loss = cross_entropy`",
            )
    elif activation not in (*PROBABLE, "sigmoid") or name == "hinge":
        yield Finding(
            output.span,
            f"`{name}` takes scores of any size, but `{activation}` cuts them off",
            f"leave `{activation}` out",
        )
