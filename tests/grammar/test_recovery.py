"""What becomes of wrong texts: every mistake once, none hidden, none made up, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnspec.grammar.errors import EmptyText, StrayCloser, UnclosedBracket, Unexpected
from nnspec.grammar.parse import grammar, parse
from nnspec.grammar.source import Source
from nnspec.grammar.terminals import ENGLISH

SPECS = (
    "3 -> fc4 relu -> fc4 relu -> fc1\nexpect params == 41\n",
    (
        "left: 1x28x28\na: @left -> conv8 3x3 p1 relu\n  -> maxpool2\nconcat[ @a | @a ] fc1\n"
        "expect output == 1 and depth < 4.2K\n"
    ),
    (
        "3x32x32 -> [conv(8) 3x3 same relu]*2\n  -> add[\n    conv8 3x3 p1 bn\n  | id\n  ] relu\n"
        "  -> flatten -> fc10\ntrain(\n  loss = cross_entropy,\n  optimizer = adam(lr=1e-3),\n)\n"
    ),
)
SOUP = (
    "->", "[", "]", "(", ")", "|", ",", ":", "=", "*", "+", "-", "//", "^", "==", "@", ".", "\n",
    "\n\n", " ", "#", "##", '"', "in", "if", "else", "let", "expect", "train(", "output", "true",
    "not", "3", "1.5.2", ".5", "3x32x32", "4.2G", "1e999K", "1e-99999999K", "9" * 30, "fc4", "a:",
    "s=2", "é", "\u200b", "\x00", "\ud800", "=>", "→", "\r\n", "\r", "\t", "3x", "\ufeff", "}",
)  # fmt: skip
MOST = 2**20 - 30


def places(text: str) -> list[tuple[str, int, int]]:
    _, mistakes = parse(Source("net.nn", text))
    spans = [mistake.span for mistake in mistakes]
    found = [(m.code, s.line, s.column) for m, s in zip(mistakes, spans, strict=True) if s]
    return sorted(found, key=lambda place: place[1:])


def check(text: str) -> None:
    """Whatever the text, there is an answer, and it keeps to the text."""
    file, mistakes = parse(Source("net.nn", text))
    assert file.statements or mistakes
    for part in (*mistakes, *file.statements, *file.comments):
        assert part.span is not None
        assert 0 <= part.span.start <= part.span.end <= len(text)
    for mistake in mistakes:
        said = f"{mistake.message()} {mistake.help()} {mistake.label()}"
        assert not any(name in said.split() for name in ENGLISH if name not in text)


@given(st.lists(st.sampled_from(SOUP), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_tokens(parts: list[str]) -> None:
    check("".join(parts))
    check(" ".join(parts))


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text(text: str) -> None:
    check(text)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes(content: bytes) -> None:
    check(content.decode("utf-8", "surrogateescape"))
    check(content.decode("latin-1"))


@pytest.mark.parametrize("spec", SPECS)
def test_a_missing_token_is_found_where_it_is_missing(spec: str) -> None:
    """The first mistake stands within two lines of the cut, or inside a bracket left open there."""
    tokens = [token for token in grammar().lex(spec, dont_ignore=True) if token.strip()]
    for token in tokens:
        assert token.start_pos is not None
        shorter = spec[: token.start_pos] + spec[token.end_pos :]
        found = places(shorter)
        if found:
            line = spec.count("\n", 0, token.start_pos) + 1
            assert abs(found[0][1] - line) <= opened(spec, line, str(token)), (token, found)


def opened(spec: str, line: int, token: str) -> int:
    """How far away a mistake may stand: a lost closer is shown where its bracket was opened."""
    if token in ("]", ")"):
        lines = spec.splitlines()[:line]
        sign = {"]": "[", ")": "("}[token]
        return 2 + next(i for i, text in enumerate(reversed(lines)) if sign in text)
    return 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 -> -> fc4\nexpect == 3", [("NN001", 1, 3), ("NN001", 2, 1)]),
        ("3 -> fc4 -> : -> fc3 -> add[ | ]", [("NN001", 1, 10), ("NN001", 1, 28)]),
        ("3 -> : relu -> -> -> fc3", [("NN001", 1, 3), ("NN001", 1, 13)]),
        ("a: 3 -> [fc4\nb: 3 -> -> fc3", [("NN003", 1, 9), ("NN001", 2, 6)]),
        ("3 -> [fc4\n\n3 -> -> fc1", [("NN003", 1, 6), ("NN001", 3, 3)]),
        ("3 -> fc(4 -> relu\nexpect == 3", [("NN003", 1, 8), ("NN001", 2, 1)]),
        ("3 -> [fc(4] -> fc1\nb: 3 -> -> 4", [("NN004", 1, 11), ("NN001", 2, 6)]),
        ("3 -> fc4] -> -> fc3\nexpect == 3", [("NN004", 1, 9), ("NN001", 2, 1)]),
        ("3 -> [fc4\nlet x = 3\n3 -> -> fc1", [("NN003", 1, 6), ("NN001", 3, 3)]),
        ("3 => fc4 §§ relu => fc1", [("NN009", 1, 3), ("NN005", 1, 10), ("NN009", 1, 18)]),
        ("3 -> fc 1.5.2 -> fc .5 -> fc 5.", [("NN006", 1, 9), ("NN006", 1, 21), ("NN006", 1, 30)]),
        ("3 -> fc4 output x: 3", [("NN002", 1, 10)]),
        ("3 -> output", [("NN001", 1, 3)]),
        ("expect params == output 4", [("NN002", 1, 25)]),
    ],
)
def test_independent_mistakes(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert places(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "3 -> concat[\ne1: fc4\n| id\n]\nexpect params == 3",
        "3 -> [\n\nfc4 -> concat[\n\n@a | 3 ]\n]",
        "train(\n  loss = mse,\n\n  output = 3,\n)",
    ],
)
def test_brackets_that_close_are_never_cut(text: str) -> None:
    assert places(text) == []


def test_a_wrong_statement_leaves_the_others() -> None:
    file, mistakes = parse(Source("net.nn", "a: 3 -> [fc4\nb: 3 -> fc1\nexpect )\nc: 3"))
    assert len(file.statements) == 2
    assert {type(m) for m in mistakes} == {UnclosedBracket, StrayCloser}


def test_nothing_and_little() -> None:
    assert [type(m) for m in parse(Source("net.nn", " \n# words\n"))[1]] == [EmptyText]
    assert [type(m) for m in parse(Source("net.nn", "3 ->"))[1]] == [Unexpected]


@pytest.mark.parametrize(
    "part",
    ["[", "{", "(", "]", "(]", "a", "9", "9x", "1.", '"', "->", " -> : a", " -> a b:", "\n", "-",
     "a: [\n", "a: : b\n", "## d\na: 3\n", "a: 3 # c\n", "§ 3\n", "(1)+", "1e-", "[\n\n3 "],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "3 -> fc4"])
def test_much_is_read_in_linear_time(before: str, part: str) -> None:
    """Of sixteen times as much a quadratic reading would take 256 times as long."""

    def took(characters: int) -> float:
        text = before + part * (characters // len(part))
        begun = time.process_time()
        parse(Source("net.nn", text))
        return time.process_time() - begun

    little = took(MOST // 128)
    assert took(MOST // 8) < 16 * 4 * little + 0.1


def test_reading_on_behind_many_bad_characters() -> None:
    """To read all that follows once more for each would take a hundred times as long as for ten."""

    def took(bad: int) -> float:
        begun = time.process_time()
        file, _ = parse(Source("net.nn", "§ 3\n" * bad + "a: 3\n" * 20_000))
        assert len(file.statements) >= 20_000
        return time.process_time() - begun

    few = took(10)
    assert took(990) < 10 * few
