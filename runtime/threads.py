"""How many threads BLAS works with: its own workers cost more than they bring to small products."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

from ..compiler.graph import Graph

WORTH_SHARING = 50_000_000
"""Multiply-adds of one matrix product from which a second thread pays for its hand-over."""


def suited(graph: Graph, batch: int) -> AbstractContextManager[object]:
    """One BLAS thread while a net of small products runs; BLAS's own choice for a large one.

    Beside saving the hand-over, this keeps a small net fast on a busy machine, where BLAS's workers
    would wait for each other.
    """
    nodes = (node for node in graph.nodes if not node.is_input)
    largest = max((node.applied.needs(batch).product for node in nodes), default=0)
    if largest >= WORTH_SHARING:
        return nullcontext()
    limits: AbstractContextManager[object] = controller().limit(limits=1, user_api="blas")
    return limits


@cache
def controller() -> ThreadpoolController:
    """Of the libraries that this process has loaded: to look for them takes as long as a hundred
    steps of a small net."""
    return ThreadpoolController()


def blas_threads() -> int:
    """How many threads BLAS may use."""
    pools = [pool for pool in controller().info() if pool["user_api"] == "blas"]
    return max((pool["num_threads"] for pool in pools), default=1)
