"""Who may be writing into a net's arrays: views of them are counted while anybody holds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .kernels import Array


@dataclass
class Ledger:
    """Of one net.

    Attributes
    ----------
    out: views that somebody holds, or holds views of. back: how many have come back.
    """

    out: int = 0
    back: int = 0

    def lent(self, array: Array) -> Array:
        """A writable view that is counted, with every view of it, until the last is gone."""
        return np.asarray(_Lease(array, self))


class _Lease:
    """What a lent array stands on: NumPy lets views of it stand on it too, for it is no array."""

    def __init__(self, array: Array, ledger: Ledger) -> None:
        self.array, self.ledger = array, ledger
        ledger.out += 1

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.array.__array_interface__

    def __del__(self) -> None:
        self.ledger.out -= 1
        self.ledger.back += 1
