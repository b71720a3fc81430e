"""Diagrams: every value that goes from a layer to another is one arrow, in each format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.compiler.graph import Graph
from nnspec.compiler.targets.dot import dot
from nnspec.compiler.targets.drawing import Arrow, Box, Drawing, Frame, draw
from nnspec.compiler.targets.mermaid import mermaid

ROOT = Path(__file__).parents[2]
SPECS = [
    path
    for folder in ("course", "vision", "language")
    for path in sorted((ROOT / "specs" / folder).glob("*.nn"))
]
BRANCHES = (
    "output side: 3x8x8 -> a: conv4 3x3 bn relu -> flatten fc2\n@a -> add[ id | conv4 3x3 p1 | @a ]"
)

ENTITY = r"#\d+;"
TEXT = rf'"(?:[^#"&<>`\\{{}}\[\]()|%;\n]|{ENTITY}|<br>)*"'
MERMAID = (
    r"flowchart TB",
    rf"( *)(n\d+)(?:\[{TEXT}\]|\({TEXT}\)|\(\[{TEXT}\]\)|\[\[{TEXT}\]\]):::(\w+)",
    rf"( *)subgraph (b\d+)\[{TEXT}\]",
    r"( *)end",
    rf"  (n\d+) -->\|{TEXT}\| (n\d+)",
    r"  classDef (?:frame fill:none,stroke:#888|(\w+) fill:#\w{6},stroke:#555,color:#111)",
    r"  class b\d+(?:,b\d+)* frame",
)
"""The lines that are written, of Mermaid's flowcharts."""

STRING = r'"((?:[^"\\\n&]|\\[\\"n]|&amp;)*)"'
STYLE = r"(?: \w+=(?:\w+|\d|\"[^\"]*\"))*"
DOT = (
    r"digraph net \{",
    rf"  (?:graph|node|edge) \[\w+=(?:\w+|\"[^\"]*\"){STYLE}\]",
    rf" +(n\d+) \[label={STRING}{STYLE}\]",
    r" +subgraph cluster_(b\d+) \{",
    rf" +label={STRING}",
    r" *\}",
    rf"  (n\d+) -> (n\d+) \[label={STRING}\]",
)
"""The lines that are written, of Graphviz's language."""


def owners(graph: Graph) -> dict[str, str]:
    return {node.name: node.name if node.is_input else node.layer for node in graph.nodes}


def crossings(graph: Graph) -> set[tuple[str, str]]:
    """Each value with each layer that reads it and is not its own."""
    owner = owners(graph)
    return {
        (name, owner[node.name])
        for node in graph.nodes
        for name in node.inputs
        if owner[name] != owner[node.name]
    }


def fits(lines: list[str], forms: tuple[str, ...]) -> list[int]:
    """How many lines have each form; every line has one."""
    found = [[bool(re.fullmatch(form, line)) for form in forms] for line in lines]
    strange = [line for line, forms in zip(lines, found, strict=True) if sum(forms) != 1]
    assert not strange
    return [sum(column) for column in zip(*found, strict=True)]


def entities(text: str) -> str:
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_boxes_and_arrows(path: Path) -> None:
    graph = nnspec.graph(path)
    drawing = draw(graph)
    boxes = [box for box in drawing.boxes if box.kind in ("layer", "merge")]
    assert len(boxes) == len(graph.layers)
    assert sum(box.kind == "input" for box in drawing.boxes) == len(graph.inputs)
    assert sum(box.kind == "output" for box in drawing.boxes) == len(graph.outputs)
    assert len(drawing.arrows) == len(crossings(graph)) + len(graph.outputs)
    assert len({frame.key for frame in drawing.frames}) == len(drawing.frames)
    names = {block.name for layer in graph.layers for block in layer.blocks}
    assert len(drawing.frames) == len(names)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_mermaid_is_well_formed(path: Path) -> None:
    for depth in (1, None):
        drawing = draw(nnspec.graph(path), depth)
        assert fits(mermaid(drawing).splitlines(), MERMAID)[1:5] == [
            len(drawing.boxes),
            len(drawing.frames),
            len(drawing.frames),
            len(drawing.arrows),
        ]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_dot_is_well_formed(path: Path) -> None:
    drawing = draw(nnspec.graph(path))
    lines = dot(drawing).splitlines()
    counts = fits(lines, DOT)
    assert counts == [
        1,
        3,
        len(drawing.boxes),
        len(drawing.frames),
        len(drawing.frames),
        len(drawing.frames) + 1,
        len(drawing.arrows),
    ]
    arrows = [found.groups()[:2] for line in lines if (found := re.fullmatch(DOT[-1], line))]
    assert arrows == [(arrow.tail, arrow.head) for arrow in drawing.arrows]


def test_branches_and_outputs() -> None:
    drawing = draw(nnspec.graph(BRANCHES))
    names = {box.key: box.name for box in drawing.boxes}
    arrows = [(names[a.tail], names[a.head], a.shape) for a in drawing.arrows]
    # `a` is read by the flatten, by the branch, and by the sum: twice there, one arrow.
    assert [arrow for arrow in arrows if arrow[0] == "side.a"] == [
        ("side.a", "side.flatten1", "4x6x6"),
        ("side.a", "conv1", "4x6x6"),
        ("side.a", "add1", "4x6x6"),
    ]
    assert ("side.fc1", "side", "2") in arrows
    assert ("add1", "output", "4x6x6") in arrows
    kinds = {box.name: box.kind for box in drawing.boxes}
    assert kinds["add1"] == "merge"
    assert kinds["side.input"] == "input"


def test_depth() -> None:
    graph = nnspec.graph(ROOT / "specs" / "vision" / "resnet18.nn")
    closed = draw(graph, 1)
    assert not closed.frames
    assert [box.name for box in closed.boxes if box.kind == "block"] == [
        "stem1",
        *(f"basic{i}" for i in range(1, 9)),
    ]
    assert len(closed.arrows) == len(closed.boxes) - 1
    third = next(box for box in closed.boxes if box.name == "basic3")
    assert third.says == "basic(c=128, s=2), 4 layers, 230,144 parameters"
    half = draw(graph, 2)
    assert {frame.name for frame in half.frames} == {"stem1", *(f"basic{i}" for i in range(1, 9))}
    assert sum(box.kind == "block" and box.name == "shortcut1" for box in half.boxes) == 3


@pytest.mark.parametrize(
    "text",
    ['a"b', '"]; x[', "a\\", "a\nb", "<b>", "&lt;", "#quot;", "`x`", "a|b", "end", "%%{x}%%"],
)
def test_no_text_breaks_out(text: str) -> None:
    boxes = (Box("n0", "layer", text, text, ("b0",)), Box("n1", "output", text, ""))
    drawing = Drawing(boxes, (Frame("b0", text),), (Arrow("n0", "n1", text),))
    said = mermaid(drawing)
    assert fits(said.splitlines(), MERMAID)[1:5] == [2, 1, 1, 1]
    told = [entities(label) for label in re.findall(r'"([^"]*)"', said)]
    assert sorted(told) == sorted([f"{text}<br>{text}", text, text, text])
    lines = dot(drawing).splitlines()
    assert fits(lines, DOT) == [1, 3, 2, 1, 1, 2, 1]
    (label,) = [found[3] for line in lines if (found := re.fullmatch(DOT[-1], line))]
    unwritten = {"\\n": "\n", '\\"': '"', "\\\\": "\\", "&amp;": "&"}
    assert re.sub(r"\\.|&amp;", lambda code: unwritten[code[0]], label) == f" {text}"


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = "3 -> fc4 relu -> fc1"
    assert main(["draw", net]) == 0
    assert capsys.readouterr().out.startswith("flowchart TB\n")
    for ending, beginning in ((".mmd", "flowchart"), (".dot", "digraph"), (".json", "{")):
        path = tmp_path / f"net{ending}"
        assert main(["draw", net, "-o", str(path)]) == 0
        assert path.read_text("utf-8").startswith(beginning)
    assert main(["draw", net, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["arrows"][0] == {
        "tail": "n0",
        "head": "n1",
        "shape": "3",
    }
    assert main(["draw", net, "--depth", "0"]) == 2
    assert main(["draw", net, "-o", str(tmp_path / "no" / "net.dot")]) == 2
    assert "NN012 cannot write" in capsys.readouterr().err
    assert main(["draw", str(ROOT / "specs" / "vision" / "efficientnet_b7.nn")]) == 0
    assert "Mermaid draws at most 500" in capsys.readouterr().err
