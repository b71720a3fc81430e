"""Diagrams in DOT, which Graphviz lays out: `dot -Tsvg net.dot`.

Source: Graphviz, 'DOT Language': in a quoted string a backslash and a quote take a backslash, and
an ampersand begins an entity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from .drawing import Arrow, Box, Drawing, Kind

STYLES: Mapping[Kind, str] = MappingProxyType(
    {
        "input": 'style=filled fillcolor="#cce5f6"',
        "layer": 'style="filled,rounded" fillcolor="#f2f2f2"',
        "merge": 'style="filled,rounded" fillcolor="#fde8b8"',
        "block": 'style="filled" peripheries=2 fillcolor="#f2f2f2"',
        "output": 'style=filled fillcolor="#cdebe0"',
    }
)

ESCAPES = {"\\": "\\\\", '"': '\\"', "&": "&amp;", "\r": "", "\n": "\\n"}


def dot(drawing: Drawing) -> str:
    """The net from top to bottom, a cluster a block."""
    lines = [
        "digraph net {",
        '  graph [fontname="Helvetica" fontsize=11 labeljust=l color="#888888" style=rounded]',
        '  node [shape=box fontname="Helvetica" fontsize=11 color="#555555" margin="0.15,0.07"]',
        '  edge [fontname="Helvetica" fontsize=9 color="#555555" fontcolor="#555555"]',
        *_inside(drawing, (), "  "),
        *(_arrow(arrow) for arrow in drawing.arrows),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _inside(drawing: Drawing, frames: tuple[str, ...], margin: str) -> Iterator[str]:
    """The boxes in a frame, and the frames in it with theirs."""
    yield from (f"{margin}{_box(box)}" for box in drawing.boxes_in.get(frames, ()))
    for frame in drawing.frames_in.get(frames, ()):
        yield f"{margin}subgraph cluster_{frame.key} {{"
        yield f"{margin}  label={quoted(frame.name)}"
        yield from _inside(drawing, (*frames, frame.key), f"{margin}  ")
        yield f"{margin}}}"


def _box(box: Box) -> str:
    lines = "\n".join(line for line in (box.name, box.says) if line)
    return f"{box.key} [label={quoted(lines)} {STYLES[box.kind]}]"


def _arrow(arrow: Arrow) -> str:
    """The space keeps the shape off the line."""
    shape = quoted(f" {arrow.shape}")
    return f"  {arrow.tail} -> {arrow.head} [label={shape}]"


def quoted(text: str) -> str:
    """A string that nothing in the text can end."""
    for character, written in ESCAPES.items():
        text = text.replace(character, written)
    return f'"{text}"'
