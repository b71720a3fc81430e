"""What happened in training, step by step and epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .table import html, text
from .vitals import Vitals


@dataclass(frozen=True)
class Scores:
    """How a net does on some examples.

    Attributes
    ----------
    loss: mean over the examples, without l2 and l1.
    accuracy: share of examples put into the right class; None where there are no classes.
    top5: share whose class is among the five largest scores; None where there are fewer than ten.
    mse, r2: mean squared error, and share of the variance explained; None where there are classes.

    What is not a number ranks worst: a loss or an mse of NaN is told as infinite, and an example
    with a NaN among its scores is put into the wrong class.
    """

    loss: float
    accuracy: float | None = None
    top5: float | None = None
    mse: float | None = None
    r2: float | None = None


@dataclass(frozen=True)
class Step:
    """One update of the weights.

    Attributes
    ----------
    epoch, number: from 1; of `steps` in its epoch.
    loss: of its batch, before the update, penalties included.
    lr: the learning rate of the update.
    gradient_norm: the length of the loss's gradient, before clipping and penalties.
    """

    epoch: int
    number: int
    steps: int
    loss: float
    lr: float
    gradient_norm: float


@dataclass(frozen=True)
class Epoch:
    """One sweep over the training set.

    Attributes
    ----------
    number: from 1.
    loss: mean over the epoch's examples while training, penalties included.
    seconds: time taken, validation not counted.
    examples: how many were trained on.
    validation: scores on the held-out set; None without one.
    lr: the learning rate of its last update.
    gradient_norm: mean length of the loss's gradient over its steps.
    vitals: of the net at its end, where they are watched.
    """

    number: int
    loss: float
    seconds: float
    examples: int
    validation: Scores | None = None
    lr: float = 0.0
    gradient_norm: float = 0.0
    vitals: Vitals | None = None

    @property
    def rate(self) -> float:
        """Examples a second."""
        return self.examples / self.seconds if self.seconds else float("inf")

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Epoch:
        """An epoch from what `asdict` made of it."""
        judged, seen = row["validation"], row.get("vitals")
        made = {
            "validation": None if judged is None else Scores(**judged),
            "vitals": None if seen is None else Vitals.of(seen),
        }
        return cls(**{**row, **made})

    def worth(self, metric: str) -> float:
        """How good it is by a metric, more is better; what is no number is the worst there is."""
        judged = self.validation
        if metric == "accuracy" and judged is not None and judged.accuracy is not None:
            found = judged.accuracy
        else:
            found = -(judged.loss if judged is not None else self.loss)
        return float("-inf") if math.isnan(found) else found


@dataclass(frozen=True)
class History:
    """All epochs of a training run.

    Attributes
    ----------
    best: the number of the best epoch; 0 where none was good.
    stopped: why it ended before its last epoch, in words; empty where it did not.
    """

    epochs: tuple[Epoch, ...]
    best: int = 0
    stopped: str = ""

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, index: int) -> Epoch:
        return self.epochs[index]

    @property
    def loss(self) -> list[float]:
        """The training loss of every epoch."""
        return [epoch.loss for epoch in self.epochs]

    @property
    def accuracy(self) -> list[float | None]:
        """The validation accuracy of every epoch."""
        return [epoch.validation.accuracy if epoch.validation else None for epoch in self.epochs]

    def __str__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return html(self)

    def rows(self) -> list[dict[str, object]]:
        """Plain dictionaries, for JSON and for tables."""
        return [asdict(epoch) for epoch in self.epochs]
