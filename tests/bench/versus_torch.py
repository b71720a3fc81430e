"""One training step, nnspec against PyTorch eager, alternately in one process on the same threads.

    python tests/bench/versus_torch.py [--json]

Every row is a spec run through the public `Net.step`, in float32 with default settings, against the
same layers, loss and optimiser as an `nn.Module`. Reported is time(PyTorch) / time(nnspec): the
median over rounds in which the two take turns, and the quartiles beside it.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np
import torch
from torch import nn

import nnspec

THREADS = 2
ROUNDS = 15
SECONDS = 0.12
"""How long each side runs in a round."""


@dataclass(frozen=True)
class Row:
    name: str
    batch: int
    nnspec_ms: float
    torch_ms: float
    ratio: float
    low: float
    high: float


def mlp(*sizes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


LENET = (
    "1x28x28 -> conv6 5x5 p2 relu -> maxpool2 -> conv16 5x5 relu -> maxpool2 "
    "-> flatten -> fc120 relu -> fc84 relu -> fc10"
)
CASES: list[tuple[str, str, int, Callable[[], nn.Module]]] = [
    ("3-4-4-1", "3 -> fc4 relu -> fc4 relu -> fc1", 32, lambda: mlp(3, 4, 4, 1)),
    ("784-100-10", "784 -> fc100 relu -> fc10", 64, lambda: mlp(784, 100, 10)),
    (
        "3072-1024-1024-10",
        "3072 -> fc1024 relu -> fc1024 relu -> fc10",
        128,
        lambda: mlp(3072, 1024, 1024, 10),
    ),
    ("LeNet-5", LENET, 64, lenet),
]


def sides(
    spec: str, batch: int, module: Callable[[], nn.Module]
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A training step of each, on the same batch."""
    net = nnspec.compile(spec, seed=0, optimizer="adam(lr=1e-3)")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *net.graph.inputs[0].value.shape)).astype(np.float32)
    classes = net.graph.output.value.size
    labels = rng.integers(0, classes, batch)
    y = labels if classes > 1 else rng.standard_normal((batch, 1)).astype(np.float32)
    model = module()
    loss = nn.CrossEntropyLoss() if classes > 1 else nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tx, ty = torch.tensor(x), torch.tensor(y)

    def theirs() -> None:
        optimizer.zero_grad()
        loss(model(tx), ty).backward()
        optimizer.step()

    return (lambda: net.step(x, y)), theirs


def timed(step: Callable[[], object]) -> float:
    """Seconds for one step, over about `SECONDS`."""
    count, begun = 0, time.perf_counter()
    while True:
        step()
        count += 1
        passed = time.perf_counter() - begun
        if passed > SECONDS:
            return passed / count


def compared(name: str, spec: str, batch: int, module: Callable[[], nn.Module]) -> Row:
    ours, theirs = sides(spec, batch, module)
    timed(ours), timed(theirs)
    pairs = []
    for turn in range(ROUNDS):
        order = (ours, theirs) if turn % 2 else (theirs, ours)
        times = {}
        for side in order:
            # BLAS workers and PyTorch's spin for a while after their last job.
            time.sleep(0.03)
            times[side] = timed(side)
        pairs.append((times[ours], times[theirs]))
    ratios = sorted(t / n for n, t in pairs)
    quartiles = statistics.quantiles(ratios, n=4)
    return Row(
        name,
        batch,
        1e3 * statistics.median(n for n, _ in pairs),
        1e3 * statistics.median(t for _, t in pairs),
        statistics.median(ratios),
        quartiles[0],
        quartiles[2],
    )


def cold(command: list[str]) -> float:
    """Seconds of a fresh process, the best of five."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    return min(times)


def main() -> None:
    torch.set_num_threads(THREADS)
    rows = [compared(*case) for case in CASES]
    spec = Path(__file__).parents[2] / "specs" / "course" / "lenet5.nn"
    check = cold([sys.executable, "-m", "nnspec", "check", str(spec)])
    torch_import = cold([sys.executable, "-c", "import torch"])
    if "--json" in sys.argv:
        print(
            json.dumps({"rows": [asdict(r) for r in rows], "check": check, "torch": torch_import})
        )
        return
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}, "
        f"{THREADS} threads, adam, float32; {ROUNDS} rounds in turns\n"
    )
    print("| training step | batch | nnspec | PyTorch eager | PyTorch / nnspec | quartiles |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.batch} | {row.nnspec_ms:.3f} ms | {row.torch_ms:.3f} ms "
            f"| {row.ratio:.2f} | {row.low:.2f} to {row.high:.2f} |"
        )
    print(
        f"\ncold `nnspec check FILE`: {check:.3f} s; `import torch`: {torch_import:.3f} s; "
        f"share {check / torch_import:.2f}"
    )


if __name__ == "__main__":
    main()
