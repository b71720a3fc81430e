"""A net's answers, against PyTorch and against onnxruntime, from the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nnspec.runtime.net import Net

from .nets import RESNET18, Case, batches, twin
from .options import Options
from .results import Comparison, Section, Skipped, timed_pair
from .timing import Pace, in_turns

NAME = "inference"
EAGER, ONNX = "PyTorch eager", "onnxruntime"
ASKED = {
    ("a", 1): 1.8, ("b", 1): 1.8, ("c", 1): 1.0, ("d", 1): 0.8,
    ("e", 64): 0.75, ("f", 64): 0.4, ("g", 1): 0.5,
}  # fmt: skip
"""Of onnxruntime's time."""
AGREES = 1e-3
PACE, SLOW = Pace(15, 0.06), Pace(7, 0.15)

Answer = Callable[[], Any]


def measured(options: Options) -> Section:
    compared: list[Comparison] = []
    skipped: list[Skipped] = []
    asked = [(case, batch) for case in options.cases for batch in (1, 64)]
    for case, batch in (*asked, *([(RESNET18, 1)] if options.large else [])):
        options.say(f"inference {case.title}, batch {batch}")
        found, left_out = of(case, batch, options)
        compared += found
        skipped += left_out
    return Section(NAME, tuple(compared), tuple(skipped))


def of(case: Case, batch: int, options: Options) -> tuple[list[Comparison], list[Skipped]]:
    """A net's answers to one batch against every rival that gives the same."""
    net = case.compiled()
    (given,) = batches(net, batch, 1)
    settle(net)
    title = f"{case.title}, batch {batch}"
    sides = {"nnspec": lambda: net(given.x)}
    skipped = []
    expected = net(given.x)
    for name, make in ((EAGER, in_eager), (ONNX, in_onnx)):
        answer = make(case, net, given.x)
        if isinstance(answer, str):
            skipped.append(Skipped(title, name, answer))
        elif (apart := difference(expected, np.asarray(answer()))) > AGREES:
            reason = f"refused, for the outputs are {apart:.2g} apart"
            skipped.append(Skipped(title, name, reason))
        else:
            sides[name] = answer
    pace = options.pace(SLOW if case.key in "efg" else PACE)
    times = in_turns(sides, pace)
    return [
        timed_pair(
            NAME, title, name, times["nnspec"], times[name],
            ASKED.get((case.key, batch)) if name == ONNX else None,
        )
        for name in sides if name != "nnspec"
    ], skipped  # fmt: skip


def settle(net: Net) -> None:
    """Give batch norms statistics of some data, as a trained net has; the weights stay."""
    if not net.state:
        return
    kept = {name: weight.copy() for name, weight in net.weights.items()}
    for batch in batches(net, 8, 2):
        net.step(batch.x, batch.y)
    for name, weight in net.weights.items():
        weight[:] = kept[name]


def difference(ours: Any, theirs: Any) -> float:
    """The largest, as a share of the largest output."""
    return float(np.abs(ours - theirs).max() / np.abs(ours).max())


def in_eager(case: Case, net: Net, x: Any) -> Answer:
    module, given = twin(case, net).eval(), torch.tensor(x)

    def answer() -> Any:
        with torch.inference_mode():
            return module(given)

    return answer


def in_onnx(case: Case, net: Net, x: Any) -> Answer | str:
    """The answer, or why there is none."""
    try:
        from . import in_onnx as runtime
    except ImportError as error:
        return f"{error.name} is not installed"
    return runtime.answering(twin(case, net), x)
