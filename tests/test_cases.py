"""Wrong specs beside the text that a user sees: `tests/cases/<topic>/<name>.nn` and `.txt`.

`make accept` takes the present messages as the expected ones; `git diff` is the review.
"""

from __future__ import annotations

import os
from contextlib import chdir
from pathlib import Path

import pytest

from nnspec.analyzers.promises import check_promises
from nnspec.analyzers.render.messages import messages
from nnspec.compiler import errors as compiler_errors
from nnspec.compiler import shape_errors, weight_errors
from nnspec.compiler.elaborate import elaborate
from nnspec.grammar import errors as grammar_errors
from nnspec.grammar.diagnostics import Mistake, in_order
from nnspec.grammar.limits import Limits
from nnspec.grammar.source import Source
from nnspec.grammar.terminals import ENGLISH

CASES = sorted((Path(__file__).parent / "cases").rglob("[!_]*.nn"))
LIMITS = {
    "limit_bytes": Limits(bytes=40),
    "limit_statements": Limits(statements=2),
    "limit_nesting": Limits(nesting=3),
    "limit_nodes": Limits(nodes=20),
    "limit_dimension": Limits(dimension=1000),
    "limit_elements": Limits(elements=10_000),
    "limit_rank": Limits(rank=3),
    "limit_repeat": Limits(repeat=5),
    "limit_blocks": Limits(blocks=2),
    "limit_steps": Limits(steps=50),
    "limit_files": Limits(files=1),
}
"""Cases whose limits are set low, so that the case can be read."""


def found(path: Path) -> tuple[Mistake, ...]:
    source = Source(path.name, path.read_text("utf-8"))
    with chdir(path.parent):
        result = elaborate(source, LIMITS.get(path.stem))
    promises = check_promises(result.graph) if result.graph else ()
    return in_order((*result.mistakes, *promises))


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_message(path: Path) -> None:
    mistakes = found(path)
    text = messages(mistakes)
    expected = path.with_suffix(".txt")
    if os.environ.get("NNSPEC_ACCEPT"):
        expected.write_text(text, "utf-8")
    assert text == expected.read_text("utf-8")
    assert text
    for mistake in mistakes:
        assert mistake.span is None or mistake.span.end <= len(mistake.span.source.text)
        assert not mistake.message().endswith(".")
    for terminal in ENGLISH:
        assert terminal not in text


def test_every_code_of_the_language_has_a_case() -> None:
    said = {mistake.code for path in CASES for mistake in found(path)}
    known = {
        kind.code
        for module in (grammar_errors, compiler_errors, shape_errors, weight_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Mistake) and kind.code
    }
    # A file that cannot be read or written; a layer or a constant asked for on the command line; the
    # environment.
    elsewhere = {"NN011", "NN012", "NN120", "NN121", "NN127"}
    assert known - said == elsewhere


def test_every_mistake_explains_itself() -> None:
    for code, kind in Mistake.by_code.items():
        assert len(kind.page()) > 30, code
        assert kind.name == kind.name.lower(), code


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_fixes_mend_what_they_promise(path: Path) -> None:
    """Applied, a fix takes its mistake away."""
    for mistake in found(path):
        fix = mistake.fix()
        if fix is None:
            continue
        text = path.read_text("utf-8")
        for edit in sorted(fix.edits, key=lambda e: -e.span.start):
            text = text[: edit.span.start] + edit.text + text[edit.span.end :]
        again = elaborate(Source(path.name, text)).mistakes
        assert alike(mistake, again) < alike(mistake, found(path))


def alike(mistake: Mistake, among: tuple[Mistake, ...]) -> int:
    return sum((m.code, m.message()) == (mistake.code, mistake.message()) for m in among)
