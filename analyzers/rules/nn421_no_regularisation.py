"""A large net that nothing keeps from learning its examples by heart.

More than a million parameters, a `train(...)`, and neither a penalty on large weights (l2, l1, max_norm, adamw's decay), nor dropout,
nor a norm.

Source: CS231n, neural networks 2, 'Regularization'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.op import Trait
from ...compiler.training import Training
from ...compiler.training.optimizers import AdamW
from ..facts.anatomy import Anatomy
from ..rule import Finding

LARGE = 1_000_000
WRONG = ("3072 -> fc1000 relu -> fc10\ntrain(loss = cross_entropy)",)
RIGHT = (
    "3072 -> fc1000 relu -> fc10\ntrain(loss = cross_entropy, l2 = 1e-4)",
    "3072 -> fc1000 relu -> fc10\ntrain(loss = cross_entropy, max_norm = 3)",
    "3072 -> fc1000 relu -> fc10\ntrain(loss = cross_entropy, optimizer = adamw)",
    "3072 -> fc1000 relu dropout0.5 -> fc10\ntrain(loss = cross_entropy)",
    "3072 -> fc1000 relu -> fc10",
)


def check(net: Anatomy) -> Iterator[Finding]:
    params = sum(node.params for node in net.graph.nodes)
    kept = {Trait.RANDOM, Trait.NORMALISES}
    bound = any(node.op.traits & kept for node in net.graph.nodes)
    if net.train and params > LARGE and not (bound or _penalised(net.graph.training)):
        yield Finding(
            net.train.span,
            f"{params:,} parameters, and neither l2 nor dropout nor a norm",
            "add `l2 = 1e-4`, or dropout before the last layer",
        )


def _penalised(training: Training) -> bool:
    """Whether large weights are held back."""
    decay = isinstance(training.optimizer, AdamW) and training.optimizer.decay
    return bool(training.l2 or training.l1 or training.max_norm or decay)
