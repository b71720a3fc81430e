"""`nnspec augment`: what training would see, for the eye to judge."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from ..compiler.errors import BadSetting
from ..compiler.graph import Graph
from ..compiler.settings import as_text
from ..compiler.training.augmentations import is_picture
from ..grammar.diagnostics import SpecError
from ..grammar.options import whole
from ..grammar.write import put
from .augmentations import Augmenter
from .batches import as_truth
from .data import fitted, load
from .data_options import input_shape
from .dataset import Dataset
from .kernels import Array
from .picture import grid, png

SIDE = 64
"""Pixels a side that a picture is enlarged to, about."""


def configure_augment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    parser.add_argument("--data", required=True, metavar="D", help="digits, or a file of pictures")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the picture, a PNG")
    parser.add_argument("--augment", metavar="VALUE", help="wins over the spec's own")
    parser.add_argument("--first", type=whole, default=8, metavar="N", help="examples, a row each")
    parser.add_argument("--times", type=whole, default=9, metavar="N", help="how often each")
    parser.epilog = (
        "examples:\n  nnspec augment net.nn --data digits -o seen.png\n"
        "  nnspec augment specs/course/lenet5.nn --data train-images-idx3-ubyte.gz "
        '--augment "(shift(2), rotate(15))" -o seen.png\n\n'
        "the first column is the data as it is"
    )


def augment(options: argparse.Namespace) -> int:
    """Examples as they are, and beside each what training would make of it."""
    given = {} if options.augment is None else {"augment": options.augment}
    graph = options.graph(options, given)
    _check(graph)
    data = fitted(load(options.data), input_shape(graph))
    some = data.x[: options.first]
    shown = np.stack([some, *_varied(graph, data, options.first, options.times)], axis=1)
    low, high = float(some.min()), float(some.max())
    scale = max(1, SIDE // shown.shape[-1])
    put(Path(options.output), png(grid((shown - low) / ((high - low) or 1.0), scale)))
    print(f"drawn to {options.output}", file=sys.stderr)
    told = {
        "data": data.name,
        "examples": len(some),
        "times": options.times,
        "augment": as_text(graph.training)["augment"],
        "output": options.output,
    }
    if options.format == "json":
        print(json.dumps(told, indent=2))
    else:
        print("{examples} examples of {data}, {times} times each: {augment}".format(**told))
    return 0


def _check(graph: Graph) -> None:
    if not graph.training.augment:
        advice = 'write train(augment = (flip, shift(2))), or --augment "(flip, shift(2))"'
        raise SpecError(
            [BadSetting(None, "augment", "is not set, so there is nothing to draw", advice, True)]
        )
    if len(graph.inputs) > 1 or not is_picture(graph.inputs[0].value):
        found = " and ".join(str(node.value) for node in graph.inputs)
        problem = f"can be drawn for a net of one picture (CxHxW), but this takes {found}"
        raise SpecError([BadSetting(None, "augment", problem, unsuited=True)])


def _varied(graph: Graph, data: Dataset, count: int, times: int) -> list[Array]:
    """The first examples, as so many batches of them would come."""
    node, output = graph.inputs[0], graph.output.value
    some = data.x[:count].astype(np.float32)
    loss = graph.training.learned_by(output)
    truth = as_truth(loss, data.y[:count], output, len(some), some.dtype)
    augmenter = Augmenter(graph.training.augment, graph, graph.training.seed, some.dtype)
    found = []
    for _ in range(times):
        batch = some.copy()
        augmenter({node.name: batch}, truth.copy())
        found.append(batch)
    return found
