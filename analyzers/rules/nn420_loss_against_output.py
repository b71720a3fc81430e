"""A loss and an output that do not go together.

The squared error of shares goes flat where a softmax is wrong and sure of it: its gradient has the
factor p (1 - p). A hinge or a cross entropy wants scores of any size; what an activation cuts off
it can neither reward nor punish. A cross entropy of one class is always 0, and class weights that
are more or fewer than the classes weigh the wrong ones.

Source: CS231n, neural networks 2, 'Losses'; Glorot and Bengio 2010, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ...grammar.diagnostics import Applicability, Fix
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3 softmax\ntrain(loss = mse)",
    "4 -> fc3 relu\ntrain(loss = cross_entropy)",
    "4 -> fc3 softmax\ntrain(loss = hinge)",
    "4 -> fc1 tanh\ntrain(loss = bce)",
    "4 -> fc3 sigmoid\ntrain(loss = cross_entropy)",
    "4 -> fc3 softmax\ntrain(loss = bce)",
    "4 -> fc8 relu -> fc1\ntrain(loss = cross_entropy)",
    "4 -> fc8 relu -> fc1\ntrain(loss = hinge)",
    "4 -> fc8 relu -> fc3 softmax\ntrain(loss = mae)",
    "4 -> fc1 tanh\ntrain(loss = binary_hinge)",
    "4 -> fc8 relu -> fc3\ntrain(loss = cross_entropy(weights = (1, 2)))",
)
RIGHT = (
    "4 -> fc3\ntrain(loss = cross_entropy)",
    "4 -> fc3 softmax",
    "4 -> fc1\ntrain(loss = mse)",
    "4 -> fc1\ntrain(loss = binary_hinge)",
    "3x8x8 -> conv4 3 relu -> conv2 1\ntrain(loss = hinge)",
    "4 -> fc3\ntrain(loss = cross_entropy(weights = (1, 2, 0.5), smoothing = 0.1))",
    "3x8x8 -> conv4 3 same relu -> conv2 1\ntrain(loss = cross_entropy)",
    "8x16 -> fc16 relu -> fc16 softmax\ntrain(loss = mse)",
)
SHARES = ("softmax", "logsoftmax")


def check(net: Anatomy) -> Iterator[Finding]:
    said, loss = net.said, net.loss
    if loss and (reason := loss.refusal(net.graph.output.value)):
        text, _, advice = reason.partition(": ")
        yield Finding(net.setting("loss"), f"`{loss.name}` {text}", advice or "flatten, or pool it")
    if loss is None or Trait.ACTIVATION not in said.op.traits:
        return
    activation = said.op.name
    if loss.target == "values":
        if activation in SHARES and not net.rebuilds:
            yield Finding(
                said.span,
                f"{net.judge} judges numbers, but `{activation}` makes shares of classes",
                f"leave `{activation}` out and use `loss = cross_entropy`",
            )
    elif activation not in loss.contains:
        edit = net.wording.without(said.span)
        yield Finding(
            said.span,
            f"{net.judge} takes scores as they come, but `{activation}` bends them",
            f"leave `{activation}` out",
            Fix(f"remove `{activation}`", (edit,), Applicability.UNSAFE) if edit else None,
        )
