"""What a lint rule is, and what it finds.

A rule is a module in `analyzers/rules`: its docstring is the page,
`check` finds, `WRONG` and `RIGHT` are texts that it must and must not complain about. The file is
called after both: `nn402_saturating_hidden.py`. A fix says itself whether it is safe.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from ..compiler.graph import Graph
from ..grammar.diagnostics import Fix, Mistake, Severity
from .facts.anatomy import Anatomy, place


@dataclass(frozen=True)
class Rule:
    """One lint.

    Attributes
    ----------
    wrong, right: texts that it finds something in, and texts that it does not.
    """

    code: str
    name: str
    page: str
    check: Callable[[Anatomy], Iterator[Finding]]
    wrong: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True)
class Finding(Mistake):
    """What a rule found at a place, in one sentence, and what to do."""

    severity = Severity.WARNING
    text: str
    advice: str = ""
    mending: Fix | None = None
    rule: Rule | None = None

    @property
    def code(self) -> str:  # type: ignore[override]
        return self.rule.code if self.rule else ""

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.rule.name if self.rule else ""

    def message(self) -> str:
        return self.text

    def help(self) -> str:
        return self.advice

    def remedy(self) -> Fix | None:
        return self.mending


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its code; the folder is the list."""
    folder = import_module(f"{__package__}.rules")
    found: dict[str, Rule] = {}
    for entry in sorted(module.name for module in iter_modules(folder.__path__)):
        module = import_module(f"{folder.__name__}.{entry}")
        code, _, words = entry.partition("_")
        page = inspect.getdoc(module) or ""
        name = words.replace("_", "-")
        rule = Rule(code.upper(), name, page, module.check, module.WRONG, module.RIGHT)
        found[rule.code] = rule
    return MappingProxyType(found)


def findings(graph: Graph, codes: frozenset[str] | None = None) -> tuple[Finding, ...]:
    """What the rules find, each place once for each rule: a block may be used many times.

    A fix is offered where what it mends is found in every use of the place that it changes.
    """
    net = Anatomy(graph)
    found: list[Finding] = []
    for rule in rules().values():
        if codes is not None and rule.code not in codes:
            continue
        told: dict[object, list[Finding]] = {}
        for finding in rule.check(net):
            told.setdefault(place(finding.span) or finding.text, []).append(
                replace(finding, rule=rule)
            )
        for where, same in told.items():
            mends = len(same) >= len(net.uses.get(where, ())) and _within(graph, same[0])
            found.append(same[0] if mends else replace(same[0], mending=None))
    return tuple(found)


def _within(graph: Graph, finding: Finding) -> bool:
    """Whether its fix changes the net's own text alone: a file in use belongs to others."""
    edits = finding.mending.edits if finding.mending else ()
    return all(edit.span.source.name == graph.source.name for edit in edits)
