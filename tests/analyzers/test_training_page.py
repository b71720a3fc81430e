"""The page on a training, driven in a browser: it tells what the run's folder holds, is usable by all,
deaf to markup and silent on every network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.records import record
from nnspec.analyzers.training_portrait import portrait
from nnspec.runtime.data import fitted, load, split
from nnspec.runtime.dataset import Dataset

from .test_page import CHROMIUM, HOSTILE, Elements, Opened, content_of, needs_browser

ROOT = Path(__file__).parents[2]
DIGITS = "64 -> fc32 relu -> fc10"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training on images, flattened for the net."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    learned, held = split(fitted(load("digits"), (64,)))
    net = nnspec.compile(DIGITS, seed=1)
    notes = {"data": {"name": "digits", "held_out": len(held), "shape": [64]}}
    net.fit(learned, validation=held, epochs=6, run=folder, notes=notes)
    watched(folder)
    return folder


def watched(folder: Path) -> None:
    """As if the layers had been looked at after every epoch."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for row in rows:
        layers = [
            {"layer": "fc1", "mean": 0.1, "std": 1.0, "dead": row["epoch"] / 10, "gradient": 0.01},
            {"layer": "fc2", "mean": 0.1, "std": 2.0, "dead": None, "gradient": 0.1},
        ]
        row["vitals"] = {"examples": 256, "layers": layers, "weights": []}
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    pages: list[Opened] = []

    def open_(folder: Path, **settings: Any) -> Opened:
        path = tmp_path / f"{len(pages)}.html"
        nnspec.report(folder, path)
        pages.append(Opened(browser.new_page(**settings), path))
        return pages[-1]

    yield open_
    for one in pages:
        one.page.close()
        assert not one.complaints
        assert len(one.requests) == 1, one.requests


# ---------------------------------------------------------------------------- what training keeps


def examined(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "held_out.json").read_text())
    return found


def test_the_folder_holds_what_the_net_said(digits: Path) -> None:
    _, held = split(fitted(load("digits"), (64,)))
    found, net = examined(digits), nnspec.load(digits / "last.safetensors")
    assert found["confusion"] == net.confusion(held).tolist()
    assert found["scores"]["accuracy"] == net.evaluate(held).accuracy
    assert found["image"] == [8, 8, 1]
    scores = net(held.x).astype(np.float64)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    losses = -np.log(shares[np.arange(len(held)), held.y])
    order = np.argsort(-losses, kind="stable")[: len(found["worst"])]
    assert [row["example"] for row in found["worst"]] == order.tolist()
    first = found["worst"][0]
    assert first["true"] == held.y[order[0]]
    assert first["said"] == scores[order[0]].argmax()
    assert first["loss"] == pytest.approx(losses[order[0]], rel=1e-5)
    assert first["probability"] == pytest.approx(shares[order[0]].max(), rel=1e-5)


def test_classes_keep_their_names(tmp_path: Path) -> None:
    data = load("iris")
    nnspec.compile("4 -> fc3").fit(data, validation=data, epochs=1, run=tmp_path / "a")
    found = examined(tmp_path / "a")
    assert found["classes"] == ["setosa", "versicolor", "virginica"]
    assert np.sum(found["confusion"]) == 150
    np.testing.assert_allclose(found["values"][0], data.x[found["worst"][0]["example"]], rtol=1e-6)


def test_numbers_are_kept_where_there_are_no_classes(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    net = nnspec.compile("1 -> fc1")
    net.fit(x, 3 * x, validation=(x, 3 * x), epochs=1, run=tmp_path / "a")
    row = examined(tmp_path / "a")["worst"][0]
    assert row["true_values"] == pytest.approx(3 * x[row["example"]], rel=1e-6)
    assert row["said_values"] == pytest.approx(net(x)[row["example"]], rel=1e-6)
    assert "confusion" not in examined(tmp_path / "a")


@pytest.mark.parametrize(
    ("spec", "shape", "truth"),
    [
        ("3x90x70 -> conv4 3x3 s4 relu -> gap -> fc3", (3, 90, 70), 3),
        ("6x4 -> fc5", (6, 4), (6, 5)),
        ("4 -> fc3", (4,), (3,)),
    ],
)
def test_any_shape_is_kept(
    spec: str, shape: tuple[int, ...], truth: int | tuple[int, ...], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, *shape)).astype(np.float32)
    y = rng.integers(0, truth, 20) if isinstance(truth, int) else rng.normal(size=(20, *truth))
    net = nnspec.compile(spec, loss="cross_entropy" if isinstance(truth, int) else "mse")
    net.fit(x, y, validation=(x, y), epochs=1, run=tmp_path / "a")
    assert portrait(record(tmp_path / "a"))["held_out"]["worst"]
    if len(shape) == 3:
        assert examined(tmp_path / "a")["image"] == [45, 35, 3]


def test_many_classes_keep_the_pairs_that_are_confused(tmp_path: Path) -> None:
    x, y = np.eye(150, dtype=np.float32), (np.arange(150) + 1) % 150
    net = nnspec.compile("150 -> fc150 nobias init=zeros")
    net.fit(x, y, validation=(x, y), epochs=1, run=tmp_path / "a")
    found = examined(tmp_path / "a")
    assert found["confusion"] is None
    assert len(found["classes"]) == 150
    assert portrait(record(tmp_path / "a"))["held_out"]["confusion"] is None


def test_going_on_takes_back_what_was_said_before(tmp_path: Path) -> None:
    data, folder = load("iris"), tmp_path / "a"

    def trained(epochs: int, **options: Any) -> None:
        net = nnspec.compile("4 -> fc3")
        net.fit(data, validation=data, epochs=epochs, run=folder, resume=True, **options)

    def stop(_: object) -> None:
        raise InterruptedError

    trained(1)
    before = examined(folder)
    with pytest.raises(InterruptedError):
        trained(3, on_epoch=stop)
    assert not (folder / "held_out.json").exists()
    trained(3)
    assert examined(folder)["scores"] != before["scores"]


# ------------------------------------------------------------------------------------- the file


def test_it_is_written_where_it_is_asked_for(
    digits: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(digits)]) == 0
    assert "wrote digits.html" in capsys.readouterr().err
    text = (tmp_path / "digits.html").read_text("utf-8")
    assert text == nnspec.report(digits)
    assert len(text) < 120_000
    content = content_of(text)
    assert content["state"] == "done"
    assert [row["params"] for row in content["net"]["layers"]] == [2080, 330]
    assert re.search(r"default-src 'none'", text)
    assert "unsafe" not in text


def test_the_net_is_compiled_with_its_constants_and_files(tmp_path: Path) -> None:
    (tmp_path / "parts.nn").write_text("block hidden(c) = fc(c) relu\n")
    (tmp_path / "net.nn").write_text('use "parts.nn" (hidden)\nlet w = 8\n4 -> hidden(w) -> fc3\n')
    data = load("iris")
    net = nnspec.compile(tmp_path / "net.nn", let={"w": 16})
    net.fit(data, epochs=1, run=tmp_path / "a")
    (tmp_path / "parts.nn").unlink()
    found = portrait(record(tmp_path / "a"))
    assert [row["params"] for row in found["net"]["layers"]] == [80, 51]
    assert "block hidden" in "".join(found["files"].values())
    (tmp_path / "a" / "spec.nn").write_text("let w = 8\n4 -> nope3")
    assert "no operator is called `nope3`" in portrait(record(tmp_path / "a"))["net"]["problem"]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_a_folder_makes_no_element(text: str, digits: Path, tmp_path: Path) -> None:
    hurt = poisoned(digits, tmp_path / "a", text)
    assert Elements(nnspec.report(hurt)).tags == Elements(nnspec.report(digits)).tags


def poisoned(folder: Path, to: Path, text: str) -> Path:
    """The same run with a text wherever text may stand, and what is no number among the numbers."""
    to.mkdir()
    told = json.loads((folder / "run.json").read_text())
    told |= {"spec": text, "settings": {text: text}, "versions": {text: text}, "ended": text}
    told |= {
        "notes": {"data": {"name": text, "source": text}},
        "lets": {text: text},
        "digest": text,
    }
    (to / "run.json").write_text(json.dumps(told))
    held = json.loads((folder / "held_out.json").read_text())
    held |= {"classes": [text] * 10}
    held["worst"][0] |= {"loss": 1e999, "probability": text, "example": text}
    held["worst"][1] |= {"true_values": [text], "said_values": text}
    held["pixels"][2] = text
    (to / "held_out.json").write_text(json.dumps(held))
    (to / "spec.nn").write_text(f"## {text}\n{DIGITS}  # {text}\n")
    log = (folder / "log.jsonl").read_text()
    (to / "log.jsonl").write_text(
        log.replace('"fc1"', json.dumps(text)).replace('"lr": 0.001', '"lr": NaN')
    )
    return to


@pytest.mark.parametrize(
    "held",
    [
        "[]", '{"format": "nnspec held out 1"}',
        '{"format": "nnspec held out 1", "worst": [1, null, {"true": 10e9}], "confusion": [[1], 2]}',
        '{"format": "nnspec held out 1", "worst": [{}], "image": [1e999, 8, 1], "pixels": ["AAAA"]}',
        '{"format": "nnspec held out 1", "worst": [{}], "image": [9999999, 8, 1], "pixels": ["AAAA"]}',
        '{"format": "nnspec held out 1", "classes": ["a"], "confused": [[0, 5, 1], [0], "a"]}',
    ],
)  # fmt: skip
def test_strange_files_make_a_page_or_a_message(held: str, digits: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for name in ("run.json", "spec.nn", "log.jsonl"):
        (folder / name).write_bytes((digits / name).read_bytes())
    (folder / "held_out.json").write_text(held)
    assert main(["report", str(folder), "-o", str(tmp_path / "a.html")]) == (
        2 if held == "[]" else 0
    )


# ------------------------------------------------------------------------------------ a browser


@needs_browser
def test_it_tells_how_the_training_went(opened: Any, digits: Path) -> None:
    page = opened(digits).page
    found = record(digits)
    best = found.best
    assert best is not None
    tiles = page.locator("#totals").inner_text()
    assert f"{100 * (best.held_out['accuracy'] or 0):.2f}\u00a0%" in tiles
    assert "6 of 6" in tiles
    loss = page.get_by_role("slider", name="Loss, by epoch")
    loss.focus()
    page.keyboard.press("End")
    last = found.epochs[-1]
    assert last.loss is not None
    assert f"epoch 6: training {last.loss:.4f}, held out" in loss.get_attribute("aria-valuetext")
    headings = page.locator("main h2:visible").all_inner_texts()
    assert headings == [
        "Epoch by epoch", "Layer by layer", "What it takes for what", "Where it is most wrong",
        "How it was trained", "The net", "The log",
    ]  # fmt: skip
    assert page.locator("#log tbody tr").count() == 6
    assert "(best)" in page.locator("#log tr.chosen").inner_text()


@needs_browser
def test_the_scale_of_losses_can_be_changed(opened: Any, digits: Path) -> None:
    page = opened(digits).page
    chart = page.locator("figure", has=page.get_by_role("slider", name="Loss, by epoch"))
    control = chart.get_by_role("button", name="Log scale")
    before = chart.locator("path.curve-0").get_attribute("d")
    pressed = control.get_attribute("aria-pressed")
    control.click()
    assert control.get_attribute("aria-pressed") != pressed
    assert chart.locator("path.curve-0").get_attribute("d") != before


@needs_browser
def test_the_worst_images_are_drawn(opened: Any, digits: Path) -> None:
    page = opened(digits).page
    cards = page.locator(".gallery li")
    assert cards.count() == 18
    page.get_by_role("button", name="Show 18 more").click()
    assert cards.count() == 36
    _, held = split(fitted(load("digits"), (64,)))
    worst = examined(digits)["worst"][0]
    drawn = page.evaluate(
        "[...document.querySelector('.gallery canvas').getContext('2d')"
        ".getImageData(0, 0, 8, 8).data].filter((_, i) => i % 4 === 0)"
    )
    np.testing.assert_allclose(np.array(drawn) / 255, held.x[worst["example"]], atol=0.003)
    said = cards.first.inner_text()
    assert f"said {worst['said']}" in said
    assert f"is {worst['true']}" in said


@needs_browser
def test_the_matrix_counts_what_was_taken_for_what(opened: Any, digits: Path) -> None:
    page = opened(digits).page
    cells = page.locator(".matrix tbody td:not(.number)").all_inner_texts()
    found = [0 if cell == "·" else int(cell) for cell in cells]
    assert found == [count for row in examined(digits)["confusion"] for count in row]


@needs_browser
def test_layers_by_epoch(opened: Any, digits: Path) -> None:
    page = opened(digits).page
    dead = page.get_by_role("region", name="Dead units by layer and epoch")
    assert dead.locator("tbody tr").count() == 1
    assert "60.00\u00a0%" in dead.inner_text()
    gradient = page.get_by_role("region", name="Gradient by layer and epoch")
    assert gradient.locator("tbody tr").count() == 2


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(opened: Any, digits: Path, scheme: str) -> None:
    page = opened(digits, color_scheme=scheme).page
    page.locator("details.numbers summary").first.click()
    page.get_by_role("button", name="Show 18 more").click()
    found = Axe().run(page).response["violations"]
    assert not [(rule["id"], [n["target"] for n in rule["nodes"]]) for rule in found]


CONTRASTS = """() => {
    const part = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
        const numbers = colour.match(/[\\d.]+/g).map(Number);
        const [r, g, b] = colour.startsWith("color") ? numbers : numbers.map((n) => n / 255);
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    return [...document.querySelectorAll(".matrix td.right, .matrix td.wrong")].map((cell) => {
        cell.style.setProperty("--depth", 1);
        const style = getComputedStyle(cell);
        const [a, b] = [light(style.color), light(style.backgroundColor)];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
}"""
"""WCAG's contrast of text on cells of the deepest colours, which axe cannot work out."""


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_counts_can_be_read_on_their_colours(opened: Any, digits: Path, scheme: str) -> None:
    found = opened(digits, color_scheme=scheme).page.evaluate(CONTRASTS)
    assert len(found) > 10
    assert min(found) >= 4.5


@needs_browser
def test_a_phone_shows_it_without_scrolling_aside(
    opened: Any, digits: Path, tmp_path: Path
) -> None:
    long = Dataset(
        "long",
        np.eye(40, dtype=np.float32),
        np.arange(40),
        tuple("x" * 60 + str(n) for n in range(40)),
    )
    nnspec.compile("40 -> fc40").fit(long, validation=long, epochs=1, run=tmp_path / "long")
    for folder in (digits, tmp_path / "long"):
        page = opened(folder, viewport={"width": 380, "height": 740}).page
        assert page.evaluate("document.documentElement.scrollWidth") <= 380


@needs_browser
def test_a_training_that_has_only_begun(opened: Any, tmp_path: Path) -> None:
    data = load("iris")

    def stop(_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        nnspec.compile("4 -> fc3").fit(data, run=tmp_path / "a", on_step=stop)
    page = opened(tmp_path / "a").page
    assert "No epoch was finished yet." in page.locator("#curves").inner_text()
    assert "stopped before its end" in page.locator("#subtitle").inner_text()
    assert page.locator("#worst").is_hidden()


@needs_browser
def test_text_from_a_folder_stays_text(browser: Browser, digits: Path, tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE):
        folder = poisoned(digits, tmp_path / str(number), text)
        nnspec.report(folder, tmp_path / "run.html")
        one = Opened(browser.new_page(), tmp_path / "run.html")
        assert one.page.evaluate("typeof stolen") == "undefined"
        assert one.page.locator("img, [onclick], [onload], [onerror]").count() == 0
        assert text in one.page.locator("#title").inner_text()
        assert text in (one.page.locator("#confusion").text_content() or "")
        assert text in one.page.locator("#settings").inner_text()
        assert not one.complaints
        one.page.close()
