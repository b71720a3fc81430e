"""Did you mean: the known word nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The same word in other case, else the most like it; None when none is like it."""
    words = list(known)
    folded = {w.casefold(): w for w in reversed(words)}
    if word.casefold() in folded:
        return folded[word.casefold()]
    close = get_close_matches(word, words, 1)
    return close[0] if close else None
