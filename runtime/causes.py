"""Which findings of an examination may well be the cause of which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_TRAINING = frozenset({"rate-too-high", "rate-too-low", "diverges", "dead-units", "learns-nothing"})
FOLLOW: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "inputs-not-scaled": _TRAINING
        | {
            "signal-grows",
            "signal-fades",
            "saturated",
            "first-loss",
            "exploding-gradient",
            "vanishing-gradient",
            "no-gradient",
            "cannot-memorise",
        },
        "targets-not-scaled": _TRAINING | {"first-loss", "exploding-gradient", "cannot-memorise"},
        "begins-alike": _TRAINING
        | {"signal-fades", "no-gradient", "vanishing-gradient", "cannot-memorise"},
        "signal-fades": _TRAINING | {"vanishing-gradient", "cannot-memorise"},
        "signal-grows": _TRAINING
        | {"first-loss", "saturated", "exploding-gradient", "vanishing-gradient"},
        "rate-too-high": frozenset({"diverges", "dead-units", "learns-nothing", "no-gradient"}),
        "rate-too-low": frozenset({"learns-nothing"}),
        "first-loss": frozenset({"learns-nothing"}),
        "diverges": frozenset({"learns-nothing"}),
        "saturated": frozenset({"vanishing-gradient", "learns-nothing", "cannot-memorise"}),
        "no-gradient": frozenset({"vanishing-gradient", "cannot-memorise", "learns-nothing"}),
        "vanishing-gradient": frozenset({"rate-too-low", "learns-nothing", "cannot-memorise"}),
        "dead-units": frozenset({"learns-nothing", "cannot-memorise"}),
        "cannot-memorise": frozenset({"learns-nothing"}),
    }
)
"""What may well go away with each finding."""
AFTER_REMARKS = frozenset(
    {"cannot-memorise", "learns-nothing", "no-gradient", "vanishing-gradient", "dead-units"}
)
"""What may well go away with what the linter remarks."""


def first_causes(seen: Sequence[str], remarked: Sequence[str]) -> Mapping[str, str]:
    """The cause behind all others of each finding that was seen; empty where it has none. Those that
    are `remarked` come from the linter."""
    spoilt = {**FOLLOW, **dict.fromkeys(remarked, AFTER_REMARKS)}
    after = {name: [cause for cause in seen if name in spoilt.get(cause, ())] for name in seen}
    return {name: _root(name, after) for name in seen}


def _root(name: str, after: Mapping[str, Sequence[str]]) -> str:
    """The first cause of a finding's first cause, and so on; empty where it has none."""
    met = [name]
    while causes := [cause for cause in after[met[-1]] if cause not in met]:
        met.append(causes[0])
    return met[-1] if len(met) > 1 else ""
