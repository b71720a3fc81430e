"""Predicted memory against what is allocated, on all of the zoo: `python -m tests.zoo.memory`.

Counted are the arrays that own the memory which the bound calls, the vectors of weights, gradients and
statistics, and the optimiser's slots lie in; constants that all nets share are left out. Beside it,
for nets past 64 MiB, what a process of its own grows by when it runs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

import nnspec
from nnspec.analyzers.facts import memory
from nnspec.compiler.graph import Graph
from nnspec.compiler.op import Trait
from nnspec.compiler.plan.lanes import sweepers
from nnspec.compiler.plan.schedule import ALIGNMENT, Schedule
from nnspec.runtime.bind import Bound, Memory, allocate, bind, lane_stream
from nnspec.runtime.learner import Learner
from nnspec.runtime.threads import available

ROOT = Path(__file__).parents[2]
ZOO = sorted(
    [*(ROOT / "specs" / "vision").glob("*.nn"), *(ROOT / "specs" / "language").glob("*.nn")]
)
GROWN = (
    ("vision/vgg11", "inference", 1), ("vision/resnet50", "inference", 8),
    ("vision/unet_padded", "inference", 1), ("vision/vit_b_32", "inference", 4),
    ("vision/resnet18", "training", 8), ("vision/mobilenet_v2", "training", 4),
    ("vision/squeezenet1_0", "training", 8), ("vision/densenet121", "training", 2),
    ("language/gpt2", "inference", 1), ("4096x64 -> attn1 causal -> fc2", "training", 1),
)  # fmt: skip

Streams = Mapping[str, np.random.Generator]


def noise(graph: Graph) -> Streams:
    return {
        lane_stream(node.name, lane): np.random.default_rng()
        for node in graph.nodes
        if Trait.RANDOM in node.op.traits
        for lane in range(available())
    }


def bound(graph: Graph, plan: Schedule, streams: Streams) -> tuple[Memory, Bound, Learner | None]:
    """All that stays alive as long as a net runs this schedule."""
    kept = allocate(plan)
    if plan.mode == "infer":
        return kept, bind(plan, kept, {}), None
    learner = Learner(graph, graph.training, kept, streams)
    return learner.memory, learner.bound(plan.batch), learner


def predicted(graph: Graph, plan: Schedule) -> int:
    """The plan's bytes; every vector takes a cache line more, so that it can begin on one."""
    blocks = sweepers(plan.parameters.trainable, plan.threads)
    vectors = 3 if plan.mode == "infer" else 4 + graph.training.optimizer.slots + blocks
    return memory.of_schedule(graph, plan).total + vectors * ALIGNMENT


def taken(graph: Graph, plan: Schedule) -> int:
    """Bytes of the arrays behind everything that is bound."""
    kept, calls, learner = bound(graph, plan, noise(graph))
    owners: dict[int, Any] = {id(_owner(calls.arena)): _owner(calls.arena)}
    vectors = [
        kept.parameters,
        kept.state,
        *((kept.gradient, *learner.slots, learner._statistics) if learner else ()),
    ]
    updates = (*chain(*learner.updates), *learner.limits, *learner.fading) if learner else ()
    for array in (*vectors, *_arrays((*chain(*calls.lanes), *updates))):
        owner = _owner(array)
        if owner.flags.writeable and owner.ndim:
            owners[id(owner)] = owner
    return sum(owner.nbytes for owner in owners.values())


def _arrays(calls: Iterable[tuple[Any, tuple[object, ...]]]) -> Iterator[Any]:
    for function, arguments in calls:
        given = [*arguments, getattr(function, "__self__", None)]
        if isinstance(function, partial):
            given += [*function.args, *function.keywords.values()]
        yield from (array for array in given if isinstance(array, np.ndarray))


def _owner(array: Any) -> Any:
    """The array whose memory this one is a view of; `as_strided` hides it behind an object."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


# ------------------------------------------------------------------------------------- growth

GROWTH = """
import json, sys
import numpy as np
import nnspec

def resident(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

def run(net, batch, mode):
    shape = net.graph.inputs[0].value
    x = np.zeros((batch, *shape.shape), np.int64 if shape.integer else np.float32)
    if mode == "inference":
        net.inference(batch).run()
    else:
        net.learner.bound(batch).run()
        net.learner.update()

spec, mode, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
report = nnspec.analyze(spec, batch=batch)
predicted = getattr(report.memory, mode)
small = nnspec.compile("1x8x8 -> conv4 3x3 bn relu -> maxpool2 -> flatten fc4", loss="cross_entropy")
run(small, 2, "inference"); run(small, 2, "training")
before = resident("VmRSS")
net = nnspec.compile(spec)
run(net, batch, mode)
print(json.dumps([predicted, resident("VmHWM") - before]))
"""


def spec(name: str) -> str:
    """A net's path, or its text."""
    return name if "->" in name else str(ROOT / "specs" / f"{name}.nn")


def growth(spec: str, mode: str, batch: int) -> tuple[int, int]:
    """Predicted bytes, and those that a process grows by in a first pass, at its highest."""
    words = [sys.executable, "-c", GROWTH, spec, mode, str(batch)]
    # A report is of one thread.
    alone = {**os.environ, "NNSPEC_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=alone)
    found, grown = json.loads(done.stdout)
    return found, grown


def main() -> int:
    wrong = 0
    checked = 0
    for path in ZOO:
        graph = nnspec.graph(path)
        for mode in ("infer", "train"):
            for batch in (1, 8):
                plan = memory.planned(graph, mode, batch, available())
                expected = predicted(graph, plan)
                try:
                    found = taken(graph, plan)
                except nnspec.SpecError:
                    print(f"{path.stem} {mode} {batch}: {expected / 2**30:.1f} GiB do not fit here")
                    continue
                checked += 1
                if found != expected:
                    wrong += 1
                    print(f"{path.stem} {mode} {batch}: predicted {expected:,}, taken {found:,}")
    print(f"{checked - wrong} of {checked} equal to the byte\n")
    for name, kind, batch in GROWN:
        expected, grown = growth(spec(name), kind, batch)
        ratio = grown / expected
        wrong += not 0.95 <= ratio <= 1.05
        print(
            f"{name:<30} {kind:<10} {batch:>2} {expected / 2**20:>8.1f} MiB predicted, "
            f"{grown / 2**20:>8.1f} grown, {ratio:.3f}"
        )
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
