"""How fast a net is known before it runs, against PyTorch and torchinfo.

ResNet-152 is parsed, elaborated and analysed from its text; beside it PyTorch builds it on the meta
device (which holds no numbers) and torchinfo summarises it. Then the cold start of `nnspec check`
beside `import torch` alone, and chains of 10,000 and 100,000 nodes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
import torchinfo
from torch import Tensor, nn

import nnspec
from nnspec.analyzers.report import report

from .nets import SPECS
from .options import Options
from .results import Comparison, Section, Table, timed_pair

NAME = "front_end"
SPEC = SPECS / "vision" / "resnet152.nn"
LENET = SPECS / "course" / "lenet5.nn"
PARAMS = 60_192_808
ROUNDS, COLD, QUICK = 11, 5, 2
CHAINS = (10_000, 100_000)
WIDTHS, BLOCKS = (64, 128, 256, 512), (3, 8, 36, 3)
NET = "ResNet-152, analysed"
WORDS = (
    "ResNet-152 known from its text, beside PyTorch building it on the meta device and torchinfo "
    "summarising it; the memory is what a fresh process grew by for that. A cold start is a whole "
    "process: `nnspec check specs/course/lenet5.nn` beside `import torch` and nothing else."
)


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


def measured(options: Options) -> Section:
    options.say("front_end: ResNet-152 analysed")
    by_nnspec(), by_torchinfo()
    rounds, starts = (QUICK, QUICK) if options.quick else (ROUNDS, COLD)
    known = [(seconds(by_nnspec), seconds(by_torchinfo)) for _ in range(rounds)]
    options.say("front_end: memory and cold starts")
    check = [sys.executable, "-m", "nnspec", "check", str(LENET)]
    torch_alone = [sys.executable, "-c", "import torch"]
    cold = [(process(check), process(torch_alone)) for _ in range(starts)]
    compared = (
        pair(NET, "torchinfo", known),
        grown(),
        pair("cold start", "import torch", cold),
    )
    options.say("front_end: long chains")
    rows = tuple(
        (f"{found.nodes:,}", f"{found.seconds:.2f} s", f"{found.mib:.0f} MiB")
        for found in map(apart, CHAINS)
    )
    head = ("nodes", "elaborated and analysed in", "the process at most")
    return Section(NAME, compared, tables=(Table("Chains of `fc8 relu`", head, rows),), words=WORDS)


def pair(what: str, rival: str, times: Sequence[tuple[float, float]]) -> Comparison:
    """Of seconds that were taken in turns, ours first."""
    ours, theirs = zip(*times, strict=True)
    return timed_pair(NAME, what, rival, ours, theirs)


def seconds(run: Callable[[], int]) -> float:
    begun = time.perf_counter()
    assert run() == PARAMS
    return time.perf_counter() - begun


def process(command: list[str]) -> float:
    """Seconds of a fresh process."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


# -------------------------------------------------------------------------------------- memory

PEAK = """
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
"""
OURS = (
    "import nnspec, nnspec.compiler.elaborate, nnspec.analyzers.report\n"
    f"run = lambda: nnspec.analyze({str(SPEC)!r}).params"
)
THEIRS = "from tests.bench.front_end import by_torchinfo as run"


def grown() -> Comparison:
    ours, theirs = (growth(side) for side in (OURS, THEIRS))
    found = theirs / ours
    return Comparison(NAME, NET, "torchinfo", "bytes", ours, theirs, found, found, found)


def growth(side: str) -> int:
    """Bytes by which a fresh process grew for the job once everything was imported (Linux)."""
    code = f"{PEAK}{side}\nbefore = peak(); run(); print(1024 * (peak() - before))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


# -------------------------------------------------------------------------------------- chains


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


def apart(nodes: int) -> Chain:
    code = f"from tests.bench.front_end import chain; chain({nodes})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return Chain(**json.loads(done.stdout))
