"""`nnspec sweep`: one training under every combination of some choices."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from ..compiler.graph import Graph
from ..compiler.training import Training
from ..grammar.diagnostics import SpecError
from ..grammar.options import whole
from .budget import memory_argument
from .data_options import data_arguments, held_out_arguments, input_shape, parts
from .engine import jit_argument
from .ensemble import Ensemble, compiled
from .errors import BadVariation
from .net import Net
from .progress import number, percent
from .sweep import Choices, Outcome, combinations
from .sweep import sweep as swept

SETTINGS = frozenset(Training.model_fields)


def configure_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    data_arguments(parser)
    held_out_arguments(parser)
    parser.add_argument(
        "--vary",
        action="append",
        required=True,
        metavar="NAME=V1,V2",
        help="a `let` of the spec or a setting of train(...), and what it takes; may be repeated",
    )
    parser.add_argument("--seeds", type=whole, default=1, metavar="N", help="trainings of each")
    memory_argument(parser)
    jit_argument(parser)
    settings = parser.add_argument_group("settings, which win over the spec's train(...)")
    for name in Training.model_fields:
        settings.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    parser.epilog = (
        "examples:\n"
        '  nnspec sweep specs/course/digits_mlp.nn --data digits --vary "l2=0,1e-4,1e-2"\n'
        '  nnspec sweep net.nn --data digits --vary width=16,64 --vary "optimizer=sgd(lr=0.1),adam"'
        " --seeds 3"
    )


def sweep(options: argparse.Namespace) -> int:
    """Train every combination; print a row for each."""
    varied = _variations(options)
    every = combinations(varied)
    # All of them are compiled before the first is trained: a slip in the last is known at once.
    graphs = {_key(choices): _graph(options, choices) for choices in every}
    first = graphs[_key(every[0])]
    learned, held = parts(options, input_shape(first))
    seeds = range(first.training.seed, first.training.seed + options.seeds)

    def made(choices: Choices, seed: int) -> Net | Ensemble:
        graph, most = graphs[_key(choices)], options.max_memory
        return compiled(graph, seed=seed, max_memory=most, jit=options.jit)

    outcomes: list[Outcome] = []
    try:
        with counted(len(every), quiet=options.format == "json") as tick:
            for outcome in swept(made, every, seeds, learned, held):
                outcomes.append(outcome)
                tick()
    except KeyboardInterrupt:
        _tell(options, outcomes)
        print(f"stopped after {len(outcomes)} of {len(every)} combinations", file=sys.stderr)
        return 130
    _tell(options, outcomes)
    return 0


def _tell(options: argparse.Namespace, outcomes: list[Outcome]) -> None:
    if options.format == "json":
        print(json.dumps([_plain(outcome) for outcome in outcomes], indent=2, allow_nan=False))
    elif outcomes:
        print(table(outcomes))


def _graph(options: argparse.Namespace, choices: Choices) -> Graph:
    """The net of one combination."""
    fixed = {name: getattr(options, name) for name in SETTINGS}
    settings = {name: worth for name, worth in fixed.items() if worth is not None}
    settings |= {name: worth for name, worth in choices.items() if name in SETTINGS}
    lets = {name: worth for name, worth in choices.items() if name not in SETTINGS}
    chosen = argparse.Namespace(**{**vars(options), "lets": {**options.lets, **lets}})
    found: Graph = options.graph(chosen, settings)
    return found


def _key(choices: Choices) -> tuple[tuple[str, str], ...]:
    return tuple(choices.items())


def _variations(options: argparse.Namespace) -> dict[str, list[str]]:
    """What varies, by name; raises SpecError for what is said twice, or has a place of its own."""
    found: dict[str, list[str]] = {}
    for text in options.vary:
        name, values = _variation(text)
        if name in found or getattr(options, name, None) is not None:
            raise SpecError([BadVariation(None, text, f"`{name}` is given twice")])
        if name == "seed":
            raise SpecError([BadVariation(None, text, "`--seeds 3` trains each with three seeds")])
        found[name] = values
    return found


def _variation(text: str) -> tuple[str, list[str]]:
    """`optimizer=sgd(lr=0.1), adam`: its name and values, parted by commas outside parentheses."""
    name, equals, rest = text.partition("=")
    values, depth, begun = [], 0, 0
    for place, letter in enumerate(rest):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            values.append(rest[begun:place].strip())
            begun = place + 1
    values.append(rest[begun:].strip())
    if not equals or not name.strip().isidentifier() or not all(values):
        raise SpecError([BadVariation(None, text)])
    return name.strip(), values


def table(outcomes: Iterable[Outcome]) -> str:
    """A row for each combination, as text."""
    found = list(outcomes)
    names = list(found[0].choices)
    head = [*names, "parameters", "training loss", "held-out loss", "accuracy"]
    rows = [[*outcome.choices.values(), *_cells(outcome)] for outcome in found]
    wide = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    left = len(names)

    def line(cells: list[str]) -> str:
        pairs = enumerate(zip(cells, wide, strict=True))
        return "  ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in pairs).rstrip()

    return "\n".join([line(head), "  ".join("─" * w for w in wide), *map(line, rows)])


def _cells(outcome: Outcome) -> list[str]:
    params = f"{outcome.trials[0].params:,}"
    if outcome.loss is None or outcome.held_loss is None:
        return [params, "diverged", "", ""]
    accuracy, spread = outcome.accuracy, outcome.spread
    told = "" if accuracy is None else percent(accuracy)
    if spread is not None:
        told += f" ± {100 * spread:.2f}"
    if outcome.diverged:
        told += f" ({outcome.diverged} diverged)"
    return [params, number(outcome.loss), number(outcome.held_loss), told]


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "choices": dict(outcome.choices),
        "params": outcome.trials[0].params,
        "loss": outcome.loss,
        "held_out_loss": outcome.held_loss,
        "accuracy": outcome.accuracy,
        "spread": outcome.spread,
        "diverged": outcome.diverged,
        "trials": [
            {**asdict(trial), "loss": trial.loss if trial.held else None}
            for trial in outcome.trials
        ],
    }


@contextmanager
def counted(total: int, *, quiet: bool) -> Iterator[Any]:
    """A progress bar on stderr, a tick for each combination."""
    if quiet:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("combinations", total=total)
        yield lambda: bar.advance(task)
