"""How many threads share a batch: each takes some examples through the whole net.

Threads meet where numbers of all examples are needed: in a batch norm, in the loss, in the sum of
gradients. A meeting takes as long as some thousand multiply-adds do, so a small net stays with one.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from ...grammar.quantity import quantity
from ..graph import Graph

WORTH_SPLITTING = 4_000_000
"""Multiply-adds of a batch from which a second thread pays."""
REUSE = 4
"""How often an example must use a weight, on average: else the products of all examples with large
matrices are better shared out by BLAS than made twice."""


WORTH_SWEEPING = 256 * 1024
"""Numbers that learn from which threads share the update of them."""


def sweepers(learned: int, threads: int) -> int:
    """How many threads update what learns."""
    return threads if learned >= WORTH_SWEEPING else 1


def lanes(graph: Graph, batch: int, threads: int) -> tuple[int, ...]:
    """How many examples each thread has: as equal as can be, the first ones more."""
    count = min(threads, batch) if pays(graph, batch) else 1
    ends = [batch * number // count for number in range(count + 1)]
    return tuple(sorted((stop - start for start, stop in pairwise(ends)), reverse=True))


def pays(graph: Graph, batch: int) -> bool:
    """Whether a split of the batch is worth its meetings."""
    return not objection(graph, batch)


def objection(graph: Graph, batch: int) -> str:
    """Why a second thread would not pay; empty where it does."""
    macs = sum(node.macs for node in graph.nodes if not node.is_input)
    params = sum(weight.size for node in graph.nodes for weight in node.own)
    if batch == 1:
        return "one example cannot be split"
    if batch * macs < WORTH_SPLITTING:
        return f"forward has {quantity(batch * macs, 'multiply-add')}, too few to share"
    if macs < REUSE * params:
        times = f"{macs / params:.1f}".removesuffix(".0")
        often = "once" if times == "1" else f"{times} times"
        return f"an example uses a weight {often} on average, so only large products are shared out"
    return ""


def firsts(counts: tuple[int, ...]) -> tuple[int, ...]:
    """The first example of each lane."""
    return (0, *accumulate(counts[:-1]))
