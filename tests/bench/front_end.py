"""How fast a net is known before it runs, nnspec against PyTorch and torchinfo.

    python tests/bench/front_end.py [--json]

ResNet-152 is parsed, elaborated and analysed from its text; beside it PyTorch builds it on the meta
device (which holds no numbers) and torchinfo summarises it. The two take turns in one process, and
each has a fresh one for its memory. Then chains of 10,000 and 100,000 nodes.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torchinfo
from torch import Tensor, nn

import nnspec
from nnspec.analyzers.report import report

SPEC = Path(__file__).parents[2] / "specs" / "vision" / "resnet152.nn"
PARAMS = 60_192_808
ROUNDS = 11
WIDTHS, BLOCKS = (64, 128, 256, 512), (3, 8, 36, 3)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 beside a way past them."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.past: nn.Module = nn.Identity()
        if before != after or stride != 1:
            self.past = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.relu(self.body(x) + self.past(x))
        return found


def resnet152() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    before = 64
    for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        for turn in range(count):
            stride = 2 if stage and not turn else 1
            layers.append(Bottleneck(before, width, stride))
            before = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


def by_nnspec() -> int:
    return nnspec.analyze(SPEC).params


def by_torchinfo() -> int:
    with torch.device("meta"):
        net = resnet152()
    found = torchinfo.summary(net, (1, 3, 224, 224), device="meta", verbose=0)
    return int(found.total_params)


def seconds(run: Callable[[], int]) -> float:
    begun = time.perf_counter()
    assert run() == PARAMS
    return time.perf_counter() - begun


PEAK = """
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if "VmHWM" in line)
"""
OURS = f"import nnspec, nnspec.compiler.elaborate, nnspec.analyzers.report; run = lambda: nnspec.analyze({str(SPEC)!r}).params"
THEIRS = "import sys; sys.path.insert(0, 'tests/bench'); from front_end import by_torchinfo as run"


def memory(side: str) -> tuple[int, int]:
    """KiB at most of a fresh process that does the job, and by how much the job itself made it grow
    once everything was imported (Linux)."""
    code = f"{PEAK}{side}\nbefore = peak(); run(); print(peak(), peak() - before)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    whole, grown = map(int, done.stdout.split())
    return whole, grown


@dataclass(frozen=True)
class Chain:
    """A generated chain: how long it took, and the most memory its process held."""

    nodes: int
    seconds: float
    mib: float


def chain(nodes: int) -> None:
    """Elaborate and analyse so many nodes; prints what it took."""
    text = "8" + " -> fc8 -> relu" * (nodes // 2 - 1) + " -> fc8"
    limits = nnspec.Limits(nodes=nodes + 1)
    begun = time.perf_counter()
    graph = nnspec.graph(text, limits=limits)
    assert report(graph).params == (nodes // 2) * 72
    took = time.perf_counter() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(asdict(Chain(len(graph.nodes), took, most))))


def measured(nodes: int) -> Chain:
    code = (
        f"import sys; sys.path.insert(0, 'tests/bench'); import front_end; front_end.chain({nodes})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return Chain(**json.loads(done.stdout))


def main() -> int:
    for run in (by_nnspec, by_torchinfo):
        run()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(by_nnspec))
        theirs.append(seconds(by_torchinfo))
    facts: dict[str, Any] = {
        "nnspec_ms": statistics.median(ours) * 1e3,
        "torchinfo_ms": statistics.median(theirs) * 1e3,
        "ratio": statistics.median(t / o for o, t in zip(ours, theirs, strict=True)),
        "nnspec_kib": memory(OURS),
        "torchinfo_kib": memory(THEIRS),
    }
    chains = [measured(nodes) for nodes in (10_000, 100_000)]
    if "--json" in sys.argv:
        print(json.dumps({**facts, "chains": [asdict(found) for found in chains]}, indent=2))
        return 0
    print(f"ResNet-152 analysed, {facts['ratio']:.1f} times faster:")
    for name in ("nnspec", "torchinfo"):
        whole, grown = facts[f"{name}_kib"]
        print(
            f"  {name:10} {facts[f'{name}_ms']:5.0f} ms, {grown / 1024:5.1f} MiB for it, "
            f"{whole / 1024:4.0f} MiB the process"
        )
    for found in chains:
        print(f"{found.nodes:,} nodes: {found.seconds:.2f} s, {found.mib:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
