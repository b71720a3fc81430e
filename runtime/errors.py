"""What can be wrong with weights (NN53x) and with batches and training (NN55x)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..grammar.diagnostics import Mistake

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


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


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
            f"`{self.what}` has shape {_shape(self.found)}, but is wanted as a batch: "
            f"N examples of {_shape(self.wanted)}"
        )

    def help(self) -> str:
        return "the first axis counts the examples; a single one is a batch of 1"


@dataclass(frozen=True)
class BatchSizes(Mistake):
    """Inputs and truth of a batch differ in their number of examples."""

    code, name = "NN552", "batch-sizes"
    counts: Mapping[str, int]

    def message(self) -> str:
        return "unequal numbers of examples: " + ", ".join(
            f"{name} has {count:,}" for name, count in self.counts.items()
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
class Diverged(Mistake):
    """The loss stopped being a finite number; the weights of the last good epoch were put back."""

    code, name = "NN555", "diverged"
    loss: float
    epoch: int
    step: int

    def message(self) -> str:
        return f"the loss became {self.loss} at step {self.step} of epoch {self.epoch}"

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
    """A batch would need more memory than the machine has free."""

    code, name = "NN557", "too-much-memory"
    wanted: int
    batch: int

    def message(self) -> str:
        return (
            f"a batch of {self.batch:,} needs {self.wanted / 2**30:,.1f} GiB, which cannot be had"
        )

    def help(self) -> str:
        return "use a smaller batch"


# --------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class NoSuchData(Mistake):
    """A data set is neither the name of one that ships, nor a file."""

    code, name = "NN501", "no-such-data"
    found: str
    nearest: str | None
    known: tuple[str, ...]

    def message(self) -> str:
        return f"no data set and no file is called `{self.found}`"

    def help(self) -> str:
        if self.nearest:
            return f"did you mean `{self.nearest}`?"
        return f"these ship: {', '.join(self.known)}; or give a .npz, .csv or IDX file"


@dataclass(frozen=True)
class DataDamaged(Mistake):
    """A data file cannot be opened or read to its end."""

    code, name = "NN502", "data-damaged"
    path: str
    problem: str

    def message(self) -> str:
        return f"cannot read `{self.path}`: {self.problem}"


@dataclass(frozen=True)
class DataUnfit(Mistake):
    """A data file can be read, but what it holds is no data set."""

    code, name = "NN503", "data-unfit"
    path: str
    problem: str
    advice: str = ""

    def message(self) -> str:
        return f"`{self.path}` {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class DataLengths(Mistake):
    """There are not as many labels as examples."""

    code, name = "NN504", "data-lengths"
    path: str
    examples: int
    labels: int

    def message(self) -> str:
        return f"`{self.path}` holds {self.examples:,} examples, but {self.labels:,} labels"


@dataclass(frozen=True)
class BadCell(Mistake):
    """A feature in a CSV file is no number."""

    code, name = "NN505", "bad-cell"
    path: str
    line: int
    column: int
    found: str

    def message(self) -> str:
        cell = f"`{self.found[:40]}`" if self.found else "empty"
        return f"line {self.line}, column {self.column} of `{self.path}` is {cell}, not a number"

    def help(self) -> str:
        return "features are numbers; the truth may be words, in the last column or `--target NAME`"


@dataclass(frozen=True)
class MissingArray(Mistake):
    """A `.npz` archive lacks the arrays that make a data set."""

    code, name = "NN506", "missing-array"
    path: str
    found: tuple[str, ...]

    def message(self) -> str:
        held = ", ".join(self.found[:8]) or "nothing"
        return f"`{self.path}` holds {held}, but not `x` and `y`"

    def help(self) -> str:
        return "save it as np.savez(file, x=inputs, y=labels)"


@dataclass(frozen=True)
class DataShape(Mistake):
    """The examples of a set have another size than the net takes."""

    code, name = "NN507", "data-shape"
    data: str
    found: tuple[int, ...]
    wanted: tuple[int, ...]

    def message(self) -> str:
        return (
            f"the net takes {_sized(self.wanted)}, "
            f"but an example of `{self.data}` has {_sized(self.found)}"
        )

    def help(self) -> str:
        return f"begin the spec with {_shape(self.found)}"


def _sized(shape: tuple[int, ...]) -> str:
    size = 1
    for length in shape:
        size *= length
    return f"{_shape(shape)} = {size:,} numbers" if len(shape) > 1 else f"{size:,} numbers"


@dataclass(frozen=True)
class CannotSplit(Mistake):
    """A set cannot be split into a part to train on and a part to test on."""

    code, name = "NN508", "cannot-split"
    data: str
    examples: int
    held_out: float

    def message(self) -> str:
        return f"holding out {self.held_out:.0%} of {self.examples:,} examples of `{self.data}` leaves a part empty"

    def help(self) -> str:
        return "use more examples, or another share with `--held-out`"
