"""What pass a net is to make, for those that time it."""

from __future__ import annotations

from ..compiler.plan.asked import known
from ..compiler.plan.schedule import Mode
from ..grammar.diagnostics import SpecError
from .net import Net


def asked(net: Net, mode: Mode | None, batch: int | None) -> tuple[Mode, int]:
    """A training step where the net can train and no mode is given, at the spec's batch; inference of
    one example. Raises SpecError for what is no mode, and where the net cannot train and is to."""
    known(mode)
    mistakes = net.untrainable()
    if mode == "train" and mistakes:
        raise SpecError(mistakes)
    chosen: Mode = mode or ("infer" if mistakes else "train")
    return chosen, batch or (net.training.batch if chosen == "train" else 1)
