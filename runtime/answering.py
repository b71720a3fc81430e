"""What nets and ensembles have in common: they answer, and are judged by what they say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compiler.errors import BadSetting
from ..compiler.graph import Graph
from ..compiler.shapes import Value
from ..compiler.training import Training
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from .batches import truth_slot
from .errors import Untrainable
from .examples import Examples, examples, unjudged
from .history import Scores
from .judge import Tally, judge, tally
from .kernels import Array
from .names import Names


@dataclass(frozen=True)
class Answered:
    """The scores of some examples beside what is true of them: held whole, while inputs are not."""

    loss: Loss
    output: Value
    scores: Array
    truth: Array

    def judged(self) -> Scores:
        """How good they are."""
        with quiet():
            return judge(self.loss, self.output, self.scores, self.truth)

    def tally(self) -> Tally:
        """Which classes are taken for which; raises SpecError where there are none."""
        found = tally(self.loss, self.output, self.scores, self.truth)
        if found is None:
            several = f"{self.output.size:,} answers at once"
            what = "numbers" if self.loss.target == "values" else several
            problem = f"judges {what}, not one class of several"
            raise SpecError([BadSetting(None, self.loss.name, problem, unsuited=True)])
        return found


class Answering(ABC):
    """Something that has an answer for examples of its graph's inputs."""

    graph: Graph
    training: Training
    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def names(self) -> Names:
        """What the data it learned from call their classes and columns."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names in the order of their labels, as the data set had them that it learned
        from; empty where that had none, or was arrays."""
        return self.names.classes

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns it learned from, in the order in which it takes them; empty where
        they had none."""
        return self.names.features

    @abstractmethod
    def answers(self, asked: Examples, truth: Array | None) -> dict[str, Array]:
        """The outputs for some examples, by name; their truth is written to `truth`."""

    def __call__(self, x: Any) -> Any:
        """The output for a batch: (N, *input) in, (N, *output) out, noise off.

        A net of several inputs takes a mapping by name; one of several outputs returns one. `x` may
        also be a data set, or anything with a length whose items are examples, or pairs of one and
        its truth. The columns of a set go by their names. Raises SpecError when the shapes do not
        suit.
        """
        results = self.answers(self.asked(x), None)
        return results if len(results) > 1 else next(iter(results.values()))

    def evaluate(self, x: Any, y: Any = None) -> Scores:
        """Loss (without l2 and l1); for classes accuracy, of ten or more top5; for numbers mse and r2: on
        (x, y), noise off.

        Without y, x is a data set, or anything with a length whose items are pairs (x, y). Raises
        SpecError.
        """
        return self.scores(self.judged(x, y))

    def tally(self, x: Any, y: Any = None) -> Tally:
        """Which classes of (x, y) are taken for which, and precision, recall and f1 of each.

        Raises SpecError where the loss judges numbers, or several answers at once.
        """
        return self.answered(self.judged(x, y)).tally()

    def confusion(self, x: Any, y: Any = None) -> Array:
        """Counts by (true class, chosen class) on (x, y), noise off. An example with a NaN among its
        scores chose none. Raises SpecError where there are no classes."""
        return self.tally(x, y).counts

    def judged(self, x: Any, y: Any) -> Examples:
        """Examples with the truth that the loss judges by; classes and columns of a set go by their
        names."""
        loss = self.training.judged_by(self.graph.output.value)
        return examples(self.graph, loss, self.names.applied(x), y, self.dtype)

    def asked(self, x: Any) -> Examples:
        """Examples without their truth; the columns of a set go by their names."""
        return unjudged(self.graph, Names(features=self.features).applied(x), self.dtype)

    def scores(self, asked: Examples) -> Scores:
        """How well examples are answered."""
        return self.answered(asked).judged()

    def answered(self, asked: Examples) -> Answered:
        """What the main output says of examples, asked once and judged as often as one likes."""
        output = self.graph.output.value
        truth = self.room_for_truth(asked)
        scores = list(self.answers(asked, truth).values())[-1]
        return Answered(self.training.judged_by(output), output, scores, truth)

    def room_for_truth(self, asked: Examples) -> Array:
        """Where the truth of examples goes; raises SpecError when there are none."""
        if not len(asked):
            raise SpecError([Untrainable(None, "there are no examples to judge", "")])
        output = self.graph.output.value
        slot = truth_slot(self.training.judged_by(output), output, self.dtype)
        return np.empty((len(asked), *slot.shape), slot.dtype)


def quiet() -> np.errstate:
    """exp may overflow to infinity on its way to a sigmoid of 0: that is meant."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
