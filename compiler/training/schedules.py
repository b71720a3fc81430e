"""How the learning rate goes over a run: the share of the optimiser's `lr` that each step uses.

A share is a number from 0 to 1, so `lr` is always the highest rate of the run. Warm-up comes first:
W steps whose shares are 1 / (W + 1), 2 / (W + 1), ... W / (W + 1); the schedule itself begins behind
them and fills what is left of the run. That is PyTorch's SequentialLR of LinearLR(start_factor =
1 / (W + 1), total_iters = W) and the schedule, with its milestone at W.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, NonNegativeFloat

from ..op import Count
from .choice import Choice

Share = Annotated[float, Field(ge=0, le=1)]
"""Of the optimiser's rate."""


class Schedule(Choice):
    """How the learning rate goes over a run; `warmup` epochs, which may be broken, lead up to it."""

    warmup: NonNegativeFloat = 0.0

    def factor(self, step: int, steps: int, epochs: int) -> float:
        """The share of the rate at a step, which counts from 0; `steps` make an epoch."""
        warm = round(self.warmup * steps)
        if step < warm:
            return (step + 1) / (warm + 1)
        return self.behind(step - warm, steps, steps * epochs - warm)

    def behind(self, step: int, steps: int, total: int) -> float:
        """The share at a step behind the warm-up, of `total` there; `steps` make an epoch."""
        raise NotImplementedError(f"schedule {self.name} has no course")


class Constant(Schedule):
    """The same rate from beginning to end."""

    name = "constant"
    source = "CS231n, neural networks 3, 'Annealing the learning rate'"

    def behind(self, step: int, steps: int, total: int) -> float:
        return 1.0


class StepDecay(Schedule):
    """The rate times `by` behind every `every` epochs. PyTorch's StepLR."""

    name, places = "step", ("every", "by")
    source = "CS231n, neural networks 3, 'Step decay'"

    every: Count = 20
    by: Share = 0.1

    def behind(self, step: int, steps: int, total: int) -> float:
        return float(self.by ** (step // (steps * self.every)))


class Exponential(Schedule):
    """The rate times `by` behind every epoch. PyTorch's ExponentialLR."""

    name, places = "exponential", ("by",)
    source = "CS231n, neural networks 3, 'Exponential decay'"

    by: Share = 0.95

    def behind(self, step: int, steps: int, total: int) -> float:
        return float(self.by ** (step // steps))


class Cosine(Schedule):
    """Half a cosine, step by step, down to the share `to` of the rate. PyTorch's CosineAnnealingLR,
    with T_max the steps of the run."""

    name, places = "cosine", ("to",)
    source = "Loshchilov and Hutter 2016"

    to: Share = 0.0

    def behind(self, step: int, steps: int, total: int) -> float:
        return _eased(1.0, self.to, step / total if total > step else 1.0)


class OneCycle(Schedule):
    """Up from the share `start` to the whole rate over the share `rise` of the steps, then down to
    the share `to`, both by half a cosine. PyTorch's OneCycleLR, its momentum left alone."""

    name, places = "one_cycle", ("rise", "start", "to")
    source = "Smith and Topin 2017"

    rise: Share = 0.3
    start: Share = 0.04
    to: Share = 4e-6

    def behind(self, step: int, steps: int, total: int) -> float:
        top, last = self.rise * total - 1, total - 1
        if step <= top:
            return _eased(self.start, 1.0, step / top if top else 1.0)
        return _eased(1.0, self.to, (step - top) / (last - top) if last > step else 1.0)


def _eased(start: float, end: float, along: float) -> float:
    """From `start` to `end` by half a cosine, `along` from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * along)) / 2


SCHEDULES: Mapping[str, type[Schedule]] = MappingProxyType(
    {schedule.name: schedule for schedule in (Constant, StepDecay, Exponential, Cosine, OneCycle)}
)
