"""How the signal's variance travels through a net at initialisation, and the gradient's back.

Convention: inputs of mean 0 and variance 1, their numbers independent and normal (whole numbers are
not followed); weights as the net's own initialisers draw them; noise on, batch norm by the batch, and
batches large. Everything is an expectation over inputs and weights together. A softmax at the end
belongs to the loss. What cannot be derived to a tenth is None, and so is what depends on it; what is
assumed, and how it is judged, stands in `spread`.

Source: Glorot and Bengio 2010; He et al. 2015, delving deep into rectifiers; Poole et al. 2016;
Schoenholz et al. 2017; CS231n, neural networks 2, 'Weight initialization'.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...compiler.graph import Graph, Node
from ...compiler.op import Elementwise, Trait
from ...compiler.ops.activation import LogSoftmax, Softmax
from ...compiler.plan.parameters import lay_out
from .back import Passage, gradients
from .onward import onward
from .spread import Spread, always_below, below, in_range, threshold


@dataclass(frozen=True)
class Travel:
    """What passes a node; None stands for what is not known.

    Attributes
    ----------
    mean, variance: of the activations, in the input's standard deviations, over all its numbers.
    gradient: the mean square of the loss's gradient at a number of the output, for 1 at a number of
        the net's main output.
    zeros: behind a rectifier, the share of activations that are 0.
    dead: behind a rectifier, the share of units that are 0 for each of 1,000 examples.
    """

    mean: float | None = None
    variance: float | None = None
    gradient: float | None = None
    zeros: float | None = None
    dead: float | None = None


def signal(graph: Graph) -> Mapping[str, Travel]:
    """By node, what is known of its activations and gradients at initialisation."""
    passages = _passages(graph)
    pulls = gradients(passages, scores(graph).name)
    found: dict[str, Travel] = {}
    for at in passages:
        pull = pulls.get(at.node.name)
        zeros, dead = _zeros(at)
        mean, variance = (at.made.mean, at.made.variance) if at.made.told else (None, None)
        gradient = None if pull is None else pull.told
        found[at.node.name] = Travel(mean, variance, gradient, zeros, dead)
    return found


FADED, BLOWN = sys.float_info.min, math.inf
"""Variances below and above all that is worked with."""


def estimates(graph: Graph) -> Mapping[str, Travel]:
    """The same with what is doubtful too, for whoever asks for orders of magnitude; a variance past
    every bound is `FADED` or `BLOWN`. No shares of zeros."""
    passages = _passages(graph)
    pulls = gradients(passages, scores(graph).name)
    found: dict[str, Travel] = {}
    for at in passages:
        pull = pulls.get(at.node.name)
        variance = at.made.variance if at.beyond is None else at.beyond
        found[at.node.name] = Travel(at.made.mean, variance, None if pull is None else pull.square)
    return found


@dataclass(frozen=True)
class Reach:
    """What of the gradient reaches a weighted layer.

    Attributes
    ----------
    layer: its first node.
    share: the length of the gradient at the layer, over all its numbers, for 1 at the output.
    """

    layer: Node
    share: float


AT_LEAST = 5
"""So many layers a default start needs to lose a thousandth: a sigmoid takes three quarters a layer."""


def can_drift(graph: Graph) -> bool:
    """Whether signal or gradient can have changed a thousandfold: over layers that no norm brings back,
    or by an initialiser of the author's."""
    operators = [node.op for node in graph.nodes if not node.is_input]
    norms = sum(Trait.NORMALISES in op.traits for op in operators)
    weighted = sum(layer.weighted for layer in graph.layers)
    chosen = graph.training.init or any(getattr(op, "init", None) for op in operators)
    return weighted - norms >= AT_LEAST or bool(chosen)


def reaches(graph: Graph, travels: Mapping[str, Travel]) -> Iterator[Reach]:
    """The weighted layers of which the gradient is known, and not 0 by intention."""
    end = scores(graph).value.size
    for layer in graph.layers:
        gradient = travels[layer.head.name].gradient
        if layer.weighted and gradient:
            yield Reach(layer.head, math.sqrt(gradient * layer.head.value.size / end))


def runaway(graph: Graph, travels: Mapping[str, Travel], bound: float) -> Node | None:
    """The first layer whose variance went past a bound, `FADED` or `BLOWN`."""
    return next((n for n in graph.nodes if travels[n.name].variance == bound and n.weights), None)


def blamed(graph: Graph, travels: Mapping[str, Travel], sign: int) -> str:
    """What shrinks the gradient most on its way back, or, with `sign` 1, lets it grow: an activation
    by its name, or an initialiser; "" where nothing is known."""
    layout = lay_out(graph).by_name
    sums: dict[str, float] = {}
    for node in graph.nodes:
        if len(node.inputs) != 1:
            continue
        before, after = travels[node.inputs[0]].gradient, travels[node.name].gradient
        if not before or not after:
            continue
        gain = before * node.arrivals[0].size / (after * node.value.size)
        if isinstance(node.op, Elementwise):
            what = f"`{node.op.name}`"
        elif drawn := [w for w in node.weights if w.decays]:
            what = f"`init={layout[node.keeper(drawn[0])].chosen.word}`"
        else:
            continue
        sums[what] = sums.get(what, 0.0) + sign * math.log(gain)
    return max(sums, key=sums.__getitem__, default="")


def scores(graph: Graph) -> Node:
    """Where the loss begins: the main output, or what a softmax at the end makes chances of."""
    node = graph.output
    while isinstance(node.op, Softmax | LogSoftmax):
        node = graph[node.inputs[0]]
    return node


def _passages(graph: Graph) -> list[Passage]:
    layout = lay_out(graph).by_name
    spreads: dict[str, Spread] = {}
    found: list[Passage] = []
    for node in graph.nodes:
        parts = tuple(spreads[name] for name in node.inputs)
        made = _input(node) if node.is_input else onward(node.op, node, parts, layout)
        beyond = None
        if not all(map(in_range, made.moments or ())):
            beyond = FADED if made.square is not None and made.square < 1 else BLOWN
            made = made.lost()
        spreads[node.name] = made
        found.append(Passage(node, parts, made, layout, beyond))
    return found


def _input(node: Node) -> Spread:
    drawn = frozenset({node.name})
    if node.value.integer:
        return Spread(drawn=drawn)
    return Spread(0.0, 1.0, 0.0, normal=True, drawn=drawn)


def _zeros(at: Passage) -> tuple[float | None, float | None]:
    op = at.node.op
    bound = threshold(op) if isinstance(op, Elementwise) else None
    if bound is None or not at.parts[0].told:
        return None, None
    return below(bound, at.parts[0]), always_below(bound, at.parts[0])
