"""`nnspec train`, `evaluate` and `predict`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from ..compiler.settings import as_text
from ..compiler.shapes import Value
from ..compiler.training import Training
from ..compiler.training.losses import Bce, CrossEntropy
from ..grammar.diagnostics import SpecError
from .budget import memory_argument
from .data import alike, described, fitted, load, load_inputs, split
from .data_errors import DataUnfit
from .dataset import Dataset
from .durable import check_writable
from .folder import logged
from .history import Scores
from .kernels import Array
from .load import load as load_net
from .net import Net
from .progress import noticed, number, percent, shown
from .train import Interrupted

SETTINGS = tuple(Training.model_fields)


DATA = "a set by name (digits, iris, spiral, moons, wine ...), a file, or a folder of images"
HELD_OUT = 0.2
"""The share of the examples that training tests on where nothing else is said."""


def _data_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument("--data", required=required, metavar="D", help=DATA)
    parser.add_argument(
        "--target", metavar="COLUMN", help="which column of a .csv or .parquet is the truth"
    )
    parser.add_argument(
        "--resize", metavar="HxW", help="bring a folder's images to one size, as 32x32"
    )


def _loaded(options: argparse.Namespace, name: str, shape: tuple[int, ...]) -> Dataset:
    return fitted(load(name, target=options.target, resize=_size(options.resize)), shape)


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width, from `32x32`."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not found:
        advice = "write height x width in pixels: --resize 32x32"
        raise SpecError([DataUnfit(None, "--resize", f"is not a size: {text}", advice)])
    return int(found[1]), int(found[2])


def _input_shape(net: Net) -> tuple[int, ...]:
    return net.graph.inputs[0].value.shape


def _print(value: object) -> None:
    print(json.dumps(value, indent=2))


# -------------------------------------------------------------------------------------- train


def configure_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    _data_arguments(parser)
    tested = parser.add_mutually_exclusive_group()
    tested.add_argument(
        "--held-out", type=float, metavar="SHARE", help=f"of the data, to test on: {HELD_OUT}"
    )
    tested.add_argument(
        "--validation", metavar="D", help="a set to test on; all of --data is then trained on"
    )
    parser.add_argument("--save", metavar="FILE", help="write the trained net as safetensors")
    parser.add_argument("--run", metavar="FOLDER", help="keep the run: log, checkpoints, weights")
    parser.add_argument("--every", type=int, metavar="N", help="steps between checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on where the run stood")
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the curves: .png, .svg or .pdf (extra `plot`)"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    memory_argument(parser)
    settings = parser.add_argument_group("settings, which win over the spec's train(...)")
    for name in SETTINGS:
        settings.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    parser.epilog = (
        "examples:\n  nnspec train specs/course/digits.nn --data digits --save digits.safetensors\n"
        '  nnspec train "4 -> fc16 relu -> fc3" --data iris --epochs 50 '
        '--optimizer "momentum(lr=0.05)" --schedule "cosine(warmup=2)" --clip 1.0\n'
        "  nnspec train net.nn --data digits --plot curves.png\n"
        "  nnspec train net.nn --data images-idx3-ubyte.gz --format json\n"
        "  nnspec train net.nn --data digits --run runs/a --resume    # begins, or goes on\n"
        "  nnspec train net.nn --data photos/train --validation photos/test --resize 32x32"
    )


def train(options: argparse.Namespace) -> int:
    """Train on a part of the data, and judge on the part that was held out."""
    given = {name: getattr(options, name) for name in SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    graph = options.graph(options, settings)
    net = Net(graph, dtype=options.dtype, max_memory=options.max_memory)
    learned, held = _parts(options, _input_shape(net))
    quiet = options.format == "json"
    if mistakes := net.untrainable():
        raise SpecError(mistakes)
    if options.save:
        check_writable(Path(options.save))
    draw = options.curves(options.plot) if options.plot else None
    try:
        with noticed(), nullcontext() if quiet else shown(net.training) as bar:
            history = net.fit(
                learned,
                validation=held,
                on_epoch=None if bar is None else bar.on_epoch,
                on_step=None if bar is None else bar.on_step,
                run=options.run,
                every=options.every,
                resume=options.resume,
                notes={"data": described(learned) | {"held_out": len(held)}},
            )
    except Interrupted as stop:
        return _stopped(stop, net, options)
    scores = net.evaluate(held)
    if options.save:
        net.save(options.save)
    if draw:
        draw(logged(history), f"{options.run or options.spec} on {learned.name}")
    if quiet:
        report = {
            "data": described(learned) | {"held_out": len(held)},
            "settings": as_text(net.training),
            "params": net.params,
            "epochs": history.rows(),
            "best": history.best,
            "stopped": history.stopped or None,
            "test": {"loss": scores.loss, "accuracy": scores.accuracy},
            "saved": options.save,
            "plot": options.plot,
        }
        _print(report)
        return 0
    seconds = sum(epoch.seconds for epoch in history)
    print(
        f"trained {net.params:,} parameters on {counted(len(learned), 'example')} of "
        f"{learned.name}, {counted(len(history), 'epoch')} in {seconds:.1f} s"
    )
    if net.training.early_stop:
        ended = f"{history.stopped}: " if history.stopped else ""
        print(f"{ended}the weights of epoch {history.best} are back")
    print(f"on {counted(len(held), 'example')} it never saw: {_told(scores)}")
    if options.save:
        print(f"saved to {options.save}")
    if options.plot:
        print(f"drawn to {options.plot}")
    return 0


def _parts(options: argparse.Namespace, shape: tuple[int, ...]) -> tuple[Dataset, Dataset]:
    """What to train on, and what to test on: another set, or a share of the same."""
    share = HELD_OUT if options.held_out is None else options.held_out
    if not 0 < share < 1:
        raise SpecError([DataUnfit(None, options.data, "cannot be split", "0 < --held-out < 1")])
    learned = _loaded(options, options.data, shape)
    if options.validation is None:
        return split(learned, share)
    return learned, alike(_loaded(options, options.validation, shape), learned)


def _stopped(stop: Interrupted, net: Net, options: argparse.Namespace) -> int:
    """Say where training stopped, and how it can go on."""
    if options.save:
        net.save(options.save)
    saved = f"; saved to {options.save}" if options.save else ""
    advice = f"; the same command with --resume goes on in {options.run}" if options.run else ""
    print(f"{stop}{saved}{advice}", file=sys.stderr)
    return 130


def _told(scores: Scores) -> str:
    if scores.accuracy is None:
        return f"loss {number(scores.loss)}"
    return f"accuracy {percent(scores.accuracy)}, loss {number(scores.loss)}"


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


# ----------------------------------------------------------------------------------- evaluate


def configure_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", help="a file that `nnspec train --save` wrote")
    _data_arguments(parser)
    parser.add_argument(
        "--held-out", type=float, metavar="SHARE", help="judge only the part that training held out"
    )
    memory_argument(parser)
    parser.epilog = (
        "examples:\n  nnspec evaluate digits.safetensors --data digits --held-out 0.2\n"
        "  nnspec evaluate digits.safetensors --data new.npz --format json"
    )


def evaluate(options: argparse.Namespace) -> int:
    """Loss, accuracy, and which classes are taken for which."""
    net = load_net(options.weights, max_memory=options.max_memory)
    data = _loaded(options, options.data, _input_shape(net))
    if options.held_out is not None:
        _, data = split(data, options.held_out)
    scores = net.evaluate(data)
    confusion = _confusion(net, data)
    if options.format == "json":
        _print(
            {
                "data": described(data),
                "loss": scores.loss,
                "accuracy": scores.accuracy,
                "confusion": None if confusion is None else confusion.tolist(),
            }
        )
        return 0
    print(f"{counted(len(data), 'example')} of {data.name}: {_told(scores)}")
    if confusion is not None and len(confusion) <= 12:
        print()
        print(_matrix(confusion, data.classes))
    return 0


def _confusion(net: Net, data: Dataset) -> Array | None:
    """Counts by (true class, predicted class)."""
    if net.training.judged_by(net.graph.output.value).target != "labels":
        return None
    output = net.graph.output.value
    count = max(2, output.channels)
    found = np.zeros((count, count), np.int64)
    np.add.at(found, (data.y.astype(np.int64), chosen(net(data.x), output)), 1)
    return found


def chosen(scores: Array, output: Value) -> Array:
    """The class of each row of scores; with a single score its sign decides."""
    if output.channels == 1:
        return (scores[:, 0] > 0).astype(np.int64)
    return np.asarray(scores.argmax(axis=output.channel_axis + 1))


def _matrix(confusion: Array, classes: tuple[str, ...]) -> str:
    names = [classes[i] if i < len(classes) else str(i) for i in range(len(confusion))]
    wide = max(4, *(len(name) for name in names), len(f"{confusion.max():,}"))
    head = "true \\ said".rjust(wide + 2) if wide >= 9 else "said".rjust(wide + 2)
    lines = [head + "".join(name.rjust(wide + 1) for name in names)]
    for name, row in zip(names, confusion, strict=True):
        cells = "".join((f"{n:,}" if n else "·").rjust(wide + 1) for n in row)
        lines.append(name.rjust(wide + 2) + cells)
    return "\n".join(lines)


# ------------------------------------------------------------------------------------ predict


def configure_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", help="a file that `nnspec train --save` wrote")
    _data_arguments(parser, required=False)
    parser.add_argument("--input", metavar="NUMBERS", help="one example: 5.1,3.5,1.4,0.2")
    parser.add_argument("--first", type=int, default=10, metavar="N", help="examples to show")
    memory_argument(parser)
    parser.epilog = (
        "examples:\n  nnspec predict iris.safetensors --input 5.1,3.5,1.4,0.2\n"
        "  nnspec predict digits.safetensors --data digits --first 5 --format json\n"
        "  nnspec predict pets.safetensors --data photo.png --resize 32x32"
    )


def predict(options: argparse.Namespace) -> int:
    """Classes with their probabilities, or plain outputs."""
    net = load_net(options.weights, max_memory=options.max_memory)
    x, classes = _examples(options, _input_shape(net))
    outputs, value = net(x), net.graph.output.value
    probable = _probabilities(net, outputs) if value.rank == 1 else None
    steps = value.rank > 1 and isinstance(net.training.judged_by(value), CrossEntropy)
    rows = []
    for index, output in enumerate(outputs):
        row: dict[str, object] = {"output": output.tolist()}
        if steps:
            row["classes"] = chosen(outputs[index : index + 1], value)[0].tolist()
        if probable is not None:
            label = int(probable[index].argmax())
            row |= {
                "class": classes[label] if label < len(classes) else str(label),
                "probability": float(probable[index, label]),
            }
        rows.append(row)
    if options.format == "json":
        _print(rows)
        return 0
    for place, row in enumerate(rows, 1):
        if "class" in row:
            print(f"{place:>4}  {row['class']}  {percent(float(str(row['probability'])))}")
        elif "classes" in row:
            print(f"{place:>4}  {row['classes']}")
        else:
            print(f"{place:>4}  {np.array2string(outputs[place - 1], precision=4, threshold=12)}")
    return 0


def _examples(options: argparse.Namespace, shape: tuple[int, ...]) -> tuple[Array, tuple[str, ...]]:
    if options.data:
        size = _size(options.resize)
        data = load_inputs(options.data, shape, target=options.target, resize=size)
        return data.x[: options.first], data.classes
    try:
        numbers = np.array([float(cell) for cell in (options.input or "").split(",")])
    except ValueError:
        advice = "write numbers parted by commas: --input 5.1,3.5,1.4,0.2"
        raise SpecError([DataUnfit(None, "--input", "is not a row of numbers", advice)]) from None
    if numbers.size != np.prod(shape):
        problem = f"holds {numbers.size} numbers, but the net takes {int(np.prod(shape))}"
        raise SpecError([DataUnfit(None, "--input", problem)])
    return numbers.reshape(1, *shape), ()


def _probabilities(net: Net, outputs: Array) -> Array | None:
    """Rows that sum to 1, where the loss gives scores that meaning."""
    loss = net.training.judged_by(net.graph.output.value)
    scores = outputs.astype(np.float64)
    if isinstance(loss, Bce) and scores.shape[1:] == (1,):
        yes = np.exp(-np.logaddexp(0, -scores[:, 0]))
        return np.stack([1 - yes, yes], axis=1)
    if isinstance(loss, CrossEntropy):
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return None
