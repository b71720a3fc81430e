"""How much memory a net may take, asked before it is taken.

A system that runs out of memory ends a process without a word, and arrays of zeros take none until
they are written: so what is there is read beforehand, and what a net has taken is counted.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from ..compiler.errors import BadSetting
from ..grammar.diagnostics import SpecError
from .errors import TooMuchMemory
from .kernels import Array

SHARE = 0.8
"""Of the free memory that a net may take where nobody says otherwise."""

MaxMemory: TypeAlias = int | str | None

UNITS = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?) ?([KMGT]?i?B)?", re.IGNORECASE)


class Cache(Protocol):
    """What can be emptied, for it can be made again."""

    def clear(self) -> None: ...


class Budget:
    """Bytes that the arrays of one net may take together.

    Parameters
    ----------
    most: as the user says, "2GiB" or a number of bytes; 80 % of the free memory where None.
    free: what tells how much is free.

    Raises SpecError when `most` is no amount of memory.
    """

    def __init__(self, most: MaxMemory = None, free: Callable[[], int] | None = None) -> None:
        self._free = free or free_memory
        self.asked = most is not None
        self.most = as_bytes(most) if most is not None else int(SHARE * self._free())
        self.held = 0
        self._caches: list[weakref.ref[Cache]] = []

    def left(self) -> int:
        """Bytes that may yet be taken; others may have taken some of them meanwhile."""
        own = max(0, self.most - self.held)
        return own if self.asked else min(own, int(SHARE * self._free()))

    def check(self, wanted: int, what: str = "the net") -> None:
        """Raise SpecError when so many bytes may not be taken; `what` is who needs them."""
        if not self.room_for(wanted):
            raise SpecError([TooMuchMemory(None, wanted, self.left(), self.asked, what)])

    def may_clear(self, cache: Cache) -> None:
        """Name a cache whose arrays can be made again: it is emptied when there is no room else."""
        self._caches = [kept for kept in self._caches if kept() is not None]
        self._caches.append(weakref.ref(cache))

    def room_for(self, wanted: int) -> bool:
        """Whether so many bytes may be taken, the caches emptied if need be."""
        if wanted <= self.left():
            return True
        for kept in self._caches:
            if (cache := kept()) is not None:
                cache.clear()
        return wanted <= self.left()

    def hold(self, array: Array) -> None:
        """Count an array's bytes for as long as it lives."""
        self.held += array.nbytes
        weakref.finalize(array, self._release, array.nbytes).atexit = False

    def _release(self, count: int) -> None:
        self.held -= count


def as_bytes(amount: int | str) -> int:
    """An amount of memory in bytes; raises SpecError for what is none."""
    if isinstance(amount, int) and not isinstance(amount, bool) and amount > 0:
        return amount
    found = AMOUNT.fullmatch(amount.strip()) if isinstance(amount, str) else None
    count = int(float(found[1]) * UNITS[(found[2] or "").upper()]) if found else 0
    if count < 1:
        advice = "write 2GiB, 500MB, or a number of bytes"
        raise SpecError([BadSetting(None, "max_memory", f"cannot be `{amount}`", advice)])
    return count


def memory_argument(parser: argparse.ArgumentParser) -> None:
    """The option that every command has which runs a net."""
    parser.add_argument(
        "--max-memory",
        metavar="AMOUNT",
        help="what the net's arrays may take: 2GiB, 500MB; 80 %% of what is free by default",
    )


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that can be had without another process losing its own: the least of what the machine
    and each control group that we are in have left."""
    found = [*_of_machine(root), *_of_groups(root)]
    return min(found) if found else _by_pages()


def _of_machine(root: Path) -> Iterator[int]:
    """Linux: memory that is free, or can be freed at once."""
    found = re.search(r"^MemAvailable: +([0-9]+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if found:
        yield int(found[1]) * 1024


def _of_groups(root: Path) -> Iterator[int]:
    """What containers and services are bounded by, v2 and v1 (kernel.org, cgroup-v2, 'Memory')."""
    groups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            yield from _upwards(groups, path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes"
            yield from _upwards(groups / "memory", path, *names)


def _upwards(top: Path, path: str, limit: str, usage: str) -> Iterator[int]:
    """The rest of each group from the top to ours; files that were read count as free."""
    group = top
    for part in ("", *path.split("/")):
        group = group / part
        most, used = _text(group / limit).strip(), _text(group / usage).strip()
        if most.isdecimal() and used.isdecimal():
            kept = re.search(r"^inactive_file ([0-9]+)", _text(group / "memory.stat"), re.MULTILINE)
            yield max(0, int(most) - int(used) + (int(kept[1]) if kept else 0))


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError):
        return ""


def _by_pages() -> int:
    """Elsewhere: free pages, or all there are; no bound where the system tells neither."""
    for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        try:
            pages = os.sysconf(name)
        except (AttributeError, ValueError, OSError):
            continue
        if pages > 0:
            return pages * os.sysconf("SC_PAGE_SIZE")
    return sys.maxsize


def zeros(count: int, budget: Budget | None) -> Array:
    """Bytes of zero, checked and counted; raises SpecError when there is no room for them."""
    if budget is not None:
        budget.check(count)
    try:
        found = np.zeros(count, np.uint8)
    except (MemoryError, ValueError):
        raise SpecError([TooMuchMemory(None, count)]) from None
    if budget is not None:
        budget.hold(found)
    return found
