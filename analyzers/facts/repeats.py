"""Where a list says the same several times running: blocks that a net is a stack of.

Convention: a run is told once and counted where that saves lines enough; of runs that begin at one
place the one that covers most is told, with the shortest period.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

LONGEST = 64
"""Lines in what is looked at as one turn."""


@dataclass(frozen=True)
class Repeat:
    """`period` lines from `start`, `times` in all."""

    start: int
    period: int
    times: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.times


def repeats(keys: Sequence[Hashable], saved: int = 1) -> tuple[Repeat, ...]:
    """Runs that do not overlap, in order, each of which saves at least so many lines."""
    known: dict[Hashable, int] = {}
    numbers = [known.setdefault(key, len(known)) for key in keys]
    found: list[Repeat] = []
    start = 0
    while start < len(numbers):
        best = max(
            (Repeat(start, n, _times(numbers, start, n)) for n in _periods(numbers, start)),
            key=lambda run: (run.period * run.times if run.times > 1 else 0, -run.period),
            default=Repeat(start, 1, 1),
        )
        if best.period * (best.times - 1) >= saved:
            found.append(best)
            start = best.stop
        else:
            start += 1
    return tuple(found)


def _periods(numbers: Sequence[int], start: int) -> range:
    return range(1, min(LONGEST, (len(numbers) - start) // 2) + 1)


def _times(numbers: Sequence[int], start: int, period: int) -> int:
    first, times = numbers[start : start + period], 1
    while numbers[start + times * period : start + (times + 1) * period] == first:
        times += 1
    return times
