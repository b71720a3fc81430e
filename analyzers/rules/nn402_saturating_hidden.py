"""A hidden layer whose activation saturates.

A saturated unit passes almost no gradient: a sigmoid at most a quarter of it, layer after layer,
and its outputs are all positive besides, so that the gradients of the next layer's weights share
one sign. A tanh is centred and still saturates: at 3 its slope is 0.01. Gates, whose share
multiplies something else, are meant to, and so is the layer that scores what attention weights.

Source: CS231n, neural networks 1, 'Commonly used activation functions'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ..facts.anatomy import Anatomy, word
from ..rule import Finding

WRONG = ("3 -> fc4 sigmoid -> fc1", "3x8x8 -> conv4 3 tanh -> gap fc2")
RIGHT = (
    "3 -> fc4 relu -> fc1",
    "3 -> fc1 sigmoid",
    "4x8x8 -> mul[ id | gap -> fc2 relu -> fc4 sigmoid ] -> gap fc2",
    "1x64 -> mul[ conv16 2 d2 tanh | conv16 2 d2 sigmoid ] -> conv8 1",
    "20x64 -> matmul[ fc32 tanh -> fc1 -> permute (1, 0) -> softmax | id ] -> flatten fc2",
    "3x8x8 -> conv8 3 relu -> convt3 3 tanh",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for layer in net.hidden:
        for node in layer.nodes[1:]:
            traits = node.op.traits
            flat = Trait.SATURATES in traits and Trait.NO_GRADIENT not in traits
            if flat and not net.scores(node):
                centred = (
                    "" if Trait.ZERO_CENTRED in traits else ", and its outputs are not centred"
                )
                yield Finding(
                    node.span,
                    f"`{word(node)}` saturates in the hidden layer `{layer.name}`{centred}",
                    "use relu, or one of its kin (lrelu, elu, gelu, silu)",
                )
