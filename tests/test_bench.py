"""The page of `make bench` and the statistics on it, from made-up times: nothing is timed here."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from .bench import reasons
from .bench.page import UNEXPLAINED, page, quantity
from .bench.results import Comparison, Section, Skipped, Table, as_section, merged, timed_pair
from .bench.scaling import BATCHES, exponent
from .bench.timing import Pace, in_turns, ratio

MACHINE = {"Python": "3.11", "numpy": "2.4"}
FAST = timed_pair("training", "a MLP, batch 32", "PyTorch eager", [1, 1, 1], [13, 14, 15], 12.0)
SLOW = timed_pair("training", "f ResNet-20, batch 64", "PyTorch eager", [4, 4, 4], [1, 2, 3], 0.8)
LAST = timed_pair("training", "f ResNet-20, batch 64", "channels-last", [4, 4, 4], [1, 1, 1])
TRAINING = Section("training", (FAST, SLOW, LAST), (Skipped("a MLP", "JAX jit", "no jax"),))
MEMORY = Comparison("memory", "d LeNet-5", "PyTorch eager", "bytes", 2**20, 2**21, 2.0, 2.0, 2.0)


def written(*sections: Section) -> str:
    return page(sections, MACHINE)


def test_a_ratio_is_the_median_of_the_rounds_not_the_ratio_of_the_medians() -> None:
    found = ratio([1.0, 2.0, 4.0], [1.0, 4.0, 2.0])
    assert (found.low, found.median, found.high) == (0.75, 1.0, 1.5)


def test_one_round_is_its_own_quartiles() -> None:
    found = ratio([2.0], [3.0])
    assert (found.low, found.median, found.high) == (1.5, 1.5, 1.5)


def test_rounds_of_one_side_only_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0, 2.0], [1.0])


def test_sides_take_turns_and_the_first_of_a_round_is_the_last_of_the_next() -> None:
    order: list[str] = []
    sides = {"x": lambda: order.append("x"), "y": lambda: order.append("y")}
    times = in_turns(sides, Pace(rounds=3, seconds=0.0))
    assert "".join(order) == "xy" + "yx" + "xy" + "yx"
    assert {name: len(found) for name, found in times.items()} == {"x": 3, "y": 3}


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_of_a_power(power: float) -> None:
    assert exponent(BATCHES, [3 * n**power for n in BATCHES]) == pytest.approx(power)


def test_page_tells_what_was_asked_and_reached() -> None:
    text = written(TRAINING)
    assert (
        "- a MLP, batch 32, of PyTorch eager: asked 12, aimed at 25; measured 14.00: reached"
        in text
    )
    assert "of PyTorch eager: asked 0.8, aimed at 1.2; measured 0.50: **not reached**" in text
    assert f"Geometric mean of the 2 ratios: **{(14 * 0.5) ** 0.5:.2f}**" in text
    assert "- a MLP, JAX jit: no jax" in text


def test_page_marks_the_fastest_rival() -> None:
    text = written(TRAINING)
    assert "| f ResNet-20, batch 64 | 0.50 | **0.25** | 0.25 |" in text
    assert "| a MLP, batch 32 | **14.00** | - | 14.00 |" in text


def test_page_lists_all_that_is_slower_the_worst_first(monkeypatch: pytest.MonkeyPatch) -> None:
    table = (("training", "f *", "channels-*", "it reorders once"),)
    monkeypatch.setattr(reasons, "REASONS", table)
    _, _, lost = written(TRAINING).partition("## What is slower than a peer, and why")
    rows = [line for line in lost.splitlines() if "batch" in line]
    assert len(rows) == 2
    assert rows[0].endswith("| channels-last | 0.25 | it reorders once |")
    assert rows[1].endswith(f"| PyTorch eager | 0.50 | {UNEXPLAINED} |")


def test_page_says_where_nothing_is_slower() -> None:
    text = written(Section("memory", (MEMORY,)))
    assert "| d LeNet-5 | PyTorch eager | 1.0 MiB | 2.0 MiB | 2.00 | 2.00 to 2.00 |" in text
    assert text.endswith("Nothing of what was measured.\n")


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    table = Table("", ("a",), (("x | y",),))
    assert "| x / y |" in written(Section("overhead", tables=(table,)))


@pytest.mark.parametrize(
    ("worth", "told"), [(2.5, "2.50 s"), (0.0123, "12.3 ms"), (4.56e-5, "45.6 µs")]
)
def test_seconds_in_a_unit_that_suits(worth: float, told: str) -> None:
    assert quantity(worth, "s") == told


def test_results_survive_json() -> None:
    section = replace(TRAINING, tables=(Table("t", ("a", "b"), (("1", "2"),)),), words="so")
    assert as_section(json.loads(json.dumps(asdict(section)))) == section


def test_a_later_run_wins_net_by_net() -> None:
    later = timed_pair("training", FAST.net, "PyTorch eager", [1.0], [20.0])
    found = merged(TRAINING, Section("training", (later,)))
    assert found is not None
    assert found.comparisons == (later, SLOW, LAST)
    assert merged(None, TRAINING) == merged(TRAINING, None) == TRAINING


def test_rows_of_a_table_are_replaced_by_later_ones() -> None:
    before = Section("memory", tables=(Table("t", ("net", "n"), (("d", "1"), ("e", "2"))),))
    now = Section("memory", tables=(Table("t", ("net", "n"), (("c", "3"), ("e", "4"))),))
    found = merged(before, now)
    assert found is not None
    (table,) = found.tables
    assert table.rows == (("c", "3"), ("d", "1"), ("e", "4"))


def test_the_readme_quotes_the_page() -> None:
    root = Path(__file__).parents[1]
    page = (root / "tests" / "bench" / "README.md").read_text("utf-8").splitlines()
    told = (
        (root / "README.md")
        .read_text("utf-8")
        .partition("`make bench`")[2]
        .partition("- `make sklearn`")[0]
    )
    rows = [line for line in told.splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert set(rows) <= set(page)
    amd = (root / "tests" / "bench" / "amd.md").read_text("utf-8").splitlines()
    for part in told.split("| quartiles |\n")[1:]:
        table, _, behind = part.partition("AMD processor gave ")
        named = [
            row.rpartition("|")[0].split("|")[1:3]
            for row in table.split("\n\n")[0].splitlines()[1:]
        ]
        there = [row.split("|") for row in amd]
        ratios = [next(cells[5].strip() for cells in there if cells[1:3] == one) for one in named]
        assert behind.startswith(f"{', '.join(ratios[:-1])} and {ratios[-1]}")
