"""What programs read: one line a mistake, GitHub's annotations, SARIF."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.render.github import workflow_commands
from nnspec.grammar.diagnostics import Mistake
from nnspec.grammar.source import Source, Span


class Silly(Mistake):
    """The mistake of GitHub's example."""

    name = "silly"

    def __init__(self, span: Span, said: str = "Missing semicolon") -> None:
        super().__init__(span)
        object.__setattr__(self, "said", said)

    @property
    def code(self) -> str:  # type: ignore[override]
        return "NN000"

    def message(self) -> str:
        return str(vars(self)["said"])


TEXT = "3x8x8 -> Conv4 3x3\n-> add[ id | gap fc3 ] -> conv4 3 bn relu -> flatten fc2\n"


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a net.nn").write_text(TEXT, "utf-8")
    return "a net.nn"


def printed(net: str, how: str, capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert main(["check", net, "--isolated", "--format", how]) == code
    said = capsys.readouterr()
    assert not said.err
    return said.out


def test_concise(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(net, "concise", capsys).splitlines()
    assert line == "a net.nn:1:10: NN101 no operator is called `Conv4` (here it is written `conv4`)"


def test_github(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(net, "github", capsys).splitlines()
    assert line == (
        "::error title=nnspec (NN101),file=a net.nn,line=1,endLine=1,col=10,endColumn=15"
        "::no operator is called `Conv4`%0Ahere it is written `conv4`"
    )


def test_github_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "50%,a:b.nn"
    path.write_text("3 -> dense4\n", "utf-8")
    assert "50%25%2Ca%3Ab.nn" in printed(str(path), "github", capsys)


def unescaped(text: str) -> str:
    """As the runner reads a property: actions/runner, `ActionCommand.cs`."""
    for code, character in (("0D", "\r"), ("0A", "\n"), ("3A", ":"), ("2C", ","), ("25", "%")):
        text = text.replace(f"%{code}", character)
    return text


def parsed(command: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as its documentation has it: `::word name=value,name=value::message`."""
    said = re.fullmatch(r"::(\w+) (.*?)::(.*)", command)
    assert said
    word, properties, message = said.groups()
    pairs = (pair.partition("=") for pair in properties.split(","))
    return word, {name: unescaped(value) for name, _, value in pairs}, unescaped(message)


def test_the_commands_of_the_documentation() -> None:
    """GitHub, workflow commands, 'Setting an error message' and 'Setting a warning message'."""
    told = "::error file=app.js,line=1,col=5,endColumn=7::Missing semicolon"
    place = {"file": "app.js", "line": "1", "col": "5", "endColumn": "7"}
    assert parsed(told) == ("error", place, "Missing semicolon")
    source = Source("app.js", "3 -> fc4")
    (line,) = workflow_commands([Silly(Span(source, 4, 6))]).splitlines()
    word, properties, message = parsed(line)
    assert (word, message) == ("error", "Missing semicolon")
    assert properties == place | {"endLine": "1", "title": "nnspec (NN000)"}


@pytest.mark.parametrize(
    "text", ["50%", "a,b", "a:b", "::error::x", "a\nb", "a\r\nb", "%0A", "=,:%"]
)
def test_github_reads_what_was_meant(text: str) -> None:
    source = Source(text, "3 -> fc4")
    (line,) = workflow_commands([Silly(Span(source, 0, 1), said=text)]).splitlines()
    _, properties, message = parsed(line)
    assert properties["file"] == text
    assert message == text


def test_github_takes_columns_of_one_line_only() -> None:
    text = "3 -> fc4\n-> fc5"
    (line,) = workflow_commands([Silly(Span(Source("a.nn", text), 5, 11))]).splitlines()
    assert "file=a.nn,line=1,endLine=2::" in line


def test_sarif(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = json.loads(printed(net, "sarif", capsys))
    assert whole["version"] == "2.1.0"
    (run,) = whole["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("nnspec", nnspec.__version__)
    (result,) = run["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "NN101"
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20net.nn"
    assert place["region"] == {"startLine": 1, "startColumn": 10, "endLine": 1, "endColumn": 15}
    (change,) = result["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": "conv4"}
    assert replacement["deletedRegion"] == place["region"]


def test_sarif_with_warnings_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    block = "block b = conv4 3 p1 bn relu\n3x8x8 -> b -> flatten fc2"
    (run,) = json.loads(printed(block, "sarif", capsys, code=0))["runs"]
    assert [result["level"] for result in run["results"]] == ["warning"]
    clash = "3 -> add[ fc4 | fc5 ]"
    (run,) = json.loads(printed(clash, "sarif", capsys))["runs"]
    assert len(run["results"][0]["relatedLocations"]) == 2
    (run,) = json.loads(printed("3 -> fc4", "sarif", capsys, code=0))["runs"]
    assert run["results"] == run["tool"]["driver"]["rules"] == []
