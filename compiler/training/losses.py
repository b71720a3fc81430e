"""How far a net's scores are from the truth, declared. `runtime/losses.py` computes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, NonNegativeFloat, PositiveFloat
from pydantic_core import PydanticCustomError

from ..algebra import Symbol
from ..op import Needed, Share, Terms
from ..ops.activation import Sigmoid, Softmax
from ..shapes import Value
from .choice import Choice

Target = Literal["labels", "answers", "values", "shares"]


STRETCH = 4096
"""Numbers whose products are summed at once: longer sums are those of stretches, added in pairs, or
float32 would lose a digit for every hundred times as many."""


def stretches(count: int) -> dict[str, Needed]:
    """Where the sum of so many products keeps those of its stretches."""
    return {"stretches": Needed((-(-count // STRETCH),))} if count > STRETCH else {}


class Loss(Choice):
    """How far scores are from the truth; the mean over the batch.

    Attributes
    ----------
    target: `labels`, a class index for each row of scores; `answers`, a yes (1) or no (0) for each
        output; `values`, a number for each; `shares`, of every row how much of it is which class.
    contains: the operators that it applies to scores itself, so that the net need not.
    """

    target: ClassVar[Target] = "labels"
    contains: ClassVar[tuple[str, ...]] = ()

    @property
    def compares(self) -> bool:
        """Whether it compares the classes of a row of scores with each other."""
        return self.target in ("labels", "shares")

    def truth(self, output: Value) -> tuple[int, ...]:
        """The shape of one example's truth: for labels the output's without its channels."""
        if self.target != "labels":
            return output.shape
        return output.shape[: output.channel_axis] + output.shape[output.channel_axis + 1 :]

    def mixed(self) -> Loss | None:
        """The loss of mixed examples, whose truth lies between those of two; None where it has
        none."""
        return self

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


# ------------------------------------------------------------------------------------ numbers


class Mse(Loss):
    """Mean squared error over all outputs, for regression."""

    name, target = "mse", "values"
    source = "CS231n, neural networks 2, 'Regression'"

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return stretches(batch * output.size)

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        return m.over("mean", "i", m.power(m.at(s, "i") - m.at(y, "i"), 2.0))


class Mae(Loss):
    """Mean absolute error over all outputs: far-off examples pull no harder than near ones.

    Where an output is exactly right its gradient is 0.
    """

    name, target = "mae", "values"
    source = "CS231n, neural networks 2, 'Regression'; PyTorch, torch.nn.L1Loss"

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return {"off": Needed((batch, *output.shape))}

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        return m.over("mean", "i", m.abs(m.at(s, "i") - m.at(y, "i")))


class Huber(Loss):
    """Half the squared error where it is at most `delta`, beyond that `delta` times the absolute
    error less delta²/2: the mean over all outputs."""

    name, target, places = "huber", "values", ("delta",)
    source = "Huber 1964; PyTorch, torch.nn.HuberLoss"

    delta: PositiveFloat = 1.0

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        whole = Needed((batch, *output.shape))
        return {"off": whole, "part": Needed(()), **stretches(batch * output.size)}

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        return m.over("mean", "i", m.call("huber", m.at(s, "i") - m.at(y, "i")))

    def meaning(self, m: Any) -> tuple[Symbol, ...]:
        x = m.name("x")
        near = m.minimum(m.abs(x), self.delta)
        return (m.equals(m.call("huber", x), near * (m.abs(x) - near / 2.0)),)


# ------------------------------------------------------------------------------------ classes


class OfClasses(Loss):
    """What the losses share that compare classes: the mean over examples, steps of a sequence (TxC)
    and places of a map (CxHxW)."""

    instead: ClassVar[str] = "bce"
    """What judges a single output."""

    def refusal(self, output: Value) -> str:
        if output.channels > 1:
            return ""
        return (
            f"compares classes, but the net has one output: "
            f"use {self.instead} for yes or no, mse for a number"
        )

    def _rows(self, batch: int, output: Value) -> int:
        return batch * output.size // output.channels


def _as_weights(value: object) -> object:
    numbers = value if isinstance(value, tuple) else ()
    if not numbers or not all(isinstance(n, int | float) and 0 <= n < math.inf for n in numbers):
        raise PydanticCustomError("weights", "numbers from 0")
    return numbers


class CrossEntropy(OfClasses):
    """Minus the log of the true class's softmax, from scores: the mean over examples, steps of a
    sequence (TxC) and places of a map (CxHxW).

    `weights`, one a class, make it a weighted mean: each row counts as its true class does.
    `smoothing` takes that share from the true class and spreads it evenly over all classes.
    """

    name, contains = "cross_entropy", ("softmax", "logsoftmax")
    source = (
        "CS231n, linear classification, 'Softmax classifier'; weights: PyTorch, "
        "torch.nn.CrossEntropyLoss; smoothing: Szegedy et al. 2016, section 7"
    )

    weights: Annotated[tuple[NonNegativeFloat, ...], BeforeValidator(_as_weights)] | None = None
    smoothing: Share = 0.0

    def mixed(self) -> Loss:
        return MixedCrossEntropy(weights=self.weights, smoothing=self.smoothing)

    def refusal(self, output: Value) -> str:
        weights, classes = self.weights, output.channels
        if classes > 1 and weights is not None and len(weights) != classes:
            given = "1 weight" if len(weights) == 1 else f"{len(weights)} weights"
            return f"has {given}, but the net has {classes:,} classes: give every class its weight"
        if weights is not None and not any(weights):
            return "has no weight above 0: give the classes that count one"
        return super().refusal(output)

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        row = Needed((self._rows(batch, output),))
        found = {"row": row, "picked": row, "where": Needed(row.shape, "int64")}
        if self.smoothing:
            found["even"] = row
        if self.weights is not None:
            found |= {"weight": row, "heavy": Needed(())}
        return found

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        if output.rank == 1:
            return self._of_row(m, s, y)
        return m.over("mean", "i", self._of_row(m, m.at(s, "i"), m.at(y, "i")))

    def _of_row(self, m: Any, s: Symbol, y: Symbol) -> Symbol:
        chances = m.call("softmax", s)

        def surprise(label: Symbol) -> Symbol:
            weigh = 1.0 if self.weights is None else m.at(m.name("v"), label)
            return weigh * -m.call("log", m.at(chances, label))

        loss = surprise(y)
        if self.smoothing:
            even = m.over("mean", "j", surprise("j"))
            loss = (1.0 - self.smoothing) * loss + self.smoothing * even
        return loss if self.weights is None else loss / m.call("mean", m.at(m.name("v"), y))

    def meaning(self, m: Any) -> tuple[Symbol, ...]:
        softmax = Softmax().meaning(m, Terms((m.name("x"),), ()))
        if self.weights is None:
            return softmax
        told = f"v: the classes' weights {', '.join(f'{w:g}' for w in self.weights)}"
        mean = m.call("mean", m.at(m.name("v"), m.name("y")))
        return (*softmax, m.equals(mean, None, f"over the batch; {told}"))


class MixedCrossEntropy(CrossEntropy):
    """The cross entropy of rows that are of several classes at once: minus the sum of share times
    weight times log softmax; the mean over examples, steps and places, whatever their weights.

    Convention: PyTorch, torch.nn.CrossEntropyLoss with probabilities as target. Linear in the
    shares: of lam of one label and 1 - lam of another it is lam loss + (1 - lam) loss.
    """

    target = "shares"

    def mixed(self) -> Loss:
        return self

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        row, whole = Needed((self._rows(batch, output),)), Needed((batch, *output.shape))
        found = {"row": row, "weight": row, "aimed": whole, "part": Needed(())}
        return found | stretches(batch * output.size)


class Hinge(OfClasses):
    """Multi-class SVM: the sum over wrong classes of max(0, score - true score + margin); the mean
    over examples, steps of a sequence (TxC) and places of a map (CxHxW)."""

    name, places, instead = "hinge", ("margin",), "binary_hinge"
    source = "CS231n, linear classification, 'Multiclass SVM loss'"

    margin: PositiveFloat = 1.0

    def mixed(self) -> None:
        return None

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        if output.rank == 1:
            return self._of_row(m, s, y)
        return m.over("mean", "i", self._of_row(m, m.at(s, "i"), m.at(y, "i")))

    def _of_row(self, m: Any, s: Symbol, y: Symbol) -> Symbol:
        return m.over("sum", "j ≠ y", self._slack(m, s, y))

    def _slack(self, m: Any, s: Symbol, y: Symbol) -> Symbol:
        return m.maximum(m.at(s, "j") - m.at(s, y) + self.margin, 0.0)

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        row, whole = Needed((self._rows(batch, output),)), Needed((batch, *output.shape))
        where = Needed(row.shape, "int64")
        return {"slack": whole, "row": row, "picked": row, "where": where}


class SquaredHinge(Hinge):
    """Multi-class SVM with squared slack: the sum over wrong classes of
    max(0, score - true score + margin)²; the mean as of `hinge`."""

    name = "squared_hinge"
    source = "CS231n, linear classification, 'Multiclass SVM loss'"

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return super().scratch(batch, output) | stretches(batch * output.size)

    def _of_row(self, m: Any, s: Symbol, y: Symbol) -> Symbol:
        return m.over("sum", "j ≠ y", m.power(self._slack(m, s, y), 2.0))


# ---------------------------------------------------------------------------------- yes or no


class Bce(Loss):
    """Binary cross entropy of sigmoids, from scores: each output is a yes or no of its own."""

    name, target, contains = "bce", "answers", ("sigmoid",)
    source = "CS231n, neural networks 2, 'Attribute classification'"

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return {"soft": Needed((batch, *output.shape)), "part": Needed(())}

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        chance, truth = m.call("σ", m.at(s, "i")), m.at(y, "i")
        yes, no = truth * m.call("log", chance), (1.0 - truth) * m.call("log", 1.0 - chance)
        return m.over("mean", "i", -yes - no)

    def meaning(self, m: Any) -> tuple[Symbol, ...]:
        return Sigmoid().meaning(m, Terms((m.name("x"),), ()))


class BinaryHinge(Loss):
    """Binary SVM: max(0, margin - t score), t = 1 for a yes (1) and -1 for a no (0); each output is a
    yes or no of its own, and the mean is over all of them."""

    name, target, places = "binary_hinge", "answers", ("margin",)
    source = "CS231n, neural networks 1, 'Single neuron as a linear classifier'"

    margin: PositiveFloat = 1.0

    def mixed(self) -> None:
        return None

    def scratch(self, batch: int, output: Value) -> dict[str, Needed]:
        return {"slack": Needed((batch, *output.shape))}

    def equation(self, m: Any, s: Symbol, y: Symbol, output: Value) -> Symbol:
        side = 2.0 * m.at(y, "i") - 1.0
        return m.over("mean", "i", m.maximum(self.margin - side * m.at(s, "i"), 0.0))


LOSSES: Mapping[str, type[Loss]] = MappingProxyType(
    {
        loss.name: loss
        for loss in (Mse, Mae, Huber, CrossEntropy, Bce, Hinge, SquaredHinge, BinaryHinge)
    }
)
