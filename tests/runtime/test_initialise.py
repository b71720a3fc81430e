"""How weights begin: every initialiser against PyTorch's of the same name."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import nnspec
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.initialise import orthogonal, stream
from nnspec.runtime.kernels import Array

Make = Callable[[], nn.Module]


def apart(ours: Array, theirs: Array) -> float:
    """Kolmogorov and Smirnov's distance between two samples, in units of its own spread: past 1.95
    once in a thousand times."""
    both = np.concatenate([ours, theirs])
    shares = [np.searchsorted(np.sort(a), np.sort(both), "right") / a.size for a in (ours, theirs)]
    scale = math.sqrt(ours.size * theirs.size / (ours.size + theirs.size))
    return float(np.abs(shares[0] - shares[1]).max()) * scale


LAYERS: list[tuple[str, str, Make, dict[str, str]]] = [
    ("fc", "50 -> fc40", lambda: nn.Linear(50, 40), {}),
    ("conv", "6x9x9 -> conv8 3x5", lambda: nn.Conv2d(6, 8, (3, 5)), {}),
    ("conv in groups", "6x9x9 -> conv8 3 g2", lambda: nn.Conv2d(6, 8, 3, groups=2), {}),
    ("conv over a line", "6x30 -> conv8 5", lambda: nn.Conv1d(6, 8, 5), {}),
    ("dwconv", "12x9x9 -> dwconv3", lambda: nn.Conv2d(12, 12, 3, groups=12), {}),
    ("convt", "6x9x9 -> convt10 3 s2", lambda: nn.ConvTranspose2d(6, 10, 3, 2), {}),
    (
        "convt in groups",
        "6x9x9 -> convt10 3 g2",
        lambda: nn.ConvTranspose2d(6, 10, 3, groups=2),
        {},
    ),
    ("embed", "5 int -> embed60 30", lambda: nn.Embedding(60, 30), {}),
    *(
        (
            name,
            f"9x20 -> {name}15",
            lambda kind=kind: kind(20, 15),
            {
                "input_weight": "weight_ih_l0",
                "state_weight": "weight_hh_l0",
                "input_bias": "bias_ih_l0",
                "state_bias": "bias_hh_l0",
            },
        )
        for name, kind in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU))
    ),
    (
        "attn",
        "9x24 -> attn4",
        lambda: nn.MultiheadAttention(24, 4),
        {
            "in_weight": "in_proj_weight",
            "in_bias": "in_proj_bias",
            "out_weight": "out_proj.weight",
            "out_bias": "out_proj.bias",
        },
    ),
]


@pytest.mark.parametrize(
    ("text", "make", "names"), [row[1:] for row in LAYERS], ids=[row[0] for row in LAYERS]
)
def test_torchs_own(text: str, make: Make, names: dict[str, str]) -> None:
    """Forty draws of every weight and bias: the same bounds, variance and distribution."""
    torch.manual_seed(0)
    ours = [nnspec.compile(text, seed=seed, init="torch").weights for seed in range(40)]
    theirs = [make() for _ in range(40)]
    for full in ours[0]:
        name = full.partition(".")[2]
        mine = np.concatenate([draw[full].ravel() for draw in ours])
        other = np.concatenate(
            [m.get_parameter(names.get(name, name)).detach().numpy().ravel() for m in theirs]
        )
        assert mine.shape == other.shape, full
        if not other.any():
            assert not mine.any(), full
            continue
        deviations = apart(mine, other)
        assert deviations < 1.95, (full, deviations)
        assert mine.var() == pytest.approx(other.var(), rel=6 / math.sqrt(mine.size)), full
        if "embed" not in text:
            assert np.abs(mine).max() <= np.abs(other).max() * (1 + 10 / mine.size), full


@pytest.mark.parametrize(
    ("word", "fill"),
    [
        ("he", lambda w: nn.init.kaiming_normal_(w)),
        ("he_uniform", lambda w: nn.init.kaiming_uniform_(w)),
        ("xavier", nn.init.xavier_normal_),
        ("xavier_uniform", nn.init.xavier_uniform_),
        ("lecun", lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear")),
        ("lecun_uniform", lambda w: nn.init.kaiming_uniform_(w, nonlinearity="linear")),
        ("normal(0.3)", lambda w: nn.init.normal_(w, 0, 0.3)),
        ("uniform(0.3)", lambda w: nn.init.uniform_(w, -0.3, 0.3)),
        ("orthogonal(1.5)", lambda w: nn.init.orthogonal_(w, 1.5)),
    ],
)
@pytest.mark.parametrize("text", ["60 -> fc80", "80 -> fc60", "6x9x9 -> conv8 3x3"])
def test_against_torchs_of_the_same_name(
    word: str, fill: Callable[[torch.Tensor], object], text: str
) -> None:
    torch.manual_seed(1)
    ours, theirs = [], []
    for seed in range(25):
        net = nnspec.compile(text, seed=seed, init=word)
        (_name, weight), (_, bias) = net.weights.items()
        assert not bias.any()
        other = torch.empty(weight.shape)
        fill(other)
        ours.append(weight.ravel())
        theirs.append(other.numpy().ravel())
    mine, other_numbers = np.concatenate(ours), np.concatenate(theirs)
    assert apart(mine, other_numbers) < 1.95
    assert mine.var() == pytest.approx(other_numbers.var(), rel=6 / math.sqrt(mine.size))


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (9, 4), (4, 9), (1, 6), (6, 1)])
def test_orthogonal(rows: int, columns: int) -> None:
    found = orthogonal(stream(0, "init", "w"), rows, columns)
    product = found @ found.T if rows <= columns else found.T @ found
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-14)


def test_orthogonal_is_torchs_of_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the normal numbers that ours draws, torch.nn.init.orthogonal_ makes the same matrix."""
    for rows, columns in ((7, 7), (8, 3), (3, 8)):
        drawn = stream(2, "init", "w").standard_normal((max(rows, columns), min(rows, columns)))
        theirs = torch.empty(rows, columns, dtype=torch.float64)

        class Drawn(torch.Tensor):
            pass

        def normal_(
            self: torch.Tensor, *_: float, numbers: Array = drawn, **__: object
        ) -> torch.Tensor:
            return self.copy_(
                torch.tensor(numbers if self.shape[0] >= self.shape[1] else numbers.T)
            )

        monkeypatch.setattr(torch.Tensor, "normal_", normal_)
        nn.init.orthogonal_(theirs, gain=1.0)
        monkeypatch.undo()
        ours = orthogonal(stream(2, "init", "w"), rows, columns)
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-14)


def test_orthogonal_matrices_are_all_alike_probable() -> None:
    """Without the sign of R's diagonal the trace would not be 0 on average."""
    draws = [np.trace(orthogonal(stream(seed, "init", "w"), 4, 4)) for seed in range(4000)]
    assert abs(np.mean(draws)) < 5 / math.sqrt(4000)
    assert np.var(draws) == pytest.approx(1, rel=0.1)


def test_every_piece_of_a_kernel_and_of_maxout_is_one_matrix() -> None:
    net = nnspec.compile(
        "5x7x7 -> conv6 3 init=orthogonal -> gap maxout(4, k=2) init=orthogonal(2)"
    )
    kernel = net.weights["conv1.weight"].reshape(6, -1)
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(6), atol=1e-6)
    pieces = net.weights["maxout1.weight"].reshape(8, 6)
    np.testing.assert_allclose(pieces.T @ pieces, 4 * np.eye(6), atol=1e-6)


def test_what_begins_as_the_net_says() -> None:
    """What stands at an operator wins over `train(init = ...)`; tables keep theirs unless it is torch."""
    text = "6 int -> embed9 50 pos -> fc50(init=zeros) -> fc50\ntrain(init = {})"
    for word, table, matrix in (("normal(0.3)", 0.02, 0.3), ("torch", 1.0, 1 / math.sqrt(150))):
        net = nnspec.compile(text.format(word))
        assert net.weights["embed1.weight"].std() == pytest.approx(table, rel=0.15)
        assert net.weights["pos1.weight"].std() == pytest.approx(0.02, rel=0.15)
        assert not net.weights["fc1.weight"].any()
        assert net.weights["fc2.weight"].std() == pytest.approx(matrix, rel=0.1)


def test_weights_once_drawn_are_not_drawn_anew() -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc2", init="orthogonal")
    net.set(init="orthogonal", l2=0.1)
    with pytest.raises(SpecError, match="comes too late"):
        net.set(init="he")


def test_saved_with_its_start(tmp_path: object) -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc2", init="normal(0.125)")
    path = f"{tmp_path}/net.safetensors"
    net.save(path)
    assert nnspec.load(path).training.init == net.training.init
