"""Which data a command reads: its options, and the set that they name, as the net takes it."""

from __future__ import annotations

import argparse
import re

from ..grammar.diagnostics import SpecError
from .data import fitted, load
from .data_errors import DataUnfit
from .dataset import Dataset

DATA = "a set by name (digits, iris, spiral, moons, wine ...), a file, or a folder of images"


def data_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument("--data", required=required, metavar="D", help=DATA)
    parser.add_argument(
        "--target", metavar="COLUMN", help="which column of a .csv or .parquet is the truth"
    )
    parser.add_argument(
        "--resize", metavar="HxW", help="bring a folder's images to one size, as 32x32"
    )


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
