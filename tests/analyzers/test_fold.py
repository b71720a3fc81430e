"""The table of layers: what it folds, that it adds up, and that it fits."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.text import Text

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.facts.repeats import repeats
from nnspec.analyzers.render.columns import COLUMNS
from nnspec.analyzers.render.fold import LINES, Line, deepest, folded
from nnspec.analyzers.render.text import summary

ROOT = Path(__file__).parents[2]
ZOO = sorted(
    [*(ROOT / "specs" / "vision").glob("*.nn"), *(ROOT / "specs" / "language").glob("*.nn")]
)
REPEATS = "8 -> [fc8 relu -> fc9 tanh -> fc8]*4 -> fc2"


def below(lines: list[Line], heading: int) -> list[Line]:
    """The lines one step further in than the heading."""
    found = []
    for line in lines[heading + 1 :]:
        if line.indent <= lines[heading].indent:
            break
        if line.indent == lines[heading].indent + 1:
            found.append(line)
    return found


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_lines_add_up(path: Path) -> None:
    report = nnspec.analyze(path)
    for depth in (None, 1, deepest(report)):
        lines = folded(report, depth)
        outermost = [line for line in lines if line.indent == 0]
        assert sum(line.params for line in outermost) == report.params
        assert sum(line.macs for line in outermost) == report.macs
        assert sum(len(line.layers) for line in outermost) == len(report.layers)
        for index, line in enumerate(lines):
            if inner := below(lines, index):
                assert sum(part.params for part in inner) * line.times == line.params
                assert sum(part.macs for part in inner) * line.times == line.macs


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize(
    "name", ["vision/resnet50", "language/gpt2", "course/lenet5", "vision/unet"]
)
def test_it_fits(name: str, width: int) -> None:
    report = nnspec.analyze(ROOT / "specs" / f"{name}.nn")
    text = summary(report, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text.replace(" … ", "").replace("[…]", "")
    if width >= 80:
        for row in (layer.spelled.split()[0] for layer in report.layers[:5]):
            assert row in text


def test_repeats_are_told_once() -> None:
    names = [(line.indent, line.name, line.times) for line in folded(nnspec.analyze(REPEATS))]
    assert names == [
        (0, "fc1 … 12", 4),
        (1, "fc1", 1),
        (1, "fc2", 1),
        (1, "fc3", 1),
        (0, "fc13", 1),
    ]


def test_what_differs_is_not_folded() -> None:
    for text in (
        "4 -> fc4 relu -> fc4 tanh -> fc4",
        "4 -> fc8 -> fc4 -> fc8 relu",
        "8 -> fc4 -> fc4",
    ):
        assert all(line.times == 1 for line in folded(nnspec.analyze(text)))
    shared = "shared t = fc8 relu\n8 -> t -> t -> fc2"
    assert all(line.times == 1 for line in folded(nnspec.analyze(shared)))


@pytest.mark.parametrize("text", ["3 -> id", "3 -> fc2"])
def test_small_nets(text: str) -> None:
    report = nnspec.analyze(text)
    assert summary(report, width=80) == summary(report, width=80, depth=1)
    assert str(report)
    assert report._repr_html_()
    assert report._repr_markdown_()


def test_depth() -> None:
    report = nnspec.analyze(ROOT / "specs" / "vision" / "resnet50.nn")
    assert {line.indent for line in folded(report, 1)} == {0}
    assert max(line.indent for line in folded(report)) == 1
    assert "blocks are closed" in summary(report, width=100, depth=1)
    assert "blocks are closed" not in summary(report, width=100)
    long = nnspec.analyze(ROOT / "specs" / "vision" / "densenet121.nn")
    assert folded(long) == folded(long, 1)
    assert len(folded(long, 9)) > LINES


def test_every_column_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["summary", "3x8x8 -> conv4 3x3 relu -> gap fc2", "--columns", ",".join(COLUMNS)]) == 0
    )
    report = nnspec.analyze(ROOT / "specs" / "vision" / "unet.nn")
    for width in (40, 60, 100):
        text = summary(report, width=width, columns=list(COLUMNS))
        for line in folded(report):
            for name, column in COLUMNS.items():
                cell = Text.from_markup(column.cell(line, report)).plain
                assert all(word in text for word in cell.split()), (width, name, cell)
    assert main(["summary", "3 -> fc2", "--columns", "layr"]) == 2
    assert "did you mean `layer`?" in capsys.readouterr().err
    assert main(["summary", "3 -> fc2", "--depth", "0"]) == 2
    assert main(["summary", "3 -> fc2", "--depth", "all", "--batch", "8"]) == 0
    out = capsys.readouterr().out
    assert "for a batch of 8" in out
    assert "a training step of 8" in out


def test_what_nothing_sees_is_told() -> None:
    net = nnspec.analyze("3x34x35 -> conv4 3x3 s2 relu -> gap fc2")
    assert "never seen of input: rows 33" in str(net)


def test_repeats_against_all_there_are() -> None:
    """Every run is one, saves what is asked, cannot go on, and leaves nothing worth telling."""
    rng = random.Random(0)
    for _ in range(400):
        keys = [rng.randrange(3) for _ in range(rng.randrange(24))]
        saved = rng.choice((1, 2, 6))
        at = 0
        for run in repeats(keys, saved):
            assert run.start >= at
            at = run.stop
            turns = [keys[i : i + run.period] for i in range(run.start, run.stop, run.period)]
            assert turns == [turns[0]] * run.times
            assert run.period * (run.times - 1) >= saved
            assert keys[at : at + run.period] != turns[0]
        told = {i for run in repeats(keys, saved) for i in range(run.start, run.stop)}
        for start, period in itertools.product(range(len(keys)), range(1, 12)):
            long = period * -(-saved // period)
            stretch = keys[start : start + period + long]
            once = len(stretch) == period + long and stretch[period:] == stretch[:-period]
            assert not once or told & set(range(start, start + period + long))
