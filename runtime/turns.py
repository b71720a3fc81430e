"""Threads that share a net take turns: a bound schedule holds one batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import wraps
from threading import RLock
from typing import Any, Literal, TypeVar, cast
from weakref import WeakSet

from .answering import quiet
from .threads import in_children

Turn = Literal["answering", "learning"]
"""What only one thread at a time does with a net; a net that learns still answers."""

Method = TypeVar("Method", bound=Callable[..., Any])


class Turns:
    """The turns of one net. The thread that has one may take it again: a callback of `fit` may ask
    for a step.

    Attributes
    ----------
    silent: what whose turn it is to answer runs in: NumPy does not warn there.
    """

    def __init__(self) -> None:
        self.begin()
        TAKEN.add(self)

    def begin(self) -> None:
        """Nobody has a turn: so in a process just forked, whose other threads stayed behind."""
        self.answering = RLock()
        self.learning = RLock()
        with quiet():
            self.silent = copy_context()


TAKEN: WeakSet[Turns] = WeakSet()


def _forked() -> None:
    for turns in list(TAKEN):
        turns.begin()


in_children(_forked)


def waits(turn: Turn) -> Callable[[Method], Method]:
    """Mark a method that waits for its turn; its object has `turns`."""

    def mark(method: Method) -> Method:
        @wraps(method)
        def in_turn(self: Any, *args: Any, **kwargs: Any) -> Any:
            with getattr(self.turns, turn):
                return method(self, *args, **kwargs)

        return cast(Method, in_turn)

    return mark
