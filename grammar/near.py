"""Did you mean: the known word nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

ALIKE = 0.6
"""How like a word must be to be meant: the share of letters that two have in common."""


def nearest(word: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The same word in other case, else the most like it; None when none is like it.

    Of two as like, the one that begins with the same letter.
    """
    words = list(known)
    folded = {w.casefold(): w for w in reversed(words)}
    if word.casefold() in folded:
        return folded[word.casefold()]
    close = get_close_matches(word, words, 3, alike)
    if not close:
        return None
    best = [w for w in close if _likeness(word, w) == _likeness(word, close[0])]
    return next((w for w in best if w[:1] == word[:1]), best[0])


def _likeness(word: str, known: str) -> float:
    return SequenceMatcher(None, known, word).ratio()
