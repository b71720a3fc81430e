"""What can be wrong with weights (NN53x), and with batches and training (NN55x)."""

from __future__ import annotations

from dataclasses import dataclass

from ..grammar.diagnostics import Mistake
from .data_errors import shown

# ------------------------------------------------------------------------------------ weights


@dataclass(frozen=True)
class WeightsUnreadable(Mistake):
    """A weights file is missing, cut short, or not in the safetensors format."""

    code, name = "NN530", "weights-unreadable"
    path: str
    problem: str

    def message(self) -> str:
        return f"cannot read weights from `{self.path}`: {self.problem}"

    def help(self) -> str:
        return "a weights file is what `nnspec train --save FILE` or `net.save(FILE)` wrote"


@dataclass(frozen=True)
class WeightsWithoutSpec(Mistake):
    """A safetensors file holds arrays, but not the spec that they belong to."""

    code, name = "NN531", "weights-without-spec"
    path: str

    def message(self) -> str:
        return f"`{self.path}` holds weights, but no spec"

    def help(self) -> str:
        return "load files that nnspec saved: the spec travels inside them"


@dataclass(frozen=True)
class WeightsDisagree(Mistake):
    """The arrays in a weights file are not those of the net that its spec describes."""

    code, name = "NN532", "weights-disagree"
    path: str
    problem: str

    def message(self) -> str:
        return f"the weights in `{self.path}` do not fit its net: {self.problem}"

    def help(self) -> str:
        return "the file was changed after it was saved; train and save again"


@dataclass(frozen=True)
class WeightsUnwritable(Mistake):
    """Weights cannot be written where they should go."""

    code, name = "NN533", "weights-unwritable"
    path: str
    problem: str

    def message(self) -> str:
        return f"cannot write weights to `{self.path}`: {self.problem}"


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
    """The loss, its gradient or a weight is no longer a finite number. The last good weights were
    put back; a single step leaves them as they were."""

    code, name = "NN555", "diverged"
    what: str
    epoch: int | None
    step: int

    def message(self) -> str:
        place = "" if self.epoch is None else f" of epoch {self.epoch}"
        return f"{self.what} at step {self.step}{place}"

    def help(self) -> str:
        return "lower the learning rate, or scale the inputs"


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
