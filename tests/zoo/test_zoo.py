"""Every net of the zoo against its published counts, to the unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnspec.grammar.parse import parse
from nnspec.grammar.source import Source
from nnspec.grammar.tree import Expect

from . import SPECS, Row, published

ROWS = published()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.spec)
def test_counts(row: Row) -> None:
    counted = row.counted()
    assert counted[:2] == (row.input, row.params)
    assert row.exact(counted)
    assert not replace(row, params=row.params + 1).exact(counted)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.spec)
def test_the_spec_promises_them(row: Row) -> None:
    text = (SPECS / row.spec).read_text("utf-8")
    file, mistakes = parse(Source(row.spec, text))
    assert not mistakes
    assert any(isinstance(statement, Expect) for statement in file.statements)
    for number in (row.params, row.macs):
        if number is not None:
            assert f"{number}" in text.replace("_", "")


def test_there_are_all_of_them() -> None:
    assert len(ROWS) == 67
    assert len({row.spec for row in ROWS}) == 67


@pytest.mark.parametrize(
    ("spec", "lines"),
    [
        ("vision/vgg16.nn", 5),
        ("vision/resnet50.nn", 12),
        ("vision/googlenet.nn", 16),
        ("vision/unet.nn", 14),
        ("language/gpt2.nn", 8),
    ],
)
def test_a_spec_is_as_long_as_its_table(spec: str, lines: int) -> None:
    text = (SPECS / spec).read_text("utf-8")
    assert len([line for line in text.splitlines() if line and line[0] != "#"]) <= lines


def test_a_file_is_a_page_at_most() -> None:
    for path in SPECS.rglob("*.nn"):
        assert len(path.read_text("utf-8").splitlines()) <= 50, path
