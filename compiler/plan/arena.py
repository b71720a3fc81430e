"""Lifetimes to offsets: arrays that are never alive together share memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heappop, heappush

from .schedule import ALIGNMENT, Lifetime


def place(lifetimes: Sequence[Lifetime]) -> tuple[dict[int, int], int]:
    """An offset in bytes for every array, and the bytes of the whole arena.

    In order of birth, each takes the smallest hole that holds it, else the arena grows.
    """
    offsets: dict[int, int] = {}
    holes: list[tuple[int, int]] = []
    alive: list[tuple[int, int, int]] = []
    top = 0
    for life in sorted(lifetimes, key=lambda l: (l.first, -l.bytes, l.arrays)):
        while alive and alive[0][0] < life.first:
            _, start, size = heappop(alive)
            _release(holes, start, size)
        size = -(-life.bytes // ALIGNMENT) * ALIGNMENT
        start, top = _take(holes, size, top)
        if size:
            heappush(alive, (life.last, start, size))
        for index in life.arrays:
            offsets[index] = start
    return offsets, top


def _release(holes: list[tuple[int, int]], start: int, size: int) -> None:
    """One more hole, grown together with its neighbours; (start, size) in order."""
    at = bisect_left(holes, (start, 0))
    if at < len(holes) and start + size == holes[at][0]:
        size += holes.pop(at)[1]
    if at and sum(holes[at - 1]) == start:
        before, length = holes[at - 1]
        holes[at - 1] = (before, length + size)
    else:
        holes.insert(at, (start, size))


def _take(holes: list[tuple[int, int]], size: int, top: int) -> tuple[int, int]:
    """Where `size` bytes go, and the arena's new end."""
    fitting = min(((length, start) for start, length in holes if length >= size), default=None)
    if fitting is not None:
        length, start = fitting
        holes.pop(bisect_left(holes, (start, 0)))
        if length > size:
            insort(holes, (start + size, length - size))
        return start, top
    if holes and sum(holes[-1]) == top:
        start, _ = holes.pop()
        return start, start + size
    return top, top + size
