"""Reports as Markdown, read back by a Markdown parser with GitHub's tables."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.render.fold import folded
from nnspec.analyzers.render.markdown import code, comparison, escaped, summary

ROOT = Path(__file__).parents[2]
READER = MarkdownIt("commonmark").enable("table")
NETS = ["course/net_3_4_4_1", "course/lenet5", "vision/vgg16", "vision/googlenet", "language/gpt2"]


def tables(markdown: str) -> list[list[list[str]]]:
    """The cells of every table, as a reader sees them."""
    html = READER.render(markdown)
    return [
        [
            [
                unescape(re.sub(r"<[^>]*>", "", cell))
                for cell in re.findall(r"<t[hd].*?</t[hd]>", row)
            ]
            for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
        ]
        for table in re.findall(r"<table>.*?</table>", html, re.DOTALL)
    ]


@pytest.mark.parametrize("net", NETS)
def test_summary(net: str) -> None:
    report = nnspec.analyze(ROOT / "specs" / f"{net}.nn")
    said = summary(report, depth=10_000)
    (head, *rows), _ = tables(said)
    assert head == ["layer", "operators", "output", "parameters", "MACs", "share"]
    lines = folded(report, 10_000)
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert len(row) == 6
        assert row[0].strip("\u2003").startswith(line.name)
        assert row[0].count("\u2003") == line.indent
        assert row[3].endswith(f"{line.params:,}") or not line.params
        assert not line.layer or row[1] == line.layer.spelled
    assert f"{report.params:,} parameters" in said
    assert said.count("<details>") == said.count("</details>") == 1 + (len(rows) > 40)


def test_columns_and_depth(capsys: pytest.CaptureFixture[str]) -> None:
    spec = str(ROOT / "specs" / "vision" / "resnet50.nn")
    words = [
        "summary",
        spec,
        "--format",
        "markdown",
        "--depth",
        "1",
        "--columns",
        "layer,flops,layer",
    ]
    assert main(words) == 0
    (head, *rows), _ = tables(capsys.readouterr().out)
    assert head == ["layer", "FLOPs, step", "layer"]
    assert rows[0][0] == "stem1"
    assert len(rows) == len(folded(nnspec.analyze(spec), 1))


def test_diff() -> None:
    found = nnspec.diff("3 -> fc4 relu -> fc1", "3 -> fc8 relu -> add[ id | fc8 ] -> fc1")
    totals, layers = tables(comparison(found))
    assert totals[1] == ["parameters", "21", "113", "+92 (+438.1%)"]
    assert layers[0] == ["", "layer", "operators", "output", "parameters"]
    assert ["~", "fc1", "fc4 relu → fc8 relu", "4 → 8", "16 → 32"] in layers
    assert ["+", "add1", "add[…]", "8", "0"] in layers
    same = nnspec.diff("3 -> fc4", "3 -> fc4")
    assert "the same, layer by layer" in comparison(same)


@pytest.mark.parametrize(
    "text",
    ["a|b", "`", "``a`", "<script>alert(1)</script>", "*a* _b_", "a  b", "| --- |", "\\|", "&lt;"],
)
def test_nothing_in_a_text_is_markup(text: str) -> None:
    plain = " ".join(text.split())
    ((_, (first, second)),) = tables(f"| a | b |\n|--|--|\n| {code(text)} | {escaped(text)} |")
    assert (first, second) == (plain, plain)


@pytest.mark.parametrize(
    "text", ["# a", "- a", "+ a", "1. a", "1) a", "> a", "---", "===", "    a"]
)
def test_nothing_in_a_paragraph_is_markup(text: str) -> None:
    html = READER.render(f"before\n\n{escaped(text)}\n")
    assert unescape(html) == f"<p>before</p>\n<p>{text.strip()}</p>\n"


def test_documentation_is_text() -> None:
    report = nnspec.analyze("## <img src=x onerror=alert(1)> | *a*\n3 -> fc4")
    assert "<img" not in READER.render(summary(report))


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "3 -> fc4", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("### single-layer")
    assert main(["diff", "3 -> fc4", "3 -> fc5", "--format", "markdown"]) == 1
    assert capsys.readouterr().out.startswith("### `<text>` → `<text>`")
