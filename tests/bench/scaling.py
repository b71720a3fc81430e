"""How time grows with the batch and with depth, and what a second thread brings."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np

import nnspec
from nnspec.runtime.kernels import MEET, Call
from nnspec.runtime.threads import together

from . import THREADS
from .nets import CASES, Case, batches
from .options import Options
from .results import Section, Skipped, Table
from .timing import Pace, in_turns
from .training import our_step

NAME = "scaling"
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
DEPTHS = (1, 2, 4, 8, 16, 32, 64)
CHAINS = {
    "fc64 relu": ("64", "fc64 relu", "fc10", 64),
    "conv16 3x3 p1 relu": ("16x16x16", "conv16 3x3 p1 relu", "gap -> fc10", 16),
}
PACE, CHILD = Pace(3, 0.1), Pace(5, 0.3)
ROUNDS = 5
"""Of processes with one thread and with more, in turns."""
SIDE, PRODUCTS = 256, 480
"""Of square matrices that a core's cache holds, and how many products of them."""
WORDS = (
    "nnspec alone, a training step. The exponent is the slope of the line through the last four "
    "points of log time against log size: 1.0 is in proportion, less is better than that. Beside what "
    "threads bring a step stands what they bring to matrix products alone, of which each thread has its "
    "own, where they wait for each other as often as in the step: the best that the machine gives."
)


def measured(options: Options) -> Section:
    tables = []
    growing = [case for case in options.cases if case.key in "bdf"]
    if growing:
        tables.append(by_batch(growing, options))
    if options.large:
        tables.append(by_depth(options))
    shared, skipped = by_threads([case for case in options.cases if case.key in "ef"], options)
    return Section(NAME, skipped=skipped, tables=(*tables, *shared), words=WORDS)


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The slope of the line through the last four points, logarithms of both."""
    x, y = ([math.log(each) for each in column[-4:]] for column in (sizes, times))
    return statistics.linear_regression(x, y).slope


def step_seconds(case: Case, batch: int, pace: Pace) -> float:
    net = case.compiled()
    step = our_step(net, batches(net, batch, 1))
    return statistics.median(in_turns({"step": step}, pace)["step"])


def by_batch(cases: Sequence[Case], options: Options) -> Table:
    rows = []
    for case in cases:
        times = []
        for batch in BATCHES:
            options.say(f"scaling {case.title}, batch {batch}")
            times.append(step_seconds(case, batch, options.pace(PACE)))
        each = (f"{1e6 * t / n:.1f}" for t, n in zip(times, BATCHES, strict=True))
        rows.append((case.title, *each, f"{exponent(BATCHES, times):.2f}"))
    head = ("µs an example, at batch", *map(str, BATCHES), "exponent")
    return Table("Against the batch", head, tuple(rows))


def by_depth(options: Options) -> Table:
    rows = []
    for name, (given, layer, last, batch) in CHAINS.items():
        times = []
        for depth in DEPTHS:
            options.say(f"scaling `{name}` x {depth}")
            spec = f"{given} -> [{layer}]*{depth} -> {last}"
            net = nnspec.compile(spec, seed=0, optimizer="adam(lr=1e-3)", loss="cross_entropy")
            step = our_step(net, batches(net, batch, 1))
            found = in_turns({"step": step}, options.pace(PACE))["step"]
            times.append(statistics.median(found))
        each = (f"{1e3 * t:.3f}" for t in times)
        rows.append((f"`{name}`, batch {batch}", *each, f"{exponent(DEPTHS, times):.2f}"))
    head = ("ms a step, at depth", *map(str, DEPTHS), "exponent")
    return Table("Against the depth", head, tuple(rows))


# ------------------------------------------------------------------------------------- threads


def by_threads(cases: Sequence[Case], options: Options) -> tuple[list[Table], tuple[Skipped, ...]]:
    """A fresh process for every count of threads, kept to as many cores, in several rounds."""
    if not cases:
        return [], ()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < THREADS:
        reason = f"this process may use {len(cores)} core only"
        return [], tuple(Skipped(case.title, "two threads", reason) for case in cases)
    rows = []
    for case in cases:
        options.say(f"scaling {case.title}: threads")
        # In turns, for the machine is not equally fast all the time.
        rounds = [
            (
                alone(case, cores[:1], options.quick),
                alone(case, cores[:THREADS], options.quick),
            )
            for _ in range(1 if options.quick else ROUNDS)
        ]
        steps, bare = (
            [(one[what], two[what]) for one, two in rounds] for what in ("step", "products")
        )
        one, two = (
            f"{1e3 * statistics.median(times):.1f} ms" for times in zip(*steps, strict=True)
        )
        told, spread = gained(steps)
        rows.append((case.title, one, two, told, spread, " in ".join(gained(bare))))
    names = "times as fast", "all rounds", "matrix products alone"
    head = ("training step", "1 thread", f"{THREADS} threads", *names)
    return [Table("Against the threads", head, tuple(rows))], ()


def gained(rounds: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """How many times as fast the second is: the median, and from the least to the most."""
    ratios = [first / second for first, second in rounds]
    return f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}"


def alone(case: Case, cores: Sequence[int], quick: bool) -> dict[str, float]:
    """Seconds of a training step, and of matrix products, in a process that has these cores."""
    count = str(len(cores))
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NNSPEC_THREADS")
    command = [sys.executable, "-m", "tests.bench.scaling", case.key, json.dumps(quick)]
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, cores)), *command],
        env={**os.environ, **dict.fromkeys(names, count)},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def products(lanes: int, meetings: int) -> Callable[[], None]:
    """Matrix products, shared by lanes that wait for each other so many times."""
    rng = np.random.default_rng(0)
    calls: list[list[Call]] = []
    for _ in range(lanes):
        left, right, out = rng.standard_normal((3, SIDE, SIDE), np.float32)
        between = [(left.dot, (right, out))] * (PRODUCTS // lanes // max(1, meetings))
        calls.append([call for _ in range(max(1, meetings)) for call in (*between, MEET)])
    return lambda: together(calls)


def main(key: str, quick: bool) -> None:
    (case,) = (case for case in CASES if case.key == key)
    net = case.compiled()
    lanes = net.learner.bound(case.batch).lanes
    steps = {
        "step": our_step(net, batches(net, case.batch, 1)),
        "products": products(len(lanes), sum(call is MEET for call in lanes[0])),
    }
    times = in_turns(steps, Pace(3, 0.15) if quick else CHILD)
    print(json.dumps({name: statistics.median(found) for name, found in times.items()}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
