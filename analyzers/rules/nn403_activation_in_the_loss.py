"""An activation on the output that the loss already contains.

`cross_entropy` takes scores and makes probabilities of them itself, `bce` likewise. A softmax or
sigmoid before it is applied twice. Its shares lie between 0 and 1, so the second softmax never
gives the true class more than e / (e + C - 1) of C: with ten classes the loss stays above 1.46,
where guessing has 2.30, and gradients shrink. A logsoftmax twice is harmless and useless.

Source: CS231n, linear classification, 'Softmax classifier'; PyTorch, torch.nn.CrossEntropyLoss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...grammar.diagnostics import Applicability, Fix
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3 softmax\ntrain(loss = cross_entropy)",
    "4 -> fc3 logsoftmax\ntrain(loss = cross_entropy)",
    "4 -> fc1 sigmoid\ntrain(loss = bce)",
    "4 -> fc16 relu -> fc3 -> softmax\ntrain(optimizer = sgd)",
    "3x16x16 -> conv8 3 same relu -> conv4 1 softmax -> permute (1, 2, 0)\ntrain(loss = cross_entropy)",
)
RIGHT = (
    "4 -> fc3\ntrain(loss = cross_entropy)",
    "4 -> fc3 softmax",
    "4 -> fc1\ntrain(loss = bce)",
    "9x16 -> add[ attn4 | id ] -> matmul[ fc9 softmax | id ] -> fc3\ntrain(loss = cross_entropy)",
)


def check(net: Anatomy) -> Iterator[Finding]:
    said, loss = net.said, net.loss
    word = said.op.name
    if loss is None or word not in loss.contains:
        return
    edit = net.wording.without(said.span)
    title = f"remove `{word}`"
    yield Finding(
        said.span,
        f"{net.judge} contains the `{word}` before it: {_harm(word, said.value.channels)}",
        f"leave `{word}` out: the net then gives scores, and `nnspec predict` makes shares of them",
        Fix(title, (edit,), Applicability.UNSAFE) if edit else None,
    )


def _harm(word: str, classes: int) -> str:
    """What comes of it: softmax of shares is at most e / (e + classes - 1)."""
    match word:
        case "softmax":
            return f"applied twice, the loss stays above {math.log1p((classes - 1) / math.e):.2f}"
        case "sigmoid":
            return f"applied twice, the loss of a yes stays above {math.log1p(1 / math.e):.2f}"
        case _:
            return "the second changes nothing"
