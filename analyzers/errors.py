"""What the analysers say when they cannot answer."""

from __future__ import annotations

from dataclasses import dataclass

from ..grammar.diagnostics import Mistake, Severity


@dataclass(frozen=True)
class NoPage(Mistake):
    """`nnspec docs` is asked for a word that no page tells of."""

    code, name, usage = "NN132", "no-page", True
    word: str
    nearest: str | None = None

    def message(self) -> str:
        return f"there is no page for `{self.word}`"

    def help(self) -> str:
        if self.nearest:
            return f"did you mean `{self.nearest}`?"
        return "`nnspec docs` lists the pages"


@dataclass(frozen=True)
class NoSuchRule(Mistake):
    """`--select` or `--ignore`, or the same in pyproject.toml, names no code of a warning.

    A code may be cut short: `NN4` is all of them. Errors cannot be ignored.
    """

    code, name, usage = "NN133", "no-such-rule", True
    word: str
    nearest: str | None = None

    def message(self) -> str:
        return f"no warning has a code that begins with `{self.word}`"

    def help(self) -> str:
        if self.nearest:
            return f"did you mean `{self.nearest}`?"
        return "`nnspec rule` lists them; `NN4` is all of them"


@dataclass(frozen=True)
class BadConfig(Mistake):
    """A table `[tool.nnspec]` holds what nnspec does not know."""

    code, name, usage = "NN134", "bad-config", True
    path: str
    problem: str
    advice: str = ""

    def message(self) -> str:
        return f"`{self.path}`: {self.problem}"

    def help(self) -> str:
        return self.advice


@dataclass(frozen=True)
class MissingExtra(Mistake):
    """A command needs a library that does not come with nnspec, because few need it.

    `pip install "nnspec[plot]"` installs nnspec with the libraries of its extra `plot`.
    """

    code, name = "NN135", "missing-extra"
    command: str
    library: str
    extra: str

    def message(self) -> str:
        return f"`nnspec {self.command}` needs {self.library}, which is not installed"

    def help(self) -> str:
        return f'pip install "nnspec[{self.extra}]"'


@dataclass(frozen=True)
class UnreadableRun(Mistake):
    """What a folder keeps of a training cannot be read."""

    code, name, usage = "NN136", "unreadable-run", True
    path: str
    problem: str

    def message(self) -> str:
        return f"the training in `{self.path}` cannot be read: {self.problem}"

    def help(self) -> str:
        return "`nnspec train ... --run FOLDER` keeps a training in a folder"


@dataclass(frozen=True)
class UnusedIgnore(Mistake):
    """A comment `# nnspec: ignore[...]` silences a warning that is not there.

    It stands on the line of what it silences, or alone on the line above.
    """

    code, name, severity = "NN400", "unused-ignore", Severity.WARNING
    silenced: str

    def message(self) -> str:
        return f"nothing here raises {self.silenced}"

    def help(self) -> str:
        return "remove the comment, or the code from it"
