"""Walks: work that hands back further work, done on a stack of our own.

A generator yields the generators it wants done first and is sent their results, so that no depth
of a spec meets Python's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Walk: TypeAlias = Generator["Walk[Any]", Any, T]


def run(walk: Walk[T]) -> T:
    """Do a piece of work and all the work it hands back, in order."""
    stack: list[Walk[Any]] = [walk]
    result: Any = None
    while True:
        try:
            stack.append(stack[-1].send(result))
            result = None
        except StopIteration as done:
            stack.pop()
            result = done.value
            if not stack:
                found: T = result
                return found
