"""What this machine can do at best: two figures, measured."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from time import perf_counter

import numpy as np

from ..compiler.plan.work import Machine
from .threads import blas_limited, together

SIDE = 1024
"""Of the square matrices that are multiplied: large enough for the best rate, done in a moment."""
COPIED = 32 * 2**20
"""Bytes of an array that is copied: more than a cache holds."""
TRIES = 5
BUSY = 0.1
"""Cores that other processes may use while something is timed."""


@cache
def measured(threads: int) -> Machine:
    """The rates of a float32 matrix product and of a copy, each shared by so many threads; takes
    about a quarter of a second, once in a process."""
    left = np.full((SIDE, SIDE), 0.5, np.float32)
    right, product = left.copy(), left.copy()
    source = np.ones(COPIED // 4, np.float32)
    target = source.copy()
    parts = zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
    copies = [[(np.copyto, pair)] for pair in parts]
    with blas_limited(threads):
        product_seconds = _best(lambda: np.matmul(left, right, product))
    return Machine(
        flops=2 * SIDE**3 / product_seconds,
        bandwidth=2 * COPIED / _best(lambda: together(copies)),
    )


def _best(run: Callable[[], object]) -> float:
    """The least seconds of several tries: others on the machine only ever add."""
    found = []
    for _ in range(TRIES):
        begun = perf_counter()
        run()
        found.append(perf_counter() - begun)
    return min(found)


class Neighbours:
    """How many cores other processes use, from when this is made; None where nobody tells (/proc/stat
    of Linux does)."""

    def __init__(self) -> None:
        self._begun = perf_counter()
        self._before = _others()

    def cores(self) -> float | None:
        after, passed = _others(), perf_counter() - self._begun
        if self._before is None or after is None or not passed:
            return None
        return max(0.0, (after - self._before) / passed)


def _others() -> float | None:
    """Seconds that all cores were busy so far, less those of this process."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
        unit = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    idle = ticks[3] + ticks[4]
    own = os.times()
    return (sum(ticks) - idle) / unit - own.user - own.system
