"""When training ends before its last epoch, declared. `runtime/train.py` asks it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field, NonNegativeFloat

from ..op import Count
from .choice import Choice


class Stop(Choice):
    """Which epoch counts as the best, and when waiting for a better one is over."""

    metric: Literal["loss", "accuracy"] = Field(default="loss")
    by: NonNegativeFloat = 0.0

    def reason(self, waited: int) -> str:
        """Why training ends, so many epochs after the best one; empty while it goes on."""
        raise NotImplementedError(f"{self.name} gives no reason")


class Patience(Stop):
    """Training ends after so many epochs without a better one, and the best one's weights are put
    back, also when no epoch is left.

    Better is a lower loss of the held-out examples, of the training examples where none are held
    out; or with `metric=accuracy` a higher accuracy of the held-out ones; by more than `by`. What is
    no number is never better.
    """

    name, places = "patience", ("epochs",)
    source = "Prechelt 1998, 'Early stopping - but when?'"

    epochs: Count = 3

    def reason(self, waited: int) -> str:
        return f"no better epoch in {self.epochs}" if waited >= self.epochs else ""


STOPS: Mapping[str, type[Stop]] = MappingProxyType({stop.name: stop for stop in (Patience,)})
