"""What happened in training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Scores:
    """How a net does on some examples.

    Attributes
    ----------
    loss: mean over the examples, without l2.
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
class Epoch:
    """One sweep over the training set.

    Attributes
    ----------
    number: from 1.
    loss: mean over the epoch's examples while training, l2 included.
    seconds: time taken, validation not counted.
    examples: how many were trained on.
    validation: scores on the held-out set; None without one.
    """

    number: int
    loss: float
    seconds: float
    examples: int
    validation: Scores | None = None

    @property
    def rate(self) -> float:
        """Examples a second."""
        return self.examples / self.seconds if self.seconds else float("inf")


@dataclass(frozen=True)
class History:
    """All epochs of a call of `fit`."""

    epochs: tuple[Epoch, ...]

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

    def rows(self) -> list[dict[str, object]]:
        """Plain dictionaries, for JSON and for tables."""
        return [asdict(epoch) for epoch in self.epochs]
