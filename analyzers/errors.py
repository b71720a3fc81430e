"""What the analysers say when they cannot answer."""

from __future__ import annotations

from dataclasses import dataclass

from ..grammar.diagnostics import Mistake


@dataclass(frozen=True)
class NoPage(Mistake):
    """`nnspec docs` is asked for a word that no page tells of."""

    code, name = "NN132", "no-page"
    word: str
    nearest: str | None = None

    def message(self) -> str:
        return f"there is no page for `{self.word}`"

    def help(self) -> str:
        if self.nearest:
            return f"did you mean `{self.nearest}`?"
        return "`nnspec docs` lists the pages"
