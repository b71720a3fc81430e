"""How loops are compiled: IEEE arithmetic as written, without the interpreter's lock, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numba import njit, typeof

from ..kernels import Call


def compiled(function: Callable[..., object], **options: object) -> Any:
    """A loop that is compiled for the types it is bound to, and kept where there is a place to."""
    made = partial(njit, function, nogil=True, error_model="numpy", **options)
    try:
        return made(cache=True)
    except RuntimeError:
        return made()


def bound(loop: Any, *arguments: object) -> Call:
    """A loop with its arguments, compiled now and not in the first step."""
    types = tuple(typeof(argument) for argument in arguments)
    loop.compile(types)
    # What types a loop is given is settled here: to find that out again in every step takes longer
    # than some loops do.
    return loop.overloads[types].entry_point, arguments
