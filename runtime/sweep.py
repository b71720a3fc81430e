"""The same training under every combination of some choices, a few seeds each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite
from statistics import fmean, stdev

from ..grammar.diagnostics import SpecError
from .dataset import Dataset
from .ensemble import Ensemble, members
from .errors import Diverged
from .history import Scores
from .net import Net

Choices = Mapping[str, str]
"""A value for each name that varies: `{"depth": "8", "optimizer": "adam(lr=1e-3)"}`."""


@dataclass(frozen=True)
class Trial:
    """One training with one seed.

    Attributes
    ----------
    loss: on the training examples, in the epoch whose weights it has; NaN where it diverged.
    held: scores on the held-out examples; None where it diverged.
    """

    seed: int
    params: int
    epochs: int
    loss: float
    held: Scores | None


@dataclass(frozen=True)
class Outcome:
    """All trials of one combination."""

    choices: Choices
    trials: tuple[Trial, ...]

    @property
    def diverged(self) -> int:
        """How many of them did not end with finite numbers."""
        return sum(trial.held is None for trial in self.trials)

    @property
    def loss(self) -> float | None:
        return _mean([trial.loss for trial in self.trials if trial.held])

    @property
    def held_loss(self) -> float | None:
        return _mean([trial.held.loss for trial in self.trials if trial.held])

    @property
    def accuracies(self) -> list[float]:
        found = [trial.held.accuracy for trial in self.trials if trial.held]
        return [accuracy for accuracy in found if accuracy is not None]

    @property
    def accuracy(self) -> float | None:
        return _mean(self.accuracies)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the accuracy over the seeds."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None


def _mean(numbers: Sequence[float]) -> float | None:
    return fmean(numbers) if numbers else None


def combinations(varied: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination, the last name changing first."""
    return [dict(zip(varied, chosen, strict=True)) for chosen in product(*varied.values())]


def sweep(
    made: Callable[[Choices, int], Net | Ensemble],
    found: Sequence[Choices],
    seeds: Sequence[int],
    learned: Dataset,
    held: Dataset,
) -> Iterator[Outcome]:
    """Train every combination with every seed, and yield what came out as each is done.

    `made` compiles the net of a combination for a seed. A training that diverges is an outcome; any
    other mistake raises SpecError.
    """
    for choices in found:
        yield Outcome(choices, tuple(_trial(made(choices, seed), learned, held) for seed in seeds))


def _trial(net: Net | Ensemble, learned: Dataset, held: Dataset) -> Trial:
    stop = net.training.early_stop
    try:
        histories = [
            member.fit(learned, validation=held if stop else None) for member in members(net)
        ]
    except SpecError as error:
        if not isinstance(error.diagnostics[0], Diverged):
            raise
        return Trial(net.seed, net.params, 0, float("nan"), None)
    epochs = max(map(len, histories))
    loss = fmean(history[(history.best if stop else 0) - 1].loss for history in histories)
    scores = net.evaluate(held)
    if not isfinite(loss) or not isfinite(scores.loss):
        return Trial(net.seed, net.params, epochs, float("nan"), None)
    return Trial(net.seed, net.params, epochs, loss, scores)
