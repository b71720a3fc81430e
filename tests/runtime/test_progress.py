"""The line that shows a training: in whatever room there is, the loss and the accuracy come first."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from nnspec.runtime.progress import columns

FIELDS: dict[str, Any] = {
    "epoch": 12,
    "epochs": 100,
    "loss": "0.1234",
    "judged": "accuracy 95.71 %",
    "lr": 2e-3,
}


def drawn(begin: str, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    bar = Progress(*columns(begin, width), console=console)
    bar.add_task("", total=100, completed=12, rate=12345.0, **FIELDS)
    with console.capture() as captured:
        console.print(bar.make_tasks_table(bar.tasks))
    return captured.get().rstrip("\n")


@pytest.mark.parametrize("begin", ["", "net 2/5 "])
@pytest.mark.parametrize("width", [52, 60, 79, 80, 100, 120, 200])
def test_nothing_that_is_shown_is_cut(begin: str, width: int) -> None:
    line = drawn(begin, width)
    assert "\n" not in line
    assert "…" not in line
    assert f"{begin}epoch  12/100 " in line
    assert "loss 0.1234 accuracy 95.71 %" in line


@pytest.mark.parametrize(
    ("width", "more"),
    [(52, {":"}), (80, {":", "━"}), (100, {":", "━", "12,345/s", "lr 0.002"})],
)
def test_more_room_shows_more(width: int, more: set[str]) -> None:
    line = drawn("", width)
    assert {sign for sign in (":", "━", "12,345/s", "lr 0.002") if sign in line} == more


def test_a_narrow_line_keeps_its_beginning() -> None:
    assert drawn("", 40).startswith("epoch  12/100 loss 0.1234 accuracy")
