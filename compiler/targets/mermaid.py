"""Diagrams in Mermaid, which GitHub, GitLab and many editors show in Markdown.

Source: Mermaid, 'Flowcharts - Basic Syntax', 'Special characters that break syntax' and 'Entity
codes to escape characters'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from .drawing import Box, Drawing, Kind

SHAPES: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        "input": ("([", "])"),
        "layer": ("[", "]"),
        "merge": ("(", ")"),
        "block": ("[[", "]]"),
        "output": ("([", "])"),
    }
)

COLOURS: Mapping[Kind, str] = MappingProxyType(
    {
        "input": "#cce5f6",
        "layer": "#f2f2f2",
        "merge": "#fde8b8",
        "block": "#f2f2f2",
        "output": "#cdebe0",
    }
)

MOST_ARROWS = 500
"""What Mermaid draws unless its page is configured otherwise: `maxEdges`."""

ENTITIES = {character: f"#{ord(character)};" for character in '#"&<>`\\{}[]()|%;\r\n'}


class Diagram(str):
    """The text of a diagram; a notebook draws it."""

    def _repr_markdown_(self) -> str:
        return f"```mermaid\n{self}```\n"


def mermaid(drawing: Drawing) -> Diagram:
    """The net from top to bottom, a subgraph a block."""
    kinds = dict.fromkeys(box.kind for box in drawing.boxes)
    lines = [
        "flowchart TB",
        *_inside(drawing, (), "  "),
        *(f"  {a.tail} -->|{quoted(a.shape)}| {a.head}" for a in drawing.arrows),
        *(f"  classDef {kind} fill:{COLOURS[kind]},stroke:#555,color:#111" for kind in kinds),
    ]
    if drawing.frames:
        lines += [
            "  classDef frame fill:none,stroke:#888",
            f"  class {','.join(frame.key for frame in drawing.frames)} frame",
        ]
    return Diagram("\n".join(lines) + "\n")


def _inside(drawing: Drawing, frames: tuple[str, ...], margin: str) -> Iterator[str]:
    """The boxes in a frame, and the frames in it with theirs."""
    yield from (f"{margin}{_box(box)}" for box in drawing.boxes_in.get(frames, ()))
    for frame in drawing.frames_in.get(frames, ()):
        yield f"{margin}subgraph {frame.key}[{quoted(frame.name)}]"
        yield from _inside(drawing, (*frames, frame.key), f"{margin}  ")
        yield f"{margin}end"


def _box(box: Box) -> str:
    opened, closed = SHAPES[box.kind]
    lines = "<br>".join(entities(line) for line in (box.name, box.says) if line)
    return f'{box.key}{opened}"{lines}"{closed}:::{box.kind}'


def quoted(text: str) -> str:
    """A string that nothing in the text can end."""
    return f'"{entities(text)}"'


def entities(text: str) -> str:
    """Text without a character that Mermaid, Markdown or HTML would take for its own."""
    return "".join(ENTITIES.get(character, character) for character in text)
