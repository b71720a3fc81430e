"""What can be wrong with batches and training: NN55x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..grammar.diagnostics import Mistake
from ..grammar.quantity import quantity
from .data_errors import shown

Among: TypeAlias = Literal["data", "weights", "results"]

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
class SeveralInputs(Mistake):
    """A data file holds one input for each example, so a net of several cannot be given one on the
    command line. In Python its batches are mappings from each input's name to its array."""

    code, name = "NN569", "several-inputs"
    inputs: tuple[str, ...]

    def message(self) -> str:
        names = ", ".join(f"`{name}`" for name in self.inputs)
        return f"the net has {len(self.inputs)} inputs, {names}; the command line gives data to one"

    def help(self) -> str:
        batch = ", ".join(f'"{name}": ...' for name in self.inputs)
        return f"use it from Python: net.fit({{{batch}}}, y), net.evaluate, net({{{batch}}})"


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
        return f"labels run from {low} to {high}, but the net has {quantity(self.classes, 'class', 'classes')}"

    def help(self) -> str:
        if self.found == (1, self.classes):
            return f"labels count from 0 to {self.classes - 1}: subtract 1 from each"
        return f"labels count from 0 to {self.classes - 1}; the net's output is {self.output}"


@dataclass(frozen=True)
class ClassesUnjudged(Mistake):
    """A set's truth is classes, but the loss judges values, or the net has too few outputs."""

    code, name = "NN566", "classes-unjudged"
    data: str
    classes: tuple[str, ...]
    problem: str
    advice: str

    def message(self) -> str:
        named = ", ".join(f"`{name}`" for name in self.classes[:5])
        more = ", ..." if self.classes[5:] else ""
        return (
            f"the truth of `{self.data}` is {len(self.classes)} classes, {named}{more}, "
            f"but {self.problem}"
        )

    def help(self) -> str:
        return self.advice


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
class Broken:
    """Numbers that are not finite.

    Attributes
    ----------
    where: which, in words; empty where nothing was found.
    among: what they belong to: what the net was given, what it has learned, or what it computes.
    """

    where: str = ""
    among: Among = "results"

    def __bool__(self) -> bool:
        return bool(self.where)


@dataclass(frozen=True)
class Diverged(Mistake):
    """The loss, a gradient or a weight is no longer a finite number; the weights of the best epoch
    were put back.

    The step is made again, one operator at a time, and every array that it writes is looked at: the
    message names the first that holds NaN or infinity, and of data the examples.
    """

    code, name = "NN555", "diverged"
    what: str
    epoch: int | None
    step: int
    broken: Broken = Broken()
    begins: bool = False
    """Whether no update had been made yet."""
    kept: int = 0
    """The epoch whose weights were put back; 0 for those before the first."""

    def message(self) -> str:
        first = f"; first found: {self.broken.where}" if self.broken else ""
        place = "" if self.epoch is None else f" of epoch {self.epoch}"
        return f"{self.what} at step {self.step}{place}{first}"

    def help(self) -> str:
        kept = f"the weights of epoch {self.kept}" if self.kept else "the weights it began with"
        back = "no weight has moved" if self.epoch is None else f"{kept} were put back"
        if self.broken.among == "data":
            return f"leave these examples out, fill in what is missing, or scale what goes beyond 3.4e38; {back}"
        if not self.begins:
            return f"lower the learning rate, clip the gradient, or scale the inputs; {back}"
        if self.broken.among == "weights":
            return "it was so before the first update: give the net weights that are finite"
        return "it was so before the first update: scale the inputs, the truth or the first weights"


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
class NoAccelerator(Mistake):
    """Compiled loops are asked for, `jit=True` or `--jit`, and Numba, which compiles them, is not there.

    `pip install "nnspec[jit]"` installs nnspec with the library of its extra `jit`. Without it a net
    does the same, with NumPy.
    """

    code, name = "NN570", "no-accelerator"
    problem: str = ""

    def message(self) -> str:
        if self.problem:
            return f"`jit` needs numba, which cannot be loaded: {self.problem}"
        return "`jit` needs numba, which is not installed"

    def help(self) -> str:
        return 'pip install "nnspec[jit]", or leave `jit` out: NumPy computes the same'


@dataclass(frozen=True)
class TooMuchMemory(Mistake):
    """The weights, or what a batch needs beside them, do not fit into memory; nothing was allocated.

    A net may take four fifths of the memory that is free, or what `--max-memory 2GiB` says
    (`max_memory="2GiB"` in Python).
    """

    code, name = "NN557", "too-much-memory"
    wanted: int
    left: int | None = None
    asked: bool = False
    """Whether the user said how much may be taken."""
    what: str = "the net"
    fits: int = 0
    """The largest batch that there is room for."""

    def message(self) -> str:
        if self.left is None:
            return f"{sized(self.wanted)} in one piece is more memory than can be had"
        rest = f"the {sized(self.left)} that"
        whose = (
            f"{rest} max_memory leaves"
            if self.asked
            else f"{rest} may be taken, 80 % of what is free"
        )
        return f"{self.what} needs {sized(self.wanted)}, more than {whose}"

    def help(self) -> str:
        if self.fits:
            return f"the largest batch that fits is {self.fits:,}: `batch = {self.fits}`"
        more = "allow more, or " if self.asked else ""
        return f"{more}use a smaller net; `nnspec summary` shows what takes the memory"


@dataclass(frozen=True)
class OutputSize(Mistake):
    """A net that is fitted as an estimator has another output than there are classes, or values."""

    code, name = "NN559", "output-size"
    output: tuple[int, ...]
    found: str

    def message(self) -> str:
        return f"the net's output is {'x'.join(map(str, self.output))}, but y has {self.found}"

    def help(self) -> str:
        return "end the spec with `fc(outputs)`: the estimator says how many there are"


# ------------------------------------------------------------------------------- runs on disk


@dataclass(frozen=True)
class FolderTaken(Mistake):
    """A folder that should keep a new run holds something already."""

    code, name, usage = "NN560", "folder-taken", True
    path: str
    holds_run: bool

    def message(self) -> str:
        return f"`{self.path}` holds {'a run' if self.holds_run else 'other files'} already"

    def help(self) -> str:
        return (
            "`--resume` (in Python resume=True) goes on with it; or choose another folder"
            if self.holds_run
            else "choose an empty folder, or one that is not there yet"
        )


@dataclass(frozen=True)
class RunDiffers(Mistake):
    """A run cannot go on, for it was begun with another net, other data or other settings.

    The number of epochs may be another. Of a set of more than 4,096 examples, so many are compared,
    evenly spread.
    """

    code, name, usage = "NN561", "run-differs", True
    path: str
    differences: tuple[tuple[str, str, str], ...]
    """(what, then, now); then and now are empty for what is too long to show."""

    def message(self) -> str:
        told = "; ".join(
            f"{what} was {then}, now it is {now}" if then else f"{what} has changed"
            for what, then, now in self.differences
        )
        return f"the run in `{self.path}` cannot go on: {told}"

    def help(self) -> str:
        return "go on with what it was begun with, or begin a new run in another folder"


@dataclass(frozen=True)
class NoWholeCheckpoint(Mistake):
    """Every checkpoint of a run is damaged."""

    code, name, usage = "NN562", "no-whole-checkpoint", True
    path: str
    problems: tuple[str, ...]

    def message(self) -> str:
        return f"no checkpoint in `{self.path}` is whole: {'; '.join(self.problems)}"

    def help(self) -> str:
        return "begin a new run in another folder; best.safetensors may still be whole"


@dataclass(frozen=True)
class NoRun(Mistake):
    """A folder is not one that a run was kept in."""

    code, name, usage = "NN563", "no-run", True
    path: str
    problem: str

    def message(self) -> str:
        return f"`{self.path}` holds no run: {self.problem}"

    def help(self) -> str:
        return "`nnspec train ... --run FOLDER` keeps a run in a folder"


@dataclass(frozen=True)
class DamagedRun(Mistake):
    """A folder held a run, but what tells of it is damaged, or of another version.

    Every file of a run is written whole or not at all, and a checkpoint that was damaged later gives
    way to the one before it; `run.json` has none before it.
    """

    code, name, usage = "NN565", "damaged-run", True
    path: str
    problem: str

    def message(self) -> str:
        return f"the run in `{self.path}` cannot go on: {self.problem}"

    def help(self) -> str:
        return "begin a new run in another folder; best.safetensors may still be whole"


@dataclass(frozen=True)
class BadVariation(Mistake):
    """What `--vary` is given is not a name and its values, or cannot vary."""

    code, name, usage = "NN564", "bad-variation", True
    text: str
    problem: str = "it is not NAME=VALUE,VALUE"

    def message(self) -> str:
        return f"`--vary {self.text}`: {self.problem}"

    def help(self) -> str:
        return 'as in --vary width=16,64 or --vary "optimizer=sgd(lr=0.1),adam"'


@dataclass(frozen=True)
class NoCounterpart(Mistake):
    """A net is to be run in PyTorch beside nnspec, but something in it has no like there that
    nnspec knows of."""

    code, name = "NN567", "no-counterpart"
    what: str

    def message(self) -> str:
        return f"nnspec knows nothing in PyTorch that is {self.what}"

    def help(self) -> str:
        return "compare a net without it, or leave `--vs torch` out"


@dataclass(frozen=True)
class OutputsDiffer(Mistake):
    """A net and its like in PyTorch, with the same weights, answer otherwise: their times would not
    be those of the same work."""

    code, name = "NN568", "outputs-differ"
    output: str
    difference: float
    most: float

    def message(self) -> str:
        return (
            f"the output `{self.output}` of nnspec and of PyTorch differ by {self.difference:.2g} "
            f"of the largest number in it, more than {self.most:g}"
        )

    def help(self) -> str:
        return "this is a mistake in nnspec: please report it with the spec"


def sized(count: int) -> str:
    """Bytes, in the unit that leaves few digits."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:,.1f} {unit}"
    return f"{count:,} B"
