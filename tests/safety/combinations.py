"""Fifty trainings, in which every net, optimiser, schedule and way to regularise appears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np

import nnspec
from nnspec.compiler.training.optimizers import OPTIMIZERS
from nnspec.compiler.training.schedules import SCHEDULES
from nnspec.runtime.kernels import Array

EXAMPLES = 22
BATCH = 8
"""An epoch has two whole batches, and a third of six examples."""

NETS: dict[str, str] = {
    "mlp": "6 -> fc5 relu -> fc3",
    "dropout": "6 -> fc8 relu dropout0.5 -> fc3",
    "conv+bn": "1x6x6 -> conv3 3x3 p1 bn relu -> maxpool2 -> flatten dropout0.3 -> fc3",
    "droppath": "2x4x4 -> add[ conv2 3x3 p1 bn relu droppath0.3 | id ] -> gap -> fc3",
    "noise": "5 -> noise0.3 -> fc6 tanh -> fc3",
    "lstm": "4x3 -> lstm5 last -> fc3",
    "gru": "4x3 -> gru4 last dropout0.2 -> fc3",
    "attention": "4x6 -> ln attn2 -> slice 0 1 axis=0 -> flatten -> fc3",
    "shared": "shared twice = fc4 tanh\n4 -> twice -> twice -> fc3",
    "two inputs": "a: 3\nb: 4\nconcat[ @a | @b ] -> fc5 relu dropout0.4 -> fc3",
    "frozen": "6 -> fc5 freeze relu -> fc4 lr=0.1 l2=1e-2 tanh -> fc3",
    "groups": "4x4x4 -> conv4 3x3 p1 g2 -> gn2 -> prelu -> flatten -> fc3",
}

SCHEDULED = {
    "constant": "constant(warmup=0.5)",
    "step": "step(every=1, by=0.5)",
    "exponential": "exponential(by=0.8, warmup=1)",
    "cosine": "cosine(warmup=1.5)",
    "one_cycle": "one_cycle(rise=0.4)",
}

BOUNDED: list[dict[str, Any]] = [
    {},
    {"clip": 0.5},
    {"l2": 1e-2, "clip": "value(0.1)"},
    {"max_norm": 0.8},
    {"l1": 1e-3, "early_stop": "patience(2)"},
    {"l2": 1e-3, "l1": 1e-3},
    {"early_stop": "patience(2, metric=accuracy)"},
]


VARIED = ("noise(0.1)", "mixup(0.4)", "(noise(0.1), mixup(0.2))", None)
"""For any net."""

PICTURES = ("flip", "(shift(1), cutout(2))", "(rotate(10), crop(1))", "(flip, mixup(0.4))")
"""For nets on pictures."""


@dataclass(frozen=True)
class Combination:
    """A training of few steps that can be begun any number of times."""

    net: str
    settings: dict[str, Any]
    dtype: Literal["float32", "float64"]
    seed: int

    def __str__(self) -> str:
        told = ", ".join(f"{name} = {worth}" for name, worth in self.settings.items())
        return f"{self.net}, {self.dtype}: {told}"

    def compiled(self) -> nnspec.Net:
        text, settings = NETS[self.net], self.settings
        net: nnspec.Net = nnspec.compile(
            text, seed=self.seed, dtype=self.dtype, batch=BATCH, **settings
        )
        return net

    def data(self) -> tuple[dict[str, Array], Array]:
        rng = np.random.default_rng(self.seed)
        graph = self.compiled().graph
        x = {n.name: rng.standard_normal((EXAMPLES, *n.value.shape)) for n in graph.inputs}
        return x, rng.integers(0, 3, EXAMPLES)


def combinations(count: int = 50) -> Iterator[Combination]:
    """Lists of unequal lengths run beside each other, so that ever new ones meet."""
    assert SCHEDULED.keys() == SCHEDULES.keys()
    rates = {"gd": 0.1, "sgd": 0.1, "momentum": 0.05, "nesterov": 0.05, "adagrad": 0.1}
    optimizers = [f"{name}(lr={rates.get(name, 0.01)})" for name in OPTIMIZERS]
    parts = zip(
        cycle(NETS), cycle(optimizers), cycle(SCHEDULED.values()), cycle(BOUNDED), strict=False
    )
    for seed, (net, optimizer, schedule, bounds) in enumerate(islice(parts, count)):
        settings = {"optimizer": optimizer, "schedule": schedule, **bounds}
        varied = PICTURES if NETS[net][1:4:2] == "xx" else VARIED
        if augment := varied[seed // 3 % 4]:
            settings["augment"] = augment
        yield Combination(net, settings, "float64" if seed % 3 == 2 else "float32", seed)
