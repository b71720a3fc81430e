"""Maximum and minimum against one number: five times faster against a whole array of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...compiler.op import BLOCK
from ..constants import filled
from . import Array, Calls


def bounded(bound: Callable[..., object], x: Array, value: float, out: Array) -> Calls:
    """The calls that fill `out` with `bound(x, value)`; both contiguous and of one size."""
    source, target = x.reshape(-1), out.reshape(-1)
    for start in range(0, len(target), BLOCK):
        here = target[start : start + BLOCK]
        whole = filled(value, BLOCK, target.dtype)[: len(here)]
        yield partial(bound, source[start : start + BLOCK], whole, out=here), ()
