"""Lifetimes to offsets: arrays that are never alive together share memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from .lifetimes import Lifetime
from .schedule import ALIGNMENT


def place(lifetimes: Sequence[Lifetime]) -> tuple[dict[int, int], int]:
    """An offset in bytes for every array, and the bytes of the whole arena.

    In order of birth, each takes the smallest hole that holds it, else the arena grows.
    """
    offsets: dict[int, int] = {}
    free: list[tuple[int, int]] = []
    alive: list[tuple[int, int, int]] = []
    top = 0
    for life in sorted(lifetimes, key=lambda l: (l.first, -l.bytes, l.arrays)):
        while alive and alive[0][0] < life.first:
            _, start, size = alive.pop(0)
            free = _released(free, start, size)
        size = -(-life.bytes // ALIGNMENT) * ALIGNMENT
        start, free, top = _taken(free, size, top)
        if size:
            insort(alive, (life.last, start, size))
        offsets.update(dict.fromkeys(life.arrays, start))
    return offsets, top


def _released(free: list[tuple[int, int]], start: int, size: int) -> list[tuple[int, int]]:
    """Free holes with one more, neighbours grown together."""
    merged: list[tuple[int, int]] = []
    for place, length in sorted([*free, (start, size)]):
        if merged and sum(merged[-1]) == place:
            merged[-1] = (merged[-1][0], merged[-1][1] + length)
        else:
            merged.append((place, length))
    return merged


def _taken(
    free: list[tuple[int, int]], size: int, top: int
) -> tuple[int, list[tuple[int, int]], int]:
    """Where `size` bytes go, the holes left, and the arena's new end."""
    fitting = [hole for hole in free if hole[1] >= size]
    if fitting:
        start, length = min(fitting, key=lambda hole: (hole[1], hole[0]))
        rest = [hole for hole in free if hole[0] != start]
        if length > size:
            insort(rest, (start + size, length - size))
        return start, rest, top
    if free and sum(free[-1]) == top:
        start = free[-1][0]
        return start, free[:-1], start + size
    return top, free, top + size
