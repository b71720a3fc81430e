"""A learning rate or a momentum past what the optimiser bears.

Adam's steps are about as long as its rate, whatever the gradient: past 0.05 weights, which begin as
small as that, are thrown about. Momentum multiplies the steps of plain descent by
1 / (1 - momentum): 10 times at 0.9, 1000 times at 0.999. Adam's proof of convergence wants beta1
squared below the root of beta2.

Source: Kingma and Ba 2014, sections 2.1 and 4; CS231n, neural networks 3, 'Parameter updates'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...compiler.training.optimizers import Adam, Gd, Momentum, Optimizer
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(lr=0.1))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.5, momentum=0.9))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = sgd(lr=10))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = sgd(lr=0))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=1e-3, momentum=0.999))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(beta1=0.9, beta2=0.5))",
)
RIGHT = (
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(lr=1e-3))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.05))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.1, momentum=0.9), l2 = 1e-4)",
    "4 -> fc1\ntrain(loss = bce, optimizer = adam(lr=2e-4, beta1=0.5))",
    "4 -> fc3",
)
MOST_ADAM, MOST_DESCENT, MOST_MOMENTUM = 0.05, 2.0, 0.99


def check(net: Anatomy) -> Iterator[Finding]:
    optimizer, place = net.graph.training.optimizer, net.setting("optimizer")
    if place is not None and (said := _past(optimizer)):
        yield Finding(place, *said)


def _past(optimizer: Optimizer) -> tuple[str, str] | None:
    """What is past bearing, and where to begin instead."""
    lr, name = optimizer.lr, optimizer.name
    if lr == 0:
        return f"`{name}` with a rate of 0 learns nothing", "raise `lr`"
    if isinstance(optimizer, Adam):
        if lr > MOST_ADAM:
            text = f"each of adam's steps moves a weight by about {lr:g}, whatever the gradient"
            return text, "begin with `adam(lr=1e-3)`"
        if optimizer.beta1**2 >= math.sqrt(optimizer.beta2):
            text = "adam forgets how large gradients are sooner than where they point"
            return text, "keep `beta2=0.999`, or lower `beta1`"
        return None
    momentum = optimizer.momentum if isinstance(optimizer, Momentum) else 0.0
    if momentum > MOST_MOMENTUM:
        text = (
            f"a momentum of {momentum:g} goes on for {1 / (1 - momentum):,.0f} steps after a turn"
        )
        return text, "begin with `momentum=0.9`"
    whole = lr / (1 - momentum)
    if whole > (MOST_DESCENT if not isinstance(optimizer, Gd) else 10 * MOST_DESCENT):
        text = f"`{name}` moves weights by {whole:g} times the gradient in the long run"
        return text, f"begin with `{name}(lr={lr / 100:g})`"
    return None
