"""What was timed, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .profile_table import duration

if TYPE_CHECKING:
    from .bench import Bench, Side


def lines(found: Bench) -> Iterator[str]:
    what = "a training step" if found.mode == "train" else "inference"
    examples = "one example" if found.batch == 1 else f"{found.batch:,} examples"
    threads = "one thread" if found.threads == 1 else f"at most {found.threads} threads"
    turns = " in turns" if len(found.sides) > 1 else ""
    rounds = "one round" if found.rounds == 1 else f"{found.rounds} rounds"
    yield f"{what} over {examples} on {threads}, {rounds}{turns}"
    yield ""
    yield from map(_row, found.sides)
    yield ""
    if found.difference is not None and found.disturbed:
        yield f"no ratio: the machine was busy; outputs agree to {found.difference:.0e}"
    elif found.ratio is not None and found.difference is not None:
        ratio = found.ratio
        yield (
            f"PyTorch takes {ratio.median:.2f} times as long as nnspec "
            f"({ratio.low:.2f} to {ratio.high:.2f}); outputs agree to {found.difference:.0e}"
        )
    yield ", ".join(f"{name} {version}" for name, version in found.versions.items())


def _row(side: Side) -> str:
    median, low, high = (
        duration(seconds) for seconds in (side.seconds.median, side.seconds.low, side.seconds.high)
    )
    return f"{side.name:<8} {median:>9}  ({low} to {high})  {side.examples:>10,.0f} examples/s"
