"""The kept tables are those of the grammar."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from nnspec.grammar import parse as parsing
from nnspec.grammar import tables
from nnspec.grammar.source import Source

ROOT = Path(__file__).parents[2]
GRAMMAR = ROOT / "grammar" / "nn.lark"


def test_they_are_of_this_grammar() -> None:
    """`python -m nnspec.grammar.tables` makes them anew."""
    kept = json.loads((ROOT / "grammar" / "tables.json").read_text("utf-8"))
    assert kept["made_of"][1] == sha256(GRAMMAR.read_bytes()).hexdigest()


def test_both_ways_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "specs").rglob("*.nn"))]
    texts += [path.read_text("utf-8") for path in sorted((ROOT / "tests" / "cases").rglob("*.nn"))]
    before = [parsing.parse(Source("net", text)) for text in texts]
    made = tables.made(GRAMMAR.read_text("utf-8"))
    monkeypatch.setattr(parsing, "grammar", lambda: made)
    assert [parsing.parse(Source("net", text)) for text in texts] == before


def test_other_tables_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_made_of", lambda text: ["another lark", text])
    assert tables.parser().terminals
