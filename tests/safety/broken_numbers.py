"""A number that is not finite is written into every array of a training step in turn.

    python -m tests.safety.broken_numbers [NETS]

Each time the step must stop and name the operator and the array, or else the number must have had no
part in the loss nor in any gradient (a pixel that is cropped away), or be an infinity of which all that
follows is finite: a sigmoid makes 1 of it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np

import nnspec
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.plan.schedule import Step
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.answering import quiet
from nnspec.runtime.autopsy import _learned, _written
from nnspec.runtime.bind import Bound, Group
from nnspec.runtime.kernels import Array, Call
from nnspec.runtime.learner import NotFinite

from ..runtime.random_nets import random_net

BATCH = 3
THRESHOLD = "step"
"""The one operator that makes a number of NaN: 0, for it is not above 0. Nothing learns through it."""

BAD = (np.nan, np.inf, -np.inf)


@dataclass
class Found:
    """What was said of the numbers that were written."""

    named: Counter[str] = field(default_factory=Counter)
    """By operator and phase, as `conv forward`."""
    harmless: int = 0
    saturated: int = 0
    """Infinities, or NaN before a threshold, of which finite numbers were made again."""
    wrong: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    """Random nets that are none, or learn nothing."""

    def __str__(self) -> str:
        words = {key.split()[0] for key in self.named}
        return (
            f"{self.named.total():,} of {self.named.total() + len(self.wrong):,} named, "
            f"of {len(words)} operators; {self.harmless:,} had no part in anything, "
            f"{self.saturated:,} were made finite again"
        )


def nets(count: int) -> Iterator[str]:
    """The operators' own samples between two layers that learn, and random nets."""
    for kind in CATALOGUE.values():
        for sample in kind.samples:
            head, _, rest = sample.partition(" -> ")
            scaled = "" if "int" in head or "[" in sample else " -> scale shift"
            yield f"{head}{scaled} -> {rest} -> flatten -> fc2"
    yield from map(random_net, range(count))


def searched(text: str, seed: int, found: Found) -> None:
    """Write into every array that a training step of the net writes."""
    rng = Random(seed)
    batch = Batch(text, seed)
    loss, gradient = batch.gradient(batch.bound)
    steps = batch.bound.schedule.steps
    for index, work in enumerate(steps):
        written = _written(batch.bound, batch.memory, work, steps[index + 1 :])
        for told, array in [*written, *_learned(batch.bound, work)]:
            if array.dtype.kind != "f" or not array.size:
                continue
            bad = rng.choice(BAD)
            broken = behind(batch.bound, index, array, rng.randrange(array.size), bad)
            now, slopes = batch.gradient(broken)
            if now == loss and np.array_equal(slopes, gradient):
                found.harmless += 1
            elif (np.isinf(bad) or THRESHOLD in text.split()) and finite(now, slopes):
                found.saturated += 1
            elif (named := batch.named(broken)).endswith(f" in {told}"):
                word = work.node.op.name if work.node else "sum"
                found.named[f"{word} {work.phase.name.lower()}"] += 1
            else:
                found.wrong.append(f"{text}: {bad} in {told}, named was {named!r}")


class Batch:
    """A net and a batch, to run the same step on again and again."""

    def __init__(self, text: str, seed: int) -> None:
        self.net = nnspec.compile(text, seed=seed, loss="mse", dtype="float64")
        draws, value = np.random.default_rng(seed), self.net.graph.inputs[0].value
        below = min(self.net.graph.vocabularies.values(), default=2)
        shape = (BATCH, *value.shape)
        self.x = draws.integers(0, below, shape) if value.integer else draws.standard_normal(shape)
        self.y = draws.standard_normal((BATCH, *self.net.graph.output.value.shape))
        self.learner = self.net.learner
        self.memory = self.learner.memory
        self.bound = self.net._filled(self.x, self.y)

    def gradient(self, bound: Bound) -> tuple[float, Array]:
        """Loss and gradient; statistics and streams as if nothing had been."""
        self.net._filled(self.x, self.y)
        with quiet():
            loss = self.learner.gradient(bound)
        self.learner._back()
        return loss, self.memory.gradient.copy()

    def named(self, bound: Bound) -> str:
        """What a step that fails says was broken."""
        self.net._filled(self.x, self.y)
        with quiet():
            try:
                self.learner.step(bound)
            except NotFinite:
                self.net._filled(self.x, self.y)
                return self.learner.broken(bound).where
        return ""


def finite(loss: float, gradient: Array) -> bool:
    return bool(np.isfinite(loss) and np.isfinite(gradient).all())


def behind(bound: Bound, index: int, array: Array, place: int, bad: float) -> Bound:
    """The same calls, and behind those of a step one that spoils a number."""
    place_of = np.unravel_index(place, array.shape)
    spoil: Call = array.__setitem__, (place_of, bad)
    step = bound.schedule.steps[index]
    groups = tuple(_spoilt(group, step, spoil) for group in bound.groups)
    lanes = tuple(
        tuple(
            call
            for group in groups
            for one, calls in zip(group.steps, group.calls, strict=True)
            for call in calls
            if one.lane == lane
        )
        for lane in range(len(bound.lanes))
    )
    return replace(bound, groups=groups, lanes=lanes)


def _spoilt(group: Group, step: Step, spoil: Call) -> Group:
    """The same group, the call behind those of the step where it is in it."""
    if not any(one is step for one in group.steps):
        return group
    calls = (
        (*own, spoil) if one is step else own
        for one, own in zip(group.steps, group.calls, strict=True)
    )
    return replace(group, calls=tuple(calls))


def main(words: list[str]) -> int:
    found = Found()
    for seed, text in enumerate(nets(int(words[0]) if words else 300)):
        try:
            searched(text, seed, found)
        except SpecError as error:
            found.unfit.append(f"{text}: {error}")
    for key in sorted(found.named):
        print(f"{found.named[key]:>7,}  {key}")
    for told in found.wrong:
        print(told)
    silent = sorted(set(CATALOGUE) - {key.split()[0] for key in found.named})
    print(found, f"; never: {', '.join(silent)}" if silent else "")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
