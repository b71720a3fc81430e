"""What a sound text becomes: values, shapes of the tree, places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnspec.grammar import errors, tree
from nnspec.grammar.limits import Limits
from nnspec.grammar.parse import grammar, parse
from nnspec.grammar.source import Source
from nnspec.grammar.terminals import AFTER, ENGLISH


def sound(text: str, limits: Limits | None = None) -> tree.File:
    file, mistakes = parse(Source("net.nn", text), limits)
    assert mistakes == ()
    return file


def flow(text: str) -> tree.Flow:
    (statement,) = sound(text).statements
    assert isinstance(statement, tree.Flow)
    return statement


def piece(text: str) -> tree.Piece:
    """The last piece of a net's last stage."""
    return flow(f"3 -> {text}").chain.stages[-1].pieces[-1]


def expression(text: str) -> tree.Expression:
    (statement,) = sound(f"expect {text}").statements
    assert isinstance(statement, tree.Expect)
    return statement.condition


def bare(node: tree.Expression) -> str:
    """An expression with every operator's reach in parentheses."""
    match node:
        case tree.Binary(_, sign, left, right):
            return f"({bare(left)} {sign} {bare(right)})"
        case tree.Unary(_, sign, operand):
            return f"({sign} {bare(operand)})"
        case tree.Conditional(_, then, condition, otherwise):
            return f"({bare(then)} if {bare(condition)} else {bare(otherwise)})"
        case _:
            return node.span.text


def nodes(node: object) -> Iterator[tree.Tree]:
    if isinstance(node, tree.Tree):
        yield node
        for part in fields(node):
            yield from nodes(getattr(node, part.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from nodes(item)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("1_000", 1000),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("4.2G", 4_200_000_000),
        ("1.5K", 1500),
        ("2MiB", 2 * 2**20),
        ("0.5KiB", 512),
        ("0.0001K", 0.1),
        ("9" * 18, 10**18 - 1),
    ],
)
def test_numbers(text: str, value: float) -> None:
    number = expression(text)
    assert isinstance(number, tree.Number)
    assert number.value == value
    assert type(number.value) is type(value)


@pytest.mark.parametrize("text", ["1e999", "1e-999", "1e999K", "1e-99999999K", "1e999999999999"])
def test_exponents_out_of_reach(text: str) -> None:
    _, mistakes = parse(Source("net.nn", f"3 -> fc {text}"))
    assert [type(mistake) for mistake in mistakes] == [errors.NumberTooLong]


@pytest.mark.parametrize(
    "word", ["fc4", "conv64", "droppath0.1", "dropout1e-3", "lrelu0.01", "a_b", "_x", "trainer"]
)
def test_words_carry_their_numbers(word: str) -> None:
    assert piece(word) == tree.Word(piece(word).span, word)


def test_parentheses_behind_a_word_make_a_call() -> None:
    called, apart = piece("fc(4)"), piece("fc (4)")
    assert isinstance(called, tree.Word)
    assert called.arguments is not None
    assert isinstance(apart, tree.Value)
    assert isinstance(apart.value, tree.Number)
    pair = piece("conv64 (1, 7)")
    assert isinstance(pair, tree.Value)
    assert isinstance(pair.value, tree.Tuple)


@pytest.mark.parametrize("name", ["stride", "output", "train", "expect"])
def test_option_names(name: str) -> None:
    option = piece(f"fc4 {name}=2")
    assert isinstance(option, tree.Option)
    assert option.name == name
    (statement,) = sound(f"train(\n  loss = mse,\n  {name} = 3,\n)").statements
    assert isinstance(statement, tree.Train)
    assert [argument.name for argument in statement.arguments] == ["loss", name]


@pytest.mark.parametrize("count", ["2", "n", "(n-1)", "f(2)"])
def test_repeats(count: str) -> None:
    group = piece(f"[fc4 relu]*{count}")
    assert isinstance(group, tree.Group)
    assert group.repeat is not None


def test_labels_and_outputs() -> None:
    whole = flow("e1: 3 -> e2: fc4")
    assert whole.label is not None
    assert whole.label.word == "e1"
    assert whole.chain.stages[0].label is None
    inner = whole.chain.stages[1].label
    assert inner is not None
    assert inner.word == "e2"
    assert flow("output left: 3 -> fc1").output


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("-2 ^ 2 == 2 ^ 3 ^ 2", "((- (2 ^ 2)) == (2 ^ (3 ^ 2)))"),
        ("not a == b or c and d", "((not (a == b)) or (c and d))"),
        ("1 - 2 - 3 * 4 // 5", "((1 - 2) - ((3 * 4) // 5))"),
        ("a if b else c if d else e", "(a if b else (c if d else e))"),
        ("2 ^ -1", "(2 ^ (- 1))"),
        ("output == 1000", "(output == 1000)"),
        ("in.c == 3x32x32", "(in.c == 3x32x32)"),
        ("macs < 4.2G and @fc1.shape == (1, 2)", "((macs < 4.2G) and (@fc1.shape == (1, 2)))"),
        ("(\n  output\n  == 3\n)", "(output == 3)"),
    ],
)
def test_precedence(text: str, reach: str) -> None:
    assert bare(expression(text)) == reach


def test_line_ends() -> None:
    text = "3 -> fc4\n  -> add[\n  relu\n| id\n] ->\n\n fc1\nexpect params == 3\n"
    assert len(sound(text).statements) == 2
    assert sound(text) == sound(text.replace("\n", "\r\n"))
    assert sound(text) == sound("\ufeff" + text)
    assert sound(text) == sound(text.replace(" ", "\t"))


def test_documentation_stands_directly_above() -> None:
    text = "a: 3 -> fc1 ## of a\nb: 3 -> fc1\n## one\n##two\nc: 3 -> fc1\n## far\n\nd: 3 -> fc1"
    found = [s.documentation for s in sound(text).statements if isinstance(s, tree.Flow)]
    assert found == ["", "", "one\ntwo", ""]
    assert [c.text for c in sound(text).comments] == ["## of a", "## one", "##two", "## far"]


def test_places_are_exact() -> None:
    text = "a: 3 -> conv(2*c, k=3) s=2 -> add[x: fc4 | id]*2 @e\nexpect @a.shape == (1, -c) or in.c"
    for node in nodes(sound(text).statements):
        inside = node.span.text
        assert inside == inside.strip()
        match node:
            case tree.Name(_, word):
                assert inside.removesuffix(":") == word
            case tree.Binary(_, sign, left, right):
                assert inside.startswith(left.span.text)
                assert inside.endswith(right.span.text)
                assert sign in inside
            case tree.Group():
                assert inside == "[x: fc4 | id]*2"
            case tree.Option(_, name, value):
                assert inside == f"{name}={value.span.text}"
            case tree.Tuple():
                assert inside == "(1, -c)"
            case tree.Stage() | tree.Chain() | tree.Argument() | tree.Number() | tree.Word():
                assert inside in text


def test_every_terminal_has_an_english_name() -> None:
    names = {terminal.name for terminal in grammar().terminals}
    assert names == set(ENGLISH)
    assert set(AFTER) <= names


@pytest.mark.parametrize(
    ("limits", "kind", "fits", "over"),
    [
        (Limits(statements=2), errors.TooManyStatements, "a: 3\nb: 3\n", "a: 3\nb: 3\nc: 3"),
        (Limits(nesting=2), errors.NestedTooDeep, "3 -> [[fc4]]", "3 -> [[[fc4]]]"),
        (Limits(identifier=4), errors.WordTooLong, "3 -> abcd", "3 -> abcde"),
        (Limits(string=2), errors.TextTooLong, '3 -> f a="ab"', '3 -> f a="abc"'),
        (Limits(digits=3), errors.NumberTooLong, "3 -> fc 1_23", "3 -> fc 1234"),
        (Limits(digits=2), errors.NumberTooLong, "10x10", "10x100"),
        (Limits(literal=4), errors.LiteralTooLong, "3 -> d 0.25", "3 -> d 0.125"),
        (Limits(bytes=9), errors.FileTooLarge, "3 -> fc 1", "3 -> fc 10"),
    ],
)
def test_at_the_limit_and_past_it(
    limits: Limits, kind: type[errors.Limit], fits: str, over: str
) -> None:
    sound(fits, limits)
    _, mistakes = parse(Source("net.nn", over), limits)
    assert [type(mistake) for mistake in mistakes] == [kind]
    assert hasattr(limits, kind.option())


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 500 + ".5", "0." + "9" * 5000, "1e999K"])
def test_raised_limits_never_meet_those_of_python(number: str) -> None:
    parse(Source("net.nn", f"3 -> fc {number}"), Limits(digits=10_000, literal=10_000))


@given(st.lists(st.sampled_from(["fc4 relu", "[fc4]*2", "add[ id | fc 4 ]", "conv(4) s=2"])))
def test_layout_does_not_matter(stages: list[str]) -> None:
    parts = ["3", *stages]
    spread = sound("  # why\n  -> ".join(parts))
    assert sound(" -> ".join(parts)).statements == spread.statements
