"""Predicted memory: to the byte what the runtime asks NumPy for, and what the process grows by."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tests.zoo.memory import bound, growth, noise, predicted, spec

import nnspec
from nnspec.analyzers.facts import memory
from nnspec.compiler.graph import Graph
from nnspec.compiler.plan.build import augmentation_memory
from nnspec.compiler.plan.schedule import Mode
from nnspec.runtime import bind
from nnspec.runtime.augmentations import Augmenter
from nnspec.runtime.constants import held

ROOT = Path(__file__).parents[2]
ZOO = sorted(
    [*(ROOT / "specs" / "vision").glob("*.nn"), *(ROOT / "specs" / "language").glob("*.nn")]
)
SOME = [
    "vision/resnet18", "vision/mobilenet_v2", "vision/squeezenet1_0", "vision/unet_padded",
    "vision/vgg11", "vision/cifar_resnet20_b", "vision/mnist_vit", "language/char_gpt",
]  # fmt: skip
"""Of the zoo; `make memory` takes all of it."""
COURSE = sorted((ROOT / "specs" / "course").glob("*.nn"))
MORE = (
    "2x16x9x9 -> conv4 3x3x3 s2 bn relu -> maxpool 2x1x1 -> flatten -> fc7",
    "a: 4 -> fc8 relu -> add[ fc8 relu -> fc8 | id ] bn\noutput b: @a -> fc2\n@a -> fc3",
    "9x6 -> lstm5 bi -> attn2 causal -> gru4 last -> fc2",
    "16 int -> embed20 8 -> attn(2) rope -> ln -> fc5",
    "3x12x12 -> convt4 3 s2 gelu -> avgpool3 s2 -> upsample2 bilinear -> apool4 -> gmp -> fc3",
    "6x9 -> fc4 mish -> flatten maxout(3, k=4)\ntrain(loss=hinge, optimizer=momentum)",
    "5 -> fc4 prelu dropout0.5 -> fc3 noise0.1 -> fc1\ntrain(loss=bce, optimizer=sgd)",
    "5 -> fc4 tanh -> fc1\ntrain(optimizer=adamw, clip=1.0, max_norm=3, l1=1e-3, l2=1e-3)",
    "5 -> fc4 tanh -> fc1\ntrain(optimizer=rmsprop(momentum=0.9), clip=value(1))",
)


def asked_for() -> int:
    """Bytes of all that NumPy holds and tracemalloc saw."""
    traces = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)]
    )
    return sum(trace.size for trace in traces.traces)


def exactly(graph: Graph, mode: Mode, batch: int, threads: int = 1) -> None:
    plan = memory.planned(graph, mode, batch, threads)
    streams = noise(graph)
    # What others left behind in cycles is to go before, not meanwhile.
    gc.collect()
    shared = held()
    tracemalloc.start(1)
    try:
        alive = bound(graph, plan, streams)
        rest = asked_for() - (held() - shared) - predicted(graph, plan)
        # The optimiser's pace is a number or two.
        assert 0 <= rest <= (16 if mode == "train" else 0)
        del alive
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("mode", ["infer", "train"])
@pytest.mark.parametrize("name", SOME)
def test_the_zoo_to_the_byte(name: str, mode: Mode) -> None:
    exactly(nnspec.graph(ROOT / "specs" / f"{name}.nn"), mode, 1)


@pytest.mark.parametrize("spec", [*map(str, COURSE), *MORE])
def test_others_to_the_byte(spec: str) -> None:
    graph = nnspec.graph(spec)
    exactly(graph, "infer", 3)
    if any(node.weights for node in graph.nodes):
        exactly(graph, "train", 3)


@pytest.mark.parametrize("mode", ["infer", "train"])
@pytest.mark.parametrize(
    "name", ["course/lenet5", "vision/cifar_resnet20_a", "vision/mnist_resnet"]
)
def test_threads_to_the_byte(name: str, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind, "available", lambda: 2)
    graph = nnspec.graph(ROOT / "specs" / f"{name}.nn")
    assert len(memory.planned(graph, mode, 65, 2).lanes) == 2
    exactly(graph, mode, 65, 2)


@pytest.mark.parametrize(
    ("name", "mode", "batch"),
    [
        ("vision/vgg11", "inference", 1),
        ("vision/mobilenet_v2", "training", 4),
        ("4096x64 -> attn1 causal -> fc2", "training", 1),
        ("vision/unet_padded", "inference", 1),
    ],
)
def test_what_the_process_grows_by(name: str, mode: str, batch: int) -> None:
    predicted, grown = growth(spec(name), mode, batch)
    assert predicted > 64 * 2**20
    assert grown == pytest.approx(predicted, rel=0.05)


def test_report_tells_the_parts() -> None:
    found = nnspec.analyze("3 -> fc4 relu -> fc1\ntrain(loss=mse, batch=7)").memory
    for part, total in (
        (found.inference_parts, found.inference),
        (found.training_parts, found.training),
    ):
        whole = part.parameters + part.gradients + part.optimizer + part.state + part.arena
        assert whole == part.total == total
    assert found.inference_parts.batch == 1
    assert found.training_parts.batch == 7
    assert found.training_parts.parameters == found.training_parts.gradients == 4 * 21


@pytest.mark.parametrize("mode", ["infer", "train"])
@pytest.mark.parametrize("text", [*MORE, str(ROOT / "specs" / "course" / "lenet5.nn")])
def test_memory_in_use_step_by_step(text: str, mode: Mode) -> None:
    """Against a count of every piece that is alive at the step."""
    plan = memory.planned(nnspec.graph(text), mode, 3)
    moments = memory.over_time(plan)
    assert len(moments) == len(plan.steps)
    for number, (step, moment) in enumerate(zip(plan.steps, moments, strict=True)):
        alive = [life for life in plan.lifetimes if life.first <= number <= life.last]
        assert moment.bytes == sum(-(-life.bytes // 64) * 64 for life in alive)
        assert moment.phase is step.phase
        assert moment.node == (step.node.name if step.node else "")
    assert max(moment.bytes for moment in moments) <= plan.arena_bytes


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_augmentation_to_the_byte(batch: int) -> None:
    many = "(flip, shift(2), crop(1), rotate(20), noise(0.1), cutout(3), mixup)"
    spec = f"3x20x20 -> flatten fc5\ntrain(loss=mse, augment={many})"
    graph = nnspec.graph(spec)
    augmenter = Augmenter(graph.training.augment, graph, 0, np.dtype(np.float32))
    found = sum(
        array.nbytes
        for room in augmenter._of(batch)
        for arrays in (room.drawn, *room.scratch.values())
        for array in arrays.values()
    )
    assert augmentation_memory(graph, batch) == found > 0
    parts = nnspec.analyze(spec, batch=batch).memory.training_parts
    assert parts.augmentation == found
    plain = nnspec.analyze("3x20x20 -> flatten fc5\ntrain(loss=mse)", batch=batch).memory
    assert parts.total - plain.training_parts.total == found


def test_memory_in_use_by_hand() -> None:
    """Five numbers in and four out, each padded to a cache line; for one example a matrix of 4 x 6
    besides, and a 1 behind the five; for more the weights turned, 5 x 4."""
    for batch, wanted in (1, 128 + 128), (2, 128 + 128):
        plan = memory.planned(nnspec.graph("5 -> fc4"), "infer", batch)
        assert [moment.bytes for moment in memory.over_time(plan)] == [wanted]
