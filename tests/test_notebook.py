"""What a notebook shows: reports, nets and diagrams, whatever text a spec holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import nnspec
from nnspec.analyzers.render.fold import folded

ROOT = Path(__file__).parents[1]
HOSTILE = """let b = 4
## <script>alert(1)</script> "quoted" & more
3 -> fc(2 if 1 <b else 4) relu -> fc1 # <img src=x onerror=y>"""
EMPTY = {"br", "img", "hr"}


class Reader(HTMLParser):
    """Which tags there are, that they close, and the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "style"]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_report() -> None:
    report = nnspec.analyze(ROOT / "specs" / "course" / "lenet5.nn")
    read = Reader(report._repr_html_())
    assert read.tags.count("tr") == 1 + len(report.layers)
    for row in report.layers:
        assert {row.name, row.spelled} <= set(read.words)
    assert any(word.startswith("61,706 parameters = ") for word in read.words)
    assert report._repr_markdown_().startswith("### 5-layer convolutional network")


def test_a_long_report_is_folded() -> None:
    report = nnspec.analyze(ROOT / "specs" / "vision" / "unet.nn")
    read = Reader(report._repr_html_())
    assert read.tags.count("tr") == 1 + len(folded(report))
    assert ("details" in read.tags) == (len(folded(report)) > 40)
    assert "padding-left:1.7em" in report._repr_html_()


def test_net() -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc1", seed=7)
    read = Reader(net._repr_html_())
    assert {"input 3", "output 1", "21", "float32", "3 -> fc4 relu -> fc1"} <= set(read.words)
    assert any("seed = 7" in word and "optimizer = " in word for word in read.words)
    assert repr(net) == "<Net: input 3 → output 1, 21 parameters, float32>"


def test_light_and_dark() -> None:
    """No colour of ours: ink and ground are the page's."""
    report, net = nnspec.analyze("3 -> fc4"), nnspec.compile("3 -> fc4")
    for shown in (report._repr_html_(), net._repr_html_()):
        assert not re.search(r"#[0-9a-f]{3}|rgb|white|black", shown)
        for style in Reader(shown).styles:
            assert not re.search(r"(?<!-)color:", style)


def test_text_of_a_spec_is_no_markup() -> None:
    for shown in (
        nnspec.analyze(HOSTILE)._repr_html_(),
        nnspec.compile(HOSTILE)._repr_html_(),
    ):
        assert not {"script", "img"} & set(Reader(shown).tags)
    words = Reader(nnspec.compile(HOSTILE)._repr_html_()).words
    assert HOSTILE in words


def test_a_file_name_is_no_markup(tmp_path: Path) -> None:
    path = tmp_path / "<b>&.nn"
    path.write_text("3 -> fc4", "utf-8")
    read = Reader(nnspec.compile(path)._repr_html_())
    assert str(path) in read.words


def test_diagram() -> None:
    diagram = nnspec.draw("3 -> fc4 relu -> fc1")
    assert diagram.startswith("flowchart TB\n")
    assert diagram._repr_markdown_() == f"```mermaid\n{diagram}```\n"


def test_a_real_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".dev"))
    cells = [
        "import nnspec",
        "nnspec.analyze('3 -> fc4 relu -> fc1')",
        "nnspec.compile('3 -> fc4 relu -> fc1')",
        "nnspec.draw('3 -> fc4 relu -> fc1')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    report, net, diagram = (cell.outputs[0].data for cell in notebook.cells[1:])
    assert "21 parameters" in report["text/html"]
    assert "float32" in net["text/html"]
    assert report["text/markdown"].startswith("### 2-layer neural network")
    assert diagram["text/markdown"].startswith("```mermaid\nflowchart TB")
