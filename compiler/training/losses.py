"""How far a net's scores are from the truth, declared. `runtime/losses.py` computes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import PositiveFloat

from ..algebra import Symbol
from ..op import Needed, Terms
from ..ops.activation import Sigmoid, Softmax
from ..shapes import Value
from .choice import Choice

Target = Literal["labels", "values"]


class Loss(Choice):
    """How far scores are from the truth; the mean over the batch.

    Attributes
    ----------
    target: `labels`, a class index for each row of scores, or `values` of the output's own shape.
    contains: the operators that it applies to scores itself, so that the net need not.
    """

    target: ClassVar[Target] = "labels"
    contains: ClassVar[tuple[str, ...]] = ()

    def truth(self, output: Value) -> tuple[int, ...]:
        """The shape of one example's truth: for labels the output's without its channels."""
        if self.target == "values":
            return output.shape
        return output.shape[: output.channel_axis] + output.shape[output.channel_axis + 1 :]

    def refusal(self, output: Value) -> str:
        """Why the loss cannot judge this output; empty when it can."""
        return ""

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        """Arrays the computation needs beside scores, truth and the scores' gradient."""
        return {}

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        """The loss of one example, of scores s and truth y, over a `Notation`."""
        raise NotImplementedError(f"loss {self.name} has no equation")

    def meaning(self, m: Any) -> tuple[Symbol, ...]:
        """What the words of `equation` stand for."""
        return ()


class Mse(Loss):
    """Mean squared error over all outputs, for regression."""

    name, target = "mse", "values"
    source = "CS231n, neural networks 2, 'Regression'"

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        return m.over("mean", "i", m.power(m.at(s, "i") - m.at(y, "i"), 2.0))


class CrossEntropy(Loss):
    """Minus the log of the true class's softmax, from scores: the mean over examples, steps of a
    sequence (TxC) and places of a map (CxHxW)."""

    name, contains = "cross_entropy", ("softmax", "logsoftmax")
    source = "CS231n, linear classification, 'Softmax classifier'"

    def refusal(self, output: Value) -> str:
        if output.channels > 1:
            return ""
        return (
            "compares classes, but the net has one output: use bce for yes or no, mse for a number"
        )

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        rows = batch * math.prod(self.truth(output))
        return {
            "row": Needed((rows,)),
            "picked": Needed((rows,)),
            "where": Needed((rows,), "int64"),
        }

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        if output.rank == 1:
            return -m.call("log", m.at(m.call("softmax", s), y))
        chance = m.at(m.call("softmax", m.at(s, "i")), m.at(y, "i"))
        return m.over("mean", "i", -m.call("log", chance))

    def meaning(self, m: Any) -> tuple[Symbol, ...]:
        return Softmax().meaning(m, Terms((m.name("x"),), ()))


class Bce(Loss):
    """Binary cross entropy of sigmoids, from scores: each output is a yes or no of its own."""

    name, target, contains = "bce", "values", ("sigmoid",)
    source = "CS231n, neural networks 2, 'Attribute classification'"

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return {"soft": Needed((batch, *output.shape)), "part": Needed(())}

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        chance, truth = m.call("σ", m.at(s, "i")), m.at(y, "i")
        yes, no = truth * m.call("log", chance), (1.0 - truth) * m.call("log", 1.0 - chance)
        return m.over("mean", "i", -yes - no)

    def meaning(self, m: Any) -> tuple[Symbol, ...]:
        return Sigmoid().meaning(m, Terms((m.name("x"),), ()))


class Hinge(Loss):
    """Multi-class SVM: the sum over wrong classes of max(0, score - true score + margin).

    With a single output it is the binary SVM: max(0, margin - t score), t = 1 for label 1, else -1.
    """

    name, places = "hinge", ("margin",)
    source = "CS231n, linear classification, 'Multiclass SVM loss'"

    margin: PositiveFloat = 1.0

    def refusal(self, output: Value) -> str:
        return "" if output.rank == 1 else f"judges one row of scores, not {output}"

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        if output.channels == 1:
            return m.maximum(self.margin - (2.0 * y - 1.0) * s, 0.0)
        slack = m.maximum(m.at(s, "j") - m.at(s, y) + self.margin, 0.0)
        return m.over("sum", "j ≠ y", slack)

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return {
            "slack": Needed((batch, *output.shape)),
            "mask": Needed((batch, *output.shape), "bool"),
            "row": Needed((batch, 1)),
            "picked": Needed((batch,)),
            "where": Needed((batch,), "int64"),
        }


LOSSES: Mapping[str, type[Loss]] = MappingProxyType(
    {loss.name: loss for loss in (Mse, CrossEntropy, Bce, Hinge)}
)
