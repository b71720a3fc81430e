"""What warnings, `explain`, `summary` and `diff` say: every word stands beside, in `words/`.

`make accept` takes the present words as the expected ones; `git diff` is the review.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import nnspec
from nnspec.analyzers.errors import BadConfig, NoSuchRule, UnusedIgnore
from nnspec.analyzers.explain import explain
from nnspec.analyzers.render.comparison import comparison
from nnspec.analyzers.render.messages import messages
from nnspec.analyzers.render.text import explanations
from nnspec.analyzers.rule import findings, rules
from nnspec.grammar.diagnostics import Mistake

EXPECTED = Path(__file__).parent / "words"
NETS = (
    "3 -> fc4 relu -> fc4 tanh -> fc1\ntrain(loss=mse, optimizer=adam, batch=8)",
    "3x32x32 -> [conv8 3x3 p1 bn relu]*2 -> maxpool2 -> conv8 5x5 s2 g4 -> gap dropout0.5 -> fc10",
    "2x9x9 -> conv4 3x3 s2 -> convt2 4x4 s2 p1 -> upsample2 bilinear -> crop6 -> flatten -> fc2",
    "a: 3\nb: 2x4\noutput aux: @a -> fc2 sigmoid\n@b -> lstm3 last -> concat[ id | @a ] -> fc5",
    "5x8 -> add[ ln attn2 | id ] -> add[ ln fc16 gelu -> fc8 | id ] -> ln",
    "9x9x9 -> conv4 2x2 s4",
    "shared t = fc4\na: 4 -> t relu\nb: 4 -> t\nadd[ @a | @b ] -> maxout(3, k=2)",
)


def of_rules() -> Iterator[str]:
    for rule in rules().values():
        for text in rule.wrong:
            yield messages(findings(nnspec.graph(text), frozenset({rule.code})))


def of_mistakes() -> Iterator[str]:
    """Those that no spec makes, but an option or a file."""
    found: tuple[Mistake, ...] = (
        NoSuchRule(None, "NN4O2", "NN402"),
        NoSuchRule(None, "X"),
        BadConfig(None, "pyproject.toml", "`selekt` is no setting", "did you mean `select`?"),
        UnusedIgnore(None, "NN402"),
    )
    yield messages(found)


def of_explanations() -> Iterator[str]:
    for text in NETS:
        yield f"{text}\n\n{explanations(explain(nnspec.graph(text)), colour=False)}"


def of_summaries() -> Iterator[str]:
    for text in NETS:
        yield f"{text}\n\n{nnspec.analyze(text)}"


def of_notebooks() -> Iterator[str]:
    for text in NETS:
        yield nnspec.analyze(text)._repr_html_()


def of_changes() -> Iterator[str]:
    for before, after in pairwise(NETS):
        yield comparison(nnspec.diff(before, after), colour=False)


@pytest.mark.parametrize(
    "said",
    [of_rules, of_mistakes, of_explanations, of_summaries, of_notebooks, of_changes],
    ids=lambda f: f.__name__,
)
def test_words(said: Callable[[], Iterator[str]]) -> None:
    found = "\n".join(said())
    expected = EXPECTED / f"{said.__name__.removeprefix('of_')}.txt"
    if os.environ.get("NNSPEC_ACCEPT"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")
