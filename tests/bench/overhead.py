"""What a layer costs in Python: a net of so many layers that arithmetic hardly counts."""

from __future__ import annotations

import statistics

import nnspec

from .nets import batches
from .options import Options
from .results import Section, Table
from .timing import Pace, in_turns
from .training import our_step

NAME = "overhead"
PAIRS = 500
PACE = Pace(9, 0.2)
WORDS = (
    f"A chain of {PAIRS} `fc4 relu` on one example; a layer is an operator, so that is "
    f"{2 * PAIRS:,} layers, each passed forward and backward in `net.step`. Adam's update and the "
    "loss are in the time."
)


def measured(options: Options) -> Section:
    options.say(f"overhead: {2 * PAIRS:,} layers")
    net = nnspec.compile(
        f"4 -> [fc4 relu]*{PAIRS} -> fc4", seed=0, optimizer="adam(lr=1e-3)", loss="mse"
    )
    given = batches(net, 1)
    step = our_step(net, [type(batch)(batch.x, batch.x) for batch in given])
    sides = {"step": step, "answer": lambda: net(given[0].x)}
    times = in_turns(sides, options.pace(PACE))
    whole, answer = (1e6 * statistics.median(times[name]) for name in sides)
    layers = 2 * PAIRS
    rows = (
        ("`net.step`", f"{whole / 1e3:.2f} ms", f"{whole / layers / 2:.2f} µs"),
        ("`net(x)`", f"{answer / 1e3:.2f} ms", f"{answer / layers:.2f} µs"),
    )
    head = ("call", "whole", "per layer and direction")
    return Section(NAME, tables=(Table("", head, rows),), words=WORDS)
