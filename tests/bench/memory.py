"""The most memory that a training run holds, in a fresh process for each side; and what nnspec says
beforehand that its arrays take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from nnspec.analyzers.facts.memory import planned

from ..zoo.memory import predicted, taken
from . import THREADS
from .nets import Case
from .options import Options
from .results import Comparison, Section, Table
from .timing import ratio

NAME = "memory"
WHOLE, GROWTH = "PyTorch eager, whole process", "PyTorch eager, growth"
RUNS, QUICK = 3, 1
WORDS = (
    "A fresh process trains the net four steps. *Growth* is the most that was resident from the "
    "making of the net on, less what was resident before it: imports, one batch, and a tiny net "
    "trained a step, for libraries load parts of themselves on first use. The *whole process* is "
    "with them."
)


@dataclass(frozen=True)
class Resident:
    """Bytes of one run: before the net was made, after its steps, and at most."""

    before: int
    after: int
    peak: int

    @property
    def growth(self) -> int:
        return self.peak - self.before


def measured(options: Options) -> Section:
    compared: list[Comparison] = []
    rows = []
    for case in options.cases:
        if case.key not in "cdef":
            continue
        ours, theirs = [], []
        for turn in range(QUICK if options.quick else RUNS):
            options.say(f"memory {case.title}, run {turn + 1}")
            ours.append(run("growth_of_nnspec", case.spec, case.batch))
            theirs.append(run("growth_of_torch", case.key, case.batch))
        compared += [
            pair(case, WHOLE, [r.peak for r in ours], [r.peak for r in theirs]),
            pair(case, GROWTH, [r.growth for r in ours], [r.growth for r in theirs]),
        ]
        rows.append(foretold(case, ours))
    table = Table("Foretold and allocated", HEAD, tuple(rows))
    return Section(NAME, tuple(compared), tables=(table,) if rows else (), words=WORDS)


def run(program: str, *words: object) -> Resident:
    command = [sys.executable, "-m", f"tests.bench.{program}", *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Resident(**json.loads(done.stdout))


def pair(case: Case, rival: str, ours: Sequence[int], theirs: Sequence[int]) -> Comparison:
    found = ratio(ours, theirs)
    most = median(ours), median(theirs)
    title = f"{case.title}, batch {case.batch}"
    return Comparison(NAME, title, rival, "bytes", *most, found.median, found.low, found.high)


HEAD = ("net", "foretold", "allocated by its arrays", "resident after the steps, less before")


def foretold(case: Case, ours: Sequence[Resident]) -> tuple[str, ...]:
    graph = case.compiled().graph
    plan = planned(graph, "train", case.batch, THREADS)
    settled = median(r.after - r.before for r in ours)
    title = f"{case.title}, batch {case.batch}"
    return title, f"{predicted(graph, plan):,}", f"{taken(graph, plan):,}", f"{settled:,.0f}"
