"""`nnspec gradcheck`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from ..compiler.training import Training
from ..grammar.options import whole
from ..grammar.quantity import quantity
from .data_options import data_arguments, input_shape, loaded
from .examples import examples
from .gradcheck import SAMPLES, GradCheck, WeightCheck
from .gradcheck import gradcheck as checked
from .net import Net


def configure_gradcheck(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    data_arguments(parser, required=False)
    parser.add_argument(
        "--samples", type=whole, default=SAMPLES, metavar="N", help="numbers to check of a weight"
    )
    parser.add_argument("--after", type=whole, default=0, metavar="N", help="train N steps first")
    settings = parser.add_argument_group("settings, which win over the spec's train(...)")
    for name in Training.model_fields:
        settings.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    parser.epilog = (
        "without --data on random numbers\n\nexamples:\n  nnspec gradcheck specs/course/digits.nn --data digits\n"
        '  nnspec gradcheck "3 -> fc4 relu -> fc2" --after 20 --samples 100\n'
        "  nnspec gradcheck net.nn --format json"
    )


def gradcheck(options: argparse.Namespace) -> int:
    """Backpropagation against central differences, in float64; 1 when they differ."""
    given = {name: getattr(options, name) for name in Training.model_fields}
    settings = {name: value for name, value in given.items() if value is not None}
    graph = options.graph(options, settings)
    known = None
    if options.data:
        net = Net(graph, dtype="float64")
        data = loaded(options, options.data, input_shape(graph))
        known = examples(graph, net.learner.loss, data, None, net.dtype)
    found = checked(graph, known, samples=options.samples, after=options.after)
    if options.format == "json":
        print(json.dumps(_plain(found), indent=2))
    else:
        print(told(found))
    return 0 if found.ok else 1


def told(found: GradCheck) -> str:
    """A row for each weight, and the verdict."""
    head = ("weight", "checked", "kinks", "error")
    rows = [head, *(_row(weight) for weight in found.weights)]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(wide[0]), *map(str.rjust, row[1:], wide[1:])]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_verdict(found)])


def _row(weight: WeightCheck) -> tuple[str, ...]:
    size = f"{len(weight.samples):,} of {weight.size:,}"
    error = "all 0" if weight.silent else f"{weight.error:.1e}"
    return weight.weight, size, str(weight.kinks or "·"), error + (" wrong" if weight.wrong else "")


def _verdict(found: GradCheck) -> list[str]:
    examples = quantity(found.examples, "example")
    seen = f"{quantity(found.checked, 'number')}, {examples}, loss {found.loss:.4g}"
    lines = [f"{found.verdict}: the largest relative error is {found.error:.1e} ({seen})"]
    lines += [
        f"  {weight.weight}{list(worst.place)}: {worst.analytic:.6g} by backpropagation, "
        f"{worst.numeric:.6g} by central differences"
        for weight in found.weights
        if weight.wrong
        for worst in [weight.worst]
    ]
    if found.kinks:
        lines.append(
            f"{found.kinks:,} of them stand within 1e-05 of a kink, where a relu, a max or a margin "
            "turns; there smaller steps agree, or one of the two slopes does"
        )
    silent = [weight.weight for weight in found.weights if weight.silent]
    if silent and len(silent) < len(found.weights):
        lines.append(
            f"no gradient reached {', '.join(silent)} on these examples, so nothing was checked "
            "there; try --after 20 or --data"
        )
    return lines


def _plain(found: GradCheck) -> dict[str, object]:
    return {
        "ok": found.ok,
        "verdict": found.verdict,
        "examples": found.examples,
        "loss": found.loss,
        "checked": found.checked,
        "kinks": found.kinks,
        "wrong": found.wrong,
        "error": found.error,
        "weights": [
            {
                "weight": weight.weight,
                "size": weight.size,
                "checked": len(weight.samples),
                "kinks": weight.kinks,
                "wrong": weight.wrong,
                "error": weight.error,
                "worst": asdict(weight.worst),
            }
            for weight in found.weights
        ],
    }
