"""The page of `nnspec report`, driven in a browser: drawn in time, usable by hand, by keyboard and by
screen readers, deaf to markup in specs, and silent on every network."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.facts.outline import CROWD, Group, names, outline
from nnspec.analyzers.facts.signal import signal

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium to drive: install the package `chromium`"
)
SECONDS = 2.0
"""What a ResNet-50 may take from opening the page to the net standing there."""
HOSTILE = (
    "</script><script>stolen=1</script>",
    "<img src=x onerror=stolen=1>",
    '"><svg onload=stolen=1>',
    "<!--<script>",
    "$content ${title} &lt;b&gt;",
)


class Opened:
    """A page in the browser, and what it complained of or asked for."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_function("performance.getEntriesByName('whole').length")

    def item(self, name: str) -> Locator:
        """A layer, or a block, in the drawing."""
        return self.page.locator(f'[role="treeitem"][data-name="{name}"]')

    @property
    def panel(self) -> str:
        return self.page.locator("#panel").inner_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    pages: list[Opened] = []

    def open_(spec: str | Path, **settings: Any) -> Opened:
        path = tmp_path / f"{len(pages)}.html"
        nnspec.report(spec, path)
        pages.append(Opened(browser.new_page(**settings), path))
        return pages[-1]

    yield open_
    for one in pages:
        one.page.close()
        assert not one.complaints
        assert len(one.requests) == 1, one.requests


# ------------------------------------------------------------------------------------- the file


def content_of(text: str) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL
    )
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def test_resnet50_fits_in_a_mail(tmp_path: Path) -> None:
    path = tmp_path / "net.html"
    assert main(["report", str(SPECS / "vision" / "resnet50.nn"), "-o", str(path)]) == 0
    assert path.stat().st_size < 600_000
    content = content_of(path.read_text("utf-8"))
    assert (
        content["totals"]["params"]
        == 25_557_032
        == sum(layer.get("params", 0) for layer in content["layers"])
    )


def test_the_page_names_nothing_outside_itself() -> None:
    text = nnspec.report("3 -> fc4 relu -> fc1")
    addresses = re.findall(
        r'(?:https?:)?//[^\s"\'`,)]+', re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    )
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    assert "unsafe" not in text


def test_it_is_written_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "small.nn"
    spec.write_text("3 -> fc4 relu -> fc1\n")
    assert main(["report", str(spec)]) == 0
    page = (tmp_path / "small.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert main(["report", str(spec)]) == 0, "a page is written over"
    assert main(["report", str(spec), "-o", "-"]) == 0
    out, err = capsys.readouterr()
    assert out == page
    assert "wrote small.html" in err
    assert main(["report", str(spec), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "page": "small.html",
        "bytes": len(page.encode()),
    }


def test_nothing_but_a_page_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "small.nn"
    spec.write_text("3 -> fc4 relu -> fc1\n")
    assert main(["report", str(spec), "-o", str(spec)]) == 2
    assert "it holds something that is no page" in capsys.readouterr().err
    assert spec.read_text() == "3 -> fc4 relu -> fc1\n"
    assert main(["report", str(spec), "-o", str(tmp_path / "none" / "net.html")]) == 2
    assert main(["report", str(spec), "-o", str(tmp_path)]) == 2
    assert main(["report", str(spec), "-o", "a\0b"]) == 2
    assert main(["report", "3 -> nope", "-o", str(tmp_path / "a.html")]) == 1
    assert not (tmp_path / "a.html").exists()


class Elements(HTMLParser):
    """What a browser takes for elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_a_spec_makes_no_element(text: str) -> None:
    plain = nnspec.report("## words\n3 -> fc4 relu -> fc1  # words\n")
    hurt = nnspec.report(f"## {text}\n3 -> fc4 relu -> fc1  # {text}\n")
    assert Elements(hurt).tags == Elements(plain).tags
    assert text in content_of(hurt)["files"]["<text>"]


def test_half_a_character_is_told_as_an_escape() -> None:
    assert "\\ud800" in nnspec.report("3 -> fc4 relu -> fc1  # \ud800\n")


# ------------------------------------------------------------------------------------- outlines


def test_stages_of_a_resnet_are_stacks() -> None:
    parts = outline(nnspec.graph(SPECS / "vision" / "resnet50.nn"))
    groups = [(p.kind, p.title, len(p.parts)) for p in parts if isinstance(p, Group)]
    assert groups == [("block", "stem", 2), *(("stack", "bottleneck", n) for n in (3, 4, 6, 3))]


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "efficientnet_b0", "unet"])
def test_an_outline_holds_every_layer_once_and_in_order(name: str) -> None:
    graph = nnspec.graph(SPECS / "vision" / f"{name}.nn")
    heads = [node.name for node in graph.nodes if node.is_input or node.name == node.layer]
    assert [inner for part in outline(graph) for inner in names(part)] == heads


def test_a_crowd_is_cut_into_portions() -> None:
    parts = outline(nnspec.graph("3 -> [fc8 relu]*1000 -> fc1"))
    assert len(parts) <= CROWD
    assert sum(len(names(part)) for part in parts) == 1002


# ------------------------------------------------------------------------------------ a browser


@needs_browser
def test_resnet50_stands_within_two_seconds(opened: Any) -> None:
    def taken() -> float:
        page = opened(SPECS / "vision" / "resnet50.nn").page
        found: float = page.evaluate("performance.getEntriesByName('drawn')[0].startTime")
        assert page.locator("[role=treeitem]").count() >= 9
        return found

    assert min(taken() for _ in range(3)) < 1000 * SECONDS


@needs_browser
def test_a_block_unfolds_and_folds(opened: Any) -> None:
    one = opened(SPECS / "vision" / "resnet50.nn")
    stack = one.item("bottleneck1 … bottleneck3")
    assert stack.get_attribute("aria-expanded") == "false"
    assert one.item("bottleneck1.conv2").count() == 0
    stack.locator(".knob").click()
    one.item("bottleneck1").locator(".knob").click()
    assert stack.get_attribute("aria-expanded") == "true"
    assert one.item("bottleneck1.conv2").is_visible()
    stack.locator(".knob").click()
    assert one.item("bottleneck1.conv2").count() == 0
    one.page.get_by_role("button", name="Unfold all").click()
    assert one.page.locator("[role=treeitem]").count() > 90
    one.page.get_by_role("button", name="Fold all", exact=True).click()
    assert one.page.locator("[role=treeitem]").count() == 9


@needs_browser
def test_a_click_on_a_layer_tells_where_its_numbers_come_from(opened: Any) -> None:
    one = opened(SPECS / "course" / "net_3_4_4_1.nn")
    one.item("fc2").click()
    assert "fc4 relu" in one.panel
    assert "4·4 + 4 = 20" in one.panel
    assert "fc2.weight" in one.panel
    one.page.locator("#panel").get_by_role("button", name="fc3", exact=True).click()
    assert "4·1 + 1 = 5" in one.panel
    one.page.keyboard.press("Escape")
    assert "The whole net" in one.panel
    assert one.page.evaluate("document.activeElement.dataset.name") == "fc3"


@needs_browser
def test_a_search_finds_what_is_folded_away(opened: Any) -> None:
    one = opened(SPECS / "vision" / "resnet50.nn")
    one.page.keyboard.press("/")
    one.page.keyboard.type("bottleneck7 3x3")
    assert one.page.get_by_role("option").count() == 1
    one.page.keyboard.press("Enter")
    assert one.item("bottleneck7.conv2").is_visible()
    assert one.item("bottleneck7.conv2").get_attribute("aria-selected") == "true"
    assert "128·128" in one.panel
    one.page.locator("#search").fill("no such layer")
    assert "nothing is called so" in one.page.locator("#matches").inner_text()


@needs_browser
def test_the_keyboard_goes_everywhere(opened: Any) -> None:
    one = opened(SPECS / "vision" / "resnet50.nn")

    def here() -> str:
        name: str = one.page.evaluate("document.activeElement.dataset.name")
        return name

    one.item("input").focus()
    one.page.keyboard.press("ArrowDown")
    assert here() == "stem1"
    one.page.keyboard.press("ArrowRight")
    assert one.item("stem1").get_attribute("aria-expanded") == "true"
    one.page.keyboard.press("ArrowRight")
    assert here() == "stem1.conv1"
    one.page.keyboard.press("Enter")
    assert "7·7·3·64" in one.panel
    one.page.keyboard.press("ArrowLeft")
    assert here() == "stem1"
    one.page.keyboard.press("ArrowLeft")
    assert one.item("stem1").get_attribute("aria-expanded") == "false"
    one.page.keyboard.press("End")
    assert here() == "output"
    chart = one.page.get_by_role("slider").first
    chart.focus()
    one.page.keyboard.press("End")
    assert "fc1: 2,049,000 parameters" in chart.get_attribute("aria-valuetext")
    one.page.keyboard.press("Enter")
    assert "2048·1000 + 1000" in one.panel


@needs_browser
def test_the_drawing_grows_shrinks_and_fits(opened: Any) -> None:
    one = opened(SPECS / "vision" / "googlenet.nn")
    wide = one.page.locator("#graph svg").bounding_box()["width"]
    one.page.get_by_role("button", name="Larger").click()
    assert one.page.locator("#graph svg").bounding_box()["width"] > wide
    wide = one.page.locator("#graph svg").bounding_box()["width"]
    one.page.locator("#graph").hover()
    one.page.keyboard.down("Control")
    one.page.mouse.wheel(0, -200)
    one.page.keyboard.up("Control")
    one.page.wait_for_function(f"document.querySelector('#graph svg').clientWidth > {wide}")
    one.page.get_by_role("button", name="Fit").click()
    room = one.page.locator("#graph").bounding_box()
    assert one.page.locator("#graph svg").bounding_box()["height"] <= room["height"]


@needs_browser
def test_a_finding_stands_at_its_layer_and_at_its_line(opened: Any) -> None:
    one = opened("3x32x32 -> conv8 3x3 bn sigmoid\n-> gap -> fc10")
    assert one.item("conv1").locator(".worry").count() == 1
    assert one.item("fc1").locator(".worry").count() == 0
    one.item("conv1").click()
    assert "NN407" in one.panel
    line = one.page.locator('#text [data-line="1"]')
    assert "NN402" in line.inner_text()
    assert "chosen" in line.get_attribute("class")


@needs_browser
def test_charts_tell_the_signal_and_the_peak_of_memory(opened: Any) -> None:
    spec = "100 -> fc100 relu -> fc100 relu -> fc10"
    one = opened(spec)
    chart = one.page.get_by_role("slider", name="Signal by depth")
    chart.focus()
    one.page.keyboard.press("Home")
    travel = signal(nnspec.graph(spec))["relu1"]
    assert travel.variance is not None
    assert f"fc1: variance {travel.variance:.3g}" in chart.get_attribute("aria-valuetext")
    memory = one.page.get_by_role("slider", name="Memory over a training step")
    peak = max(moment.bytes for moment in nnspec.analyze(spec).timeline)
    assert f"peak {peak / 1024:.1f} KiB" in memory.get_attribute("aria-valuetext")


@needs_browser
def test_the_table_sorts(opened: Any) -> None:
    one = opened(SPECS / "course" / "lenet5.nn")
    first = one.page.locator("table.layers tbody tr").first
    assert "conv1" in first.inner_text()
    one.page.get_by_role("columnheader", name="parameters").get_by_role("button").click()
    assert one.page.locator("th[aria-sort=descending]").inner_text() == "parameters"
    most = max(nnspec.analyze(SPECS / "course" / "lenet5.nn").layers, key=lambda row: row.params)
    assert f"{most.params:,}" in first.inner_text()


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(opened: Any, scheme: str) -> None:
    one = opened("3x32x32 -> conv8 3x3 bn sigmoid -> gap -> fc10", color_scheme=scheme)
    one.item("conv1").click()
    one.page.locator("details.numbers summary").first.click()
    found = Axe().run(one.page).response["violations"]
    assert not [(rule["id"], [n["target"] for n in rule["nodes"]]) for rule in found]
    said = one.page.locator("#graph").aria_snapshot()
    assert "conv1: conv8 3x3 bn sigmoid, 8 by 30 by 30, 240 parameters" in said


@needs_browser
def test_dark_is_dark_and_can_be_changed(opened: Any) -> None:
    one = opened("3 -> fc4 relu -> fc1", color_scheme="dark")

    def light() -> float:
        colour = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert light() < 60
    one.page.get_by_role("button", name="Switch to light colours").click()
    assert light() > 200


@needs_browser
@pytest.mark.parametrize("name", ["vision/densenet121", "language/gpt2"])
def test_a_phone_shows_it_without_scrolling_aside(opened: Any, name: str) -> None:
    one = opened(SPECS / f"{name}.nn", viewport={"width": 380, "height": 740})
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 380


@needs_browser
def test_a_thousand_layers_open(opened: Any) -> None:
    one = opened("3 -> [fc8 relu]*1000 -> fc1")
    one.page.locator("#search").fill("fc777")
    one.page.keyboard.press("Enter")
    assert one.item("fc777").is_visible()


@needs_browser
def test_text_from_a_spec_stays_text(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "<b onclick=stolen=1>&amp;"
    folder.mkdir()
    above = "".join(f"## {text}\n" for text in HOSTILE)
    behind = "".join(f"  # {text}\n" for text in HOSTILE)
    (folder / "net.nn").write_text(f"{above}3 -> a: fc4 relu -> fc1{behind}")
    nnspec.report(folder / "net.nn", tmp_path / "net.html")
    one = Opened(browser.new_page(), tmp_path / "net.html")
    one.item("a").click()
    assert one.page.evaluate("typeof stolen") == "undefined"
    assert one.page.locator("#documentation").inner_text() == "\n".join(HOSTILE)
    assert one.page.locator("img, b, #panel svg, [onclick], [onload], [onerror]").count() == 0
    assert all(text in one.page.locator("#text").inner_text() for text in HOSTILE)
    assert not one.complaints
    one.page.close()


class Listener(BaseHTTPRequestHandler):
    """Writes down who calls."""

    called: list[str]

    def do_GET(self) -> None:
        self.called.append(self.path)
        self.send_response(204)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@needs_browser
def test_no_request_can_leave(browser: Browser, tmp_path: Path) -> None:
    called: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Listener,), {"called": called}))
    Thread(target=server.serve_forever, daemon=True).start()
    nnspec.report("3 -> fc4 relu -> fc1", tmp_path / "net.html")
    one = Opened(browser.new_page(), tmp_path / "net.html")
    one.page.evaluate(
        """async (home) => {
            const put = (name, fields) => document.body.append(
                Object.assign(document.createElement(name), fields));
            put("img", { src: `${home}/img` });
            put("script", { src: `${home}/script` });
            put("iframe", { src: `${home}/frame` });
            put("link", { rel: "stylesheet", href: `${home}/style` });
            put("script", { textContent: "window.stolen = 1" });
            navigator.sendBeacon(`${home}/beacon`);
            await fetch(`${home}/fetch`).catch(() => null);
            await new Promise((done) => setTimeout(done, 300));
        }""",
        f"http://127.0.0.1:{server.server_port}",
    )
    server.shutdown()
    server.server_close()
    assert called == []
    assert one.page.evaluate("typeof stolen") == "undefined"
    one.page.close()
