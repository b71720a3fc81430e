"""The language reference: complete, and every example in it true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.docs import CONCEPTS, WORDS
from nnspec.analyzers.promises import check_promises
from nnspec.compiler.elaborate import elaborate
from nnspec.compiler.expressions import FUNCTIONS
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.training import MENUS
from nnspec.grammar.diagnostics import Mistake
from nnspec.grammar.source import Source

PAGES = Path(__file__).parents[2] / "grammar" / "reference"


def examples(page: str) -> list[str]:
    """The indented texts of a page; a page's first line of prose ends each."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", page, re.MULTILINE)
    return [re.sub(r"^    ", "", text, flags=re.MULTILINE) for text in found]


def test_every_concept_has_a_page() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(CONCEPTS)
    assert set(WORDS.values()) <= set(CONCEPTS)
    for word in (
        *CONCEPTS,
        *CATALOGUE,
        *(word for menu in MENUS.values() for word in menu.choices),
    ):
        assert word in nnspec.docs()


@pytest.mark.parametrize("concept", CONCEPTS)
def test_examples_of_concepts(concept: str) -> None:
    page = nnspec.docs(concept)
    assert page.startswith("# ")
    assert max(map(len, page.splitlines())) <= 120
    for text in examples(page):
        found = elaborate(Source(concept, text))
        assert not found.mistakes, (text, found.mistakes)
        assert found.graph is not None
        assert not check_promises(found.graph), text


def test_most_concepts_have_examples() -> None:
    assert {concept for concept in CONCEPTS if not examples(nnspec.docs(concept))} == {"limits"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_pages_of_operators(name: str) -> None:
    kind, page = CATALOGUE[name], nnspec.docs(name)
    assert page.startswith(f"# {name}")
    # Some words are a choice of `train(...)` too, told of behind the operator.
    page, *others = page.split("\n# ")
    assert len(others) == sum(name in menu.choices for menu in MENUS.values())
    assert page.rstrip().endswith(f"{kind.source}.")
    for field in kind.model_fields:
        assert re.search(rf"^    .*\b{field}\b", page, re.MULTILINE) or field in "spdgk", field
    for sample in kind.samples:
        assert f"    {sample}\n    # shape" in page


def test_functions_are_named() -> None:
    words = set(re.findall(r"\w+", nnspec.docs("expressions")))
    assert set(FUNCTIONS) <= words


def test_pages_of_mistakes_and_settings() -> None:
    assert "cross_entropy" in nnspec.docs("cross_entropy")
    assert nnspec.docs("adam").startswith("# adam(lr=0.001")
    assert "# noise(sd=0.1)\n" in nnspec.docs("noise")
    assert "A choice for `augment` in `train(...)`." in nnspec.docs("noise")
    nnspec.docs()
    for code, kind in Mistake.by_code.items():
        assert nnspec.docs(code).startswith(f"# {code} {kind.name}\n")
    assert "NN551" in Mistake.by_code


def test_words_lead_to_their_page() -> None:
    assert nnspec.docs("let") == nnspec.docs("expressions")
    assert nnspec.docs("Dense") == nnspec.docs("fc")
    assert nnspec.docs("nn201") == nnspec.docs("NN201")


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "blocks"]) == 0
    assert capsys.readouterr().out == nnspec.docs("blocks")
    assert main(["docs", "conv", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == nnspec.docs("conv")
    assert main(["docs", "convv"]) == 2
    assert "did you mean `conv`?" in capsys.readouterr().err


def test_codes_and_names_are_of_one_form() -> None:
    for code, kind in Mistake.by_code.items():
        assert re.fullmatch(r"NN\d{3}", code)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.name), kind.name
