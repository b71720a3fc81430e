"""The larger and the smaller of two, and of an array and one number."""

from __future__ import annotations

from collections.abc import Callable

from numpy import maximum as larger
from numpy import minimum as smaller

from ...compiler.op import BLOCK
from ..constants import filled
from . import Array, Calls


def maximum(first: Array, second: Array, out: Array) -> None:
    """As calls are made, by position; NumPy deprecates that for this `out`. Many are of a few numbers,
    where a name less to look up tells."""
    larger(first, second, out=out)


def minimum(first: Array, second: Array, out: Array) -> None:
    smaller(first, second, out=out)


def bounded(bound: Callable[..., object], x: Array, value: float, out: Array) -> Calls:
    """The calls that fill `out` with `bound(x, value)`; both contiguous and of one size.

    Against a whole array of the number, five times faster than against the number.
    """
    source, target = x.reshape(-1), out.reshape(-1)
    for start in range(0, len(target), BLOCK):
        here = target[start : start + BLOCK]
        whole = filled(value, BLOCK, target.dtype)[: len(here)]
        yield bound, (source[start : start + BLOCK], whole, here)
