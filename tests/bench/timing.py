"""Sides that take turns, and what their times say: medians of ratios, and quartiles."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Step = Callable[[], object]

SETTLE = 0.03
"""Seconds between two turns: BLAS's workers and PyTorch's spin for a while after their last job."""


@dataclass(frozen=True)
class Pace:
    """How many rounds are run, and how many seconds a side runs in each."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Ratio:
    """theirs / ours, round by round: above 1 is ahead of them."""

    median: float
    low: float
    high: float


def timed(step: Step, seconds: float) -> float:
    """Seconds of one step, over about so many."""
    count, begun = 0, time.perf_counter()
    while True:
        step()
        count += 1
        passed = time.perf_counter() - begun
        if passed > seconds:
            return passed / count


def in_turns(sides: Mapping[str, Step], pace: Pace) -> dict[str, list[float]]:
    """Seconds of a step by side and round; whoever begins a round ends the next."""
    for step in sides.values():
        timed(step, pace.seconds / 2)
    times: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for _ in range(pace.rounds):
        names.reverse()
        for name in names:
            time.sleep(SETTLE)
            times[name].append(timed(sides[name], pace.seconds))
    return times


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of times that were taken in the same rounds."""
    found = sorted(t / o for o, t in zip(ours, theirs, strict=True))
    if len(found) < 2:
        return Ratio(found[0], found[0], found[0])
    low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
    return Ratio(middle, low, high)
