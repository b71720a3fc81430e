"""What can be wrong with data: NN50x to NN52x."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from ..compiler.shapes import channels_first
from ..grammar.diagnostics import Mistake
from ..grammar.quantity import quantity
from .file_errors import in_line


def shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _sized(shape: tuple[int, ...]) -> str:
    size = prod(shape)
    return (
        f"{shown(shape)} = {quantity(size, 'number')}"
        if len(shape) > 1
        else quantity(size, "number")
    )


def _named(names: tuple[str, ...]) -> str:
    """The first few in backticks, on one line whatever stands in them."""
    more = f" and {len(names) - 5:,} more" if names[5:] else ""
    return ", ".join(in_line(_short(name)) for name in names[:5]) + more


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."


@dataclass(frozen=True)
class NoSuchData(Mistake):
    """A data set is neither the name of one that ships, nor a file."""

    code, name, usage = "NN501", "no-such-data", True
    found: str
    nearest: str | None
    known: tuple[str, ...]

    def message(self) -> str:
        return f"no data set and no file is called `{_short(self.found)}`"

    def help(self) -> str:
        if self.nearest:
            return f"did you mean `{self.nearest}`?"
        names = ", ".join(self.known)
        return f"sets by name: {names}; or a .npz, .npy, .csv, .parquet or IDX file, or a folder"


@dataclass(frozen=True)
class DataDamaged(Mistake):
    """A data file cannot be opened, or not be read to its end."""

    code, name, usage = "NN502", "data-damaged", True
    path: str
    problem: str

    def message(self) -> str:
        return f"cannot read `{self.path}`: {self.problem}"


@dataclass(frozen=True)
class DataUnfit(Mistake):
    """A data file can be read, but what it holds is no data set."""

    code, name, usage = "NN503", "data-unfit", True
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
        return f"`{self.path}` holds {quantity(self.examples, 'example')}, but {quantity(self.labels, 'label')}"

    def help(self) -> str:
        return "the first axis counts the examples, in both"


@dataclass(frozen=True)
class BadCell(Mistake):
    """A cell of a CSV file that must be a number is something else, or empty."""

    code, name = "NN505", "bad-cell"
    path: str
    line: int
    column: int
    found: str

    def message(self) -> str:
        cell = f"`{_short(self.found)}`" if self.found else "empty"
        return f"line {self.line}, column {self.column} of `{self.path}` is {cell}, not a number"

    def help(self) -> str:
        return "features are numbers; the truth may be words, in the last column or `--target NAME`"


@dataclass(frozen=True)
class MissingArray(Mistake):
    """A `.npz` archive lacks the arrays that make a data set."""

    code, name = "NN506", "missing-array"
    path: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]

    def message(self) -> str:
        held = ", ".join(f"`{_short(name)}`" for name in self.found[:8]) or "nothing"
        both = "both `x` and `y`" if len(self.wanted) > 1 else "`x`"
        return f"`{self.path}` holds {held}, but not {both}"

    def help(self) -> str:
        more = ", y=labels" if len(self.wanted) > 1 else ""
        return f"save it as np.savez(file, x=inputs{more})"


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
        first = channels_first(self.found) if len(self.found) == 3 else None
        if first:
            order = "x.transpose(0, 3, 1, 2)"
            return f"pictures have their channels first, {order}: begin with {shown(first)}"
        return (
            f"begin the spec with {shown(self.found)}, or bring examples of {_sized(self.wanted)}"
        )


@dataclass(frozen=True)
class CannotSplit(Mistake):
    """A set cannot be split into a part to train on and a part to test on."""

    code, name, usage = "NN508", "cannot-split", True
    data: str
    examples: int
    held_out: float

    def message(self) -> str:
        return (
            f"holding out {self.held_out * 100:g}% of {self.examples:,} examples "
            f"of `{self.data}` leaves a part empty"
        )

    def help(self) -> str:
        return "use more examples, or another share with `--held-out`"


@dataclass(frozen=True)
class UnknownFormat(Mistake):
    """A data file has an ending that tells of no format which is read."""

    code, name, usage = "NN509", "unknown-format", True
    path: str

    def message(self) -> str:
        return f"`{self.path}` has an ending that is not read"

    def help(self) -> str:
        return (
            "data is .npz, .npy, .csv, .parquet, IDX (train-images-idx3-ubyte, .gz too), "
            "a folder of images for each class, or a set by name"
        )


@dataclass(frozen=True)
class DataTooLarge(Mistake):
    """A data file would unfold to more bytes than may be spent on it. It is not read."""

    code, name = "NN510", "data-too-large"
    path: str
    wanted: int
    budget: int

    def message(self) -> str:
        return (
            f"`{self.path}` unfolds to {self.wanted:,} bytes, "
            f"more than the {self.budget:,} that a data file may take"
        )

    def help(self) -> str:
        return "split it into smaller files"


@dataclass(frozen=True)
class NotFinite(Mistake):
    """Numbers in a data file are missing (NaN) or infinite."""

    code, name = "NN511", "not-finite"
    path: str
    what: str
    count: int
    first: str

    def message(self) -> str:
        return (
            f"{self.what} of `{self.path}` is NaN or infinite in "
            f"{quantity(self.count, 'number')}, the first in {self.first}"
        )

    def help(self) -> str:
        return "remove these examples, or fill in what is missing"


@dataclass(frozen=True)
class BadLabels(Mistake):
    """Class labels are negative, not whole, or far too large to count classes."""

    code, name = "NN512", "bad-labels"
    path: str
    found: str
    first: str
    most: int

    def message(self) -> str:
        return f"`{self.path}` has {self.found} for a class label, in {self.first}"

    def help(self) -> str:
        return (
            f"labels are whole numbers from 0 to at most {self.most:,}; "
            "values to predict are written with a decimal point"
        )


@dataclass(frozen=True)
class OneClass(Mistake):
    """All examples of a set belong to the same class: there is nothing to learn from it."""

    code, name = "NN513", "one-class"
    data: str
    examples: int
    only: str

    def message(self) -> str:
        return f"all {self.examples:,} examples of `{self.data}` are of one class, `{self.only}`"

    def help(self) -> str:
        return "telling classes apart takes examples of two at least"


@dataclass(frozen=True)
class RaggedRow(Mistake):
    """A line of a CSV file has more or fewer cells than the first."""

    code, name = "NN514", "ragged-row"
    path: str
    line: int
    found: int
    wanted: int

    def message(self) -> str:
        cells = quantity(self.found, "cell")
        return f"line {self.line} of `{self.path}` has {cells}, not {self.wanted:,}"

    def help(self) -> str:
        return "every line has as many cells as the first; a cell with a comma stands in quotes"


@dataclass(frozen=True)
class NoSuchColumn(Mistake):
    """The column named as the truth is not in the header of a CSV file."""

    code, name, usage = "NN515", "no-such-column", True
    path: str
    found: str
    nearest: str | None
    known: tuple[str, ...]

    def message(self) -> str:
        if not self.known:
            return f"`{self.path}` has no header to find column `{_short(self.found)}` in"
        return f"`{self.path}` has no column `{_short(self.found)}`"

    def help(self) -> str:
        if self.nearest:
            return f"did you mean `{self.nearest}`?"
        if not self.known:
            return "without a header the truth is the last column"
        more = ", ..." if len(self.known) > 12 else ""
        return f"it has {', '.join(map(_short, self.known[:12]))}{more}"


@dataclass(frozen=True)
class PythonObjects(Mistake):
    """An array holds Python objects. Reading them could run code, so they are refused."""

    code, name = "NN516", "python-objects"
    path: str
    array: str

    def message(self) -> str:
        return f"`{self.array}` of `{self.path}` holds Python objects, which are never read"

    def help(self) -> str:
        return "save plain arrays of numbers; rows of unequal length make objects"


@dataclass(frozen=True)
class NoLabels(Mistake):
    """Inputs have no truth beside them: in the name of an IDX or .npy file `images` becomes
    `labels`, and of a .npy file `x` becomes `y`, `inputs` becomes `targets`."""

    code, name = "NN517", "no-labels"
    path: str
    wanted: tuple[str, ...]

    def message(self) -> str:
        return f"`{self.path}` has no labels beside it"

    def help(self) -> str:
        return f"put them into {' or '.join(f'`{name}`' for name in self.wanted)}"


@dataclass(frozen=True)
class DataSizes(Mistake):
    """A file promises more, or fewer, numbers than it holds: it is cut short or was changed."""

    code, name = "NN518", "data-sizes"
    path: str
    what: str
    shape: tuple[int, ...]
    promised: int
    found: int

    def message(self) -> str:
        held = "more" if self.found > self.promised else f"{self.found:,}"
        return (
            f"{self.what} of `{self.path}` is said to be {shown(self.shape)} = "
            f"{self.promised:,} bytes, but the file holds {held}"
        )

    def help(self) -> str:
        return "it is cut short or damaged: fetch or save it again"


@dataclass(frozen=True)
class EmptyData(Mistake):
    """A data file or folder has nothing in it."""

    code, name = "NN519", "empty-data"
    path: str
    missing: str

    def message(self) -> str:
        return f"`{self.path}` holds no {self.missing}"


@dataclass(frozen=True)
class NumbersTooLarge(Mistake):
    """Numbers in a data file do not fit into the 32 bits that nets compute with."""

    code, name = "NN520", "numbers-too-large"
    path: str
    what: str
    count: int
    first: str

    def message(self) -> str:
        return (
            f"{self.what} of `{self.path}` goes beyond 3.4e38 in {quantity(self.count, 'number')}, "
            f"the first in {self.first}"
        )

    def help(self) -> str:
        return "scale the column: nets compute with numbers of 32 bits"


@dataclass(frozen=True)
class AxesOrder(Mistake):
    """Examples have the axes that the net takes, but in another order (channels last).

    Read in memory order they would give a scrambled picture without any sign of it.
    """

    code, name = "NN521", "axes-order"
    data: str
    found: tuple[int, ...]
    wanted: tuple[int, ...]

    def message(self) -> str:
        return (
            f"the net takes {shown(self.wanted)}, but an example of `{self.data}` "
            f"has its axes in another order, {shown(self.found)}"
        )

    def help(self) -> str:
        return (
            "save it with the axes in the net's order; x.transpose(0, 3, 1, 2) puts channels first"
        )


@dataclass(frozen=True)
class BadSeed(Mistake):
    """A seed is negative. The same seed, from 0 up, draws the same numbers on every run."""

    code, name, usage = "NN522", "bad-seed", True
    found: object

    def message(self) -> str:
        return f"a seed is a whole number from 0, not `{_short(str(self.found))}`"


@dataclass(frozen=True)
class BadExample(Mistake):
    """An example cannot be learned from: a number of it is NaN or infinite, its label is none of
    the net's classes, or it has another size than the net takes.

    Arrays in memory are looked through before training begins; what lies in a file, or is made on
    demand, when it is read. A net that has been trained may be asked about NaN: it answers NaN.
    """

    code, name = "NN523", "bad-example"
    index: int
    problem: str
    advice: str = ""

    def message(self) -> str:
        return f"example {self.index:,}, counted from 0: {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class NoTruth(Mistake):
    """Examples are given without what the net should answer to them."""

    code, name = "NN524", "no-truth"
    problem: str

    def message(self) -> str:
        return self.problem

    def help(self) -> str:
        return "pass x and y, or something with a length whose items are pairs (x, y)"


@dataclass(frozen=True)
class DataChanged(Mistake):
    """A large data file, of which the examples are read as they are needed, was written to."""

    code, name = "NN525", "data-changed"
    path: str

    def message(self) -> str:
        return f"`{self.path}` was changed while it was in use"

    def help(self) -> str:
        return "leave a large file alone until the command ends, or work on a copy"


@dataclass(frozen=True)
class MissingReader(Mistake):
    """Data takes a library that does not come with nnspec, because few need it.

    `pip install "nnspec[parquet]"` installs nnspec with the libraries of its extra `parquet`.
    """

    code, name = "NN526", "missing-reader"
    data: str
    library: str
    extra: str

    def message(self) -> str:
        return f"`{self.data}` needs {self.library}, which is not installed"

    def help(self) -> str:
        return f'pip install "nnspec[{self.extra}]"'


@dataclass(frozen=True)
class ImageSizes(Mistake):
    """The images of a folder are not all of one size."""

    code, name = "NN527", "image-sizes"
    path: str
    usual: tuple[int, int]
    count: int
    others: int
    first: str
    found: tuple[int, int]

    def message(self) -> str:
        return (
            f"{quantity(self.others, 'image')} of `{self.path}` differ from the usual size "
            f"{shown(self.usual)} of {self.count:,}; the first, `{self.first}`, "
            f"is {shown(self.found)}, height x width"
        )

    def help(self) -> str:
        return f"bring all to one size with `--resize {shown(self.usual)}`, or mend them"


WORD = {"classes": "class", "columns": "column"}
"""One of each."""


@dataclass(frozen=True)
class NotAsLearned(Mistake):
    """Data name classes or columns that the net was not trained on.

    A net remembers what its training data called the classes and, of a table with a header, the
    columns; its weights file keeps them. Other data go by these names, in whatever order they come.
    """

    code, name = "NN529", "not-as-learned"
    data: str
    what: Literal["classes", "columns"]
    unknown: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        what = self.what if self.unknown[1:] else WORD[self.what]
        found = f"has the {what} {_named(self.unknown)}"
        if self.what == "columns":
            known = f"was trained on the columns {_named(self.known)}"
        else:
            known = f"knows {_named(self.known)}"
        return f"`{self.data}` {found}, but the net {known}"

    def help(self) -> str:
        if self.what == "columns":
            return (
                "give the columns the names they had, in any order, or leave the header out; "
                "`--target NAME` says which column is the truth"
            )
        return "call the classes as they were in training, or train on these"


@dataclass(frozen=True)
class ClassesDisagree(Mistake):
    """The truth of two sets is not of one kind: one has classes that the other does not know."""

    code, name = "NN528", "classes-disagree"
    data: str
    learned: str
    problem: str

    def message(self) -> str:
        return f"`{self.data}` does not go with `{self.learned}`: {self.problem}"

    def help(self) -> str:
        return "both sets name the same classes, or both hold values"
