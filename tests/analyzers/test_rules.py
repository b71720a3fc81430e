"""Every rule finds what it says it finds, and nothing in what it says is right."""

from __future__ import annotations

import re

import pytest

import nnspec
from nnspec.analyzers.rule import Finding, Rule, findings, rules
from nnspec.grammar.diagnostics import Mistake
from nnspec.grammar.fix import apply

RULES = list(rules().values())


def found(text: str, code: str) -> tuple[Finding, ...]:
    return findings(nnspec.graph(text), frozenset({code}))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule(rule: Rule) -> None:
    assert rule.wrong
    assert rule.right
    for text in rule.wrong:
        finding = found(text, rule.code)
        assert finding, text
        for one in finding:
            assert one.span is not None
            assert one.code == rule.code
            assert one.message()
            assert not one.message().endswith(".")
            assert one.help()
    for text in rule.right:
        assert not found(text, rule.code), text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_page(rule: Rule) -> None:
    assert re.fullmatch(r"NN4\d\d", rule.code)
    assert rule.code not in Mistake.by_code
    first, *rest = rule.page.split("\n\n")
    assert first.endswith(".")
    assert rest[-1].startswith("Source: ")
    assert len(rest) >= 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_fixes_mend(rule: Rule) -> None:
    for text in rule.wrong:
        graph = nnspec.graph(text)
        mistakes = findings(graph, frozenset({rule.code}))
        if any(mistake.fix() for mistake in mistakes):
            mended, count = apply(graph.source, mistakes)
            assert count
            assert not found(mended, rule.code), mended


def test_there_are_enough() -> None:
    assert len(RULES) >= 24
