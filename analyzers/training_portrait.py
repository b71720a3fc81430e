"""Everything that the page shows of a training, as JSON has it. What a folder holds is shown only where
it is of the kind that it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from ..compiler.elaborate import elaborate
from ..compiler.files import from_there
from ..compiler.graph import Graph
from ..grammar.diagnostics import SpecError
from ..grammar.limits import Limits
from ..grammar.quantity import quantity
from ..grammar.source import Source
from .records import Logged, Record, number
from .render.html import TRAINING, html
from .render.runs import duration
from .render.settings import brief
from .report import report

Content = dict[str, Any]

LAYERS = 500
"""Layers that the page lists."""


def training_page(found: Record, limits: Limits | None = None) -> str:
    """The page on a training."""
    content = portrait(found, limits)
    plain = (
        f"{found.title}: {quantity(len(found.epochs), 'epoch')}, {quantity(found.params, 'parameter')}.\n"
        "This page draws itself with JavaScript; `nnspec runs` prints a row of it."
    )
    return html(TRAINING, content, title=found.title, plain=plain)


def portrait(found: Record, limits: Limits | None = None) -> Content:
    """The content of the page."""
    return {
        "title": found.title,
        "subtitle": f"{found.path} · {_standing(found)}",
        "state": found.state,
        "planned": found.settings.get("epochs", ""),
        "params": found.params,
        "examples": found.examples,
        "digest": found.digest,
        "epochs": [_epoch(epoch) for epoch in found.epochs],
        "vitals": _vitals(found.epochs),
        "held_out": _held_out(found.held_out),
        "sheets": [[title, facts] for title, facts in _sheets(found)],
        "net": _net(found, limits),
        "files": {found.spec or "spec.nn": found.text, **found.files},
        "findings": [],
    }


def _standing(found: Record) -> str:
    """Whether it is over, and why."""
    if found.state == "done":
        return f"{found.ended}, {duration(found.seconds)}"
    if found.state == "going on":
        return "going on while this page was made"
    return "stopped before its end; `--resume` goes on with it"


def _epoch(epoch: Logged) -> Content:
    told = asdict(epoch)
    del told["vitals"]
    return told


def _vitals(epochs: Iterable[Logged]) -> Content:
    """Layers in the order in which they were first seen, and what was seen of them by epoch."""
    seen = [epoch for epoch in epochs if epoch.vitals]
    layers = dict.fromkeys(layer for epoch in seen for layer in epoch.vitals)
    return {
        "layers": list(layers),
        "epochs": [{"number": epoch.number, "seen": dict(epoch.vitals)} for epoch in seen],
    }


# ---------------------------------------------------------------------------- what was set and told


def _sheets(found: Record) -> Iterable[tuple[str, list[list[str]]]]:
    """Facts under headings: the settings, the data, the machine."""
    settings = [[name, brief(name, text)] for name, text in found.settings.items()]
    yield "Settings", [*settings, ["numbers", found.dtype]]
    data, shape = found.data, found.data.get("shape")
    facts = {
        "set": data.get("name"),
        "trained on": quantity(found.examples, "example"),
        "held out": f"{data['held_out']:,}" if isinstance(data.get("held_out"), int) else None,
        "shape": "x".join(map(str, shape)) if isinstance(shape, list) else None,
        "classes": data.get("classes"),
        "source": data.get("source"),
    }
    yield "Data", [[name, str(worth)] for name, worth in facts.items() if worth is not None]
    lets = [[f"let {name}", worth] for name, worth in found.lets.items()]
    yield "Constants given from outside", lets
    yield "Versions", [[name, worth] for name, worth in found.versions.items()]


# --------------------------------------------------------------------------------------- the net


def _net(found: Record, limits: Limits | None) -> Content:
    """The layers of the net, compiled from the text that the run was begun with."""
    name = PurePath(found.spec).name or "spec.nn"
    files = from_there(found.files, name)
    try:
        graph = elaborate(Source(name, found.text), limits, lets=found.lets, files=files).net
    except SpecError as error:
        told = error.diagnostics[0].message()
        return {"problem": f"What is kept of its spec cannot be compiled: {told}."}
    return _layers(graph)


def _layers(graph: Graph) -> Content:
    facts = report(graph)
    left = len(facts.layers) - LAYERS
    rest = f" The first {LAYERS} layers are listed." if left > 0 else ""
    return {
        "says": f"{facts.title[0].upper()}{facts.title[1:]}: {quantity(facts.params, 'parameter')}, "
        f"{quantity(facts.macs, 'multiply-add')}, {quantity(facts.neurons, 'neuron')}.{rest}",
        "layers": [
            {
                "name": row.name,
                "label": row.spelled if "(" in row.written else row.written,
                "output": row.output,
                "params": row.params,
                "macs": row.macs,
            }
            for row in facts.layers[:LAYERS]
        ],
    }


# ------------------------------------------------------------------------- the held-out examples


def _held_out(found: Mapping[str, Any]) -> Content | None:
    """What the run's folder holds on them; None where it holds nothing, or nothing of ours."""
    if found.get("format") != "nnspec held out 1":
        return None
    classes = [str(name) for name in _list(found.get("classes"))]
    return {
        "looked_at": _whole(found.get("looked_at")),
        "classes": classes,
        "confusion": _matrix(found.get("confusion"), len(classes)),
        "confused": _pairs(found.get("confused"), len(classes)),
        "worst": [_example(row, len(classes)) for row in _list(found.get("worst"))],
        **_inputs(found),
    }


def _matrix(found: object, count: int) -> list[list[int]] | None:
    """Counts, a row and a column a class."""
    rows = [[_whole(cell) for cell in _list(row)] for row in _list(found)]
    square = len(rows) == count and all(len(row) == count for row in rows)
    return rows if rows and square else None


def _pairs(found: object, count: int) -> list[list[int]]:
    rows = [[_whole(cell) for cell in _list(row)] for row in _list(found)]
    return [row for row in rows if len(row) == 3 and max(row[:2]) < count]


def _example(found: object, count: int) -> Content:
    row = found if isinstance(found, dict) else {}
    told: Content = {"example": _whole(row.get("example")), "loss": number(row.get("loss"))}
    if isinstance(row.get("true"), int) and 0 <= row["true"] < count:
        said = row.get("said")
        told["true"] = _whole(row["true"])
        told["said"] = _whole(said) if isinstance(said, int) and 0 <= said < count else None
        told["probability"] = number(row.get("probability"))
        told["probability_of_true"] = number(row.get("probability_of_true"))
    if "true_values" in row and "said_values" in row:
        told["true_values"] = _numbers(row["true_values"])
        told["said_values"] = _numbers(row["said_values"])
    return told


SIDE = 256
"""Pixels of an image's side that are believed."""


def _inputs(found: Mapping[str, Any]) -> Content:
    """Images, or rows of numbers, one for each of the worst."""
    image = [_whole(size) for size in _list(found.get("image"))]
    pixels = _list(found.get("pixels"))
    worst = len(_list(found.get("worst")))
    if len(image) == 3 and 0 < max(image) <= SIDE and image[2] in (1, 3) and len(pixels) == worst:
        return {"image": image, "pixels": [_base64(one) for one in pixels]}
    values = _list(found.get("values"))
    return {"values": [_numbers(row) for row in values], "size": _whole(found.get("size"))}


def _base64(found: object) -> str:
    """Letters that a browser can decode; none where they are others."""
    text = found if isinstance(found, str) else ""
    good = len(text) % 4 == 0 and text.rstrip("=").replace("+", "a").replace("/", "a").isalnum()
    return text if good and text.isascii() else ""


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def _whole(found: object) -> int:
    right = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**53
    return int(found) if right else 0  # type: ignore[call-overload]


def _numbers(found: object) -> list[float | None]:
    return [number(one) for one in _list(found)]
