"""Looking at a net while it learns, in memory of its own: training takes the steps that it would
take unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ..compiler.algebra import Program
from ..compiler.graph import Graph, Layer, Node
from ..compiler.op import BLOCK, Elementwise, Trait
from ..compiler.plan.build import schedule
from ..compiler.plan.parameters import lay_out
from ..compiler.training.losses import Loss
from .bind import Bound, Memory, allocate, bind, with_gradient
from .examples import Examples
from .initialise import stream
from .kernels import Array
from .kernels.elementwise import run
from .learner import Learner
from .vitals import LayerVitals, Vitals, WeightVitals

MOST = 256
"""Examples that are looked at."""
BUDGET = 256 * 2**20
"""Bytes that looking may take: fewer examples where all layers of so many do not fit."""
FLAT = 1e-6
"""A rectifier is dead where its slope is below this share of its largest."""
SATURATED = 0.01
"""A sigmoid is saturated where its slope is below this share of its largest."""


def open_everywhere(graph: Graph) -> Graph:
    """The same net with every node's value an output, so that none is written over."""
    names = [node.name for node in graph.nodes if node.name != graph.output.name]
    outputs = {name: name for name in (*names, graph.output.name)}
    return Graph(graph.source, graph.nodes, outputs, graph.training)


class Probe:
    """A batch, and room to run a net forward and back over it with every value kept.

    Attributes
    ----------
    bound: a training step over the batch; fill its inputs and target, then call `run`.
    memory: weights and statistics of its own.
    truth: of the examples.
    """

    def __init__(self, graph: Graph, loss: Loss, batch: int, width: int, seed: int = 0) -> None:
        self.graph = open_everywhere(graph)
        plan = schedule(self.graph, batch, "train", loss, width)
        self.memory = with_gradient(allocate(plan), plan.parameters)
        self._streams = {
            node.name: stream(seed, "noise", node.name)
            for node in graph.nodes
            if Trait.RANDOM in node.op.traits
        }
        self._drawn = {name: rng.bit_generator.state for name, rng in self._streams.items()}
        self.bound: Bound = bind(plan, self.memory, self._streams)
        self._inputs = {name: np.empty_like(array) for name, array in self.bound.inputs.items()}
        assert self.bound.target is not None
        self.truth = np.empty_like(self.bound.target)

    def fill(self, examples: Examples, chosen: Array) -> None:
        """Keep these examples."""
        examples.fill(chosen, self._inputs, self.truth)

    def copy(self, memory: Memory) -> None:
        """Take a net's weights and statistics."""
        np.copyto(self.memory.parameters, memory.parameters)
        np.copyto(self.memory.state, memory.state)

    def run(self) -> float:
        """Forward and back over the batch, with the same noise each time; returns the loss."""
        bound = self.ready()
        bound.run()
        assert bound.loss is not None
        return float(bound.loss)

    def ready(self) -> Bound:
        """The batch in place, and every stream of noise where it began."""
        assert self.bound.target is not None
        for name, array in self.bound.inputs.items():
            np.copyto(array, self._inputs[name])
        np.copyto(self.bound.target, self.truth)
        for name, rng in self._streams.items():
            rng.bit_generator.state = self._drawn[name]
        return self.bound

    def values(self) -> Mapping[str, Array]:
        """What every node put out, by its name; nodes that the loss does not see left out."""
        return self.bound.outputs


def probe(learner: Learner, examples: Examples, most: int = MOST) -> Probe:
    """A probe of examples taken evenly from a set, as many as may be looked at."""
    width = learner.memory.parameters.itemsize
    all_of_them = schedule(open_everywhere(learner.graph), most, "train", learner.loss, width)
    count = min(len(examples), most, max(2, BUDGET * most // max(1, all_of_them.arena_bytes)))
    found = Probe(learner.graph, learner.loss, count, width)
    found.fill(examples, np.linspace(0, len(examples) - 1, count).astype(np.int64))
    return found


class Monitor:
    """Vitals of a net that is being trained."""

    def __init__(self, learner: Learner, examples: Examples) -> None:
        self._memory = learner.memory
        self._probe = probe(learner, examples)

    def look(self, before: Array | None) -> Vitals:
        """`before` holds the weights before the last update."""
        return vitals(self._probe, self._memory, before)


def vitals(found: Probe, memory: Memory, before: Array | None = None) -> Vitals:
    """The vitals of a net; `before` holds its weights before the last update."""
    found.copy(memory)
    found.run()
    return _read(found, before)


def _read(found: Probe, before: Array | None) -> Vitals:
    values = found.values()
    layers = [
        _layer(layer, values, found.memory)
        for layer in found.graph.layers
        if layer.nodes[-1].name in values
    ]
    return Vitals(found.bound.schedule.batch, tuple(layers), tuple(_weights(found, before)))


def _layer(layer: Layer, values: Mapping[str, Array], memory: Memory) -> LayerVitals:
    out = values[layer.nodes[-1].name]
    dead, saturated = [], []
    for node in layer.nodes:
        if isinstance(node.op, Elementwise):
            slopes = _steepness(node, node.op, values)
            if Trait.RECTIFIES in node.op.traits:
                dead.append(_dead(node, slopes))
            elif _bends(node):
                saturated.append(float(np.mean(slopes < SATURATED)))
    gradients = [memory.gradients[name] for name in _matrices(layer, memory)]
    return LayerVitals(
        layer.name,
        float(out.mean(dtype=np.float64)),
        float(out.std(dtype=np.float64)),
        max(dead, default=None),
        max(saturated, default=None),
        _rms(*gradients) if gradients else None,
    )


def _matrices(layer: Layer, memory: Memory) -> Iterator[str]:
    """The full names of a layer's weights that l2 would act on."""
    for node in layer.nodes:
        for weight in node.weights:
            if weight.decays and node.keeper(weight) in memory.gradients:
                yield node.keeper(weight)


def _steepness(node: Node, op: Elementwise, values: Mapping[str, Array]) -> Array:
    """The slope at every number, as a share of the operator's largest."""
    x, y = values[node.inputs[0]], values[node.name]
    most = _steepest(op)
    return np.abs(slope(op, x, y)) / most if most else np.zeros_like(x)


def _bends(node: Node) -> bool:
    """Whether it flattens to both sides of a slope."""
    return Trait.SATURATES in node.op.traits and Trait.NO_GRADIENT not in node.op.traits


def _dead(node: Node, slopes: Array) -> float:
    axis = node.value.channel_axis + 1
    others = tuple(place for place in range(slopes.ndim) if place != axis)
    return float(np.mean((slopes < FLAT).all(axis=others)))


@lru_cache(maxsize=64)
def _steepest(op: Elementwise) -> float:
    x = np.linspace(-8, 8, 4097)
    y = np.empty_like(x)
    for function, arguments in run(op.forward, {"x": x}, y, _scratch(op.forward, x.dtype)):
        function(*arguments)
    return float(np.abs(slope(op, x, y)).max())


def slope(op: Elementwise, x: Array, y: Array) -> Array:
    """The derivative of an operator's law, from its inputs and outputs."""
    found = np.empty_like(x)
    given: dict[str, Array | None] = {"x": x, "y": y, "dy": np.ones_like(x)}
    for function, arguments in run(op.backward, given, found, _scratch(op.backward, x.dtype)):
        function(*arguments)
    return found


def _scratch(program: Program, dtype: np.dtype[Any]) -> dict[str, Array]:
    floats = {f"float{i}": np.empty(BLOCK, dtype) for i in range(program.floats)}
    return floats | {f"mask{i}": np.empty(BLOCK, bool) for i in range(program.masks)}


def _weights(found: Probe, before: Array | None) -> Iterator[WeightVitals]:
    """In the order of the net, not of memory."""
    entries = {entry.name: entry for entry in lay_out(found.graph).entries}
    names = [f"{node.name}.{weight.name}" for node in found.graph.nodes for weight in node.own]
    for name in names:
        entry, now = entries[name], found.memory.weights[name]
        moved = None
        if before is not None:
            was = before[entry.start : entry.stop]
            length = _rms(was)
            moved = _rms(now.reshape(-1) - was) / length if length else None
        gradient = found.memory.gradients.get(name)
        told = None if gradient is None else _rms(gradient)
        update = moved if told is not None else None
        yield WeightVitals(name, _rms(now), told, update, entry.weight.decays)


def _rms(*arrays: Array) -> float:
    """Root mean square of all numbers of some arrays."""
    total = sum(float(np.vdot(a := array.astype(np.float64), a)) for array in arrays)
    return float(np.sqrt(total / max(1, sum(array.size for array in arrays))))
