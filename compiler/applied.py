"""An operator with the shapes that arrive at it: what is true of it there, worked out once.

Uses that are alike share one of these, so a deep net costs no more than what is different in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..grammar.diagnostics import Mistake
from .op import Needs, Op, Weight
from .shapes import Value, Window
from .spelling import spelled


@dataclass(frozen=True, eq=False)
class Applied:
    """Raises nothing: the shapes are known to suit the operator."""

    op: Op
    arrivals: tuple[Value, ...]
    value: Value

    @cached_property
    def remarks(self) -> tuple[Mistake, ...]:
        return self.op.remarks(*self.arrivals)

    @cached_property
    def derivation(self) -> tuple[str, ...]:
        return self.op.derivation(*self.arrivals)

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        return self.op.weights(*self.arrivals)

    @cached_property
    def state(self) -> tuple[Weight, ...]:
        return self.op.state(*self.arrivals)

    @cached_property
    def params(self) -> int:
        return sum(weight.size for weight in self.weights)

    @cached_property
    def formula(self) -> str:
        return self.op.formula(*self.arrivals)

    @cached_property
    def macs(self) -> int:
        return self.op.macs(*self.arrivals)

    @cached_property
    def macs_formula(self) -> str:
        return self.op.macs_formula(*self.arrivals)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The operator's arguments as JSON has them."""
        return self.op.model_dump(mode="json")

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """Along each axis, of an operator that slides a window."""
        slid: tuple[Window, ...] = self.op.windows(*self.arrivals)  # type: ignore[attr-defined]
        return slid

    @cached_property
    def spelled(self) -> str:
        """As a spec would write it, every number filled in."""
        value = self.arrivals[0]
        maps = value.rank > 1 and not value.channels_last
        return spelled(self.op, value.rank - 1 if maps else 1)

    @cached_property
    def _needs(self) -> dict[int, Needs]:
        return {}

    def needs(self, batch: int) -> Needs:
        found = self._needs.get(batch)
        if found is None:
            found = self._needs[batch] = self.op.needs(batch, *self.arrivals)
        return found

    @cached_property
    def _needs_frozen(self) -> dict[int, Needs]:
        return {}

    def needs_frozen(self, batch: int) -> Needs:
        """Where its weights do not learn."""
        found = self._needs_frozen.get(batch)
        if found is None:
            found = self._needs_frozen[batch] = self.op.needs_frozen(batch, *self.arrivals)
        return found
