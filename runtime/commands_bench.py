"""`nnspec bench`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from ..grammar.options import whole
from .bench import ROUNDS, Bench, Side
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
        print("\n".join(_lines(found)))
    if found.disturbed:
        told = f"other processes used {found.others:.1f} cores meanwhile: these times cannot be trusted"
        print(
            f"{told}; measure again when the machine is quiet, or with --threads 1", file=sys.stderr
        )
    return 0


def _lines(found: Bench) -> Iterator[str]:
    what = "a training step" if found.mode == "train" else "inference"
    examples = "one example" if found.batch == 1 else f"{found.batch:,} examples"
    threads = "one thread" if found.threads == 1 else f"at most {found.threads} threads"
    turns = " in turns" if len(found.sides) > 1 else ""
    rounds = "one round" if found.rounds == 1 else f"{found.rounds} rounds"
    yield f"{what} over {examples} on {threads}, {rounds}{turns}"
    yield ""
    yield from map(_row, found.sides)
    yield ""
    if found.difference is not None and found.disturbed:
        yield f"no ratio: the machine was busy; outputs agree to {found.difference:.0e}"
    elif found.ratio is not None and found.difference is not None:
        ratio = found.ratio
        yield (
            f"PyTorch takes {ratio.median:.2f} times as long as nnspec "
            f"({ratio.low:.2f} to {ratio.high:.2f}); outputs agree to {found.difference:.0e}"
        )
    yield ", ".join(f"{name} {version}" for name, version in found.versions.items())


def _row(side: Side) -> str:
    median, low, high = (
        _time(seconds) for seconds in (side.seconds.median, side.seconds.low, side.seconds.high)
    )
    return f"{side.name:<8} {median:>9}  ({low} to {high})  {side.examples:>10,.0f} examples/s"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
