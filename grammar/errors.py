"""What can be wrong with a text before anyone asks what it means (NN0xx), and limits (NN9xx)."""

from __future__ import annotations

from dataclasses import dataclass

from .diagnostics import Fix, Mistake, Note, writes
from .source import Span


@dataclass(frozen=True)
class Unexpected(Mistake):
    """The text breaks off, or goes on, in a way that the language has no reading for.

    A chain is stages joined by `->`; a stage is operators with their arguments; branches stand in
    brackets, parted by `|`.
    """

    code, name = "NN001", "unexpected-text"
    wanted: str
    after: str
    advice: str = ""

    def message(self) -> str:
        return f"expected {self.wanted} after `{self.after}`"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class OutOfPlace(Mistake):
    """A sign or a word stands where it has no meaning."""

    code, name = "NN002", "out-of-place"
    found: str
    after: str = ""
    advice: str = ""

    def message(self) -> str:
        if not self.after:
            return f"a statement cannot begin with `{self.found}`"
        return f"`{self.found}` has no meaning after `{self.after}`"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class UnclosedBracket(Mistake):
    """A bracket is opened and never closed."""

    code, name = "NN003", "unclosed-bracket"
    opener: str
    closer: str

    def message(self) -> str:
        return f"`{self.opener}` is never closed"

    def help(self) -> str:
        return f"add the `{self.closer}` that belongs to it"


@dataclass(frozen=True)
class StrayCloser(Mistake):
    """A closing bracket closes nothing, or closes a bracket of another kind."""

    code, name = "NN004", "stray-bracket"
    closer: str
    opener: Span | None = None

    def message(self) -> str:
        if self.opener is None:
            return f"`{self.closer}` closes nothing"
        return f"`{self.closer}` does not close `{self.opener.text}`"

    def help(self) -> str:
        return "remove it, or open the bracket before it" if self.opener is None else ""

    def notes(self) -> tuple[Note, ...]:
        return (Note(self.opener, "opened here"),) if self.opener else ()


@dataclass(frozen=True)
class BadCharacter(Mistake):
    """Characters that the language does not use."""

    code, name = "NN005", "bad-character"
    found: str
    replacement: str = ""

    def message(self) -> str:
        shown = "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in self.found)
        return f"`{shown}` is not part of the language"

    def help(self) -> str:
        if self.replacement == '"' and self.barred:
            return "leave it out: operators and their arguments stand without quotes"
        return f"write `{self.replacement}`" if self.replacement else ""

    def remedy(self) -> Fix | None:
        if not self.replacement or not self.span:
            return None
        return writes(self.span, self.replacement)


@dataclass(frozen=True)
class BadNumber(Mistake):
    """Something begins like a number, but is neither a number nor a shape.

    Numbers: `4`, `1_000`, `0.5`, `1e-3`, with a suffix K, M, G, T (thousands) or KiB, MiB, GiB.
    Shapes: `3x32x32`.
    """

    code, name = "NN006", "bad-number"
    found: str

    def message(self) -> str:
        return f"`{self.found}` is neither a number nor a shape"

    def help(self) -> str:
        return "numbers are written `4`, `0.5`, `1e-3` or `4.2G`, shapes `3x32x32`"


@dataclass(frozen=True)
class UnfinishedText(Mistake):
    """A text in quotes does not end on its line."""

    code, name = "NN007", "unfinished-text"

    def message(self) -> str:
        return "this text in quotes has no end"

    def help(self) -> str:
        return 'close it with `"` on the same line'


@dataclass(frozen=True)
class ReservedWord(Mistake):
    """A word of the language stands where a name is wanted.

    `let block shared use for if else in` name nothing: the text could not be told apart.
    """

    code, name = "NN008", "reserved-word"
    word: str

    def message(self) -> str:
        return f"`{self.word}` is a word of the language and names nothing"

    def help(self) -> str:
        return "choose another name"


@dataclass(frozen=True)
class WrongArrow(Mistake):
    """An arrow of another kind stands where `->` joins two stages."""

    code, name = "NN009", "wrong-arrow"
    found: str

    def message(self) -> str:
        return f"`{self.found}` is no arrow here"

    def help(self) -> str:
        return "write `->`"

    def remedy(self) -> Fix | None:
        return writes(self.span, "->") if self.span else None


@dataclass(frozen=True)
class EmptyText(Mistake):
    """The text holds nothing but space and comments."""

    code, name = "NN010", "empty-text"

    def message(self) -> str:
        return "there is nothing here"

    def help(self) -> str:
        return "a net is a chain: `3 -> fc4 relu -> fc1`"


@dataclass(frozen=True)
class Unreadable(Mistake):
    """A spec cannot be read, or a folder not be searched: it is not there, permission is denied, it is
    no text in UTF-8."""

    code, name, usage = "NN011", "unreadable", True
    path: str
    problem: str
    advice: str = ""

    @property
    def filename(self) -> str:
        return self.path

    def message(self) -> str:
        return f"cannot read `{self.path}`: {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class Unwritable(Mistake):
    """A spec cannot be laid out where it stands: the file may not be written. It is as it was."""

    code, name, usage = "NN012", "unwritable", True
    path: str
    problem: str

    @property
    def filename(self) -> str:
        return self.path

    def message(self) -> str:
        return f"cannot write `{self.path}`: {self.problem}"


# ------------------------------------------------------------------------------------ limits


@dataclass(frozen=True)
class Limit(Mistake):
    """Something is larger than the tool agrees to handle unless told to."""

    found: int
    limit: int

    def help(self) -> str:
        return f"raise it with `--limit {self.option()}=N` if this is meant"

    @classmethod
    def option(cls) -> str:
        """The limit's name in `grammar.limits.Limits`."""
        return cls.name.rpartition("-")[2]


@dataclass(frozen=True)
class FileTooLarge(Limit):
    """A spec has more bytes than the limit."""

    code, name = "NN901", "limit-bytes"

    def message(self) -> str:
        return f"this text has {self.found:,} bytes, more than {self.limit:,}"


@dataclass(frozen=True)
class TooManyStatements(Limit):
    """A spec has more statements than the limit."""

    code, name = "NN902", "limit-statements"

    def message(self) -> str:
        return f"this text has {self.found:,} statements, more than {self.limit:,}"


@dataclass(frozen=True)
class NestedTooDeep(Limit):
    """Brackets stand inside brackets more often than the limit."""

    code, name = "NN903", "limit-nesting"

    def message(self) -> str:
        return f"brackets are nested more than {self.limit} deep"


@dataclass(frozen=True)
class WordTooLong(Limit):
    """A word has more characters than the limit."""

    code, name = "NN904", "limit-identifier"

    def message(self) -> str:
        return f"this word has {self.found:,} characters, more than {self.limit}"


@dataclass(frozen=True)
class TextTooLong(Limit):
    """A text in quotes has more characters than the limit."""

    code, name = "NN905", "limit-string"

    def message(self) -> str:
        return f"this text in quotes has {self.found:,} characters, more than {self.limit:,}"


@dataclass(frozen=True)
class NumberTooLong(Limit):
    """A number is written with more digits than the limit, or is too large to be one."""

    code, name = "NN906", "limit-digits"

    def message(self) -> str:
        return f"this number has {self.found:,} digits, more than {self.limit}"


@dataclass(frozen=True)
class TooManyNodes(Limit):
    """A net has more operators, repeats expanded, than the limit."""

    code, name = "NN907", "limit-nodes"

    def message(self) -> str:
        return f"this net would have {self.found:,} operators, more than {self.limit:,}"


@dataclass(frozen=True)
class RepeatedTooOften(Limit):
    """A group is repeated more often than the limit."""

    code, name = "NN908", "limit-repeat"

    def message(self) -> str:
        return f"this group is repeated {self.found:,} times, more than {self.limit:,}"


@dataclass(frozen=True)
class TooManyAxes(Limit):
    """A value has more axes than the limit."""

    code, name = "NN909", "limit-rank"

    def message(self) -> str:
        return f"this value has {self.found} axes, more than {self.limit}"


@dataclass(frozen=True)
class AxisTooLong(Limit):
    """One axis of a value is longer than the limit."""

    code, name = "NN910", "limit-dimension"

    def message(self) -> str:
        return f"an axis of this value has {self.found:,} places, more than {self.limit:,}"


@dataclass(frozen=True)
class TooManyElements(Limit):
    """A value holds more numbers than the limit."""

    code, name = "NN911", "limit-elements"

    def message(self) -> str:
        return f"this value has {self.found:,} numbers, more than {self.limit:,}"


@dataclass(frozen=True)
class LiteralTooLong(Limit):
    """A number with a point or an exponent is written with more characters than the limit."""

    code, name = "NN912", "limit-literal"

    def message(self) -> str:
        return f"this number has {self.found:,} characters, more than {self.limit:,}"


@dataclass(frozen=True)
class BlocksTooDeep(Limit):
    """Blocks use blocks, more levels of them than the limit."""

    code, name = "NN913", "limit-blocks"

    def message(self) -> str:
        return f"blocks stand in blocks {self.found} deep, deeper than {self.limit}"


@dataclass(frozen=True)
class TooManyFiles(Limit):
    """A spec uses more files than the limit."""

    code, name = "NN914", "limit-files"

    def message(self) -> str:
        return f"this spec uses {self.found} files, more than {self.limit}"


@dataclass(frozen=True)
class TooManySteps(Limit):
    """Loops and repeats would run more stages than the limit, whatever operators come of them."""

    code, name = "NN915", "limit-steps"

    def message(self) -> str:
        return f"loops and repeats run more than {self.limit:,} stages"
