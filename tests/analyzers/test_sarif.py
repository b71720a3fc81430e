"""SARIF under the official schema: every wrong spec, its places, and its fixes applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

import nnspec
from nnspec.analyzers.check import checked
from nnspec.analyzers.render.sarif import sarif
from nnspec.analyzers.rule import rules
from nnspec.grammar.diagnostics import Mistake
from nnspec.grammar.errors import Unreadable
from nnspec.grammar.fix import apply
from nnspec.grammar.source import Source, Span

from ..test_cases import CASES, found

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = Draft4Validator(SCHEMA, format_checker=Draft4Validator.FORMAT_CHECKER)


def logged(*mistakes: Mistake) -> dict[str, Any]:
    """One run, valid."""
    log = json.loads(json.dumps(sarif(mistakes, nnspec.__version__, nnspec.docs)))
    assert not [error.message for error in VALIDATOR.iter_errors(log)]
    (run,) = log["runs"]
    return dict(run)


def offset(text: str, line: int, column: int) -> int:
    """A place as SARIF counts: lines and columns from 1, columns in code points."""
    return sum(len(row) for row in text.splitlines(keepends=True)[: line - 1]) + column - 1


def cut(text: str, region: dict[str, int]) -> tuple[int, int]:
    start = offset(text, region["startLine"], region["startColumn"])
    return start, offset(text, region["endLine"], region["endColumn"])


def replaced(text: str, fix: dict[str, Any]) -> str:
    """The text with a fix applied by its regions alone, as another program would."""
    (change,) = fix["artifactChanges"]
    edits = [
        (*cut(text, edit["deletedRegion"]), edit["insertedContent"]["text"])
        for edit in change["replacements"]
    ]
    for start, end, insert in sorted(edits, reverse=True):
        text = text[:start] + insert + text[end:]
    return text


def test_a_file_that_cannot_be_read() -> None:
    """It has no place in a text; GitHub wants a line all the same."""
    (result,) = logged(Unreadable(None, "a net.nn", "permission denied"))["results"]
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20net.nn"},
        "region": {"startLine": 1},
    }


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_wrong_specs(path: Path) -> None:
    mistakes = found(path)
    run = logged(*mistakes)
    assert len(run["results"]) == len(mistakes)
    for mistake, result in zip(mistakes, run["results"], strict=True):
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] == mistake.code
        assert rule["help"]["markdown"].startswith(f"# {mistake.code} ")
        assert result["level"] == mistake.severity.value
        assert mistake.message() in result["message"]["text"]
        if mistake.span is None:
            continue
        text = mistake.span.source.text
        region = result["locations"][0]["physicalLocation"]["region"]
        assert cut(text, region) == (mistake.span.start, mistake.span.end)
        for note, told in zip(
            (*mistake.notes(), *mistake.trail), result.get("relatedLocations", []), strict=True
        ):
            where = told["physicalLocation"]["region"]
            assert cut(note.span.source.text, where) == (note.span.start, note.span.end)
        if (fix := mistake.fix()) is None:
            assert "fixes" not in result
        else:
            source = fix.edits[0].span.source
            assert replaced(source.text, result["fixes"][0]) == apply(source, [mistake])[0]


@pytest.mark.parametrize("code", rules())
def test_rules(code: str) -> None:
    """What a rule finds is a warning; its fix, applied from the log, takes it away."""
    rule = rules()[code]
    for text in rule.wrong:
        source = Source("wrong.nn", text)
        mistakes = checked(source, codes=frozenset({code}))
        run = logged(*mistakes)
        told = [result for result in run["results"] if result["ruleId"] == code]
        assert told
        assert {result["level"] for result in told} == {"warning"}
        for result in told:
            if "fixes" in result:
                mended = Source("wrong.nn", replaced(text, result["fixes"][0]))
                assert len(checked(mended, codes=frozenset({code}))) < len(mistakes)


class Strange(Mistake):
    """A mistake in a place that is hard to write down."""

    code, name = "", "strange"

    def message(self) -> str:
        return "strange"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a net.nn", "a%20net.nn"),
        ("nets/50%.nn", "nets/50%25.nn"),
        ("a:b.nn", "a%3Ab.nn"),
        ("größe#1?.nn", "gr%C3%B6%C3%9Fe%231%3F.nn"),
        ("\udcff.nn", "%FF.nn"),
        ("/tmp/a net.nn", "file:///tmp/a%20net.nn"),
        ("<text>", "%3Ctext%3E"),
    ],
)
def test_names_of_files(name: str, uri: str) -> None:
    log = sarif([Strange(Span(Source(name, "3 -> fc4"), 0, 1))], "0", lambda code: "# page\n")
    result = log["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    VALIDATOR.validate(log)


def test_columns_count_code_points() -> None:
    text = "# 💥\n3 -> fc4 # é\n-> lrelu0.1 💥"
    start = text.index("lrelu")
    log = sarif([Strange(Span(Source("a.nn", text), start, len(text)))], "0", lambda code: "# p\n")
    run = log["runs"][0]
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert region == {"startLine": 3, "startColumn": 4, "endLine": 3, "endColumn": 14}


def test_the_schema_can_refuse() -> None:
    log = sarif([], nnspec.__version__, nnspec.docs)
    assert VALIDATOR.is_valid(log)
    log["runs"][0]["results"] = [{"level": "fatal"}]
    assert not VALIDATOR.is_valid(log)
