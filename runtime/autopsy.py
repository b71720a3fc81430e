"""Which number of a step was the first that is not finite: its calls are made again, one operator
at a time, and everything that each writes is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..compiler.plan.schedule import Phase
from ..compiler.plan.schedule import Step as Work
from .bind import Bound, Memory, view
from .kernels import Array


def first_broken(bound: Bound, memory: Memory) -> str:
    """Where NaN or infinity first appears when the filled batch is run again, in words; empty when
    it does not."""
    for what, array in _before(bound, memory):
        if found := _counted(array):
            return f"{found} in {what}"
    for work, (start, stop) in zip(bound.schedule.steps, pairwise((0, *bound.ends)), strict=True):
        for function, arguments in bound.calls[start:stop]:
            function(*arguments)
        for what, array in _written(bound, memory, work):
            if found := _counted(array):
                return f"{found} in {what}"
    return ""


def _before(bound: Bound, memory: Memory) -> Iterator[tuple[str, Array]]:
    for name, array in bound.inputs.items():
        yield f"input `{name}` of the batch", array
    if bound.target is not None:
        yield "the truth of the batch", bound.target
    for name, array in memory.weights.items():
        yield f"weight `{name}`", array
    for name, array in memory.statistics.items():
        yield f"running statistic `{name}`", array


def _written(bound: Bound, memory: Memory, work: Work) -> Iterator[tuple[str, Array]]:
    def of(index: int) -> Array:
        return view(bound.schedule, bound.arena, index)

    name = work.node.name if work.node else ""
    if work.phase is Phase.FORWARD:
        assert work.output is not None
        yield f"the output of `{name}`", of(work.output)
    elif work.phase is Phase.LOSS:
        assert work.output is not None
        yield "the loss", of(work.output)
        if work.d_output is not None:
            yield "the gradient of the loss", of(work.d_output)
    elif work.phase is Phase.ACCUMULATE:
        assert work.output is not None
        yield "a sum of gradients", of(work.output)
    else:
        assert work.node is not None
        for index, place in enumerate(work.d_inputs):
            if place is not None:
                which = f" {index + 1}" if len(work.d_inputs) > 1 else ""
                yield f"the gradient of the input{which} of `{name}`", of(place)
        for weight in work.node.weights:
            keeper = work.node.keeper(weight)
            if keeper in memory.gradients:
                yield f"the gradient of weight `{keeper}`", memory.gradients[keeper]


def _counted(array: Array) -> str:
    """`2 NaN and 1 infinite number of 640`; empty when all are finite."""
    if array.dtype.kind != "f":
        return ""
    finite = np.isfinite(array)
    if finite.all():
        return ""
    nan = int(np.isnan(array).sum())
    infinite = int((~finite).sum()) - nan
    parts = [f"{count:,} {what}" for count, what in ((nan, "NaN"), (infinite, "infinite")) if count]
    return f"{' and '.join(parts)} of {array.size:,} numbers"
