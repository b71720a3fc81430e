"""What can be wrong with batches and training: NN55x."""

from __future__ import annotations

from dataclasses import dataclass

from ..grammar.diagnostics import Mistake
from .data_errors import shown

# ---------------------------------------------------------------------------- batches, training


@dataclass(frozen=True)
class MissingInput(Mistake):
    """A net of several inputs is given an array, or a mapping with other names."""

    code, name = "NN550", "missing-input"
    wanted: tuple[str, ...]
    found: tuple[str, ...]

    def message(self) -> str:
        return f"the net's inputs are {', '.join(self.wanted)}; given are {', '.join(self.found)}"

    def help(self) -> str:
        return "pass a mapping from each input's name to its array"


@dataclass(frozen=True)
class BatchShape(Mistake):
    """The examples of a batch have another size than the net's input, or output."""

    code, name = "NN551", "batch-shape"
    what: str
    wanted: tuple[int, ...]
    found: tuple[int, ...]

    def message(self) -> str:
        return (
            f"`{self.what}` has shape {shown(self.found)}, but is wanted as a batch: "
            f"N examples of {shown(self.wanted)}"
        )

    def help(self) -> str:
        if not self.wanted and len(self.found) == 2 and self.found[1] > 1:
            return "classes are given by their numbers from 0: y.argmax(axis=1) of one-hot rows"
        return "the first axis counts the examples; a single one is a batch of 1"


@dataclass(frozen=True)
class BatchSizes(Mistake):
    """Inputs and truth of a batch differ in their number of examples."""

    code, name = "NN552", "batch-sizes"
    counts: tuple[tuple[str, int], ...]

    def message(self) -> str:
        return "unequal numbers of examples: " + ", ".join(
            f"{name} has {count:,}" for name, count in self.counts
        )


@dataclass(frozen=True)
class NotNumbers(Mistake):
    """A batch holds something that the net cannot compute with."""

    code, name = "NN553", "not-numbers"
    what: str
    problem: str

    def message(self) -> str:
        return f"`{self.what}` holds {self.problem}"


@dataclass(frozen=True)
class LabelRange(Mistake):
    """A class label is negative, or beyond the number of outputs."""

    code, name = "NN554", "label-range"
    found: tuple[int, int]
    classes: int
    output: str

    def message(self) -> str:
        low, high = self.found
        return f"labels run from {low} to {high}, but the net has {self.classes} classes"

    def help(self) -> str:
        return f"labels count from 0 to {self.classes - 1}; the net's output is {self.output}"


@dataclass(frozen=True)
class TokenRange(Mistake):
    """A whole number in a batch has no row in the table it is looked up in."""

    code, name = "NN558", "token-range"
    what: str
    found: tuple[int, int]
    below: int

    def message(self) -> str:
        low, high = self.found
        return f"`{self.what}` runs from {low} to {high}, but the table has {self.below:,} rows"

    def help(self) -> str:
        return f"rows count from 0 to {self.below - 1:,}: `embed` takes their number first"


@dataclass(frozen=True)
class Diverged(Mistake):
    """The loss, a gradient or a weight is no longer a finite number; the weights of the best epoch
    were put back.

    Attributes
    ----------
    where: the first numbers that were not finite when the step was looked at closely.
    kept: the epoch whose weights were put back; 0 for those before the first.
    """

    code, name = "NN555", "diverged"
    what: str
    epoch: int | None
    step: int
    where: str = ""
    kept: int = 0

    def message(self) -> str:
        first = f"; first there is {self.where}" if self.where else ""
        place = "" if self.epoch is None else f" of epoch {self.epoch}"
        return f"{self.what} at step {self.step}{place}{first}"

    def help(self) -> str:
        kept = f"the weights of epoch {self.kept}" if self.kept else "the weights it began with"
        back = "no weight has moved" if self.epoch is None else f"{kept} were put back"
        if " of the batch" in self.where:
            return f"clean the data; {back}"
        return f"lower the learning rate, clip the gradient, or scale the inputs; {back}"


@dataclass(frozen=True)
class Untrainable(Mistake):
    """A net cannot be trained as it stands."""

    code, name = "NN556", "untrainable"
    problem: str
    advice: str

    def message(self) -> str:
        return self.problem

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class TooMuchMemory(Mistake):
    """The weights, or what a batch needs beside them, do not fit into memory."""

    code, name = "NN557", "too-much-memory"
    wanted: int

    def message(self) -> str:
        return f"{self.wanted / 2**30:,.1f} GiB in one piece is more memory than can be had"

    def help(self) -> str:
        return "use a smaller batch or a smaller net; `nnspec summary` shows what takes the memory"
