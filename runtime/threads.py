"""Which threads work: Python's, each on a part of the batch, or BLAS's on every product."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

from ..compiler import environment
from ..compiler.graph import Graph
from ..compiler.plan.lanes import pays
from .kernels import MEET, Call
from .kernels.products import WORTH_SHARING

WORTH_LIMITING, WORTH_HURRYING = 4 * 65_536, 1_000_000
"""Multiply-adds of the largest product of a pass between which BLAS is held to one thread for it: below,
OpenBLAS takes one by itself (SMP_THRESHOLD_MIN times GEMM_MULTITHREAD_THRESHOLD of its interface/gemm.c;
a matrix and a vector are shared from more numbers still); above, its threads pay where nothing else is
waited for."""


def suited(graph: Graph, batch: int) -> AbstractContextManager[object]:
    """One BLAS thread while a net of small products runs, or one whose batch is split; BLAS's own
    choice for a large one.

    Beside saving the hand-over, this keeps a small net fast on a busy machine, where BLAS's workers
    would wait for each other.
    """
    nodes = (node for node in graph.nodes if not node.is_input)
    largest = max((node.applied.needs(batch).product for node in nodes), default=0)
    if largest >= WORTH_SHARING and not pays(graph, batch):
        return nullcontext()
    return one_blas_thread()


@cache
def controller() -> ThreadpoolController:
    """Of the libraries that this process has loaded: to look for them takes as long as a hundred
    steps of a small net."""
    return ThreadpoolController()


@cache
def blas() -> tuple[Any, ...]:
    """The libraries that multiply matrices for NumPy.

    Where NumPy brings its own, that one; others of the process may be PyTorch's or SciPy's, whose
    threads are their affair. Else all that are known.
    """
    libraries = controller().select(user_api="blas").lib_controllers
    numpys = Path(np.__file__).resolve().parent
    homes = numpys, numpys.with_name("numpy.libs")
    own = [one for one in libraries if any(home in Path(one.filepath).parents for home in homes)]
    return tuple(own or libraries)


def blas_threads() -> int:
    """How many threads BLAS may use."""
    return max((library.get_num_threads() for library in blas()), default=1)


@cache
def available() -> int:
    """How many threads a net may use: what NNSPEC_THREADS says, else what BLAS was given when it was
    first asked, which is a thread a core unless OPENBLAS_NUM_THREADS and its like say less. Raises
    SpecError where NNSPEC_THREADS is no number of threads."""
    return environment.threads() or blas_threads()


def run(calls: Iterable[Call]) -> None:
    for function, arguments in calls:
        function(*arguments)


@contextmanager
def blas_limited(count: int) -> Iterator[None]:
    """NumPy's BLAS held to so many threads, as long as it goes on."""
    before = [library.get_num_threads() for library in blas()]
    try:
        for library in blas():
            library.set_num_threads(count)
        yield
    finally:
        for library, threads in zip(blas(), before, strict=True):
            library.set_num_threads(threads)


def one_blas_thread() -> AbstractContextManager[None]:
    return blas_limited(1)


def with_one_blas_thread(calls: Iterable[Call]) -> None:
    with one_blas_thread():
        run(calls)


# ------------------------------------------------------------------------------------- lanes

Door: TypeAlias = "SimpleQueue[bool]"


class Left(Exception):
    """Raised in a lane that waits for one that will not come."""


class Meetings:
    """Where lanes wait for each other: a queue for each that waits and each that is waited for."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.doors: list[list[Door]] = [[SimpleQueue() for _ in range(lanes)] for _ in range(lanes)]

    def wait(self, lane: int) -> None:
        for other in range(self.lanes):
            if other != lane:
                self.doors[other][lane].put(True)
        for other in range(self.lanes):
            if other != lane and not self.doors[lane][other].get():
                raise Left

    def leave(self, lane: int) -> None:
        """Nobody is to wait for this lane any more."""
        for other in range(self.lanes):
            self.doors[other][lane].put(False)


class Worker:
    """A thread that makes lanes' calls, and then waits for more."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        Thread(target=self._work, name="nnspec", daemon=True).start()

    def _work(self) -> None:
        # Warnings of NumPy are the caller's thread's affair: what is not finite is found there.
        with np.errstate(all="ignore"):
            while True:
                self.jobs.get()()


class Crew:
    """The workers of this process that have nothing to do."""

    def __init__(self) -> None:
        self.idle: list[Worker] = []

    def hired(self) -> Worker:
        try:
            return self.idle.pop()
        except IndexError:
            return Worker()


def in_children(function: Callable[[], object]) -> None:
    """Have it done in every process that is forked from this one; Windows does not fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


CREW = Crew()
in_children(CREW.idle.clear)


def together(lanes: Sequence[Sequence[Call]]) -> None:
    """Make the calls of every lane, the first's in this thread, with BLAS held to one thread each; OpenBLAS
    may not listen where the caller is not the main thread, which costs time and no digit.

    Raises what a lane raised, once all have ended: an interrupt of the first too.
    """
    meetings = Meetings(len(lanes))
    # Who has ended is noted before it is told, for what a queue gave is lost to an interrupt that comes
    # right behind; and an interrupt inside an event, which has a lock, would leave that locked.
    ended = [True] + [False] * (len(lanes) - 1)
    told: SimpleQueue[bool] = SimpleQueue()
    hired: list[Worker] = []
    failures: list[BaseException] = []

    def make(lane: int) -> None:
        wait = partial(meetings.wait, lane)
        try:
            for call in lanes[lane]:
                if call is MEET:
                    wait()
                else:
                    function, arguments = call
                    function(*arguments)
        except BaseException:
            meetings.leave(lane)
            raise

    def work(lane: int) -> None:
        try:
            make(lane)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(error)
        end(lane)

    def end(lane: int) -> None:
        ended[lane] = True
        told.put(True)

    def give_up() -> None:
        """Let all lanes go; whoever was hired and got no work has ended, too."""
        for lane in range(len(lanes)):
            meetings.leave(lane)
        for lane, worker in enumerate(hired, 1):
            worker.jobs.put(partial(end, lane))

    with one_blas_thread():
        try:
            for lane in range(1, len(lanes)):
                hired.append(CREW.hired())
                hired[-1].jobs.put(partial(work, lane))
            make(0)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        while True:
            try:
                if failures:
                    give_up()
                while not all(ended[: len(hired) + 1]):
                    told.get()
                break
            except BaseException as error:  # noqa: BLE001 - raised again below
                # Nobody is to touch the arrays before the others are done with them.
                failures.append(error)
        CREW.idle += hired
    for failed in failures:
        if not isinstance(failed, Left):
            raise failed


@contextmanager
def limited(count: int | None) -> Iterator[int]:
    """So many threads for every net and for BLAS, as long as it goes on; as they are where None."""
    if count is None:
        yield available()
        return
    before = os.environ.get(environment.THREADS)
    os.environ[environment.THREADS] = str(count)
    available.cache_clear()
    try:
        with blas_limited(count):
            yield count
    finally:
        os.environ.pop(environment.THREADS)
        if before is not None:
            os.environ[environment.THREADS] = before
        available.cache_clear()
