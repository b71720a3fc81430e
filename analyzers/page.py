"""`nnspec report`: everything known of a net, or of a training, on one page for the browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from errno import EISDIR
from pathlib import Path

from ..compiler.elaborate import elaborate
from ..compiler.graph import Graph
from ..grammar.diagnostics import Mistake, SpecError
from ..grammar.errors import Unwritable
from ..grammar.limits import Limits
from ..grammar.quantity import quantity
from ..grammar.read import read
from ..grammar.source import Source
from ..grammar.write import is_file, put_out, rewrite
from .check import SPEC, write
from .config import Config, config_for
from .lint import linted, selected, warnings
from .portrait import portrait
from .promises import check_promises
from .records import is_record, record
from .render.columns import size
from .render.html import NET, html
from .render.structured import as_json
from .report import report as counted
from .training_portrait import training_page

OPENING = "<!doctype html>"
"""What a page begins with, and what is never taken for a spec."""


def configure_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help=f"{SPEC}; or a folder that keeps a training")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PAGE",
        help="where to write it; by default the spec's name with `.html`, here; `-`: standard output",
    )
    parser.epilog = (
        "examples:\n  nnspec report specs/vision/resnet50.nn\n"
        '  nnspec report "3 -> fc4 relu -> fc4 relu -> fc1" -o net.html\n'
        "  nnspec report net.nn -o - > net.html\n"
        "  nnspec report runs/a -o training.html\n\n"
        "The page holds all it needs and opens without a network."
    )


def report(options: argparse.Namespace) -> int:
    """The page, to its file."""
    text = _text(options)
    if options.output == "-":
        put_out(text)
        return 0
    place = options.output or default_place(options.spec)
    put(place, text)
    taken = len(text.encode())
    if options.format == "json":
        write(as_json({"page": place, "bytes": taken}))
    else:
        print(f"wrote {place} ({size(taken)}): open it in a browser", file=sys.stderr)
    return 0


def _text(options: argparse.Namespace) -> str:
    if is_record(options.spec):
        return training_page(record(Path(options.spec)), options.limits)
    config = config_for(Path(options.spec).parent if is_file(options.spec) else Path())
    return page(read(options.spec, options.limits), options.limits, options.lets, config)


def default_place(spec: str) -> str:
    """The page of a spec's file, or of a run's folder, has its name and stands in the present
    folder."""
    name = Path(spec).resolve().name if is_record(spec) else Path(spec).stem
    return f"{name}.html" if is_file(spec) else "net.html"


def put(place: str, text: str) -> None:
    """Write a page, over another one if need be; raises SpecError rather than write over a spec."""
    path = Path(place)
    try:
        holds = _opening(path) if path.resolve().exists() else b""
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "it is no file name"
        raise SpecError([Unwritable(None, place, problem.lower())]) from None
    if holds and holds != OPENING.encode():
        raise SpecError([Unwritable(None, place, "it holds something that is no page")])
    rewrite(path, text)


def _opening(path: Path) -> bytes:
    if not path.is_file():
        raise OSError(EISDIR, "it is no regular file")
    with path.open("rb") as file:
        return file.read(len(OPENING))


def page(
    source: Source,
    limits: Limits | None = None,
    lets: Mapping[str, object] | None = None,
    config: Config | None = None,
) -> str:
    """The page's text; raises SpecError when the spec is wrong or breaks a promise."""
    found = elaborate(source, limits, lets=lets)
    graph = found.net
    broken = check_promises(graph)
    if broken:
        raise SpecError(broken)
    return drawn(graph, linted(graph, found.mistakes, _codes(config)))


def _codes(config: Config | None) -> frozenset[str]:
    return selected(config.select, config.ignore) if config else warnings()


def drawn(graph: Graph, findings: Sequence[Mistake]) -> str:
    """The page on a net and on what was found in it."""
    facts = counted(graph)
    title = f"{Path(facts.source).stem or facts.source}: {facts.title}"
    plain = (
        f"{facts.title}: {quantity(facts.params, 'parameter')}, {quantity(facts.macs, 'multiply-add')}.\n"
        "This page draws itself with JavaScript; `nnspec summary` prints the same as a table."
    )
    return html(NET, portrait(graph, facts, findings), title=title, plain=plain)
