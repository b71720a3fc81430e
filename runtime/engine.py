"""Who turns a plan into calls: NumPy, or with the extra `jit` compiled loops where there are some."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from ..compiler.op import Op
from ..compiler.training import Training
from ..grammar.diagnostics import SpecError
from .errors import NoAccelerator
from .kernels import Array, Calls, Kernel, kernel_of
from .optimizers import Vectors, sweep


@dataclass(frozen=True)
class Engine:
    """Where the calls of a net come from. The plan and its arrays are the same with each.

    Attributes
    ----------
    kernel_of: how an operator is computed, by the algorithm that the plan chose.
    sweep: the calls that move the weights.
    loops: whose they are, with the version where it may be another than NumPy's.
    """

    kernel_of: Callable[[Op, str], Kernel]
    sweep: Callable[[Training, Vectors, Mapping[str, Array]], Calls]
    loops: str


NUMPY = Engine(kernel_of, sweep, "numpy")
"""The reference."""


def compiling() -> Engine:
    """Loops compiled by Numba; raises SpecError where it cannot be loaded."""
    try:
        return cast(Engine, import_module("nnspec.runtime.jit").ENGINE)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "numba"
        raise SpecError([NoAccelerator(None, "" if missing else str(error))]) from None


def jit_argument(parser: argparse.ArgumentParser) -> None:
    """The option that every command has which runs a net."""
    parser.add_argument(
        "--jit", action="store_true", help="compiled loops in place of NumPy's (extra `jit`)"
    )
