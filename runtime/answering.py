"""What nets and ensembles have in common: they answer, and are judged by what they say."""

from __future__ import annotations

from abc import ABC, abstractmethod
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


class Answering(ABC):
    """Something that has an answer for examples of its graph's inputs."""

    graph: Graph
    training: Training
    dtype: np.dtype[Any]

    @abstractmethod
    def answers(self, asked: Examples, truth: Array | None) -> dict[str, Array]:
        """The outputs for some examples, by name; their truth is written to `truth`."""

    def __call__(self, x: Any) -> Any:
        """The output for a batch: (N, *input) in, (N, *output) out, noise off.

        A net of several inputs takes a mapping by name; one of several outputs returns one. `x` may
        also be a data set, or anything with a length whose items are examples, or pairs of one and
        its truth. Raises SpecError when the shapes do not suit.
        """
        results = self.answers(unjudged(self.graph, x, self.dtype), None)
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
        loss, output, scores, truth = self._said(self.judged(x, y))
        found = tally(loss, output, scores, truth)
        if found is None:
            what = "numbers" if loss.target == "values" else f"{output.size:,} answers at once"
            problem = f"judges {what}, not one class of several"
            raise SpecError([BadSetting(None, loss.name, problem)])
        return found

    def confusion(self, x: Any, y: Any = None) -> Array:
        """Counts by (true class, chosen class) on (x, y), noise off. An example with a NaN among its
        scores chose none. Raises SpecError where there are no classes."""
        return self.tally(x, y).counts

    def judged(self, x: Any, y: Any) -> Examples:
        """Examples with the truth that the loss judges by."""
        loss = self.training.judged_by(self.graph.output.value)
        return examples(self.graph, loss, x, y, self.dtype)

    def scores(self, asked: Examples) -> Scores:
        """How well examples are answered."""
        with quiet():
            return judge(*self._said(asked))

    def _said(self, asked: Examples) -> tuple[Loss, Value, Array, Array]:
        """The loss, the main output, its scores and the truth: these are held whole, inputs are not."""
        if not len(asked):
            raise SpecError([Untrainable(None, "there are no examples to judge", "")])
        output = self.graph.output.value
        loss = self.training.judged_by(output)
        slot = truth_slot(loss, output, self.dtype)
        truth = np.empty((len(asked), *slot.shape), slot.dtype)
        return loss, output, list(self.answers(asked, truth).values())[-1], truth


def quiet() -> np.errstate:
    """exp may overflow to infinity on its way to a sigmoid of 0: that is meant."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
