"""An activation on the output of a regression.

A net that predicts a number by `mse` cannot reach what its activation cuts off: relu no negative
number, sigmoid and tanh nothing past 1, and the gradient dies where they are flat.

Source: CS231n, neural networks 1, 'Representational power'; neural networks 2, 'Regression'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = ("4 -> fc8 relu -> fc1 relu\ntrain(loss = mse)", "4 -> fc1 sigmoid\ntrain(loss = mse)")
RIGHT = ("4 -> fc8 relu -> fc1\ntrain(loss = mse)", "4 -> fc1 relu")


def check(net: Anatomy) -> Iterator[Finding]:
    output, loss = net.graph.output, net.loss
    bent = Trait.ACTIVATION in output.op.traits and output.op.name not in ("softmax", "logsoftmax")
    if loss and loss.name == "mse" and bent:
        yield Finding(
            output.span,
            f"`{output.op.name}` on the output cuts off part of what `mse` asks for",
            "let the output be linear, or scale the truth into the activation's range",
        )
