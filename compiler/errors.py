"""What can be wrong with a net that reads well: names and arguments (NN1xx), promises (NN3xx).

Mistakes of shapes and of weights stand in shape_errors.py and weight_errors.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..grammar.diagnostics import Fix, Mistake, Note, writes
from ..grammar.source import Span


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _did_you_mean(nearest: str | None) -> str:
    return f"did you mean `{nearest}`?" if nearest else ""


# ------------------------------------------------------------------------ names and arguments


@dataclass(frozen=True)
class UnknownOperator(Mistake):
    """A word in a stage is no operator, no option of the operator before it, and nothing of yours.

    Operators are looked up whole first (`relu6`); only then is a trailing number split off as the
    first argument (`fc4`). Names from other tools have one spelling here; the help gives it.
    """

    code, name = "NN101", "unknown-operator"
    word: str
    nearest: str | None = None
    foreign: str | None = None
    replacement: str | None = None
    """What stands for the word; what stands in parentheses behind it stays."""
    whole: str | None = None
    """What stands for the word with its parentheses."""
    owners: tuple[str, ...] = ()
    advice: str = ""

    def message(self) -> str:
        return f"no operator is called `{self.word}`"

    def help(self) -> str:
        if self.advice:
            return self.advice
        if self.owners:
            return f"it is an option, and follows {_quoted(self.owners)}"
        if self.foreign:
            return f"here it is written `{self.foreign}`"
        return _did_you_mean(self.nearest)

    def remedy(self) -> Fix | None:
        if self.span and self.whole:
            return writes(self.span, self.whole)
        if not self.span or not self.replacement:
            return None
        written = Span(self.span.source, self.span.start, self.span.start + len(self.word))
        return writes(written, self.replacement)


@dataclass(frozen=True)
class UnknownOption(Mistake):
    """An option is given to an operator that has none of that name."""

    code, name = "NN102", "unknown-option"
    operator: str
    option: str
    known: tuple[str, ...] = ()
    nearest: str | None = None
    advice: str = ""

    def message(self) -> str:
        return f"`{self.operator}` has no option `{self.option}`"

    def help(self) -> str:
        if self.advice:
            return self.advice
        if self.nearest:
            return _did_you_mean(self.nearest)
        return f"it takes {_quoted(self.known)}" if self.known else "it takes no options"


@dataclass(frozen=True)
class OptionApart(Mistake):
    """An option is not joined to its value.

    `=` joins them: `padding=1`. Options that have a letter are shorter by it: `p1`. What is only
    switched on stands alone: `same`.
    """

    code, name = "NN128", "option-apart"
    operator: str
    option: str
    whole: str = ""
    """Both as they are written; empty where there is no value."""
    short: str = ""

    def message(self) -> str:
        if not self.whole:
            return f"the option `{self.option}` of `{self.operator}` has no value"
        return f"the option `{self.option}` of `{self.operator}` is not joined to its value"

    def help(self) -> str:
        if not self.whole:
            return f"write its value behind it: `{self.option}=...`"
        return f"write `{self.whole}`" + (f", or `{self.short}`" if self.short else "")

    def remedy(self) -> Fix | None:
        if not self.span or not self.whole:
            return None
        return writes(self.span, self.whole)


@dataclass(frozen=True)
class ExtraArgument(Mistake):
    """A number or shape follows an operator that has all its arguments already."""

    code, name = "NN103", "extra-argument"
    operator: str
    found: str
    signature: str

    def message(self) -> str:
        return f"`{self.operator}` has no place for `{self.found}`"

    def help(self) -> str:
        return f"it is written `{self.signature}`"


@dataclass(frozen=True)
class MissingArgument(Mistake):
    """An operator lacks an argument that it cannot do without."""

    code, name = "NN104", "missing-argument"
    operator: str
    missing: str
    signature: str

    def message(self) -> str:
        return f"`{self.operator}` needs {self.missing}"

    def help(self) -> str:
        return f"it is written `{self.signature}`"


@dataclass(frozen=True)
class BadArgument(Mistake):
    """An argument has a value that its operator cannot take."""

    code, name = "NN105", "bad-argument"
    operator: str
    argument: str
    found: str
    wanted: str
    advice: str = ""

    def message(self) -> str:
        return f"{self.argument} of `{self.operator}` is {self.found}, but must be {self.wanted}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class RepeatedArgument(Mistake):
    """An argument or option is given twice."""

    code, name = "NN106", "repeated-argument"
    operator: str
    argument: str

    def message(self) -> str:
        return f"{self.argument} of `{self.operator}` is given twice"

    def help(self) -> str:
        return "keep one of the two"


@dataclass(frozen=True)
class NumberWithoutOperator(Mistake):
    """A number, shape or option stands where no operator is before it to take it."""

    code, name = "NN107", "argument-without-operator"
    found: str
    example: str = "fc 4"

    def message(self) -> str:
        return f"`{self.found}` belongs to no operator"

    def help(self) -> str:
        return f"write an operator before it, as in `{self.example}`"


@dataclass(frozen=True)
class UnknownReference(Mistake):
    """`@name` names no stage or chain that stands above it.

    A reference reads a value made earlier in the text: the graph has no cycles.
    """

    code, name = "NN108", "unknown-reference"
    word: str
    nearest: str | None = None
    made: Span | None = None
    """Where the name is given: below, or in a repeat or loop that is over."""

    @property
    def before(self) -> bool:
        return bool(self.made and self.span and self.made.start < self.span.start)

    def message(self) -> str:
        if self.before:
            return f"`@{self.word}` is seen only inside the repeat or loop that names it"
        if self.made:
            return f"`@{self.word}` is used before it is made"
        return f"nothing above is named `{self.word}`"

    def help(self) -> str:
        if self.before:
            return "each turn has a value of its own: name the stage outside, or use it inside"
        if self.made:
            return "a net has no cycles: move the stage that makes it up"
        return _did_you_mean(self.nearest and f"@{self.nearest}") or (
            f"name a stage first: `{self.word}: fc4`"
        )

    def remedy(self) -> Fix | None:
        if not self.span or not self.nearest or self.made:
            return None
        written = Span(self.span.source, self.span.start, self.span.start + len(self.word) + 1)
        if written.text != f"@{self.word}":
            return None
        return writes(written, f"@{self.nearest}")

    def notes(self) -> tuple[Note, ...]:
        return (Note(self.made, "made here"),) if self.made else ()


@dataclass(frozen=True)
class NameTaken(Mistake):
    """Two things have one name, or a name is an operator's; names are unique where they stand."""

    code, name = "NN109", "name-taken"
    word: str
    first: Span | None = None
    reason: str = ""

    def message(self) -> str:
        return f"the name `{self.word}` is taken" + (f": {self.reason}" if self.reason else "")

    def help(self) -> str:
        return "names are unique where they stand: choose another"

    def notes(self) -> tuple[Note, ...]:
        return (Note(self.first, "first used here"),) if self.first else ()


@dataclass(frozen=True)
class NoSource(Mistake):
    """A chain begins without a value: no shape, no reference, nothing flows in."""

    code, name = "NN110", "no-source"
    word: str

    def message(self) -> str:
        return f"nothing flows into `{self.word}`"

    def help(self) -> str:
        return "begin the chain with the input's shape, as in `3 -> fc4`, or with `@name`"


@dataclass(frozen=True)
class SourceInside(Mistake):
    """A reference stands in the middle of a chain, where it would drop what flows in."""

    code, name = "NN111", "source-inside"
    found: str

    def message(self) -> str:
        return f"`{self.found}` can only begin a chain or a branch"

    def help(self) -> str:
        return f"join it with what flows in: `add[ id | {self.found} ]`"


@dataclass(frozen=True)
class MissingBranches(Mistake):
    """A merge stands without its branches in brackets."""

    code, name = "NN112", "missing-branches"
    operator: str

    def message(self) -> str:
        return f"`{self.operator}` needs branches to join"

    def help(self) -> str:
        return f"write them in brackets: `{self.operator}[ id | fc4 ]`"


@dataclass(frozen=True)
class StrayBranches(Mistake):
    """Brackets with `|` follow nothing that joins branches."""

    code, name = "NN113", "stray-branches"

    def message(self) -> str:
        return "branches stand here, but nothing joins them"

    def help(self) -> str:
        return "write a merge before the bracket: `add[ ... | ... ]` or `concat[ ... | ... ]`"


@dataclass(frozen=True)
class Unused(Mistake):
    """A value is computed, but neither the output nor anything else reads it."""

    code, name = "NN114", "unused-value"
    word: str

    def message(self) -> str:
        return f"nothing uses `{self.word}`"

    def help(self) -> str:
        return f"read it with `@{self.word}`, mark it `output {self.word}: ...`, or remove it"


@dataclass(frozen=True)
class NothingToExpect(Mistake):
    """`expect` asks for something that is not known of a net."""

    code, name = "NN115", "unknown-fact"
    word: str
    nearest: str | None
    facts: tuple[str, ...]

    def message(self) -> str:
        return f"no fact is called `{self.word}`"

    def help(self) -> str:
        return _did_you_mean(self.nearest) or f"known are {_quoted(self.facts)}"


@dataclass(frozen=True)
class BadExpression(Mistake):
    """An expression has no value: a division by zero, an unknown name, a word where a number must
    stand, a number too large to be of use."""

    code, name = "NN116", "bad-expression"
    problem: str
    advice: str = ""

    def message(self) -> str:
        return self.problem

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class BadSetting(Mistake):
    """A setting in `train(...)`, or its override, is unknown or has a value it cannot take."""

    code, name = "NN117", "bad-setting"
    setting: str
    problem: str
    advice: str = ""
    unsuited: bool = False
    """Whether another net could have it so: then the spec may be at fault."""

    @property
    def exit_code(self) -> int:
        return super().exit_code if self.span or self.unsuited else 2

    def message(self) -> str:
        return f"`{self.setting}` {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class BadEnvironment(Mistake):
    """A variable of the environment has a value it cannot take."""

    code, name, usage = "NN127", "bad-environment", True
    variable: str
    found: str
    advice: str

    def message(self) -> str:
        return f"`{self.variable}` cannot be `{self.found}`"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class NotOnce(Mistake):
    """A statement that a file may hold once stands twice."""

    code, name = "NN118", "stands-twice"
    word: str
    first: Span | None

    def message(self) -> str:
        return f"a file has one `{self.word}`, this is the second"

    def help(self) -> str:
        return "merge the two"

    def notes(self) -> tuple[Note, ...]:
        return (Note(self.first, "the first"),) if self.first else ()


@dataclass(frozen=True)
class NoNet(Mistake):
    """The text holds statements, but no chain: there is no net."""

    code, name = "NN119", "no-net"

    def message(self) -> str:
        return "there is no net here"

    def help(self) -> str:
        return "write one as a chain: `3 -> fc4 relu -> fc1`"


@dataclass(frozen=True)
class UnknownLayer(Mistake):
    """A command asks for a layer that the net does not have."""

    code, name, usage = "NN120", "unknown-layer", True
    word: str
    nearest: str | None
    layers: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return super().exit_code if self.word else 1

    def message(self) -> str:
        return f"the net has no layer `{self.word}`" if self.layers else "the net has no layers"

    def help(self) -> str:
        if not self.layers:
            return "its output is its input: add an operator, as in `-> fc4`"
        shown = ", ".join(self.layers[:12]) + (", ..." if len(self.layers) > 12 else "")
        return _did_you_mean(self.nearest) or f"its layers are {shown}"


# -------------------------------------------------------------------------- blocks and files


@dataclass(frozen=True)
class UnknownLet(Mistake):
    """A constant given from outside is no top-level `let` of the spec."""

    code, name, usage = "NN121", "unknown-let", True
    word: str
    nearest: str | None = None
    known: tuple[str, ...] = ()
    setting: str = ""
    """Where it belongs in `train(...)`; empty where nothing has it."""

    def message(self) -> str:
        return f"no `let` of this spec is called `{self.word}`"

    def help(self) -> str:
        known = f"there are {_quoted(self.known)}" if self.known else "this spec has no `let`"
        setting = self.setting and f"write `{self.setting}`, a setting of train(...)"
        return _did_you_mean(self.nearest) or setting or known


@dataclass(frozen=True)
class BlockInItself(Mistake):
    """A block uses itself, directly or through others: it would never end."""

    code, name = "NN122", "block-in-itself"
    word: str

    def message(self) -> str:
        return f"the block `{self.word}` uses itself"

    def help(self) -> str:
        return "repeat a group instead: `[ ... ]*n`"


@dataclass(frozen=True)
class CannotUse(Mistake):
    """`use` names a file that may not be read, or that is not there.

    Paths are relative to the file they stand in and stay below the project: the nearest folder
    above with a `pyproject.toml`, `.git` or `.hg`, else the file's own folder.
    """

    code, name = "NN130", "cannot-use"
    path: str
    problem: str
    advice: str = ""

    def message(self) -> str:
        return f"cannot use `{self.path}`: {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class NotInFile(Mistake):
    """`use` asks for a name that the file does not declare."""

    code, name = "NN131", "not-in-file"
    word: str
    path: str
    nearest: str | None = None
    known: tuple[str, ...] = ()

    def message(self) -> str:
        return f"`{self.path}` declares no `{self.word}`"

    def help(self) -> str:
        known = f"it declares {_quoted(self.known)}" if self.known else "it declares nothing"
        return _did_you_mean(self.nearest) or known


# ---------------------------------------------------------------------------------- promises


@dataclass(frozen=True)
class BrokenPromise(Mistake):
    """An `expect` does not hold: the analysers count something else than the author promised."""

    code, name = "NN301", "broken-promise"
    promise: str
    counted: str

    def message(self) -> str:
        return f"expected {self.promise}, but {self.counted}"

    def help(self) -> str:
        return "mend the net, or the promise"
