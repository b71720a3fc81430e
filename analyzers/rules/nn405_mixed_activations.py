"""Saturating and rectifying activations in the hidden layers of one net.

It is rare to mix kinds of neurons in a net, though nothing forbids it; more often one layer was
left as an older version had it. Gates and the scores of attention are no hidden activations, and
two rectifiers (relu and hswish, as in MobileNet v3) are one kind.

Source: CS231n, neural networks 1, 'Commonly used activation functions'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("8 -> fc8 relu -> fc8 tanh -> fc2", "8 -> fc8 relu -> fc8 relu -> fc8 sigmoid -> fc2")
RIGHT = (
    "8 -> fc8 relu -> fc8 gelu -> fc2",
    "8 -> fc8 tanh -> fc8 tanh -> fc2",
    "8 -> fc8 relu -> mul[ fc8 relu | fc8 sigmoid ] -> fc2",
    "8 -> fc8 relu -> fc2 tanh",
)


def check(net: Anatomy) -> Iterator[Finding]:
    kinds = {
        kind: [
            node
            for layer in net.hidden
            for node in layer.nodes[1:]
            if kind in node.op.traits
            and Trait.NO_GRADIENT not in node.op.traits
            and not net.scores(node)
        ]
        for kind in (Trait.RECTIFIES, Trait.SATURATES)
    }
    fewer, more = sorted(kinds.values(), key=len)
    if fewer:
        yield Finding(
            fewer[0].span,
            f"`{word(fewer[0])}` here, `{word(more[0])}` in other hidden layers",
            "choose one kind of activation for the hidden layers",
        )
