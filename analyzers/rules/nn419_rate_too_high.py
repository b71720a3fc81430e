"""A learning rate or a momentum past what the optimiser bears.

Adam's steps are about as long as its rate, whatever the gradient: past a few hundredths weights are
thrown about. Momentum multiplies the steps of plain descent by 1 / (1 - momentum).

Source: Kingma and Ba 2014, section 2.1; CS231n, neural networks 3, 'Parameter updates'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.training import Adam, Gd, Momentum
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(lr=0.1))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.5, momentum=0.9))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = sgd(lr=10))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = sgd(lr=0))",
)
RIGHT = (
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(lr=1e-3))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.05))",
    "4 -> fc3",
)
MOST_ADAM, MOST_DESCENT = 0.05, 2.0


def check(net: Anatomy) -> Iterator[Finding]:
    optimizer, place = net.graph.training.optimizer, net.setting("optimizer")
    if place is None:
        return
    if optimizer.lr == 0:
        yield Finding(place, f"`{optimizer.name}` with a rate of 0 learns nothing", "raise `lr`")
    elif isinstance(optimizer, Adam):
        if optimizer.lr > MOST_ADAM:
            text = f"adam's steps are about as long as its rate, {optimizer.lr:g}"
            yield Finding(place, text, "begin with `adam(lr=1e-3)`")
    else:
        momentum = optimizer.momentum if isinstance(optimizer, Momentum) else 0.0
        whole = optimizer.lr / (1 - momentum)
        if whole > (MOST_DESCENT if not isinstance(optimizer, Gd) else 10 * MOST_DESCENT):
            text = f"`{optimizer.name}` moves by {whole:g} times the gradient in the long run"
            yield Finding(place, text, "begin with a rate a hundred times smaller")
