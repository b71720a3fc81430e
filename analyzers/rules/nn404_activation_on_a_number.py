"""An activation on the output of a regression.

A net that predicts a number (by `mse`, `mae` or `huber`) cannot reach what its activation cuts off: relu no negative
number, sigmoid and tanh nothing past 1, and the gradient dies where they are flat. A net that makes an
image, or rebuilds its input, may bound its output as pixels are bounded, and softplus is chosen for
numbers that must be positive: neither is reported.

Source: CS231n, neural networks 1, 'Representational power'; neural networks 2, 'Regression'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc8 relu -> fc1 relu\ntrain(loss = mse)",
    "4 -> fc1 sigmoid\ntrain(loss = mse)",
    "4 -> fc8 relu -> fc1 tanh\ntrain(loss = huber)",
)
RIGHT = (
    "4 -> fc8 relu -> fc1\ntrain(loss = mse)",
    "4 -> fc1 relu",
    "784 -> fc32 relu -> fc784 sigmoid\ntrain(loss = mse)",
    "4 -> fc8 relu -> fc1 softplus\ntrain(loss = mse)",
    "1x8x8 -> conv8 3 p1 relu -> conv2 3 p1 tanh\ntrain(loss = mse)",
)
RANGE = {
    "relu": "at 0 and above", "relu6": "between 0 and 6", "sigmoid": "between 0 and 1",
    "hsigmoid": "between 0 and 1", "tanh": "between -1 and 1", "elu": "at -1 and above",
    "selu": "at -1.8 and above", "step": "at 0 or 1",
}  # fmt: skip
"""What an activation can give."""
ELSEWHERE = ("softmax", "logsoftmax", "softplus")
"""The first two are the matter of another rule, the third is meant."""


def check(net: Anatomy) -> Iterator[Finding]:
    said, loss = net.said, net.loss
    word, traits = said.op.name, said.op.traits
    if (
        loss is None
        or loss.target != "values"
        or Trait.ACTIVATION not in traits
        or word in ELSEWHERE
    ):
        return
    if Trait.SATURATES in traits and (net.rebuilds or said.value.rank > 2):
        return
    bound = f"keeps the output {RANGE[word]}" if word in RANGE else "bends the output"
    yes = " (and for a yes or no use `loss = bce`)" if word == "sigmoid" else ""
    yield Finding(
        said.span,
        f"`{word}` {bound}, but {net.judge} may ask for any number",
        f"leave `{word}` out{yes}, or scale the truth to it",
    )
