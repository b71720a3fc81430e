"""`nnspec plan`: what a pass over a batch will do."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict

from ..grammar.options import whole
from .check import write
from .commands import graph_of, one_spec
from .plan import plan as planned
from .render.plan import plan as table
from .render.structured import as_json


def configure_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=("train", "infer"),
        default=None,
        help="a training step by default, inference of a net that cannot train",
    )
    parser.add_argument(
        "--batch", type=whole, default=None, help="examples at once: the spec's, 1 for inference"
    )
    parser.add_argument(
        "--threads", type=whole, default=None, help="NNSPEC_THREADS, or this machine's cores"
    )
    one_spec(
        parser,
        "  nnspec plan specs/course/lenet5.nn\n"
        "  nnspec plan specs/vision/resnet18.nn --batch 8 --threads 4\n"
        "  nnspec plan specs/vision/resnet50.nn --mode infer --format json\n\n"
        "channels: where those of maps lie, first or last; how: the algorithm, and why that one;\n"
        "examples: `2 x 32` are two threads of 32 each, `meet` where they wait for each other;\n"
        "read, written: bytes, each array once; scratch: what the step needs for itself alone\n\n"
        "NNSPEC_WINOGRAD=0 does without Winograd's tiles, over which a NaN or a huge number spreads",
    )


def plan(options: argparse.Namespace) -> int:
    """Step by step what a pass will do, and its totals."""
    found = planned(graph_of(options), options.batch, options.mode, options.threads)
    if options.format == "json":
        write(as_json(asdict(found)))
        return 0
    width = shutil.get_terminal_size((100, 24)).columns
    write(table(found, width=width, colour=options.colour))
    return 0
