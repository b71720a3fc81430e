"""One training step against PyTorch and JAX, with Adam on the same batches from the same weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Callable
from itertools import cycle
from math import isclose
from typing import TypeAlias

from nnspec.runtime.net import Net

from . import in_torch
from .in_torch import EAGER, WAYS, Way
from .nets import Batch, Case, batches
from .options import Options
from .results import Comparison, Section, Skipped, timed_pair
from .timing import Pace, Step, in_turns

NAME = "training"
ASKED = {"a": 12.0, "b": 1.6, "c": 1.3, "d": 1.0, "e": 1.4, "f": 0.8}
AIMED = {"a": 25.0, "b": 2.0, "c": 2.0, "d": 1.3, "e": 2.0, "f": 1.2}
AGREES = 1e-3
"""Losses may differ by this much of themselves, or by this much where they are below 1."""
CHECKED = 2
"""Steps whose losses must agree: the first by the weights, the second by gradients and Adam. The VGG-like
net triples its loss in these two steps: a third would tell how it magnifies rounding."""
JAX = "JAX jit"
PACES = {"a": Pace(15, 0.12), "b": Pace(15, 0.12), "c": Pace(11, 0.2), "d": Pace(11, 0.15)}
SLOW = Pace(7, 0.2)

Make: TypeAlias = Callable[[Case, Net, list[Batch]], Step]


class Unfit(Exception):
    """A rival that cannot be had here; the message says why."""


def measured(options: Options) -> Section:
    compared: list[Comparison] = []
    skipped: list[Skipped] = []
    for case in options.cases:
        found, left_out = of(case, options)
        compared += found
        skipped += left_out
    return Section(NAME, tuple(compared), tuple(skipped))


def of(case: Case, options: Options) -> tuple[list[Comparison], list[Skipped]]:
    """A net against every rival that can be had and computes the same."""
    net = case.compiled()
    given = batches(net, case.batch)
    title = f"{case.title}, batch {case.batch}"
    sides: dict[str, Step] = {}
    skipped = []
    for name, make in rivals(given).items():
        options.say(f"training {case.title}: {name} is made")
        try:
            sides[name] = make(case, case.compiled(), given)
        except Unfit as error:
            skipped.append(Skipped(title, name, str(error)))
    for name, apart in disagreeing(our_step(case.compiled(), given), sides).items():
        skipped.append(Skipped(title, name, apart))
        del sides[name]
    options.say(f"training {case.title}")
    pace = options.pace(PACES.get(case.key, SLOW))
    times = in_turns({"nnspec": our_step(net, given), **sides}, pace)
    found = [
        timed_pair(
            NAME, title, name, times["nnspec"], times[name],
            ASKED[case.key] if name == EAGER.name else None,
        )
        for name in sides
    ]  # fmt: skip
    return found, skipped


def our_step(net: Net, given: list[Batch]) -> Step:
    turn = cycle(given)

    def step() -> float:
        batch = next(turn)
        return net.step(batch.x, batch.y)

    return step


def rivals(given: list[Batch]) -> dict[str, Make]:
    """By name, in the order of the table; only images have channels that can stand last."""
    images = given[0].x.ndim == 4
    ways = (way for way in WAYS if images or not way.channels_last)
    found: dict[str, Make] = {way.name: torch_rival(way) for way in ways}
    found[JAX] = jax_rival
    return found


def torch_rival(way: Way) -> Make:
    def made(case: Case, net: Net, given: list[Batch]) -> Step:
        if way.compiled and not shutil.which(os.environ.get("CXX", "g++")):
            raise Unfit("there is no C++ compiler to build with")
        return in_torch.training_step(case, net, given, way)

    return made


def jax_rival(case: Case, net: Net, given: list[Batch]) -> Step:
    try:
        from . import in_jax
    except ImportError as error:
        raise Unfit(f"{error.name} is not installed") from error
    return in_jax.training_step(case, net, given)


def disagreeing(ours: Step, sides: dict[str, Step]) -> dict[str, str]:
    """Who does not compute what nnspec computes, and how far apart the losses are."""
    expected = losses(ours)
    apart = {}
    for name, step in sides.items():
        try:
            found = losses(step)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            apart[name] = f"cannot run here: {first_line(error)}"
            continue
        pairs = list(zip(expected, found, strict=True))
        if not all(isclose(a, b, rel_tol=AGREES, abs_tol=AGREES) for a, b in pairs):
            told = ", ".join(f"{a:.6f} and {b:.6f}" for a, b in pairs)
            apart[name] = f"refused, for the losses of the first steps differ: {told}"
    return apart


def losses(step: Step) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [float(step()) for _ in range(CHECKED)]  # type: ignore[arg-type]


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
