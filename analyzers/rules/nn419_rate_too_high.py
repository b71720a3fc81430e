"""A learning rate or a momentum past what the optimiser bears.

Adam's steps are about as long as its rate, whatever the gradient: past 0.05 weights, which begin as
small as that, are thrown about. Momentum multiplies the steps of plain descent by
1 / (1 - momentum): 10 times at 0.9, 1000 times at 0.999. Adam's proof of convergence wants beta1
squared below the root of beta2. Adagrad's first step is as long as its rate, and rmsprop's ten times
that, at its alpha of 0.99. What adamw's decay takes of a weight at each step is lr decay.

Source: Kingma and Ba 2014, sections 2.1 and 4; Loshchilov and Hutter 2017; CS231n, neural networks 3, 'Parameter updates'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...compiler.training.optimizers import (
    Adagrad,
    Adam,
    AdamW,
    Gd,
    Momentum,
    Nesterov,
    Optimizer,
    RmsProp,
    Sgd,
)
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(lr=0.1))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.5, momentum=0.9))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = sgd(lr=10))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = sgd(lr=0))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=1e-3, momentum=0.999))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(beta1=0.9, beta2=0.5))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = nesterov(lr=0.5))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = nesterov(lr=1e-3, momentum=0.995))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adagrad(lr=5))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = rmsprop(lr=0.1))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = rmsprop(momentum=0.9))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adamw(lr=0.2))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adamw(lr=0.01, decay=20))",
)
RIGHT = (
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adam(lr=1e-3))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.05))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = momentum(lr=0.1, momentum=0.9), l2 = 1e-4)",
    "4 -> fc1\ntrain(loss = bce, optimizer = adam(lr=2e-4, beta1=0.5))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = nesterov(lr=0.05))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adagrad(lr=1))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = rmsprop)",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = rmsprop(lr=1e-3, momentum=0.9))",
    "4 -> fc3\ntrain(loss = cross_entropy, optimizer = adamw(lr=1e-3, decay=0.1))",
    "4 -> fc3",
)
MOST_ADAM, MOST_ADAGRAD, MOST_DESCENT, MOST_MOMENTUM, MOST_DECAY = 0.05, 1.0, 2.0, 0.99, 0.1


def check(net: Anatomy) -> Iterator[Finding]:
    optimizer, place = net.graph.training.optimizer, net.setting("optimizer")
    if place is not None and (said := _past(optimizer)):
        yield Finding(place, *said)


def _past(optimizer: Optimizer) -> tuple[str, str] | None:
    """What is past bearing, and where to begin instead."""
    if optimizer.lr == 0:
        return f"`{optimizer.name}` with a rate of 0 learns nothing", "raise `lr`"
    match optimizer:
        case AdamW() if optimizer.lr * optimizer.decay > MOST_DECAY:
            share = 100 * optimizer.lr * optimizer.decay
            return f"adamw takes {share:.3g} % of every weight at each step", "lower `decay`"
        case Adam() | AdamW():
            return _past_adam(optimizer)
        case Adagrad() if optimizer.lr > MOST_ADAGRAD:
            text = f"adagrad's first step moves every weight by about {optimizer.lr:g}"
            return text, "begin with `adagrad(lr=0.01)`"
        case Momentum() | Nesterov() | RmsProp() if optimizer.momentum > MOST_MOMENTUM:
            turns = 1 / (1 - optimizer.momentum)
            text = (
                f"a momentum of {optimizer.momentum:g} goes on for {turns:,.0f} steps after a turn"
            )
            return text, "begin with `momentum=0.9`"
        case RmsProp():
            return _past_rmsprop(optimizer)
        case Gd() | Momentum() | Nesterov() | Sgd():
            return _past_descent(optimizer)
    return None


def _past_adam(optimizer: Adam | AdamW) -> tuple[str, str] | None:
    name, lr = optimizer.name, optimizer.lr
    if lr > MOST_ADAM:
        text = f"each of {name}'s steps moves a weight by about {lr:g}, whatever the gradient"
        return text, f"begin with `{name}(lr=1e-3)`"
    if optimizer.beta1**2 >= math.sqrt(optimizer.beta2):
        text = f"{name} forgets how large gradients are sooner than where they point"
        return text, "keep `beta2=0.999`, or lower `beta1`"
    return None


def _past_rmsprop(optimizer: RmsProp) -> tuple[str, str] | None:
    whole = optimizer.lr / (1 - optimizer.momentum)
    if whole <= MOST_ADAM:
        return None
    text = f"rmsprop moves a weight by about {whole:g} in the long run, whatever the gradient"
    return text, "begin with `lr=1e-3`"


def _past_descent(optimizer: Gd | Sgd | Momentum | Nesterov) -> tuple[str, str] | None:
    lr, name = optimizer.lr, optimizer.name
    momentum = optimizer.momentum if isinstance(optimizer, Momentum | Nesterov) else 0.0
    whole = lr / (1 - momentum)
    if whole > (MOST_DESCENT if not isinstance(optimizer, Gd) else 10 * MOST_DESCENT):
        text = f"`{name}` moves weights by {whole:g} times the gradient in the long run"
        return text, f"begin with `{name}(lr={lr / 100:g})`"
    return None
