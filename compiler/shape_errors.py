"""Mistakes of shapes: what arrives at an operator does not suit it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ..grammar.diagnostics import Edit, Fix, Mistake, Note, Severity
from ..grammar.source import Span


@dataclass(frozen=True)
class ShapeMistake(Mistake):
    """A shape does not suit an operator; `arrivals` are the places the values come from."""

    arrivals: tuple[Note, ...] = field(default=(), kw_only=True)
    pictured: str = field(default="", kw_only=True)
    """The input's shape with its channels first, where they seem to stand last, or are left out."""

    def notes(self) -> tuple[Note, ...]:
        return self.arrivals


@dataclass(frozen=True)
class WrongRank(ShapeMistake):
    """A value has more or fewer axes than the operator works on."""

    code, name = "NN201", "wrong-rank"
    operator: str
    found: str
    wanted: str
    advice: str = ""
    insert: str = ""

    def message(self) -> str:
        return f"`{self.operator}` wants {self.wanted}, but {self.found} arrives here"

    def label(self) -> str:
        return f"{self.found} arrives here"

    def help(self) -> str:
        return self.advice

    def remedy(self) -> Fix | None:
        if not self.insert or not self.span:
            return None
        here = Span(self.span.source, self.span.start, self.span.start)
        labelled = here.source.text[: here.start].rstrip().endswith(":")
        # A label names its whole stage, so what is put before the operator stays in the stage.
        text = self.insert.replace("-> ", "") if labelled else self.insert
        return Fix(f"insert `{text.strip()}`", (Edit(here, text),))


@dataclass(frozen=True)
class WindowTooLarge(ShapeMistake):
    """A kernel does not fit into its input, padding included: the output would be empty."""

    code, name = "NN202", "window-too-large"
    operator: str
    reach: int
    size: int
    padding: int
    axis: str

    def message(self) -> str:
        padded = f" with padding {self.padding}" if self.padding else ""
        return (
            f"the window of `{self.operator}` spans {self.reach}, "
            f"but its input is {self.size} {self.axis}{padded}"
        )

    def help(self) -> str:
        if self.pictured:
            return f"channels come first: `{self.pictured}`"
        return "use a smaller kernel, or padding (`same`, `p1`), or pool less before it"


@dataclass(frozen=True)
class WrongSizes(ShapeMistake):
    """A kernel, stride, padding or dilation names another number of axes than its input has."""

    code, name = "NN203", "wrong-axes"
    operator: str
    argument: str
    found: str
    axes: int

    def message(self) -> str:
        return (
            f"{self.argument} {self.found} of `{self.operator}` does not fit "
            f"an input with {self.axes} spatial ax{'is' if self.axes == 1 else 'es'}"
        )

    def help(self) -> str:
        if self.pictured:
            return f"channels come first: `{self.pictured}`"
        return "give one number for all axes, or one for each"


@dataclass(frozen=True)
class NotDivisible(ShapeMistake):
    """A number of channels must be a multiple of another number, and is not."""

    code, name = "NN204", "not-divisible"
    operator: str
    what: str
    found: int
    divisor: int
    divisor_name: str

    def message(self) -> str:
        return (
            f"`{self.operator}` splits {self.found} {self.what} into {self.divisor} "
            f"{self.divisor_name}, which leaves {self.found % self.divisor}"
        )

    def help(self) -> str:
        return f"make the number of {self.what} a multiple of {self.divisor}"


@dataclass(frozen=True)
class ShapesDiffer(ShapeMistake):
    """Branches that a merge joins do not agree in shape.

    `add`, `mul` and their like take equal shapes, or a vector of length C against CxHxW; `concat`
    takes shapes that agree on every axis but the joined one.
    """

    code, name = "NN205", "shapes-differ"
    operator: str
    left: str
    right: str
    advice: str = ""

    def message(self) -> str:
        return f"`{self.operator}` cannot join {self.left} and {self.right}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class BadAxis(ShapeMistake):
    """`axis=` names an axis that the value does not have."""

    code, name = "NN206", "bad-axis"
    operator: str
    axis: int
    shape: str

    def message(self) -> str:
        return f"`{self.operator}` works along axis {self.axis}, but {self.shape} has no such axis"

    def help(self) -> str:
        return "axes count from 0, without the batch"


@dataclass(frozen=True)
class WholeNumbers(ShapeMistake):
    """An operator that computes with real numbers is given whole numbers (indices)."""

    code, name = "NN207", "whole-numbers"
    operator: str

    def message(self) -> str:
        return f"`{self.operator}` works on real numbers, but whole numbers (`int`) arrive here"

    def help(self) -> str:
        return "remove `int` behind the input's shape"


@dataclass(frozen=True)
class RealNumbers(ShapeMistake):
    """A table is looked up by whole numbers, and real ones arrive."""

    code, name = "NN214", "real-numbers"
    operator: str
    found: str

    def message(self) -> str:
        return f"`{self.operator}` looks up rows by whole numbers, but real numbers arrive here"

    def help(self) -> str:
        return f"write `int` behind the input's shape: `{self.found} int -> {self.operator}...`"

    def remedy(self) -> Fix | None:
        """Where the shape itself stands before it."""
        sources = [note.span for note in self.arrivals if note.span.text == self.found]
        if len(sources) != 1:
            return None
        behind = Span(sources[0].source, sources[0].end, sources[0].end)
        return Fix("write `int` behind the shape", (Edit(behind, " int"),))


@dataclass(frozen=True)
class PaddingTooLarge(ShapeMistake):
    """A pool is padded by more than half its window, so some windows would see padding alone."""

    code, name = "NN208", "padding-too-large"
    operator: str
    padding: int
    kernel: int

    def message(self) -> str:
        return (
            f"`{self.operator}` pads by {self.padding}, more than half its window of {self.kernel}"
        )

    def help(self) -> str:
        return f"pad by at most {self.kernel // 2}"


@dataclass(frozen=True)
class OutputPaddingTooLarge(ShapeMistake):
    """The output padding of a transposed convolution reaches its stride, so it decides nothing."""

    code, name = "NN209", "output-padding-too-large"
    operator: str
    padding: int
    stride: int

    def message(self) -> str:
        return (
            f"`{self.operator}` has output padding {self.padding}, but its stride is {self.stride}"
        )

    def help(self) -> str:
        return f"choose `outpad` below {self.stride}, or a larger kernel"


@dataclass(frozen=True)
class PaddedAway(ShapeMistake):
    """A transposed convolution's padding cuts off its whole output."""

    code, name = "NN213", "padded-away"
    operator: str
    derivation: str

    def message(self) -> str:
        return f"the padding of `{self.operator}` cuts off its whole output: {self.derivation}"

    def help(self) -> str:
        return "use less padding, or a larger kernel or stride"


@dataclass(frozen=True)
class WrongTotal(ShapeMistake):
    """`reshape` names a shape that holds more or fewer numbers than arrive."""

    code, name = "NN210", "wrong-total"
    arriving: str
    count: int
    wanted: str

    def message(self) -> str:
        found = prod(int(size) for size in self.wanted.split("x"))
        return (
            f"`reshape` to {self.wanted} takes {found:,} number{'' if found == 1 else 's'}, "
            f"but {self.arriving} holds {self.count:,}"
        )

    def help(self) -> str:
        return "the sizes must multiply to the same number"


@dataclass(frozen=True)
class WrongOrder(ShapeMistake):
    """`permute` does not name every axis of its input once."""

    code, name = "NN211", "wrong-order"
    axes: str
    arriving: str
    rank: int

    def message(self) -> str:
        return f"`permute ({self.axes})` does not order the axes of {self.arriving}"

    def help(self) -> str:
        every = ", ".join(map(str, reversed(range(self.rank))))
        return f"name each axis once, counted from 0 without the batch, as in `permute ({every})`"


@dataclass(frozen=True)
class CannotCut(ShapeMistake):
    """A part is asked for that its input does not have."""

    code, name = "NN212", "cannot-cut"
    operator: str
    asked: str
    arriving: str
    advice: str

    def message(self) -> str:
        return f"`{self.operator}` {self.asked}, but {self.arriving} arrives here"

    def label(self) -> str:
        return f"{self.arriving} arrives here"

    def help(self) -> str:
        return self.advice


# ------------------------------------------------------------------------------------ remarks


@dataclass(frozen=True)
class Unseen(Mistake):
    """The stride does not divide the room a window has, so the far rows or columns are never seen.

    No neuron looks there and no gradient comes back. Of 14 rows a window of 3 that steps by 2 begins at
    rows 0, 2, ... 10 and reaches row 12: row 13 is left out, in training and ever after.

        3x14x14 -> conv4 3 s2 relu -> flatten fc2       # the last row and column are never seen
        3x14x14 -> conv4 3 s2 p1 relu -> flatten fc2    # padding takes the windows to the end

    It is a warning; `# nnspec: ignore[NN412] reason` silences it.

    Source: CS231n, convolutional networks, "Constraints on strides": the output size must be a whole
    number for the neurons to fit the input neatly.
    """

    code, name, severity = "NN412", "columns-never-seen", Severity.WARNING
    operator: str
    count: int
    axis: str
    size: int
    derivation: str

    def message(self) -> str:
        last = "last" if self.count == 1 else f"last {self.count}"
        things = self.axis if self.count == 1 else f"{self.axis.replace(' and', 's and')}s"
        return f"`{self.operator}` never sees the {last} {things} of {self.size}: {self.derivation}"

    def help(self) -> str:
        return "pad the input, or change kernel or stride, if that is not meant"
