"""Charts: the bars are the whole net, and pictures are made without a display."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.charts import MOST, charts
from nnspec.analyzers.facts import memory
from nnspec.analyzers.render.charts import KINDS, compact
from nnspec.compiler.ops import CATALOGUE

ROOT = Path(__file__).parents[2]
SPECS = sorted(path for path in (ROOT / "specs").rglob("*.nn") if "lib" not in path.parts)
NET = "3x8x8 -> conv4 3x3 relu -> maxpool2 -> flatten -> fc10"


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_bars_are_the_whole_net(path: Path) -> None:
    graph = nnspec.graph(path)
    found = charts(graph)
    assert sum(bar.params for bar in found.bars) == found.params
    assert sum(bar.macs for bar in found.bars) == found.macs
    assert sum(bar.layers for bar in found.bars) + found.left_out == len(graph.layers)
    assert len(found.bars) <= MOST
    assert bool(found.bars) == bool(found.params or found.macs)
    assert len({bar.name for bar in found.bars}) == len(found.bars)
    assert 0 < found.backward <= len(found.steps)
    assert max(found.steps) <= memory.of_training(graph)


def test_bars_of_a_deep_net() -> None:
    names = [bar.name for bar in charts(nnspec.graph(ROOT / "specs/vision/resnet50.nn")).bars]
    assert names == ["stem1", *(f"bottleneck{i}" for i in range(1, 17)), "fc1"]
    plain = charts(nnspec.graph("3 -> [fc3 relu]*100"))
    assert (plain.bars[0].name, plain.bars[0].layers) == ("fc1 … fc3", 3)
    assert (plain.bars[-1].name, plain.bars[-1].layers) == ("fc100", 1)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_operator_can_be_drawn(name: str) -> None:
    for sample in CATALOGUE[name].samples:
        found = charts(nnspec.graph(sample))
        assert len(found.steps) >= found.backward


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures(
    kind: str, ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("DISPLAY", raising=False)
    for path in (tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"):
        assert main(["plot", NET, "-o", str(path), "--chart", kind]) == 0
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
    assert first == second
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 2)


def test_a_picture_tells_names_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "net.svg"
    assert main(["plot", NET, "-o", str(path)]) == 0
    words = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text("utf-8"))
    for told in ("conv1", "fc1", "482 parameters", "4,248 multiply-adds", "forward ", " backward"):
        assert told in words
    assert not any("$" in word for word in words)
    assert "left out: 2 layers without parameters and multiply-adds" in words
    assert "pyplot" not in sys.modules


def test_numbers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", NET, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [bar["params"] for bar in found["bars"]] == [112, 370]


def test_nothing_in_a_name_is_markup(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "$x^2$ <b>& 層.nn"
    source.write_text(NET, "utf-8")
    for name in ("net.svg", "net.png"):
        assert main(["plot", str(source), "-o", str(tmp_path / name)]) == 0
    assert "$x^2$ &lt;b&gt;&amp; 層.nn</text>" in (tmp_path / "net.svg").read_text("utf-8")
    assert capfd.readouterr().err.count("\n") == 2


def test_without_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plot", NET, "-o", str(tmp_path / "net.png")]) == 1
    said = capsys.readouterr().err
    assert "NN135 `nnspec plot` needs matplotlib, which is not installed" in said
    assert 'pip install "nnspec[plot]"' in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "net.gif"], "`net.gif` is no picture; one ends with .png, .svg, .pdf"),
        ([], "`-o FILE` tells where the picture goes"),
        (["-o", "no/such/net.png"], "NN012 cannot write `no/such/net.png`"),
    ],
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", NET, *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0"), (7, "7"), (999, "999"), (1000, "1.00 k"), (48_120, "48.1 k"), (99_949, "99.9 k"),
        (99_951, "100 k"), (999_499, "999 k"), (999_500, "1.00 M"), (15_470_264_320, "15.5 G"),
    ],
)  # fmt: skip
def test_compact(count: int, told: str) -> None:
    assert compact(count) == told
