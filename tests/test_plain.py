"""Outputs that are not in UTF-8: what cannot be shown is spelled out, and JSON stays JSON."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from nnspec.__main__ import main
from nnspec.grammar.plain import PLAIN

from .test_cli import NET, ROOT


def said(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str) -> str:
    """What a command writes to outputs of an encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    main(words)
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "words",
    [
        ["summary", NET],
        ["plan", NET],
        ["explain", NET],
        ["math", NET],
        ["diff", NET, "3 -> fc1"],
        ["train", "4 -> fc3", "--data", "iris", "--epochs", "2"],
        ["profile", "3 -> fc4"],
    ],
    ids=lambda words: words[0],
)
def test_no_escapes(monkeypatch: pytest.MonkeyPatch, encoding: str, words: list[str]) -> None:
    assert not re.findall(r"\\[ux]\w+", said(monkeypatch, encoding, *words))


def test_rules_and_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(monkeypatch, "ascii", "summary", NET)
    assert " ------" in told
    assert "39% ####\n" in told
    assert "3 -> 1" in told
    assert "3*4 + 4 = 16" in told


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_stays_json(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    for words in (["check", "3 -> é→"], ["summary", "é→.nn"], ["evaluate", "é→", "--data", "iris"]):
        found = json.loads(said(monkeypatch, encoding, *words, "--format", "json"))
        told = " ".join(one["message"] for one in found["diagnostics"])
        assert {"é", "→"} <= set(told)


def test_every_character_that_is_written_has_a_spelling() -> None:
    rooms = ("grammar", "compiler", "runtime", "analyzers")
    texts = (path.read_text("utf-8") for room in rooms for path in (ROOT / room).rglob("*.py"))
    found = {c for text in texts for c in text if ord(c) > 127}
    assert found - PLAIN.keys() == {"�"}
    assert all(spelled.isascii() for spelled in PLAIN.values())


def test_what_has_no_spelling_is_escaped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "cannot read `\\u4f60.nn`" in said(monkeypatch, "ascii", "check", "你.nn")
    assert "NN501" in said(monkeypatch, "utf-8", "train", "4 -> fc3", "--data", "\udcff")
