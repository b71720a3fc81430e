"""`nnspec draw`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from ...grammar.options import depth
from ...grammar.write import put_out, rewrite
from .dot import dot
from .drawing import Drawing
from .drawing import draw as drawn
from .mermaid import MOST_ARROWS, mermaid


def as_json(drawing: Drawing) -> str:
    """Boxes, frames and arrows as they are."""
    return json.dumps(asdict(drawing), indent=2) + "\n"


WRITERS: Mapping[str, Callable[[Drawing], str]] = MappingProxyType(
    {"mermaid": mermaid, "dot": dot, "json": as_json}
)

ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        ".mmd": "mermaid",
        ".mermaid": "mermaid",
        ".md": "mermaid",
        ".dot": "dot",
        ".gv": "dot",
        ".json": "json",
    }
)
"""What the end of a file's name says of its format."""


def configure_draw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    parser.add_argument(
        "-o",
        "--output",
        type=_file,
        metavar="FILE",
        help="write there: .mmd, .md, .dot and .json tell the format",
    )
    parser.add_argument(
        "--depth",
        type=depth,
        metavar="N|all",
        help="how many blocks deep it looks: 1 draws each as one box; all by default",
    )
    parser.epilog = (
        'examples:\n  nnspec draw "3 -> fc4 relu -> fc4 relu -> fc1"\n'
        "  nnspec draw specs/vision/resnet50.nn --depth 1\n"
        "  nnspec draw net.nn -o net.dot && dot -Tsvg net.dot > net.svg\n\n"
        "GitHub shows Mermaid where Markdown has it between ```mermaid and ```."
    )


def _file(name: str) -> Path:
    if Path(name).suffix.lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(
            f"`{name}` does not tell what to draw; {', '.join(ENDINGS)} do"
        )
    return Path(name)


def draw(options: argparse.Namespace) -> int:
    """The net as boxes and arrows."""
    ending = options.output.suffix.lower() if options.output else ""
    how = ENDINGS.get(ending, options.format)
    if options.format not in (how, "mermaid"):
        print(
            f"nnspec draw: --format {options.format} and {options.output} disagree", file=sys.stderr
        )
        return 2
    drawing = drawn(options.graph(options, {}), options.depth)
    text = WRITERS[how](drawing)
    if options.output:
        rewrite(options.output, f"```mermaid\n{text}```\n" if ending == ".md" else text)
    else:
        put_out(text)
    if how == "mermaid" and len(drawing.arrows) > MOST_ARROWS:
        print(
            f"{len(drawing.arrows):,} arrows; Mermaid draws at most {MOST_ARROWS} unless told "
            "otherwise: `--depth` opens fewer blocks, `--format dot` has no such limit",
            file=sys.stderr,
        )
    return 0
