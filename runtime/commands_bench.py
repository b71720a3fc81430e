"""`nnspec bench`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from ..grammar.options import whole
from .bench import ROUNDS
from .bench import bench as measured
from .budget import memory_argument
from .engine import jit_argument


def configure_bench(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument(
        "--vs", choices=("torch",), default="", help="beside the same net in PyTorch, in turns"
    )
    parser.add_argument("--threads", type=whole, default=None, help="of each side")
    parser.add_argument("--rounds", type=whole, default=ROUNDS, help=f"{ROUNDS} by default")
    memory_argument(parser)
    jit_argument(parser)
    parser.epilog = (
        "examples:\n  nnspec bench specs/course/digits.nn\n"
        "  nnspec bench specs/course/lenet5.nn --vs torch --batch 64\n"
        "  nnspec bench specs/vision/resnet18.nn --mode infer --threads 2 --format json\n\n"
        "A round is a quarter of a second of passes of each side, in turns; the times are the median of\n"
        "the rounds and, behind it, the quartiles. A training step is net.step(x, y), inference net(x).\n"
        'PyTorch has the same weights, and outputs are compared first (pip install "nnspec[torch]").'
    )


def bench(options: argparse.Namespace) -> int:
    """The time of a pass, on numbers drawn at random."""
    found = measured(
        options.graph(options, {}),
        mode=options.mode,
        batch=options.batch,
        threads=options.threads,
        rounds=options.rounds,
        versus=options.vs,
        max_memory=options.max_memory,
        jit=options.jit,
    )
    if options.format == "json":
        print(json.dumps(asdict(found), indent=2))
    else:
        print(found)
    if found.disturbed:
        told = f"other processes used {found.others:.1f} cores meanwhile: these times cannot be trusted"
        print(
            f"{told}; measure again when the machine is quiet, or with --threads 1", file=sys.stderr
        )
    return 0
