"""Which learning rates work: one run through all of them, from far too low to far too high.

Source: Smith 2017, "Cyclical learning rates for training neural networks", section 3.3, the range
test; CS231n, neural networks 3, "Hyperparameter optimization": rates are searched by powers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from statistics import fmean

import numpy as np

from ..compiler.training.schedules import Schedule
from .answering import quiet
from .examples import Examples
from .initialise import stream
from .learner import Horizon, Learner, NotFinite
from .net import Net

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 120
NEAR = 4
"""Steps to either side that a loss is averaged with."""
BURST = 4.0
"""The loss, as a multiple of the first, at which the run has seen enough."""
FALLEN = 0.1
"""The share of the whole descent by which a rate counts as one that learns."""
MARGIN = 10.0
"""How far below the rate of the lowest loss the suggested one stays."""


class Rising(Schedule):
    """From 1 to `times` by equal factors."""

    times: float = 1.0

    def factor(self, step: int, steps: int, epochs: int) -> float:
        return float(self.times ** (step / max(1, steps * epochs - 1)))


@dataclass(frozen=True)
class Rates:
    """What the loss did while the learning rate rose.

    Attributes
    ----------
    rates, losses: step by step; the loss is that of the batch before the step.
    smooth: the losses, each averaged with its neighbours.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smooth: tuple[float, ...]

    @property
    def highest(self) -> float:
        """The rate at which the loss was lowest: from there on it rises."""
        return self.rates[int(np.argmin(self.smooth))]

    @property
    def lowest(self) -> float:
        """The rate from which on the loss stays below its first value, by a tenth of the descent."""
        end = int(np.argmin(self.smooth))
        goal = self.smooth[0] - FALLEN * (self.smooth[0] - self.smooth[end])
        above = [step for step in range(end) if self.smooth[step] > goal]
        return self.rates[min(above[-1] + 1, end) if above else 0]

    @property
    def suggested(self) -> float:
        return max(self.highest / MARGIN, min(self.lowest, self.highest / 2))

    @property
    def ends(self) -> bool:
        """Whether the loss was lowest before the last rate that was tried."""
        return int(np.argmin(self.smooth)) < len(self.smooth) - 1

    @property
    def learns(self) -> bool:
        """Whether the loss fell at any rate."""
        return min(self.smooth) < 0.98 * self.smooth[0]


def rates(net: Net, examples: Examples, steps: int = STEPS) -> Rates:
    """Train the net, whose weights are spoilt by it, while the rate rises from 1e-6 to 10; the run
    ends early where the loss is far above the first. Raises SpecError when it cannot train."""
    training = net.training
    slow = training.optimizer.model_copy(update={"lr": LOWEST})
    rising = Rising(times=HIGHEST / LOWEST)
    learner = Learner(
        net.graph,
        training.model_copy(update={"optimizer": slow, "schedule": rising}),
        net.learner.memory,
        net.learner.streams,
    )
    batch = min(training.batch, len(examples))
    shuffle = stream(net.seed, "rates")
    order = np.empty(0, np.int64)
    bound = learner.bound(batch)
    found: list[tuple[float, float]] = []
    with quiet(), learner.towards(Horizon(steps, 1)):
        for _ in range(steps):
            if len(order) < batch:
                order = shuffle.permutation(len(examples))
            chosen, order = order[:batch], order[batch:]
            assert bound.target is not None
            examples.fill(chosen, bound.inputs, bound.target)
            try:
                loss = learner.step(bound)
            except NotFinite:
                break
            found.append((learner.rate, loss))
            if loss > BURST * found[0][1] + 1e-6:
                break
    if not found:
        return Rates((LOWEST,), (float("inf"),), (float("inf"),))
    each, losses = zip(*found, strict=True)
    return Rates(each, losses, _smoothed(losses))


def _smoothed(losses: tuple[float, ...]) -> tuple[float, ...]:
    """Each with its neighbours; a later average would show what an earlier rate did."""
    return tuple(
        fmean(losses[max(0, step - NEAR) : step + NEAR + 1]) for step in range(len(losses))
    )


SHADES = "▁▂▃▄▅▆▇█"
BARS = 56


def drawn(found: Rates, width: int = BARS) -> str:
    """The loss over the rates as a row of bars, the rates below as far as there is room."""
    top, low = found.smooth[0], min(found.smooth)
    bars = []
    for place in range(width):
        power = place / (width - 1)
        rate = LOWEST * (HIGHEST / LOWEST) ** power
        after = int(np.searchsorted(found.rates, rate * (1 - 1e-9)))
        if after >= len(found.rates):
            bars.append("×")
            continue
        height = (found.smooth[after] - low) / ((top - low) or 1.0)
        level = round(min(1.0, height) * (len(SHADES) - 2)) + (height > 1.1)
        bars.append(SHADES[min(level, len(SHADES) - 1)] if isfinite(height) else "×")
    scale = ""
    for power in range(-6, 2):
        place = round((power + 6) / 7 * (width - 1))
        if not scale or place > len(scale):
            scale = scale.ljust(place) + f"{10.0**power:g}"
    return f"{''.join(bars)}\n{scale}"
