"""How loops are compiled: IEEE arithmetic as written, without the interpreter's lock, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, typeof

from ..kernels import Call


def compiled(function: Callable[..., object]) -> Any:
    """A loop that is compiled for the types it is bound to, and kept where there is a place to."""
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)


def bound(loop: Any, *arguments: object) -> Call:
    """A loop with its arguments, compiled now and not in the first step."""
    loop.compile(tuple(typeof(argument) for argument in arguments))
    return loop, arguments
