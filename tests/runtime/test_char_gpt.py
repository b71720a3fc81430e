"""A GPT of characters, trained beside its PyTorch twin from the same weights: one curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nnspec
from nnspec.runtime.kernels import Array

SPEC = Path(__file__).parents[2] / "specs" / "language" / "char_gpt.nn"
TEXT = Path(__file__).with_name("sonnets.txt").read_text("utf-8")
"""Shakespeare's sonnets 18, 29, 30, 55, 73, 116 and 130."""
STEPS, BATCH, LENGTH, WIDTH = 100, 8, 64, 128
LETTERS = sorted(set(TEXT))


def batches() -> list[tuple[Array, Array]]:
    """Stretches of the text, and the same one character later."""
    codes = np.array([LETTERS.index(letter) for letter in TEXT])
    rng = np.random.default_rng(0)
    starts = rng.integers(0, len(codes) - LENGTH - 1, (STEPS, BATCH))
    windows = starts[..., None] + np.arange(LENGTH)
    return [(codes[places], codes[places + 1]) for places in windows]


class Twin(nn.Module):
    """The same net of PyTorch's own layers, with the weights of ours."""

    def __init__(self, weights: dict[str, Array]) -> None:
        super().__init__()
        self.table = nn.Embedding(len(LETTERS), WIDTH)
        self.positions = nn.Parameter(torch.empty(LENGTH, WIDTH))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, 4, 4 * WIDTH, 0.0, lambda x: F.gelu(x, approximate="tanh"),
                batch_first=True, norm_first=True,
            )
            for _ in range(4)
        )  # fmt: skip
        self.norm = nn.LayerNorm(WIDTH)
        self.double()
        ours = iter(weights.values())
        with torch.no_grad():
            for theirs in self.ordered():
                theirs.copy_(torch.tensor(next(ours)))
        assert not list(ours)

    def ordered(self) -> list[Tensor]:
        """Its parameters in the order in which the spec names ours."""
        found: list[Tensor] = [self.table.weight, self.positions]
        layers: Any = self.layers
        for layer in layers:
            norms = [[n.weight, n.bias] for n in (layer.norm1, layer.norm2)]
            heads = layer.self_attn
            found += [*norms[0], heads.in_proj_weight, heads.out_proj.weight]
            found += [heads.in_proj_bias, heads.out_proj.bias, *norms[1]]
            found += [layer.linear1.weight, layer.linear1.bias]
            found += [layer.linear2.weight, layer.linear2.bias]
        return [*found, self.norm.weight, self.norm.bias]

    def forward(self, x: Tensor) -> Tensor:
        hidden = nn.Transformer.generate_square_subsequent_mask(LENGTH, dtype=torch.float64)
        value: Tensor = self.table(x) + self.positions
        for layer in self.layers:
            value = layer(value, src_mask=hidden, is_causal=True)
        return F.linear(self.norm(value), self.table.weight)


def by_node(net: nnspec.Net) -> dict[str, Array]:
    """Every weight, node by node in the order of the text."""
    return {
        f"{node.name}.{weight.name}": net.weights[f"{node.name}.{weight.name}"]
        for node in net.graph.nodes
        for weight in node.own
    }


def test_one_curve() -> None:
    net = nnspec.compile(SPEC, dtype="float64", seed=1, let={"vocabulary": len(LETTERS)})
    assert 0.79e6 < net.params < 0.83e6
    twin = Twin(by_node(net))
    optimizer = torch.optim.Adam(twin.parameters(), lr=1e-3)
    ours, theirs = [], []
    for x, y in batches():
        ours.append(net.step(x, y))
        optimizer.zero_grad()
        loss = F.cross_entropy(twin(torch.tensor(x)).flatten(0, 1), torch.tensor(y).flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        theirs.append(float(loss.detach()))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert ours[0] == pytest.approx(np.log(len(LETTERS)), abs=0.5)
    assert np.mean(ours[-10:]) < 0.75 * ours[0]
