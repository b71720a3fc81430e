"""Lifetimes to offsets: arrays that are never alive together share memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import accumulate

from .schedule import ALIGNMENT, Lifetime

MOST = 4096
"""Pieces of memory that are placed the slow way too, where the fast way leaves holes."""


def place(lifetimes: Sequence[Lifetime]) -> tuple[dict[int, int], int]:
    """An offset in bytes for every array, and the bytes of the whole arena.

    By birth first, which takes no time; where that leaves the arena a hundredth larger than what is
    ever in use at once, by size too, and the smaller of the two arenas is taken.
    """
    found = _by_birth(lifetimes)
    if len(lifetimes) <= MOST and found[1] > 1.01 * _in_use(lifetimes):
        other = _by_size(lifetimes)
        return other if other[1] < found[1] else found
    return found


def _aligned(life: Lifetime) -> int:
    return -(-life.bytes // ALIGNMENT) * ALIGNMENT


def _in_use(lifetimes: Sequence[Lifetime]) -> int:
    """The most bytes that are in use at once: no arena is smaller."""
    changes: dict[int, int] = {}
    for life in lifetimes:
        changes[life.first] = changes.get(life.first, 0) + _aligned(life)
        changes[life.last + 1] = changes.get(life.last + 1, 0) - _aligned(life)
    return max(accumulate(changes[step] for step in sorted(changes)), default=0)


def _by_size(lifetimes: Sequence[Lifetime]) -> tuple[dict[int, int], int]:
    """The largest first, each as low as those that live beside it leave room.

    Pisarchyk and Lee 2020, efficient memory management for deep neural net inference.
    """
    offsets: dict[int, int] = {}
    placed: list[tuple[int, int, int, int]] = []
    top = 0
    for life in sorted(lifetimes, key=lambda l: (-l.bytes, l.first, l.arrays)):
        size, start = _aligned(life), 0
        for other, end, first, last in placed:
            if first <= life.last and life.first <= last:
                if other - start >= size:
                    break
                start = max(start, end)
        if size:
            insort(placed, (start, start + size, life.first, life.last))
        top = max(top, start + size)
        for index in life.arrays:
            offsets[index] = start
    return offsets, top


def _by_birth(lifetimes: Sequence[Lifetime]) -> tuple[dict[int, int], int]:
    """In order of birth, each takes the smallest hole that holds it, else the arena grows."""
    offsets: dict[int, int] = {}
    holes: list[tuple[int, int]] = []
    alive: list[tuple[int, int, int]] = []
    top = 0
    for life in sorted(lifetimes, key=lambda l: (l.first, -l.bytes, l.arrays)):
        while alive and alive[0][0] < life.first:
            _, start, size = heappop(alive)
            _release(holes, start, size)
        size = _aligned(life)
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
