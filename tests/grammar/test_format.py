"""The one spelling: what it looks like, that it says the same, and that it is final.

`layouts/<name>.nn` is what somebody wrote, `layouts/<name>.txt` how it is laid out.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nnspec
from nnspec.grammar import layout, tree
from nnspec.grammar.errors import EmptyText
from nnspec.grammar.format import formatted
from nnspec.grammar.limits import Limits
from nnspec.grammar.parse import parse, scanner
from nnspec.grammar.source import Source

from ..house.test_fuzz import CORPUS, grown, mutated

ROOT = Path(__file__).parents[2]
LAYOUTS = sorted((Path(__file__).parent / "layouts").glob("*.nn"))
SPECS = sorted((ROOT / "specs").rglob("*.nn"))
CASES = sorted((ROOT / "tests" / "cases").rglob("*.nn"))
LINE_ENDS = ("\n", "\r\n", "\n\n\n", " # beside\n", "\n# above\n", "\n\t## of what follows \n\n")
MAKERS = (grown, mutated, lambda rng: rng.choice(CORPUS))


def read(text: str) -> tree.File | None:
    """The tree of a text; None where it has mistakes."""
    file, mistakes = parse(Source("net.nn", text))
    return file if {type(mistake) for mistake in mistakes} <= {EmptyText} else None


def comments(file: tree.File) -> Counter[str]:
    return Counter(comment.text.rstrip() for comment in file.comments)


def check(text: str) -> str:
    """Laid out, a text says the same with the same comments, and is laid out; returns it so."""
    before, done = read(text), nnspec.format(text)
    after = read(done)
    assert before is not None
    assert after is not None
    assert after.statements == before.statements
    assert comments(after) == comments(before)
    assert nnspec.format(done) == done
    assert done == "" or (done.endswith("\n") and not done.endswith("\n\n"))
    assert not re.search(r"[ \t\r]\n|\n\n\n|^\n", done)
    return done


def relaid(text: str, rng: Random) -> str:
    """The text with other spaces, and with line ends and comments where they change no meaning."""
    pattern, _ = scanner()
    spread = "".join(
        rng.choice((" ", "  ", "\t")) if match.lastgroup == "SPACE" else match[0]
        for match in pattern.finditer(text)
    )
    for _ in range(rng.randint(0, 12)):
        ends = [match.end() for match in pattern.finditer(spread)] or [0]
        place = rng.choice(ends)
        other = spread[:place] + rng.choice(LINE_ENDS) + spread[place:]
        spread = other if read(other) else spread
    return spread


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda p: p.stem)
def test_layout(path: Path) -> None:
    assert check(path.read_text("utf-8")) == path.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("path", SPECS, ids=lambda p: str(p.relative_to(ROOT / "specs")))
def test_every_spec_that_ships_is_laid_out(path: Path) -> None:
    text = path.read_text("utf-8")
    assert check(text) == text


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_wrong_specs_that_can_be_read(path: Path) -> None:
    text = path.read_text("utf-8")
    if read(text) is None:
        with pytest.raises(nnspec.SpecError):
            nnspec.format(text)
    else:
        check(text)


@given(st.integers(0, 2**32), st.sampled_from(MAKERS), st.sampled_from((30, 100)))
@settings(max_examples=300, deadline=None)
def test_any_text_in_any_layout(seed: int, make: object, width: int) -> None:
    assert callable(make)
    rng = Random(seed)
    text = make(rng)
    assume(read(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "WIDTH", width)
        check(relaid(text, rng))


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_line_is_too_long_only_where_it_cannot_end(seed: int) -> None:
    text = grown(Random(seed))
    assume(read(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "WIDTH", 30)
        lines = nnspec.format(text).splitlines()
    for line in lines:
        words = re.sub(r"^ *(-> |\| )?", "", line)
        assert len(line) <= 30 or not re.search(r"-> |[,;|] |\[.*\]|\([^()]+\)", words), line


def test_line_ends_and_marks_of_other_editors() -> None:
    assert nnspec.format("\ufeff## Words. \r\n3->fc4 # more\t\r\n\r\n\r\n\r\na:3") == (
        "## Words.\n3 -> fc4  # more\n\na: 3\n"
    )


@pytest.mark.parametrize("text", ["", "\n", " \r\n\t\n"])
def test_nothing_stays_nothing(text: str) -> None:
    assert nnspec.format(text) == ""


def test_comments_alone() -> None:
    assert nnspec.format("\n\n# one\n\n\n## two\n\n") == "# one\n\n## two\n"


@pytest.mark.parametrize("number", ["1e-3", "1_000", "4.2G", "0.50", "2MiB", "1E5", "007"])
def test_numbers_are_spelled_as_they_were(number: str) -> None:
    assert nnspec.format(f"expect  params=={number}") == f"expect params == {number}\n"


def test_a_text_with_mistakes() -> None:
    with pytest.raises(nnspec.SpecError) as caught:
        nnspec.format("3->fc4\n3 -> -> fc4\nexpect")
    assert [mistake.code for mistake in caught.value.diagnostics] == ["NN001", "NN001"]


def test_brackets_of_any_depth() -> None:
    """The limit may be raised: no bracket takes from Python's stack."""
    limits, deep = Limits(nesting=2001), 2000
    for text in (f"3 -> {'[' * deep}fc4{']' * deep}", f"3 -> fc{'(f' * deep}{')' * deep}"):
        formatted(Source("net.nn", text), limits)
