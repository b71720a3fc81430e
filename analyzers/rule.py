"""What a lint rule is, and what it finds.

A rule is a module in `analyzers/rules`: its docstring is the page,
`check` finds, `WRONG` and `RIGHT` are texts that it must and must not complain about. The file is
called after both: `nn402_saturating_hidden.py`.
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
from .facts.anatomy import Anatomy


@dataclass(frozen=True)
class Rule:
    """One lint.

    Attributes
    ----------
    wrong, right: texts that it finds something in, and texts that it does not.
    safe: whether its fix leaves what the net computes as it is.
    """

    code: str
    name: str
    page: str
    check: Callable[[Anatomy], Iterator[Finding]]
    wrong: tuple[str, ...]
    right: tuple[str, ...]
    safe: bool = False


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

    def fix(self) -> Fix | None:
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
        safe = getattr(module, "SAFE", False)
        rule = Rule(
            code.upper(),
            words.replace("_", "-"),
            page,
            module.check,
            module.WRONG,
            module.RIGHT,
            safe,
        )
        found[rule.code] = rule
    return MappingProxyType(found)


def findings(graph: Graph, codes: frozenset[str] | None = None) -> tuple[Finding, ...]:
    """What the rules find, each place once for each rule: a block may be used many times."""
    net = Anatomy(graph)
    found: dict[object, Finding] = {}
    for rule in rules().values():
        if codes is not None and rule.code not in codes:
            continue
        for finding in rule.check(net):
            span = finding.span
            place = (span.source.name, span.start, span.end) if span else finding.text
            found.setdefault((rule.code, place), replace(finding, rule=rule))
    return tuple(found.values())
