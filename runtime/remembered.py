"""The schedules that are bound already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock

from .bind import Bound, Shortcut


class Remembered:
    """Schedules of the batch sizes that were asked for last.

    Other threads may ask, or let all go when memory is short: whatever changes is another mapping, and
    what was let go does not come back with it.

    Attributes
    ----------
    most: batch sizes that are kept.
    kept: by batch size, the one asked for last at the end.
    newest: that one.
    shortcut: what an answer of it takes; kept beside it, for tiny nets a look further tells.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: Mapping[int, Bound] = {}
        self.newest: Bound | None = None
        self.shortcut: Shortcut | None = None
        self._changing = Lock()

    def get(self, batch: int) -> Bound | None:
        """The schedule for this many examples, if there is one; it is the newest then."""
        found = self.kept.get(batch)
        if found is not None and found is not self.newest:
            self._keep(batch, found)
        return found

    def asked(self, batch: int, bind: Callable[[], Bound]) -> Bound:
        """The schedule for this many examples, bound where there is none."""
        found = self.get(batch)
        if found is None:
            found = bind()
            self._keep(batch, found)
        return found

    def _keep(self, batch: int, bound: Bound) -> None:
        with self._changing:
            others = [(size, other) for size, other in self.kept.items() if size != batch]
            self.kept = dict([*others, (batch, bound)][-self.most :])
            self.newest, self.shortcut = bound, bound.shortcut

    def clear(self) -> None:
        with self._changing:
            self.kept = {}
            self.newest = self.shortcut = None
