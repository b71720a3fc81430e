"""`nnspec math`: the net as equations."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from .check import write
from .commands import graph_of, one_spec
from .equations import equations
from .render.equations import Page, document, mathematics, text
from .render.structured import as_json


def configure_math(parser: argparse.ArgumentParser) -> None:
    one_spec(
        parser,
        '  nnspec math "3 -> fc4 relu -> fc4 relu -> fc1"\n'
        "  nnspec math specs/course/lenet5.nn --format latex\n"
        "  nnspec math specs/vision/resnet18.nn --format json\n",
    )


def math(options: argparse.Namespace) -> int:
    """One nested line, or an equation a layer."""
    found = equations(graph_of(options))
    page = Page(found)
    if options.format == "json":
        write(as_json(asdict(mathematics(found))))
    elif options.format == "latex":
        write(document(page))
    else:
        write(text(page, colour=options.colour))
    return 0
