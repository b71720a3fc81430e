"""Which arrays share memory because they must or may, and from when to when each is alive."""

from __future__ import annotations

from .order import Order
from .schedule import EVERY, Kind, Lifetime

OVERWRITABLE = frozenset({Kind.VALUE, Kind.GRADIENT})


def lifetimes(plan: Order, float_bytes: int) -> tuple[Lifetime, ...]:
    """Memory by lifetime: views share by need, and an operator that may write over its input does
    so when nobody reads that input any more."""
    end = len(plan.steps)
    born, dies = _uses(plan, end)
    home = list(range(len(plan.arrays)))
    members = {index: [index] for index in home}
    last = dict(enumerate(dies))
    owned = {
        a.index: a.kind in OVERWRITABLE and a.lane != EVERY and a.part is None for a in plan.arrays
    }

    def join(array: int, base: int) -> None:
        """Put the array, and all that lies with it, where the base lies."""
        gone, root = home[array], home[base]
        for index in members.pop(gone):
            home[index] = root
            members[root].append(index)
        last[root] = max(last[root], last.pop(gone))
        owned[root] = owned[root] and owned.pop(gone)

    for view, base in plan.views:
        join(view, base)
    for number, step in enumerate(plan.steps):
        spent = {read for _, read in step.overwrites}
        for written, read in step.overwrites:
            root = home[read]
            alone = all(index in spent or home[index] != root for index in step.reads)
            same = plan.arrays[written].bytes(float_bytes) == plan.arrays[read].bytes(float_bytes)
            # Whatever lies there already was written before this step: it must be dead by now.
            if last[root] <= number and owned[root] and same and alone and home[written] != root:
                join(written, read)
    return tuple(
        Lifetime(
            tuple(group),
            min(born[index] for index in group),
            max(dies[index] for index in group),
            max(plan.arrays[index].bytes(float_bytes) for index in group),
        )
        for group in members.values()
    )


def _uses(plan: Order, end: int) -> tuple[list[int], list[int]]:
    """For every array the step that writes it (-1: before the first) and the last that reads it."""
    born = [-1] * len(plan.arrays)
    dies = [-1] * len(plan.arrays)
    for number, step in enumerate(plan.steps):
        for index in step.writes:
            born[index] = number
            dies[index] = max(dies[index], number)
        for index in step.reads:
            dies[index] = number
    for view, base in plan.views:
        born[view] = born[base]
        dies[view] = max(dies[view], dies[base])
    for index in plan.outputs.values():
        dies[index] = end
    if plan.loss_value is not None:
        dies[plan.loss_value] = end
    for array in plan.arrays:
        # No lane knows when the others are done with what belongs to all; the next batch wants what
        # was prepared.
        if array.lane == EVERY or array.part is not None or array.kind is Kind.PREPARED:
            born[array.index], dies[array.index] = -1, end
    return born, dies
