"""An activation on the output that the loss already contains.

`cross_entropy` takes scores and makes probabilities of them itself, `bce` likewise. A softmax or
sigmoid before it is applied twice: the loss cannot go to zero, and gradients shrink.

Source: CS231n, linear classification, 'Softmax classifier'; PyTorch, torch.nn.CrossEntropyLoss.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3 softmax\ntrain(loss = cross_entropy)",
    "4 -> fc3 logsoftmax\ntrain(loss = cross_entropy)",
    "4 -> fc1 sigmoid\ntrain(loss = bce)",
)
RIGHT = ("4 -> fc3\ntrain(loss = cross_entropy)", "4 -> fc3 softmax", "4 -> fc1\ntrain(loss = bce)")
CONTAINS = {"cross_entropy": ("softmax", "logsoftmax", "sigmoid"), "bce": ("sigmoid", "softmax")}


def check(net: Anatomy) -> Iterator[Finding]:
    output, loss = net.graph.output, net.loss
    if loss and output.op.name in CONTAINS.get(loss.name, ()):
        yield Finding(
            output.span,
            f"`{loss.name}` takes scores, but `{output.op.name}` stands before it",
            f"leave `{output.op.name}` out: the loss contains it, and `predict` applies it",
        )
