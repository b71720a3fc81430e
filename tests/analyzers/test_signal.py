"""The fact `signal` against measurements, and what it must say of nets whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch

import nnspec
from nnspec.analyzers.facts.signal import Travel, signal
from nnspec.compiler.ops import CATALOGUE

from .signal_pairs import PAIRS, Pair
from .signal_table import measured

QUICK = [pair for pair in PAIRS if not pair.slow]
torch.set_num_threads(1)


def last(text: str) -> Travel:
    graph = nnspec.graph(text)
    return signal(graph)[graph.output.name]


@pytest.mark.parametrize("pair", QUICK, ids=lambda pair: pair.name)
def test_foretold_is_measured(pair: Pair) -> None:
    """Every number that is told, to a tenth, measured to 3 %."""
    row = measured(pair, enough=0.03)
    for number in row.told:
        assert number.error <= 0.03, number
        assert abs(number.off) <= 0.1, number
    for node, travel in signal(pair.graph).items():
        if travel.zeros is not None:
            assert travel.zeros == pytest.approx(row.zeros[node], abs=0.03), node


def test_there_are_enough() -> None:
    assert len(QUICK) >= 30


def test_most_is_told() -> None:
    """Of plain nets, wide for their depth, everything is."""
    for text in (
        "128 -> [fc128 relu]*10 -> fc10",
        "784 -> fc256 tanh -> fc128 tanh -> fc10",
        "128 -> [add[ id | ln fc256 relu -> fc128 ]]*3 -> ln fc10",
        "3x16x16 -> [conv32 3x3 p1 relu]*4 -> flatten fc10",
        "8x12x12 -> conv32 3x3 tanh -> avgpool2 -> conv32 3x3 tanh -> flatten fc10",
        "16x16x16 -> conv32 3x3 bn relu -> maxpool2 -> conv32 3x3 bn relu -> flatten fc10",
    ):
        found = signal(nnspec.graph(text))
        assert all(travel.variance is not None for travel in found.values()), text
        assert all(travel.gradient is not None for travel in found.values()), text


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("64 -> [fc64(init=he) gelu]*6 -> fc10", "1024 -> [fc1024(init=he) gelu]*6 -> fc10"),
        ("64 -> [fc64 bn tanh]*8 -> fc10", "2048 -> [fc2048 bn tanh]*8 -> fc10"),
        ("64 -> [fc64 ln relu]*6 -> fc10", "512 -> [fc512 ln relu]*6 -> fc10"),
    ],
)
def test_what_a_narrow_net_makes_doubtful_is_told_of_a_wide_one(narrow: str, wide: str) -> None:
    assert signal(nnspec.graph(narrow))["fc1"].gradient is None
    assert signal(nnspec.graph(wide))["fc1"].gradient is not None


def test_a_series_is_read_channels_first() -> None:
    """Of 4x64 a convolution reads 4 channels."""
    found = signal(nnspec.graph("4x64 -> conv32 5 relu -> conv8 5"))
    assert found["conv1"].variance == pytest.approx(2)


def test_he_keeps_the_mean_square_of_relu_nets() -> None:
    """He et al. 2015: fan_in times 2 / fan_in times a half."""
    found = signal(nnspec.graph("50" + " -> fc50(init=he) relu" * 9))
    assert found["fc9"].variance == pytest.approx(2, rel=1e-3)
    assert found["fc1"].gradient == pytest.approx(0.5, rel=1e-3)
    assert found["relu1"].zeros == pytest.approx(0.5)
    assert found["relu1"].mean == pytest.approx(1 / math.sqrt(math.pi), rel=1e-3)


def test_glorot_is_one_for_a_linear_net() -> None:
    found = signal(nnspec.graph("64" + " -> fc64(init=xavier)" * 9))
    assert [found[f"fc{i}"].variance for i in (1, 9)] == pytest.approx([1, 1])
    assert found["input"].gradient == pytest.approx(1)


def test_norms_make_mean_and_variance_known_again() -> None:
    found = signal(nnspec.graph("8x64 -> attn4 -> ln -> fc16 relu"))
    assert found["attn1"].variance is None
    assert (found["ln1"].mean, found["ln1"].variance) == (0.0, 1.0)
    assert found["fc1"].variance == pytest.approx(2)
    assert found["input"].gradient is None


def test_what_is_not_known_is_not_said() -> None:
    for text in (
        "5x4 -> lstm3",
        "4 -> maxout3",
        "4 -> softmax -> fc3",
        "3x3 -> matmul[ id | fc3 ]",
    ):
        graph = nnspec.graph(f"{text} -> scale")
        found = signal(graph)
        assert found[graph.output.name].variance is None, text
        assert found["input"].gradient is None, text
    assert last("4 -> fc4 relu -> add[ id | relu ]").variance is None
    assert last("64 -> fc64 relu -> add[ id | fc64 ]").variance is not None
    assert last("8x9x9 -> conv8 3x3 relu -> add[ id | maxpool3 s1 p1 ]").variance is None


def test_a_softmax_at_the_end_belongs_to_the_loss() -> None:
    found = signal(nnspec.graph("8 -> fc8 relu -> fc4 -> softmax"))
    assert found["fc2"].gradient == 1.0
    assert found["softmax1"].gradient is None


def test_every_law_is_read() -> None:
    """A new activation needs no word here."""
    for name, operator in CATALOGUE.items():
        if hasattr(operator, "law"):
            found = signal(nnspec.graph(f"32 -> fc32 {name} -> fc8"))
            assert found[f"{name}1"].variance is not None, name
            assert found["fc1"].gradient is not None, name


def test_dead_units() -> None:
    """Deep relu nets bring examples together: whole units are 0 for all of them."""
    graph = nnspec.graph("256" + " -> fc256 relu" * 12 + " -> fc1")
    told = signal(graph)["relu12"].dead
    assert told is not None
    shares = []
    for seed in range(6):
        net = nnspec.compile("256" + " -> fc256 relu" * 12, seed=seed)
        x = torch.randn(1000, 256, generator=torch.Generator().manual_seed(seed)).numpy()
        shares.append(float((net(x) == 0).all(axis=0).mean()))
    assert told == pytest.approx(sum(shares) / len(shares), abs=0.03)
    assert told > 0.05
