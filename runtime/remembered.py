"""The schedules that are bound already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .bind import Bound


class Remembered(OrderedDict[int, Bound]):
    """Schedules of the last few batch sizes, the one asked for last at the end; another thread may let
    all go when memory is short.

    Attributes
    ----------
    most: batch sizes that are kept.
    newest: the one asked for last.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.newest: Bound | None = None

    def asked(self, batch: int, bind: Callable[[], Bound]) -> Bound:
        """The schedule for this many examples, bound where there is none."""
        self.newest = self[batch] = found = self.pop(batch, None) or bind()
        if len(self) > self.most:
            self.popitem(last=False)
        return found

    def clear(self) -> None:
        super().clear()
        self.newest = None
