"""Who may be writing into a net's arrays: views of them are counted while anybody holds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .kernels import Array


@dataclass
class Ledger:
    """Of one net: where nobody was writing, what it holds is the same as long as `changes` is.

    Attributes
    ----------
    writers: views that somebody holds, or holds views of, and what trains the net.
    changes: how often one of them has come or gone; it only grows.
    """

    writers: int = 0
    changes: int = 0

    def begin(self) -> None:
        self.writers += 1
        self.changes += 1

    def end(self) -> None:
        self.writers -= 1
        self.changes += 1

    def lent(self, array: Array) -> Array:
        """A writable view that is counted, with every view of it, until the last is gone."""
        return np.asarray(_Lease(array, self))


class _Lease:
    """What a lent array stands on: NumPy lets views of it stand on it too, for it is no array."""

    def __init__(self, array: Array, ledger: Ledger) -> None:
        self.array, self.ledger = array, ledger
        ledger.begin()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.array.__array_interface__

    def __del__(self) -> None:
        self.ledger.end()
