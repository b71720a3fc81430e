"""Why nnspec is slower, or takes more, where it does: by section, net and rival; `*` is any."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .results import Comparison

REASONS: tuple[tuple[str, str, str, str], ...] = ()
"""(section, net, rival, reason); the first that fits is told."""


def reason(slower: Comparison) -> str | None:
    place = slower.section, slower.net, slower.rival
    for *patterns, why in REASONS:
        if all(map(fnmatchcase, place, patterns)):
            return why
    return None
