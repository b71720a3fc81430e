"""Which data a command reads: its options, and the set that they name, as the net takes it."""

from __future__ import annotations

import argparse
import re

from ..compiler.graph import Graph
from ..grammar.diagnostics import SpecError
from .data import alike, fitted, load, split
from .data_errors import DataUnfit
from .dataset import Dataset
from .errors import SeveralInputs

DATA = "a set by name (digits, iris, spiral, moons, wine ...), a file, or a folder of images"

HELD_OUT = 0.2
"""The share of the examples that training tests on where nothing else is said."""


def data_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument("--data", required=required, metavar="D", help=DATA)
    reading_arguments(parser)


def reading_arguments(parser: argparse.ArgumentParser) -> None:
    """How what `--data` names is read."""
    parser.add_argument(
        "--target", metavar="COLUMN", help="which column of a .csv or .parquet is the truth"
    )
    parser.add_argument(
        "--resize", metavar="HxW", help="bring a folder's images to one size, as 32x32"
    )


def held_out_arguments(parser: argparse.ArgumentParser) -> None:
    tested = parser.add_mutually_exclusive_group()
    tested.add_argument(
        "--held-out", type=float, metavar="SHARE", help=f"of the data, to test on: {HELD_OUT}"
    )
    tested.add_argument(
        "--validation", metavar="D", help="a set to test on; all of --data is then trained on"
    )


def input_shape(graph: Graph) -> tuple[int, ...]:
    """The shape of an example; raises SpecError for a net of several inputs."""
    if len(graph.inputs) > 1:
        raise SpecError([SeveralInputs(None, tuple(node.name for node in graph.inputs))])
    return graph.inputs[0].value.shape


def parts(options: argparse.Namespace, shape: tuple[int, ...]) -> tuple[Dataset, Dataset]:
    """What to train on, and what to test on: another set, or a share of the same."""
    share = HELD_OUT if options.held_out is None else options.held_out
    if not 0 < share < 1:
        advice = "0 < --held-out < 1; --validation names another set to test on, and trains on all"
        raise SpecError([DataUnfit(None, options.data, "cannot be split", advice)])
    learned = loaded(options, options.data, shape)
    if options.validation is None:
        return split(learned, share)
    return learned, alike(loaded(options, options.validation, shape), learned)


def asked(options: argparse.Namespace, name: str) -> Dataset:
    """The set as its source has it."""
    return load(name, target=options.target, resize=asked_size(options.resize))


def loaded(options: argparse.Namespace, name: str, shape: tuple[int, ...]) -> Dataset:
    """The set in the shape that a net takes."""
    return fitted(asked(options, name), shape)


def asked_size(text: str | None) -> tuple[int, int] | None:
    """Height and width, from `32x32`."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not found:
        advice = "write height x width in pixels: --resize 32x32"
        raise SpecError([DataUnfit(None, "--resize", f"is not a size: {text}", advice)])
    return int(found[1]), int(found[2])
