"""An operator's spelling reads back as the operator."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnspec
from nnspec.compiler.graph import Graph
from nnspec.compiler.op import Trait
from nnspec.compiler.ops import CATALOGUE

ROOT = Path(__file__).parents[2]
ZOO = sorted(
    [*(ROOT / "specs" / "vision").glob("*.nn"), *(ROOT / "specs" / "language").glob("*.nn")]
)
SAMPLES = [sample for op in CATALOGUE.values() for sample in op.samples]


def test_numbers_are_filled_in() -> None:
    graph = nnspec.graph(ROOT / "specs" / "vision" / "resnet50.nn")
    assert graph["bottleneck4.conv2"].applied.spelled == "conv128 3x3 s2 p1 nobias"
    text = (
        "3x9x9 -> conv 8 3x2 stride=2 init=normal(0.01) lrelu 0.1 dropout0.50 -> convt4 2 outpad=0"
    )
    words = [node.applied.spelled for node in nnspec.graph(text).nodes[1:]]
    assert words == ["conv8 3x2 s2 init=normal(0.01)", "lrelu0.1", "dropout0.5", "convt4 2x2"]


@pytest.mark.parametrize("text", SAMPLES)
def test_samples_read_back(text: str) -> None:
    reads_back(nnspec.graph(text))


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_the_zoo_reads_back(path: Path) -> None:
    reads_back(nnspec.graph(path))


def reads_back(graph: Graph) -> None:
    done: set[int] = set()
    for node in graph.nodes:
        vector = node.arrivals[0].rank == 2 and not node.arrivals[0].channels_last
        if node.is_input or vector or Trait.MERGES in node.op.traits or id(node.applied) in done:
            continue
        done.add(id(node.applied))
        shape = "x".join(map(str, node.arrivals[0].shape))
        integer = " int" if node.arrivals[0].integer else ""
        again = nnspec.graph(f"{shape}{integer} -> {node.applied.spelled}")
        same = again.nodes[-1].applied
        assert same.spelled == node.applied.spelled
        assert (same.value, same.weights, same.macs) == (
            node.value,
            node.weights,
            node.macs,
        )
