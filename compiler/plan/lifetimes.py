"""Which arrays share memory because they must or may, and from when to when each is alive."""

from __future__ import annotations

from dataclasses import dataclass

from .order import Order
from .schedule import Kind

OVERWRITABLE = frozenset({Kind.VALUE, Kind.GRADIENT})


@dataclass(frozen=True)
class Lifetime:
    """A piece of memory: the arrays that lie in it, and the steps between which it is needed."""

    arrays: tuple[int, ...]
    first: int
    last: int
    bytes: int


def lifetimes(plan: Order, float_bytes: int) -> tuple[Lifetime, ...]:
    """Memory by lifetime: views share by need, and an operator that may write over its input does
    so when nobody reads that input any more."""
    end = len(plan.steps)
    born, dies = _uses(plan, end)
    home = list(range(len(plan.arrays)))
    members = {index: [index] for index in home}

    def join(view: int, base: int) -> None:
        root = home[base]
        for index in members.pop(home[view]):
            home[index] = root
            members[root].append(index)

    for view, base in plan.views:
        join(view, base)
    for number, step in enumerate(plan.steps):
        if step.overwrites is None:
            continue
        written, read = step.overwrites
        group = members[home[read]]
        dead = all(dies[index] <= number for index in group if born[index] < number)
        owned = all(plan.arrays[index].kind in OVERWRITABLE for index in group)
        others = [i for i in step.reads if i != read and home[i] == home[read]]
        same = plan.arrays[written].bytes(float_bytes) == plan.arrays[read].bytes(float_bytes)
        if dead and owned and same and not others and home[written] != home[read]:
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
    for name in plan.graph.outputs.values():
        if name in plan.values:
            dies[plan.values[name]] = end
    if plan.loss_value is not None:
        dies[plan.loss_value] = end
    return born, dies
