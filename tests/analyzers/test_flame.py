"""A profile's page: boxes as wide as the times, the same numbers in the table, nothing that runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from nnspec.__main__ import main
from nnspec.analyzers.flame import Flame, flame, flame_page
from nnspec.analyzers.render.flame import ROW, WIDTH, picture
from nnspec.runtime import profile as measuring

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
HOSTILE = "</script><b>\"&'\ud800"


def part(layer: str, direction: str, seconds: float, *blocks: str) -> dict[str, Any]:
    return {
        "layer": layer, "direction": direction, "seconds": seconds, "least": seconds / 4,
        "flops": int(seconds * 1e9), "bytes": 400, "calls": 1, "blocks": blocks,
    }  # fmt: skip


PARTS = [
    part("a1.b1.conv1", "forward", 1.0, "a1", "a1.b1"),
    part("a1.b1.conv1", "backward", 2.0, "a1", "a1.b1"),
    part("a1.fc1", "forward", 0.5, "a1"),
    part("fc2", "forward", 0.25),
    part("fc2", "backward", 0.00001),
    part("", "threads", 0.125),
    part("", "update", 0.125),
]
PROFILE = {
    "mode": "train", "batch": 8, "lanes": (4, 4), "threads": 2, "passes": 3,
    "machine": {"flops": 4e9, "bandwidth": 1e6}, "parts": PARTS,
}  # fmt: skip


def walked(found: Flame) -> Iterator[Flame]:
    yield found
    for inner in found.within.values():
        yield from walked(inner)


def test_it_adds_up() -> None:
    root = flame(PARTS)
    assert root.seconds == pytest.approx(sum(one["seconds"] for one in PARTS))
    assert [one.name for one in root.within.values()] == ["a1", "fc2", "threads", "update"]
    assert root.within["a1"].within["a1.b1"].name == "b1"
    assert root.depth == 5
    for one in walked(root):
        if one.within:
            assert one.seconds == pytest.approx(sum(i.seconds for i in one.within.values()))
            assert one.flops == sum(inner.flops for inner in one.within.values())
            assert one.bytes == sum(inner.bytes for inner in one.within.values())


def test_boxes_are_as_wide_as_times_and_stand_below_what_they_belong_to() -> None:
    root = flame(PARTS)
    drawn = ElementTree.fromstring(picture(root))
    boxes = {
        (group[0].text or "").partition(":")[0]: group[1].attrib for group in drawn.findall("g")
    }
    every = {one.path or one.name: one for one in walked(root)}
    assert set(every) - set(boxes) == {"fc2 backward"}
    for name, box in boxes.items():
        assert float(box["width"]) == pytest.approx(
            WIDTH * every[name].seconds / root.seconds, abs=0.01
        )
        for inner in every[name].within.values():
            if inner.path in boxes:
                below = boxes[inner.path]
                assert float(below["y"]) == float(box["y"]) + ROW
                assert float(below["x"]) >= float(box["x"]) - 0.01
                ends = float(box["x"]) + float(box["width"])
                assert float(below["x"]) + float(below["width"]) <= ends + 0.01


def test_the_table_has_what_is_too_thin_to_draw() -> None:
    page = flame_page(PROFILE, "net")
    rows = re.findall(r'<th scope="row" class="mono">(.*?)</th>(.*?)</tr>', page)
    assert [name for name, _ in rows] == ["a1.b1.conv1", "a1.fc1", "fc2", "threads", "update"]
    cells = dict(rows)["fc2"]
    assert re.findall("<td>(.*?)</td>", cells)[:3] == ["250 ms", "10 µs", "62.5 ms"]


def test_nothing_runs_and_nothing_breaks_out() -> None:
    named = [{**one, "layer": one["layer"] and f"{one['layer']}{HOSTILE}"} for one in PARTS]
    page = flame_page({**PROFILE, "parts": named}, HOSTILE)
    page.encode()
    assert "<script" not in page
    assert "<b>" not in page
    assert "default-src 'none'" in page


def test_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "SECONDS", 0.02)
    place = tmp_path / "flame.html"
    words = ["profile", "4 -> fc8 relu -> fc2", "--batch", "4", "--html", str(place)]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "training step" in out
    assert f"wrote {place}" in err
    assert place.read_text("utf-8").startswith("<!doctype html>")
    precious = tmp_path / "net.nn"
    precious.write_text("3 -> fc1")
    assert main([*words[:-1], str(precious)]) == 2
    assert precious.read_text() == "3 -> fc1"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to drive: install the package `chromium`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_everybody_can_read_it(browser: Browser, tmp_path: Path, scheme: Any, width: int) -> None:
    path = tmp_path / "flame.html"
    path.write_text(flame_page(PROFILE, "net"), "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    found = Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not complaints
    page.close()
