"""`nnspec doctor`: every check of a course before a long training, and a letter about it."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path

from ..compiler.training import Training
from ..grammar.diagnostics import SpecError
from ..grammar.options import whole
from ..grammar.quantity import quantity
from ..grammar.write import put
from .curves import rates_as_png
from .data import fitted, split
from .data_errors import DataUnfit
from .data_options import asked, data_arguments, input_shape
from .dataset import Dataset
from .durable import make_folder
from .examination import STEPS, Examination, examine
from .findings import Finding, figure, findings, zero_layers
from .picture import png
from .portraits import as_grid, as_text, boundary, templates
from .progress import percent
from .rates import BARS, drawn
from .vitals import share

LEAST, WIDTH = 40, 92
"""Columns of a letter: the terminal's, between these."""
MARGIN = 12
"""Columns before what was measured."""


def configure_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    data_arguments(parser)
    parser.add_argument("--held-out", type=float, default=0.2, metavar="SHARE", help="to test on")
    parser.add_argument(
        "--steps", type=whole, default=STEPS, metavar="N", help=f"of the trial: {STEPS}"
    )
    parser.add_argument(
        "--plot",
        metavar="FOLDER",
        help="draw the rates, first-layer templates, decision regions; `-`: templates in letters",
    )
    settings = parser.add_argument_group("settings, which win over the spec's train(...)")
    for name in Training.model_fields:
        settings.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    parser.epilog = (
        "examples:\n  nnspec doctor specs/course/digits_mlp.nn --data digits\n"
        '  nnspec doctor net.nn --data digits --optimizer "sgd(lr=5)"\n'
        "  nnspec doctor specs/course/spiral.nn --data spiral --plot pictures\n"
        "  nnspec doctor net.nn --data digits --steps 200 --format json"
    )


def doctor(options: argparse.Namespace) -> int:
    """Examine a net on its data; 1 when something is wrong."""
    given = {name: getattr(options, name) for name in Training.model_fields}
    settings = {name: value for name, value in given.items() if value is not None}
    graph = options.graph(options, settings)
    if not 0 < options.held_out < 1:
        raise SpecError([DataUnfit(None, options.data, "cannot be split", "0 < --held-out < 1")])
    whole_set = asked(options, options.data)
    data = fitted(whole_set, input_shape(graph))
    learned, held = split(data, options.held_out)
    with said(quiet=options.format == "json") as tell:
        found = examine(graph, learned, held, steps=options.steps, tell=tell)
    wrong = findings(found, options.remarks(graph))
    shape = tuple(whole_set.x.shape[1:])
    pictures = _drawn(found, options.plot, shape) if options.plot not in (None, "-") else []
    if options.format == "json":
        print(json.dumps(plain(as_json(found, wrong) | {"pictures": pictures}), indent=2))
    else:
        print(letter(found, wrong, colour=options.colour, width=_columns()), end="")
        if options.plot == "-" and (seen := templates(found.trial.net, shape)) is not None:
            print(f"\nThe first templates of the first layer\n{as_text(seen)}")
        for path in pictures:
            print(f"drawn to {path}", file=sys.stderr)
    return 1 if wrong else 0


@contextmanager
def said(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What is being done, on a line of stderr that vanishes."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    yield lambda text: print(f"\r\x1b[K{text} ...", end="", file=sys.stderr, flush=True)
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _drawn(found: Examination, folder: str, picture: tuple[int, ...]) -> list[str]:
    place, net = Path(folder), found.trial.net
    make_folder(place, "pictures")
    made = {"rates.png": rates_as_png(found.rates, net.training.optimizer.lr)}
    if (seen := templates(net, picture)) is not None:
        made["templates.png"] = png(as_grid(seen))
    if (regions := boundary(net, found.learned)) is not None:
        made["boundary.png"] = png(regions)
    for name, content in made.items():
        put(place / name, content)
    return [str(place / name) for name in made]


# ------------------------------------------------------------------------------------ the letter


def _columns() -> int:
    return max(LEAST, min(WIDTH, shutil.get_terminal_size((100, 24)).columns))


def letter(
    found: Examination, wrong: tuple[Finding, ...], *, colour: bool, width: int = WIDTH
) -> str:
    """What is wrong, what to do, and all that was measured, in lines of at most `width`."""
    loud = "\x1b[1m{}\x1b[0m".format if colour else "{}".format
    name = found.graph.source.name
    examples = (
        f"{quantity(len(found.learned), 'example')} to learn from, {len(found.held):,} held out"
    )
    lines = [
        loud(_wrapped(f"{name} on {found.learned.name}", "", "", width)),
        _wrapped(f"{quantity(found.trial.net.params, 'parameter')}, {examples}", "", "", width),
        "",
    ]
    causes = [one for one in wrong if not one.follows]
    lines += [_wrapped(_verdict(causes, len(wrong) - len(causes)), "", "", width), ""]
    for place, one in enumerate(causes, 1):
        lines += [*_told(place, one, loud, width), ""]
        after = [other for other in wrong if other.follows == one.name]
        if after:
            lines.insert(-1, "   with it go, most likely:")
            lines[-1:-1] = [
                _wrapped(f"{other.name}: {other.evidence}", "   · ", "     ", width)
                for other in after
            ]
    lines.append(loud("Measured"))
    for what, text in measured(found).items():
        lines.append(_wrapped(text, f"  {what:<{MARGIN - 3}} ", " " * MARGIN, width))
    bars = drawn(found.rates, min(BARS, width - MARGIN - 1))
    lines += [f"{'':{MARGIN}}{row}" for row in bars.splitlines()]
    return "\n".join(lines) + "\n"


def _verdict(causes: list[Finding], others: int) -> str:
    if not causes:
        return "Nothing is wrong with it."
    count = "One thing is" if len(causes) == 1 else f"{len(causes)} things are"
    order = "" if len(causes) == 1 else ", causes first"
    more = f"; {others} more may well follow from that" if others else ""
    return f"{count} wrong{order}{more}."


def _told(place: int, one: Finding, loud: Callable[[str], str], width: int) -> Iterator[str]:
    says = _wrapped(f"{one.name}: {one.says}", f"{place}. ", "   ", width)
    yield says.replace(f"{one.name}:", loud(f"{one.name}:"), 1)
    yield _wrapped(one.evidence, "   ", "   ", width)
    for text in one.advice:
        yield _wrapped(text, "   → ", "     ", width)


def _wrapped(text: str, first: str, others: str, width: int) -> str:
    """Numbers stay with their `%`."""
    return textwrap.fill(
        text.replace(" %", "\xa0%"),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\xa0%", " %")


def measured(found: Examination) -> dict[str, str]:
    """Every reading in a line."""
    few, trial, tried = found.memorised, found.trial, found.rates
    rate = found.graph.training.optimizer.lr
    told = {
        "inputs": f"mean {found.inputs.mean:.3g}, deviation {found.inputs.std:.3g}"
        + (f"; {len(found.counts)} classes of {_range(found.counts)}" if found.counts else ""),
        "start": f"loss {figure(found.first)}; a net that says nothing has {figure(found.silent)}",
        "gradient": _gradient(found),
        "by heart": f"{few.examples} examples "
        + (f"in {few.steps:,} steps" if few.ok else f"not even in {few.steps:,} steps")
        + f" of {few.optimizer}",
        "training": _trial(found),
    }
    seen = trial.epochs[-1].vitals if trial.epochs else None
    if seen:
        parts = [_moved(seen.update)] if seen.update is not None else []
        for what in ("dead", "saturated"):
            shares = [w for layer in seen.layers if (w := getattr(layer, what)) is not None]
            most = max(shares, default=None)
            if most is not None:
                parts.append(f"at most {share(most)} of a layer {what}" if most else f"none {what}")
        told["vitals"] = f"in the end {', '.join(parts)}" if parts else "no updates seen"
    where = f"from {tried.lowest:.1g} to {tried.highest:.1g}" if tried.learns else "at none"
    told["rates"] = f"the loss falls {where}; the spec's is {rate:g}; loss over the rate:"
    return told


def _gradient(found: Examination) -> str:
    """What is left of it in the first layer."""
    layers = [layer for layer in found.start.layers if layer.gradient is not None]
    if found.start.flow is not None:
        return f"the first layer's is {found.start.flow:.2g} of the last's, before any training"
    if len(layers) < 2:
        return "only one layer learns"
    empty = [f"`{name}`" for name in zero_layers(found)[:4]]
    cause = f"; the weights of {', '.join(empty)} are 0, and give none to the layers below"
    reached = sum(1 for layer in layers if layer.gradient)
    told = (
        f"it reaches {reached or 'none'} of {quantity(len(layers), 'layer')}, before any training"
    )
    return told + (cause if empty else "")


def _moved(update: float) -> str:
    return f"updates move weights by {update:.1e}" if update else "updates move no weight any more"


def _range(counts: tuple[int, ...]) -> str:
    low, high = min(counts), max(counts)
    return f"{quantity(low, 'example')} each" if low == high else f"{low:,} to {high:,} examples"


def _trial(found: Examination) -> str:
    trial = found.trial
    epochs = f"{len(trial.epochs):,} of the spec's {quantity(trial.of, 'epoch')}"
    if trial.learned is None or trial.held is None:
        return f"diverged: {trial.diverged}"
    seen, unseen = trial.learned, trial.held
    if seen.accuracy is not None and unseen.accuracy is not None:
        pair = f"accuracy {percent(seen.accuracy)}, {percent(unseen.accuracy)} on what is held out"
    else:
        pair = f"loss {figure(seen.loss)}, {figure(unseen.loss)} on what is held out"
    return f"{epochs}: {pair}"


# ------------------------------------------------------------------------------------------ JSON


def as_json(found: Examination, wrong: tuple[Finding, ...]) -> dict[str, object]:
    trial, tried = found.trial, found.rates
    seen = trial.epochs[-1].vitals if trial.epochs else None
    return {
        "spec": found.graph.source.name,
        "data": _described(found.learned, found.held),
        "healthy": not wrong,
        "findings": [asdict(one) for one in wrong],
        "inputs": asdict(found.inputs),
        "classes": list(found.counts),
        "loss": {"first": found.first, "silent": found.silent},
        "start": asdict(found.start) | {"flow": found.start.flow},
        "by_heart": asdict(found.memorised) | {"ok": found.memorised.ok},
        "rates": asdict(tried)
        | {"lowest": tried.lowest, "highest": tried.highest, "suggested": tried.suggested},
        "trial": {
            "epochs": [asdict(replace(epoch, vitals=None)) for epoch in trial.epochs],
            "vitals": None if seen is None else asdict(seen) | {"update": seen.update},
            "of": trial.of,
            "diverged": trial.diverged or None,
            "learned": None if trial.learned is None else asdict(trial.learned),
            "held_out": None if trial.held is None else asdict(trial.held),
        },
    }


def _described(learned: Dataset, held: Dataset) -> dict[str, object]:
    return {"name": learned.name, "learned": len(learned), "held_out": len(held)}


def plain(value: object) -> object:
    """JSON knows no NaN and no infinity: they are null."""
    match value:
        case float():
            return value if isfinite(value) else None
        case dict():
            return {name: plain(worth) for name, worth in value.items()}
        case list() | tuple():
            return [plain(worth) for worth in value]
        case _:
            return value
