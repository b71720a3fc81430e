"""What can be wrong with weights files and checkpoints: NN53x and NN54x."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from ..grammar.diagnostics import Mistake

Kind: TypeAlias = Literal["weights", "checkpoint", "run", "pictures"]

AGAIN: Mapping[Kind, str] = MappingProxyType(
    {
        "weights": "take a copy that is whole, or train and save again",
        "checkpoint": "take an earlier checkpoint of the run",
        "run": "begin the run anew in another folder",
        "pictures": "draw them again",
    }
)
"""What to do about a file that is not as it was written."""

LISTED = 5
"""Of many things wrong of one kind, how many are named."""


def quoted(name: str) -> str:
    """A name from a file that may hold anything: cut, on one line, in backticks."""
    return in_line(name if len(name) <= 60 else name[:60] + "...")


def in_line(text: str) -> str:
    """Text in backticks, with escapes for what cannot be printed."""
    return f"`{printable(text)}`"


def printable(text: str) -> str:
    """Text with escapes for what cannot be printed."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)


def listed(parts: tuple[str, ...]) -> str:
    """The first few, and how many more there are."""
    more = len(parts) - LISTED
    return ", ".join(parts[:LISTED]) + (f" and {more:,} more" if more > 0 else "")


def octets(count: int) -> str:
    return f"{count:,} byte" if count == 1 else f"{count:,} bytes"


@dataclass(frozen=True)
class Origin:
    """Which file is spoken of, and what it is read as."""

    kind: Kind
    path: str

    def __str__(self) -> str:
        return f"the {self.kind} file {in_line(self.path)}"


@dataclass(frozen=True)
class OfFile(Mistake):
    """A mistake in a file of arrays."""

    usage = True
    file: Origin

    def help(self) -> str:
        return AGAIN[self.file.kind]


# ------------------------------------------------------------------------------ as files go


@dataclass(frozen=True)
class FileUnreadable(OfFile):
    """A weights file or a checkpoint is not there, or the system refuses to read it."""

    code, name = "NN530", "file-unreadable"
    problem: str

    def message(self) -> str:
        return f"cannot read {self.file}: {self.problem}"

    def help(self) -> str:
        if self.file.kind == "weights":
            return "a weights file is what `nnspec train --save FILE` or `net.save(FILE)` wrote"
        return ""


@dataclass(frozen=True)
class WeightsWithoutSpec(OfFile):
    """A file holds arrays, but no net: another program wrote it, as PyTorch users do with the
    safetensors library.

    nnspec's own files carry their spec and a checksum of every array. Arrays from elsewhere come in
    through Python: compile the net, write each array into `net.weights[name]`, and `net.save(FILE)`.
    """

    code, name = "NN531", "weights-without-spec"
    found: tuple[str, ...]

    def message(self) -> str:
        held = f"arrays ({listed(self.found)}), but" if self.found else "no array and"
        return f"{self.file} holds {held} no net: nnspec did not write it"

    def help(self) -> str:
        return (
            "net = nnspec.compile(SPEC), then net.weights[NAME][...] = ARRAY for each, "
            "then net.save(FILE)"
        )


@dataclass(frozen=True)
class WeightsDisagree(OfFile):
    """The arrays in a weights file are not those of the net that its spec describes."""

    code, name = "NN532", "weights-disagree"
    problems: tuple[str, ...]

    def message(self) -> str:
        return f"{self.file} does not fit its net: {listed(self.problems)}"

    def help(self) -> str:
        return "the file was changed after it was saved; train and save again"


@dataclass(frozen=True)
class FileUnwritable(OfFile):
    """A weights file or a checkpoint cannot be written; what stood in its place still does."""

    code, name = "NN533", "file-unwritable"
    problem: str
    advice: str = ""

    def message(self) -> str:
        return f"cannot write {self.file}: {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class FolderInUse(Mistake):
    """Another process writes into this folder, and two would spoil each other's files."""

    code, name, usage = "NN548", "folder-in-use", True
    path: str
    holder: str

    def message(self) -> str:
        by = f" by {self.holder}" if self.holder else ""
        return f"the folder {in_line(self.path)} is in use{by}"

    def help(self) -> str:
        return "wait until the other run ends, or choose another folder"


# ------------------------------------------------------------------------------- its header


@dataclass(frozen=True)
class OtherFormat(OfFile):
    """A file is of another format than weights are kept in: an archive, a pickle, text."""

    code, name = "NN534", "other-format"
    found: str

    def message(self) -> str:
        return f"{self.file} is {self.found}, not safetensors"

    def help(self) -> str:
        return "give a .safetensors file that nnspec wrote; nothing is ever unpickled or unpacked"


@dataclass(frozen=True)
class CutShort(OfFile):
    """A file ends before what its beginning announces."""

    code, name = "NN535", "cut-short"
    expected: int
    found: int

    def message(self) -> str:
        return (
            f"{self.file} is cut short: it should hold at least {octets(self.expected)}, "
            f"but holds {self.found:,}"
        )


@dataclass(frozen=True)
class ArraysCutShort(OfFile):
    """A file ends before the last of the arrays that its header announces."""

    code, name = "NN549", "arrays-cut-short"
    array: str
    expected: int
    found: int

    def message(self) -> str:
        return (
            f"{self.file} is cut short: its arrays take {octets(self.expected)} "
            f"(the last is {quoted(self.array)}), but {self.found:,} follow the header"
        )


@dataclass(frozen=True)
class HeaderDamaged(OfFile):
    """The header, which tells where each array lies, cannot be read."""

    code, name = "NN536", "header-damaged"
    problem: str

    def message(self) -> str:
        return f"the header of {self.file} cannot be read: {self.problem}"


@dataclass(frozen=True)
class HeaderBeyondLimit(OfFile):
    """A header is longer, deeper or fuller than any that is read; nothing was allocated for it."""

    code, name = "NN537", "header-beyond-limit"
    what: str
    found: int
    limit: int

    def message(self) -> str:
        return f"in {self.file} {self.what} is {self.found:,}; at most {self.limit:,} is read"

    def help(self) -> str:
        return "no net needs so much: the file is damaged, or made to do harm"


@dataclass(frozen=True)
class NamedTwice(OfFile):
    """A name stands twice in the header, so that programs would read different arrays from one file."""

    code, name = "NN538", "named-twice"
    found: str

    def message(self) -> str:
        return f"the header of {self.file} has {quoted(self.found)} twice"


@dataclass(frozen=True)
class EntryUnfit(OfFile):
    """An array's entry in the header is not exactly a dtype, a shape and two offsets."""

    code, name = "NN539", "entry-unfit"
    array: str
    problem: str

    def message(self) -> str:
        return f"in {self.file} the array {quoted(self.array)} {self.problem}"


@dataclass(frozen=True)
class UnknownDtype(OfFile):
    """An array is of a number format that is not read."""

    code, name = "NN540", "unknown-dtype"
    array: str
    found: str
    known: tuple[str, ...]

    def message(self) -> str:
        return f"in {self.file} the array {quoted(self.array)} is of dtype {quoted(self.found)}"

    def help(self) -> str:
        return f"these are read: {', '.join(self.known)}; convert others to F32 first"


@dataclass(frozen=True)
class BadDimension(OfFile):
    """A dimension of an array is no whole number from 0."""

    code, name = "NN541", "bad-dimension"
    array: str
    found: str

    def message(self) -> str:
        return (
            f"in {self.file} the array {quoted(self.array)} has a dimension {quoted(self.found)}, "
            "not a whole number from 0"
        )


@dataclass(frozen=True)
class SizeDisagrees(OfFile):
    """An array's shape needs another number of bytes than the file has for it."""

    code, name = "NN542", "size-disagrees"
    array: str
    shape: tuple[int, ...]
    dtype: str
    wanted: int
    found: int

    def message(self) -> str:
        return (
            f"in {self.file} the array {quoted(self.array)}, {self.dtype} {list(self.shape)}, "
            f"takes {octets(self.wanted)}, but has {self.found:,}"
        )


@dataclass(frozen=True)
class Backwards(OfFile):
    """An array ends before it begins."""

    code, name = "NN543", "ends-before-it-begins"
    array: str
    begin: int
    end: int

    def message(self) -> str:
        return (
            f"in {self.file} the array {quoted(self.array)} runs from byte {self.begin:,} "
            f"back to {self.end:,}"
        )


@dataclass(frozen=True)
class Overlap(OfFile):
    """Two arrays share bytes of the file."""

    code, name = "NN544", "arrays-overlap"
    one: str
    other: str
    shared: int

    def message(self) -> str:
        return (
            f"in {self.file} the arrays {quoted(self.one)} and {quoted(self.other)} "
            f"share {octets(self.shared)}"
        )


@dataclass(frozen=True)
class Hole(OfFile):
    """Bytes of the file belong to no array; something could hide in them."""

    code, name = "NN545", "bytes-of-no-array"
    begin: int
    end: int
    last: bool

    def message(self) -> str:
        where = "after the last array" if self.last else f"from byte {self.begin:,} of the data"
        count = self.end - self.begin
        verb = "belongs" if count == 1 else "belong"
        return f"in {self.file} {octets(count)} {where} {verb} to no array"


@dataclass(frozen=True)
class MetadataUnfit(OfFile):
    """What a file tells of itself is not text under names."""

    code, name = "NN546", "metadata-unfit"
    problem: str

    def message(self) -> str:
        return f"in {self.file} `__metadata__` {self.problem}, not texts by their names"


@dataclass(frozen=True)
class ChecksumDisagrees(OfFile):
    """What is read is not what was written: a disk, a copy or a hand changed it."""

    code, name = "NN547", "checksum-disagrees"
    damaged: tuple[str, ...]

    def message(self) -> str:
        if not self.damaged:
            return f"the header of {self.file} is damaged: its checksum disagrees"
        what = "arrays that are" if len(self.damaged) > 1 else "an array that is"
        return f"{self.file} has {what} damaged: {listed(tuple(map(quoted, self.damaged)))}"
