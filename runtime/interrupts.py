"""Ctrl-C while a run goes on: the step under way is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Asked:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.to_stop = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.to_stop:
            raise KeyboardInterrupt
        self.to_stop = True


@contextmanager
def held() -> Iterator[Asked]:
    """Note SIGINT and SIGTERM instead of obeying at once; a second one is obeyed.

    Signals reach the main thread alone: elsewhere nothing changes.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            if handler is not None:  # as it is where a program in C has set it
                signal.signal(number, handler)
