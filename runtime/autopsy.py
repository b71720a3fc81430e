"""Which number of a step was the first that is not finite: its calls are made again, one operator
at a time, and everything that each writes is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..compiler.plan.schedule import Phase
from ..compiler.plan.schedule import Step as Work
from .bind import Bound, Memory, view
from .errors import Broken
from .kernels import Array

LISTED = 3
"""Of many examples, or columns, how many are named."""


def first_broken(bound: Bound, memory: Memory, chosen: Array | None = None) -> Broken:
    """Where NaN or infinity first appears when the filled batch is run again.

    `chosen`: the examples' places in the data they come from; in the batch itself where None.
    """
    if found := in_batch(bound, np.arange(bound.schedule.batch) if chosen is None else chosen):
        return found
    if found := in_memory(memory):
        return found
    for number, group in enumerate(bound.groups):
        group.run()
        rest = [step for later in bound.groups[number + 1 :] for step in later.steps[:1]]
        made = _together(_written(bound, memory, step, rest) for step in group.steps)
        learned = _together(_learned(bound, step) for step in group.steps)
        sums = {what: [np.sum(parts, axis=0)] for what, parts in learned.items()}
        for what, parts in {**made, **sums}.items():
            if told := _counted(*parts):
                return Broken(f"{told} in {what}")
    return Broken()


def _together(lanes: Iterable[Iterable[tuple[str, Array]]]) -> dict[str, list[Array]]:
    """What the lanes have of the same."""
    found: dict[str, list[Array]] = {}
    for lane in lanes:
        for what, array in lane:
            found.setdefault(what, []).append(array)
    return found


def in_batch(bound: Bound, chosen: Array) -> Broken:
    """What is not finite in the inputs and the truth of a filled batch, by example."""
    given = {f"input `{name}`": array for name, array in bound.inputs.items()}
    if bound.target is not None:
        given["the truth"] = bound.target
    for what, array in given.items():
        if told := _counted(array):
            places = _places(~np.isfinite(array), chosen)
            return Broken(f"{told} in {what}: {places}", "data")
    return Broken()


def in_memory(memory: Memory) -> Broken:
    """What is not finite in the weights and the running statistics."""
    kept = {f"weight `{name}`": array for name, array in memory.weights.items()}
    kept |= {f"running statistic `{name}`": array for name, array in memory.statistics.items()}
    for what, array in kept.items():
        if told := _counted(array):
            return Broken(f"{told} in {what}", "weights")
    return Broken()


def _places(broken: Array, chosen: Array) -> str:
    """`example 17, column 3 (counted from 0)`, from a mask over a batch."""
    rows = broken.reshape(len(broken), -1)
    examples = sorted(int(chosen[row]) for row in np.flatnonzero(rows.any(axis=1)))
    told = _listed("example", examples)
    if broken.ndim == 2 and broken.shape[1] > 1:
        columns = [int(column) for column in np.flatnonzero(rows.any(axis=0))]
        told += f", {_listed('column', columns)}"
    elif broken.ndim > 2:
        first = np.argwhere(broken)[0][1:]
        told += f", first at ({', '.join(map(str, first))})"
    return f"{told} (counted from 0)"


def _listed(what: str, numbers: list[int]) -> str:
    """`example 3`, `examples 3, 5 and 7`, `examples 3, 5, 7 and 12 more`."""
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    first, more = numbers[:LISTED], len(numbers) - LISTED
    if more > 0:
        return f"{what}s {', '.join(map(str, first))} and {more:,} more"
    return f"{what}s {', '.join(map(str, first[:-1]))} and {first[-1]}"


def _written(
    bound: Bound, memory: Memory, work: Work, rest: Sequence[Work]
) -> Iterator[tuple[str, Array]]:
    """What a lane's step writes of values and their gradients, in the user's words."""

    def of(index: int) -> Array:
        return view(bound.schedule, bound.arena, index)

    name = work.node.name if work.node else ""
    if work.phase is Phase.FORWARD:
        assert work.output is not None
        assert work.node is not None
        law = work.behind
        # Who chooses does the law in front of it, of what it chose.
        last = name if law is None or law.name in work.node.inputs else law.name
        yield f"the output of `{last}`", of(work.output)
    elif work.phase is Phase.LOSS:
        assert work.output is not None
        yield "the loss", of(work.output)
        if work.d_output is not None:
            yield "the gradient of the loss", of(work.d_output)
    elif work.phase is Phase.ACCUMULATE:
        assert work.output is not None
        reader = next(step.node for step in rest if step.node is not None)
        yield f"the sum of the gradients that reach `{reader.name}`", of(work.output)
    elif work.phase is Phase.JOIN and work.lane == 0:
        for keeper, gradient in memory.gradients.items():
            yield f"the gradient of weight `{keeper}`", gradient
    elif work.phase is Phase.BACKWARD:
        assert work.node is not None
        for index, place in enumerate(work.d_inputs):
            if place is not None:
                which = f" {index + 1}" if len(work.d_inputs) > 1 else ""
                yield f"the gradient of the input{which} of `{name}`", of(place)


def _learned(bound: Bound, work: Work) -> Iterator[tuple[str, Array]]:
    """The part that a lane's step finds of each of its weights' gradients."""
    if work.phase is not Phase.BACKWARD:
        return
    assert work.node is not None
    gradients = bound.gradients[work.lane]
    for weight in work.node.weights:
        keeper = work.node.keeper(weight)
        if keeper in gradients:
            yield f"the gradient of weight `{keeper}`", gradients[keeper]


def _counted(*parts: Array) -> str:
    """`2 NaN and 1 infinite of 640 numbers`; empty when all are finite."""
    if any(part.dtype.kind != "f" for part in parts):
        return ""
    broken = sum(int((~np.isfinite(part)).sum()) for part in parts)
    if not broken:
        return ""
    nan = sum(int(np.isnan(part).sum()) for part in parts)
    size = sum(part.size for part in parts)
    if size == 1:
        return "NaN" if nan else "infinity"
    counts = (nan, "NaN"), (broken - nan, "infinite")
    told = [f"{count:,} {what}" for count, what in counts if count]
    return f"{' and '.join(told)} of {size:,} numbers"
