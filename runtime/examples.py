"""What the loop reads its batches from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .kernels import Array


class Examples(Protocol):
    """Examples and their truth, a batch at a time."""

    def __len__(self) -> int: ...

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array) -> None:
        """Write the chosen examples into arrays that have their shape and type."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """Arrays as the net takes them."""

    inputs: Mapping[str, Array]
    truth: Array

    def __len__(self) -> int:
        return len(self.truth)

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array) -> None:
        for name, array in inputs.items():
            np.take(self.inputs[name], chosen, axis=0, out=array, mode="clip")
        np.take(self.truth, chosen, axis=0, out=truth, mode="clip")
