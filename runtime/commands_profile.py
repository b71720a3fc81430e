"""`nnspec profile`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from ..grammar.console import FLOOR
from ..grammar.options import whole
from .budget import memory_argument
from .engine import jit_argument
from .profile import profile as profiled
from .profile_table import table


def configure_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    parser.add_argument(
        "--mode",
        choices=("train", "infer"),
        default=None,
        help="a training step by default, inference of a net that cannot train",
    )
    parser.add_argument(
        "--batch", type=whole, default=None, help="examples at once: the spec's, 1 for inference"
    )
    parser.add_argument("--html", metavar="PAGE", help="draw it too, as a page for the browser")
    memory_argument(parser)
    jit_argument(parser)
    parser.epilog = (
        "examples:\n  nnspec profile specs/course/lenet5.nn\n"
        "  nnspec profile specs/vision/resnet18.nn --mode infer --batch 8\n"
        "  nnspec profile specs/course/digits.nn --html profile.html\n"
        "  nnspec profile net.nn --format json\n\n"
        "least: what a layer's products, and what it reads and writes, take at the rates of this machine's\n"
        "best matrix product and of a copy, whichever is slower; reached: least as a share of what was\n"
        "measured; products, memory: the share of either rate, where products count as the net has them,\n"
        "though Winograd's tiles make a quarter, and bytes with scratch, which least takes to be in cache.\n"
        "Numbers that a cache still holds come faster than a copy does: then it is more than 100 %.\n"
        "Threads are those that `nnspec train` has; NNSPEC_THREADS says how many there are."
    )


def profile(options: argparse.Namespace) -> int:
    """Where the time goes, layer by layer, beside the least it could take."""
    graph = options.graph(options, {})
    found = profiled(graph, options.mode, options.batch, options.max_memory, jit=options.jit)
    if found.disturbed:
        told = f"other processes used {found.others:.1f} cores meanwhile: these times are too long"
        print(f"{told}; measure again when the machine is quiet", file=sys.stderr)
    sums = {"seconds": found.seconds, "least": found.least, "disturbed": found.disturbed}
    content = {**asdict(found), **sums}
    if options.format == "json":
        print(json.dumps(content, indent=2))
    else:
        width = max(FLOOR, shutil.get_terminal_size((100, 24)).columns)
        print(table(found, width=width, colour=options.colour), end="")
    # Last, so that what was measured is not lost where the page cannot be written.
    if options.html is not None:
        options.flame(options.html, content, Path(graph.source.name).stem)
        print(f"wrote {options.html}: open it in a browser", file=sys.stderr)
    return 0
