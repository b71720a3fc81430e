"""How many threads share a batch: each takes some examples through the whole net.

Threads meet where numbers of all examples are needed: in a batch norm, in the loss, in the sum of
gradients. A meeting takes as long as some thousand multiply-adds do, so a small net stays with one.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from ..graph import Graph

WORTH_SPLITTING = 4_000_000
"""Multiply-adds of a batch from which a second thread pays."""
REUSE = 4
"""How often an example must use a weight, on average: else the products of all examples with large
matrices are better shared out by BLAS than made twice."""


def lanes(graph: Graph, batch: int, threads: int) -> tuple[int, ...]:
    """How many examples each thread has: as equal as can be, the first ones more."""
    count = min(threads, batch) if pays(graph, batch) else 1
    ends = [batch * number // count for number in range(count + 1)]
    return tuple(sorted((stop - start for start, stop in pairwise(ends)), reverse=True))


def pays(graph: Graph, batch: int) -> bool:
    """Whether a split of the batch is worth its meetings."""
    macs = sum(node.macs for node in graph.nodes if not node.is_input)
    params = sum(weight.size for node in graph.nodes for weight in node.own)
    return batch > 1 and batch * macs >= WORTH_SPLITTING and macs >= REUSE * params


def firsts(counts: tuple[int, ...]) -> tuple[int, ...]:
    """The first example of each lane."""
    return (0, *accumulate(counts[:-1]))
