"""Every rule finds what it says it finds, and nothing in what it says is right."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nnspec
from nnspec.analyzers.check import checked, fixes
from nnspec.analyzers.rule import Finding, Rule, findings, rules
from nnspec.analyzers.rules.nn404_activation_on_a_number import ELSEWHERE, RANGE
from nnspec.compiler.ops import CATALOGUE
from nnspec.grammar.diagnostics import Applicability, Mistake, Severity
from nnspec.grammar.source import Source

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


@pytest.mark.parametrize("asked", Applicability)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_fixes_mend(rule: Rule, asked: Applicability) -> None:
    """What is mended compiles, keeps its promises, and is silent where a fix was offered."""
    for text in rule.wrong:
        source = Source("net", text)
        mended, count = fixes(source, codes=frozenset({rule.code}), asked=asked)
        offered = [fix for one in found(text, rule.code) if (fix := one.fix())]
        assert bool(count) == any(fix.within(asked) for fix in offered), text
        left = found(mended.text, rule.code)
        still = [fix for one in left if (fix := one.fix())]
        assert not any(fix.within(asked) for fix in still), mended.text
        if offered and all(fix.within(asked) for fix in offered):
            assert not left, mended.text
        assert not any(m.severity is Severity.ERROR for m in checked(mended)), mended.text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_fixes_of_all_rules_together(rule: Rule) -> None:
    """In whatever order they meet, nothing breaks, and what is mended stays as it is."""
    for text in (*rule.wrong, *rule.right):
        mended, _ = fixes(Source("net", text), asked=Applicability.UNSAFE)
        left = checked(mended)
        assert not any(mistake.severity is Severity.ERROR for mistake in left), mended.text
        assert not any(mistake.fix() for mistake in left), mended.text
        assert nnspec.format(mended.text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_safe_fixes_leave_what_the_net_computes(rule: Rule) -> None:
    """With the same weights, a bias that is no more at zero, the outputs are the same."""
    for text in rule.wrong:
        mended, count = fixes(Source("net", text), codes=frozenset({rule.code}))
        if not count:
            continue
        before = nnspec.compile(text, seed=0, dtype="float64")
        after = nnspec.compile(mended.text, seed=1, dtype="float64")
        kinds = (name.rpartition(".")[2] for name in before.weights)
        left = list(zip(kinds, before.weights.values(), strict=True))
        for name, weight in after.weights.items():
            kind = name.rpartition(".")[2]
            while left[0][0] != kind:
                assert not left.pop(0)[1].any()
            weight[...] = left.pop(0)[1]
        shape = before.graph.inputs[0].value.shape
        x = np.random.default_rng(0).normal(size=(4, *shape))
        np.testing.assert_allclose(after(x), before(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("text", rules()["NN434"].wrong)
def test_what_begins_as_zeros_stays_so(text: str) -> None:
    net = nnspec.compile(f"{text}\ntrain(loss = mse)", seed=0, dtype="float64")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(16, *net.graph.inputs[0].value.shape))
    head = next(layer.name for layer in net.graph.layers if layer.weighted)
    for _ in range(3):
        net.step(x, draw.normal(size=(16, 2)))
    assert not net.weights[f"{head}.weight"].any()


def test_a_softmax_twice_has_the_floor_that_is_told() -> None:
    text = "10 -> fc10(init=zeros) softmax\ntrain(loss = cross_entropy)"
    (finding,) = found(text, "NN403")
    assert "above 1.46" in finding.message()
    net = nnspec.compile(text, dtype="float64")
    net.weights["fc1.weight"][:] = 1000 * np.eye(10)
    loss, _ = net.gradients(np.eye(10), np.arange(10))
    assert f"{loss:.2f}" == "1.46"


def test_there_are_enough() -> None:
    assert len(RULES) >= 35


def test_what_an_activation_gives_is_told_of_operators_there_are() -> None:
    assert set(RANGE) <= set(CATALOGUE)
    assert set(ELSEWHERE) <= set(CATALOGUE)
