"""The net as mathematics: what it says is what the net computes."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.runtime.random_nets import random_net

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.equations import Equations, equations, plainly
from nnspec.analyzers.facts.repeats import Repeat, repeats
from nnspec.analyzers.formula import (
    Above,
    At,
    Call,
    Equation,
    Formula,
    Name,
    Negative,
    Number,
    Over,
    Power,
    Product,
    Quotient,
    Root,
    Row,
    Sum,
    Transposed,
    Writer,
    formula,
    walk,
)
from nnspec.analyzers.render.equations import Page, document, mathematics, text
from nnspec.analyzers.render.mathematics import latex, unicode
from nnspec.compiler.op import Elementwise
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.training.losses import LOSSES, OfClasses

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).parent / "equations"
UNDERSTOOD = frozenset({"max", "min", "exp", "log", "tanh", "erf", "mean", "var", "abs"})
"""The functions that need no explanation."""

PAGES = {
    "net_3_4_4_1": "3 -> fc4 relu -> fc4 relu -> fc1",
    "linear_classifier": "3072 -> fc10\ntrain(loss=hinge(margin=1), l2=1e-3)",
    "lenet5": str(ROOT / "specs" / "course" / "lenet5.nn"),
    "residual": "8x6x6 -> add[ conv8 3x3 p1 nobias bn relu -> conv8 3x3 p1 | id ] relu -> gap fc2",
    "attention": "5x8 -> add[ ln attn2 causal | id ] -> add[ ln fc16 gelu -> fc8 | id ]",
    "lstm": "6x4 -> lstm5 last -> fc3 softmax",
    "affine": "5 -> fc4 -> fc3 relu -> fc1",
    "outputs": "a: 3\nb: 4\noutput aux: @a -> fc2 sigmoid\nconcat[ @a | @b ] -> fc5",
    "weighed": "6x4 -> fc3\ntrain(loss=cross_entropy(weights=(1, 2.5, 1), smoothing=0.1))",
    "huber": "4 -> fc2\ntrain(loss=huber(2.5))",
    "learned": "3x4x4 -> conv4 3x3 scale0.1 shift prelu -> tokens -> cls pos -> rms fc2",
    "stack": "16x32 -> [add[ ln attn4 | id ] -> add[ ln fc64 silu -> fc32 | id ]]*6 -> ln",
}
"""Nets whose pages stand beside: NAME.txt for a terminal, NAME.tex for a document."""


def written(spec: str) -> Equations:
    return equations(nnspec.graph(spec))


def everything(found: Equations) -> list[Equation]:
    loss = [found.loss] if found.loss else []
    lines = [line.equation for line in found.lines]
    return [*lines, *loss, *(one for group in found.meanings for one in group)]


def sides(equation: Equation) -> list[Formula]:
    return [equation.left, *([equation.right] if equation.right else [])]


# -------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("name", PAGES)
def test_pages(name: str) -> None:
    page = Page(written(PAGES[name]))
    for ending, shown in (("txt", text(page, colour=False)), ("tex", document(page))):
        expected = EXPECTED / f"{name}.{ending}"
        if os.environ.get("NNSPEC_ACCEPT"):
            expected.parent.mkdir(exist_ok=True)
            expected.write_text(shown, "utf-8")
        assert shown == expected.read_text("utf-8")


def test_the_course_s_own_lines() -> None:
    for spec, line in (
        ("3 -> fc4 relu -> fc4 relu -> fc1", "s = W₃ max(0, W₂ max(0, W₁ x + b₁) + b₂) + b₃"),
        ("3072 -> fc10", "s = W x + b"),
        ("3 -> fc1 sigmoid", "s = σ(W x + b)"),
        ("3x8x8 -> conv4 3x3 relu", "s = max(0, W ∗ x + b)"),
    ):
        (only,) = written(spec).lines
        assert plainly(only.equation) == line


def test_a_line_that_would_be_too_wide_is_an_equation_a_layer() -> None:
    short, long = (written("3 -> " + " -> ".join(["fc4 relu"] * n)) for n in (4, 5))
    assert len(short.lines) == 1
    assert len(long.lines) == 5
    assert plainly(long.lines[1].equation) == "h₂ = max(0, W₂ h₁ + b₂)"


def test_a_shared_weight_is_one_symbol() -> None:
    found = written("shared tower = fc4 relu\n3 -> concat[ tower | tower ] -> fc2\n")
    left, right, *_ = (line.equation.right for line in found.lines)
    assert left == right
    tied = written("4 int -> table: embed9 5 -> ln -> fc9 nobias tie=@table")
    assert plainly(tied.lines[-1].equation) == "s = ln(E[x]) Eᵀ"


def test_stacked_blocks_are_told_once() -> None:
    page = Page(written(PAGES["stack"]))
    shown = text(page, colour=False)
    assert "h₈ to h₄₂ likewise, 5 more times" in shown
    assert "attn2" not in shown
    assert "ln13.scale" in shown
    assert len(mathematics(page.found).equations) == 43
    assert repeats("xabababy", 6) == ()
    assert repeats("xabababababy", 6) == (Repeat(1, 2, 5),)
    assert repeats("aaaaaaab", 6) == (Repeat(0, 1, 7),)


def test_a_very_long_layer_is_several_equations() -> None:
    found = written("3 -> fc4" + " tanh" * 3000)
    assert len(found.lines) > 100
    assert plainly(found.lines[1].equation).startswith("h₂ = tanh(tanh(")
    assert text(Page(found), colour=False)


def test_the_same_layers_of_other_sizes_are_told_apart() -> None:
    page = Page(
        written("4 -> fc4 relu -> fc4 relu -> fc5 relu -> fc4 relu -> fc4 relu -> fc4 relu")
    )
    assert not page.runs
    assert Page(written("4 -> " + " -> ".join(["fc4 relu"] * 9))).runs


def test_reading_one_early_value_again_and_again_is_no_repetition() -> None:
    spec = "a: 4 -> b: fc4 relu" + " -> add[ fc4 relu | @b ]" * 9
    assert not Page(written(spec.replace("a: 4", "4"))).runs


# ----------------------------------------------------------------------------------- totality


@pytest.mark.parametrize("sample", [one for kind in CATALOGUE.values() for one in kind.samples])
def test_every_operator_says_what_it_is(sample: str) -> None:
    """In both spellings, and every word and sign that it uses is explained on the page."""
    found = written(sample)
    explained_by(found)
    page = Page(found)
    assert text(page, colour=False)
    balanced(document(page))
    assert json.dumps(asdict(mathematics(page.found)))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_says_what_it_is(name: str) -> None:
    for output in (1, 3):
        if issubclass(LOSSES[name], OfClasses) and output == 1:
            continue
        found = written(f"3 -> fc{output}\ntrain(loss={name}, l2=1e-3)")
        assert found.loss
        explained_by(found)
        balanced(document(Page(found)))


def explained_by(found: Equations) -> None:
    explained = {
        part.word
        for group in found.meanings
        for one in group
        for part in walk(one.left)
        if isinstance(part, Call)
    }
    signs = {
        part.sign
        for group in found.meanings
        for one in group
        for part in walk(one.left)
        if isinstance(part, Product)
    }
    for equation in everything(found):
        assert equation.right is not None or equation.says
        for side in sides(equation):
            for part in walk(side):
                if isinstance(part, Call):
                    assert part.word in explained | UNDERSTOOD, part.word
                if isinstance(part, Product):
                    assert part.sign in signs | {"", "⊙"}, part.sign


def balanced(tex: str) -> None:
    """Braces, brackets that grow, environments and dollars close; nothing is left in Unicode."""
    assert tex.isascii(), [c for c in tex if not c.isascii()]
    depth = 0
    for step in re.findall(r"(?<!\\)[{}]", tex):
        depth += 1 if step == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert tex.count(r"\left") - tex.count(r"\leftarrow") == tex.count(r"\right")
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", tex):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    assert len(re.findall(r"(?<!\\)\$", tex)) % 2 == 0
    assert "$$" not in tex.replace("$$\\", "$ $\\")
    assert not re.search(r"\^\{[^{}]*\}\^|_\{[^{}]*\}_", tex), "a double superscript or subscript"


def compiled(seeds: int) -> Iterator[str]:
    """Those of the random nets whose shapes work out."""
    for spec in map(random_net, range(seeds)):
        with suppress(nnspec.SpecError):
            nnspec.graph(spec)
            yield spec


@pytest.mark.parametrize("spec", list(compiled(150)))
def test_random_nets(spec: str) -> None:
    """Equations of any net: explained, unambiguous, and LaTeX that closes what it opens."""
    found = written(spec)
    explained_by(found)
    balanced(document(Page(found)))
    symbols = [unicode(one.symbol) for one in found.quantities]
    assert len(set(symbols)) == len(symbols)
    lefts = [group[0].left for group in found.meanings]
    assert len(set(lefts)) == len(lefts), "one word means two things"
    known = {one.symbol for one in found.quantities}
    for line in found.lines:
        assert line.equation.right is not None
        for part in walk(line.equation.right):
            assert not isinstance(part, Name) or part in known
        known.add(line.equation.left)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------- laws


class Numbers:
    """The algebra of floats."""

    exp, expm1, log1p, tanh, erf = math.exp, math.expm1, math.log1p, math.tanh, math.erf
    abs, maximum, minimum = abs, max, min

    @staticmethod
    def above(x: float, bound: float) -> float:
        return float(x > bound)


LAWS = [name for name, kind in CATALOGUE.items() if issubclass(kind, Elementwise)]


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_written_as_it_is_computed(name: str) -> None:
    """The law, its statement, and the formula that is shown agree, at points on both sides of 0."""
    op: Any = CATALOGUE[name]()
    shown = op.stated(Writer(), Name("x"))
    for x in (-7.0, -2.5, -0.3, 0.2, 1.0, 4.0, 8.0):
        law = op.law(Numbers, x)
        assert op.stated(Numbers, x) == pytest.approx(law, rel=1e-12, abs=1e-12)
        assert value(shown, {Name("x"): np.float64(x)}, {}) == pytest.approx(
            law, rel=1e-12, abs=1e-12
        )


# ------------------------------------------------------------------------------------ truth


def value(
    f: Formula, given: dict[Formula, Any], meanings: dict[str, Equation], note: str = ""
) -> Any:
    """What a formula is worth in NumPy; a word is looked up in what the page says of it."""

    def of(part: Formula) -> Any:
        return value(part, given, meanings, note)

    match f:
        case Name("π"):
            return math.pi
        case Name():
            return given[f]
        case Number(number):
            return number
        case Sum(terms):
            parts = [of(term) for term in terms]
            rank = max(np.ndim(part) for part in parts)
            return sum(by_channel(part, rank) for part in parts)
        case Negative(inner):
            return -of(inner)
        case Product((w, x), "∗"):
            return convolved(of(w), of(x), settings_of(w, given))
        case Product(factors):
            worth = of(factors[0])
            for factor in factors[1:]:
                other = of(factor)
                matrices = np.ndim(worth) == 2
                plain = by_channel(worth, np.ndim(other))
                worth = worth @ other if matrices else plain * other
            return worth
        case Quotient(top, bottom):
            above, below = of(top), of(bottom)
            return above / by_channel(below, np.ndim(above))
        case Power(base, exponent):
            return of(base) ** of(exponent)
        case Transposed(inner):
            return of(inner).T
        case Root(inner):
            return np.sqrt(of(inner))
        case Above(inner, bound):
            return np.where(of(inner) > of(bound), 1.0, 0.0)
        case Row(items):
            return np.concatenate([of(item) for item in items])
        case Call("max", (one, two)):
            return np.maximum(of(one), of(two))
        case Call("min", (one, two)):
            return np.minimum(of(one), of(two))
        case Call(("exp" | "log" | "tanh") as word, (inner,)):
            return getattr(np, word)(of(inner))
        case Call("erf", (inner,)):
            return np.vectorize(math.erf)(of(inner))
        case Call(word, arguments, index, settings):
            meaning = meanings[f"{word}{settings}"]
            local: dict[Formula, Any] = {
                key.numbered(""): worth
                for key, worth in given.items()
                if isinstance(key, Name) and key.index == index
            }
            assert isinstance(meaning.left, Call)
            for parameter, argument in zip(meaning.left.arguments, arguments, strict=True):
                local[parameter] = of(argument)
            assert meaning.right is not None
            if list(local) == list(meaning.left.arguments):
                (x,) = local.values()
                return value(meaning.right, dict.fromkeys(local, x.ravel()), meanings).reshape(
                    x.shape
                )
            return value(meaning.right, local, meanings)
    raise AssertionError(f"{unicode(f)} is not evaluated here")


def by_channel(part: Any, rank: int) -> Any:
    """A vector beside maps is one number a channel."""
    return part.reshape(-1, *[1] * (rank - 1)) if np.ndim(part) == 1 and rank > 2 else part


def settings_of(w: Formula, given: dict[Formula, Any]) -> dict[str, int]:
    assert isinstance(w, Name)
    note = given.get(Name("note", unicode(w)), "")
    return {name: int(number) for name, number in re.findall(r"(\w) = (\d+)", note)}


def convolved(w: Any, x: Any, given: dict[str, int]) -> Any:
    """As the page defines ∗: sum over c, a of W[n, c, a] x[c, s i + d a − p]."""
    s, p, d = (given.get(name, usual) for name, usual in (("s", 1), ("p", 0), ("d", 1)))
    x = np.pad(x, ((0, 0), (p, p), (p, p)))
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k in zip(x.shape[1:], w.shape[2:], strict=True)]
    y = np.zeros((w.shape[0], *sizes))
    for (i, j), (a, b) in product(np.ndindex(*sizes), np.ndindex(*w.shape[2:])):
        y[:, i, j] += w[:, :, a, b] @ x[:, s * i + d * a, s * j + d * b]
    return y


def computed(spec: str, seed: int) -> tuple[Any, Any]:
    """The net's output, and what its equations say of the same input."""
    net = nnspec.compile(spec, seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    for array in net.weights.values():
        array[...] = rng.uniform(0.2, 1.0, array.shape) * rng.choice((-1, 1), array.shape)
    found = written(spec)
    states = {node.keeper(w): w.constant for node in nnspec.graph(spec).nodes for w in node.state}
    given: dict[Formula, Any] = {}
    for one in found.quantities:
        if one.name == "input":
            given[one.symbol] = rng.normal(size=one.shape)
        elif one.name in states:
            given[one.symbol] = np.full(one.shape, states[one.name])
        else:
            given[one.symbol] = net.weights[one.name]
        given[Name("note", unicode(one.symbol))] = one.note
    meanings = {
        f"{group[0].left.word}{group[0].left.settings}": group[0]
        for group in found.meanings
        if isinstance(group[0].left, Call)
    }
    for line in found.lines:
        assert line.equation.right is not None
        given[line.equation.left] = value(line.equation.right, given, meanings)
    return net(given[Name("x")][None])[0], given[Name("s")]


BENDS = [name for name in LAWS if name != "step"]


def chain(seed: int) -> str:
    rng = Random(seed)
    stages = [f"{rng.randint(2, 5)}"]
    for _ in range(rng.randint(1, 6)):
        bend = rng.choice(
            [*BENDS, "lrelu0.2", "elu0.5", "bn", "bn relu", "scale shift", "prelu", ""]
        )
        stages.append(f"fc{rng.randint(2, 6)}{rng.choice(('', ' nobias'))} {bend}")
    if rng.random() < 0.3:
        stages.insert(2, "add[ id | id tanh ]")
    return " -> ".join(stages)


@pytest.mark.parametrize("seed", range(60))
def test_equations_of_chains_compute_what_the_net_does(seed: int) -> None:
    got, told = computed(chain(seed), seed)
    np.testing.assert_allclose(told, got, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "spec",
    [
        "3x7x6 -> conv4 3x3 relu -> conv2 3x2 s2 tanh",
        "2x9x9 -> conv4 3x3 s2 p1 d2 nobias bn relu -> conv3 1x1 sigmoid",
        "4x5 -> fc3 gelu -> fc6 nobias -> fc2",
        "3x5x5 -> add[ conv3 3x3 p1 bn relu -> conv3 3x3 p1 | id ] relu",
        "4 -> mul[ fc3 | fc3 sigmoid ] -> concat[ fc2 | fc5 tanh ] -> fc2",
    ],
)
def test_equations_of_maps_and_branches_compute_what_the_net_does(spec: str) -> None:
    got, told = computed(spec, 1)
    np.testing.assert_allclose(told, got, rtol=1e-10, atol=1e-10)


# --------------------------------------------------------------------------------- formulas


def test_brackets() -> None:
    a, b, c = Name("a"), Name("b"), Name("c")
    for built, shown, tex in (
        (a + b * (b - c), "a + b (b − c)", r"a + b \left(b - c\right)"),
        (a - (b - c), "a − (b − c)", r"a - \left(b - c\right)"),
        ((a + b) / (b * c), "(a + b) / (b c)", r"\frac{a + b}{b c}"),
        (a / b * c, "a / b c", None),
        (Power(a + b, Number(2.0)), "(a + b)²", r"\left(a + b\right)^{2}"),
        (Power(a, Number(0.75)), "a^0.75", "a^{0.75}"),
        (a * a * a, "a³", "a^{3}"),
        (-(a + b), "−(a + b)", r"-\left(a + b\right)"),
        (formula(1 / 6) * a, "a / 6", r"\frac{a}{6}"),
        (formula(math.sqrt(0.5)), "1 / √2", r"\frac{1}{\sqrt{2}}"),
        (formula(math.sqrt(2 / math.pi)), "√(2 / π)", r"\sqrt{\frac{2}{\pi}}"),
        (formula(1e-5), "10⁻⁵", "10^{-5}"),
        (formula(2.5e-7), "2.5·10⁻⁷", r"2.5 \cdot 10^{-7}"),
        (Transposed(Name("W", "1", "O")), "W₁ᴼᵀ", r"W_{1}^{O\top}"),
        (At(Name("Q"), (Name("i"),)), "Q[i]", "Q_{i}"),
        (1.0 - Over("sum", "k", a), "1 − (sum over k of a)", None),
    ):
        if tex is None:
            continue
        assert unicode(built) == shown
        assert latex(built) == tex


# ---------------------------------------------------------------------------------- command


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["math", "3 -> fc4 relu -> fc1", "--color", "never"]) == 0
    assert capsys.readouterr().out.startswith("s = W₂ max(0, W₁ x + b₁) + b₂\n")
    assert main(["math", "3 -> fc4 relu -> fc1", "--format", "latex"]) == 0
    assert capsys.readouterr().out.startswith("\\begin{align*}\n  s &= W_{2} \\max")
    assert main(["math", "5 -> fc4 -> fc3", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equations"][0]["text"] == "s = W₂ (W₁ x + b₁) + b₂"
    assert found["one_maps"] == [
        {
            "layers": ["fc1", "fc2"],
            "equals": "fc3",
            "exact": True,
            "parameters": 39,
            "parameters_of_one": 18,
            "equations": [
                {"text": "W = W₂ W₁", "latex": "W = W_{2} W_{1}", "says": ""},
                {"text": "b = W₂ b₁ + b₂", "latex": "b = W_{2} b_{1} + b_{2}", "says": ""},
            ],
        }
    ]
    assert main(["math", "3 -> fc0"]) == 1
    assert "NN105" in capsys.readouterr().err


def test_what_every_operator_says_of_itself() -> None:
    """The pages of all samples in one file: what no net above computes is there to be read."""
    samples = (sample for _, kind in sorted(CATALOGUE.items()) for sample in kind.samples)
    found = "\n".join(
        f"== {sample}\n\n{text(Page(written(sample)), colour=False)}" for sample in samples
    )
    expected = EXPECTED / "operators.txt"
    if os.environ.get("NNSPEC_ACCEPT"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")
