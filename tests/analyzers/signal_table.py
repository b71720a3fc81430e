"""What the fact `signal` foretells, beside what PyTorch measures.

    python -m tests.analyzers.signal_table [part of a name]

Every pair of a net and its initialisers is drawn anew with several seeds and run on random normal inputs
in training mode; the gradient at its scores is drawn too. One line for each node: the moments as foretold,
as measured, and their ratio.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import nnspec
from nnspec.analyzers.facts.signal import Travel, scores, signal
from nnspec.compiler.graph import Graph, Node
from nnspec.compiler.plan.build import schedule
from nnspec.runtime.bind import allocate
from nnspec.runtime.initialise import fill

from ..runtime.in_torch import OPERATIONS, values

SPECS = Path(__file__).parents[2] / "specs"


@dataclass(frozen=True)
class Pair:
    """A net under some initialiser. `seeds` and `batch` say how long it is measured."""

    name: str
    text: str
    seeds: int = 100
    batch: int = 16
    known: float = 0.9
    """The least share of nodes of which variance and gradient must be foretold."""
    slow: bool = False
    """Measured by this program alone, not by the tests."""

    @property
    def graph(self) -> Graph:
        path = SPECS / self.text
        return nnspec.graph(path if self.text.endswith(".nn") else self.text)


def deep(width: int, depth: int, layer: str, head: str = "fc32") -> str:
    return f"{width}" + f" -> {layer}" * depth + f" -> {head}"


def conv(channels: int, depth: int, rest: str, head: str = "gap -> fc32") -> str:
    return f"16x12x12 -> [conv{channels} 3x3 p1 {rest}]*{depth} -> {head}"


PAIRS = (
    Pair("relu 10, he", deep(128, 10, "fc128(init=he) relu"), 250, 8),
    Pair("relu 10, he uniform", deep(128, 10, "fc128(init=he_uniform) relu")),
    Pair("relu 8, xavier", deep(128, 8, "fc128(init=xavier) relu"), 150, 8),
    Pair("relu 6, lecun", deep(128, 6, "fc128(init=lecun) relu")),
    Pair("relu 6, normal 0.01", deep(128, 6, "fc128(init=normal(0.01)) relu")),
    Pair("relu 6, normal 0.2", deep(128, 6, "fc128(init=normal(0.2)) relu")),
    Pair("relu 6, uniform 0.05", deep(128, 6, "fc128(init=uniform(0.05)) relu")),
    Pair("relu, narrowing", "256 -> fc192 relu -> fc128 relu -> fc64 relu -> fc32"),
    Pair("tanh 10, xavier", deep(128, 10, "fc128(init=xavier) tanh")),
    Pair("tanh 6, xavier uniform", deep(128, 6, "fc128(init=xavier_uniform) tanh")),
    Pair("tanh 6, normal 0.2", deep(128, 6, "fc128(init=normal(0.2)) tanh")),
    Pair("sigmoid 5, xavier", deep(128, 5, "fc128 sigmoid")),
    Pair("sigmoid 5, normal 0.3", deep(128, 5, "fc128(init=normal(0.3)) sigmoid")),
    Pair("gelu 6, he", deep(128, 6, "fc128(init=he) gelu")),
    Pair("silu 6, he", deep(256, 4, "fc256 silu")),
    Pair("mish, lecun", deep(128, 4, "fc128(init=lecun) mish")),
    Pair("elu 6, he", deep(128, 6, "fc128 elu")),
    Pair("selu 10, lecun", deep(128, 10, "fc128(init=lecun) selu")),
    Pair("softplus 4, he", deep(128, 4, "fc128 softplus")),
    Pair("lrelu 0.2 8, he", deep(128, 8, "fc128 lrelu0.2")),
    Pair("relu6 and hswish", "128 -> fc128 relu6 -> fc128 hswish -> fc128 hsigmoid -> fc32"),
    Pair("prelu", deep(128, 4, "fc128 prelu")),
    Pair("dropout", deep(128, 4, "fc128 relu dropout0.5")),
    Pair("bn mlp", deep(128, 6, "fc128 bn relu"), 25, 192),
    Pair("bn mlp tanh, normal", deep(128, 4, "fc128(init=normal(0.5)) bn tanh"), 25, 192),
    Pair("ln mlp", deep(256, 4, "fc256 ln relu")),
    Pair("rms mlp", deep(256, 4, "fc256 rms gelu")),
    Pair("residual mlp", "128" + " -> add[ id | fc128 relu -> fc128 ]" * 5 + " -> fc32"),
    Pair("residual mlp, relu behind", "128" + " -> add[ id | fc128 relu -> fc128 ] relu" * 6 + " -> fc32"),
    Pair("residual mlp, pre-ln", "256" + " -> add[ id | ln fc256 gelu -> fc256 ]" * 3 + " -> ln fc32"),
    Pair("swish by hand", "128 -> fc128 -> mul[ id | sigmoid ] -> fc128 relu -> fc32", known=0.5),
    Pair("twice the same", "128 -> fc128 relu -> add[ id | id ] -> fc32", known=0.4),
    Pair("conv relu 6, he", conv(48, 6, "relu"), 40, 8),
    Pair("conv relu 6, small maps", "8x4x4 -> [conv48 3x3 p1 relu]*6 -> flatten fc32", 40, 8),
    Pair("conv 5x5 xavier tanh", conv(32, 3, "tanh", "flatten fc32"), 40, 8),
    Pair("conv tanh 6, small maps", "8x5x5 -> [conv48 3x3 p1 tanh]*6 -> flatten fc32", 40, 8),
    Pair("conv bn relu", conv(48, 4, "bn relu"), 14, 64),
    Pair("conv bn relu strides", "8x16x16 -> [conv48 3x3 p1 s2 nobias bn relu]*3 -> flatten fc32", 40, 8),
    Pair("conv gn relu", conv(48, 4, "gn4 relu"), 40, 8, known=0.2),
    Pair("conv inorm relu", conv(48, 3, "inorm relu", "flatten fc32"), 40, 8),
    Pair("conv maxpool", "8x16x16 -> [conv48 3x3 p1 relu -> maxpool2]*3 -> flatten fc32", 40, 8, known=0.0),
    Pair("conv bn maxpool", "8x17x17 -> [conv48 3x3 p1 bn relu -> maxpool3 s2]*2 -> flatten fc32", 40, 8, known=0.0),
    Pair("conv avgpool", "8x16x16 -> [conv48 3x3 p1 tanh -> avgpool2]*3 -> flatten fc32", 40, 8),
    Pair("depthwise", "16x12x12 -> [dwconv 3x3 p1 bn relu -> conv48 1x1 bn relu]*3 -> flatten fc32", 40, 8, known=0.3),
    Pair("grouped, dilated", "32x14x14 -> [conv64 3x3 p2 d2 g2 relu]*3 -> gap -> fc32", 40, 8),
    Pair("transposed", "16x6x6 -> convt32 4x4 s2 p1 relu -> convt16 2x2 s2 relu -> conv8 3x3", 40, 8),
    Pair("concat", "8x10x10 -> conv32 3x3 p1 relu -> concat[ conv32 1x1 relu | conv16 3x3 p1 relu ] -> conv32 3x3 relu -> flatten fc32", 40, 8),
    Pair("squeeze, excite", "8x10x10 -> conv64 3x3 bn relu -> mul[ id | gap fc32 relu -> fc64 sigmoid ] -> conv64 3x3 bn relu -> flatten fc32", 40, 8, known=0.8),
    Pair("embed", "12 int -> embed50 64 pos -> ln fc64 gelu -> flatten fc32"),
    Pair("residual conv", "16x10x10 -> [add[ id | conv16 3x3 p1 bn relu -> conv16 3x3 p1 bn ] relu]*4 -> gap -> fc32", 12, 64),
    Pair("attention", "8x32 -> [add[ id | ln attn4 ] -> add[ id | ln fc64 gelu fc32 ]]*2 -> ln fc32", known=0.05),
    Pair("zoo: ResNet-20", "vision/cifar_resnet20_b.nn", 10, 96, slow=True),
    Pair("zoo: ResNet-20 A", "vision/cifar_resnet20_a.nn", 12, 24, 0.1, True),
    Pair("zoo: MNIST ResNet", "vision/mnist_resnet.nn", 12, 96, slow=True),
    Pair("zoo: LeNet-5", "vision/lenet5.nn", 50, 32),
    Pair("zoo: VGG-11 bn", "vision/vgg11_bn.nn", 2, 4, 0.0, True),
    Pair("zoo: MobileNet v2", "vision/mobilenet_v2.nn", 2, 32, 0.0, True),
    Pair("zoo: ResNet-18", "vision/resnet18.nn", 4, 8, 0.0, True),
    Pair("zoo: DenseNet-121", "vision/densenet121.nn", 2, 6, 0.0, True),
    Pair("course: digits", "course/digits.nn", 30, 32, known=0.5),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One node: what is foretold and what was measured."""

    pair: Pair
    node: str
    foretold: Travel
    measured: Travel
    error: float
    """Of the measured moments, relative: the larger standard error of the two."""

    def ratio(self, what: str) -> float | None:
        """Foretold over measured; None where nothing is foretold, or both are 0."""
        told, found = getattr(self.foretold, what), getattr(self.measured, what)
        if told is None or found is None or (told < 1e-20 and found < 1e-20):
            return None
        return float(told / found) if found else float("inf")


def _dropped(node: Node, x: list[Tensor], _: dict[str, Tensor]) -> Tensor:
    return F.dropout(x[0], node.op.p)  # type: ignore[attr-defined]


TRAINING = OPERATIONS | {"dropout": _dropped}


def rows(pair: Pair) -> list[Row]:
    torch.manual_seed(0)
    graph, end = pair.graph, scores(pair.graph)
    draws = [_once(graph, end, seed, pair.batch) for seed in range(pair.seeds)]
    told = signal(graph)
    at_end = float(np.mean([draw[end.name][2] for draw in draws]))
    found = []
    for name in draws[0]:
        table = np.array([draw[name] for draw in draws])
        mean, square, gradient, zeros = (float(number) for number in table.mean(axis=0))
        errors = table.std(axis=0) / math.sqrt(len(draws)) / np.maximum(table.mean(axis=0), 1e-30)
        travel = Travel(mean, square - mean**2, gradient / at_end, zeros)
        found.append(Row(pair, name, told[name], travel, float(max(errors[1], errors[2]))))
    return found


def _once(
    graph: Graph, end: Node, seed: int, batch: int
) -> dict[str, tuple[float, float, float, float]]:
    """By node the mean, the mean square, the gradient's mean square and the share of zeros, of one draw
    of weights, inputs and the scores' gradient."""
    plan = schedule(graph, 1, "infer", float_bytes=4)
    memory = allocate(plan)
    fill(plan.parameters, memory.parameters, memory.state, seed)
    weights = {n: torch.from_numpy(np.asarray(w)) for n, w in memory.weights.items()}
    inputs = {
        node.name: torch.randint(
            0, graph.vocabularies.get(node.name, 2), (batch, *node.value.shape)
        )
        if node.value.integer
        else torch.randn(batch, *node.value.shape, requires_grad=True)
        for node in graph.inputs
    }
    if all(node.value.integer for node in graph.inputs):
        weights = {name: weight.requires_grad_() for name, weight in weights.items()}
    found = values(graph, inputs, weights, TRAINING)
    real = {name: value for name, value in found.items() if value.requires_grad}
    drawn = torch.randn_like(found[end.name])
    gradients = torch.autograd.grad(
        found[end.name], list(real.values()), drawn, allow_unused=True, materialize_grads=True
    )
    return {
        name: (
            float(value.detach().mean()),
            float(value.detach().double().square().mean()),
            float(gradient.double().square().mean()),
            float((value.detach() == 0).double().mean()),
        )
        for (name, value), gradient in zip(real.items(), gradients, strict=True)
    }


def main() -> None:
    torch.set_num_threads(1)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for pair in PAIRS:
        if wanted not in pair.name:
            continue
        print(f"\n{pair.name}: {pair.text}")
        for row in rows(pair):
            told = [_told(row, what) for what in ("variance", "gradient", "zeros")]
            print(f"  {row.node:28.28}", *told, f"  ± {100 * row.error:.1f} %")


def _told(row: Row, what: str) -> str:
    told, found, ratio = getattr(row.foretold, what), getattr(row.measured, what), row.ratio(what)
    return f"  {_number(told)} {_number(found)} {_number(ratio)}"


def _number(value: float | None) -> str:
    return "        -" if value is None else f"{value:9.3g}"


if __name__ == "__main__":
    main()
