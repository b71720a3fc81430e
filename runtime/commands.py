"""`nnspec train`, `evaluate` and `predict`."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ..compiler.settings import as_text
from ..compiler.training import Training
from ..grammar.diagnostics import SpecError
from ..grammar.options import whole
from ..grammar.quantity import quantity
from .budget import memory_argument
from .data import described, load_inputs, split
from .data_errors import DataUnfit
from .data_options import (
    DATA,
    asked_size,
    data_arguments,
    held_out_arguments,
    input_shape,
    loaded,
    parts,
    reading_arguments,
)
from .dataset import Dataset
from .durable import check_writable
from .engine import jit_argument
from .ensemble import Ensemble, compiled, folder, members
from .errors import Diverged
from .events import Events
from .file_errors import printable
from .folder import logged
from .history import History, Scores
from .judge import Tally, guesses
from .kernels import Array
from .load import load as load_net
from .member_table import as_json as members_as_json
from .member_table import member_table
from .metrics import NONE, OfClass, chosen, said
from .net import Net
from .progress import noticed, number, percent, shown
from .readers import number_of, single
from .train import Interrupted
from .verdicts import probabilities

SETTINGS = tuple(Training.model_fields)
LONGEST = 100
"""Letters of a spec's text up to which it is said again."""


def _print(value: object) -> None:
    print(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: object) -> object:
    """JSON knows no NaN and no infinity: they are null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: _plain(worth) for name, worth in value.items()}
        case list() | tuple():
            return [_plain(worth) for worth in value]
        case _:
            return value


# -------------------------------------------------------------------------------------- train


def configure_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", help="a path, `-` for standard input, or the text itself")
    data_arguments(parser)
    held_out_arguments(parser)
    parser.add_argument("--save", metavar="FILE", help="write the trained net as safetensors")
    parser.add_argument("--run", metavar="FOLDER", help="keep the run: log, checkpoints, weights")
    parser.add_argument("--every", type=int, metavar="N", help="steps between checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on where the run stood")
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the curves: .png, .svg or .pdf (extra `plot`)"
    )
    parser.add_argument(
        "--tensorboard", metavar="FOLDER", help="tell TensorBoard of every epoch (its extra)"
    )
    parser.add_argument("--watch", action="store_true", help="after each epoch, look at the net")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    memory_argument(parser)
    jit_argument(parser)
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
    net = compiled(graph, dtype=options.dtype, max_memory=options.max_memory, jit=options.jit)
    learned, held = parts(options, input_shape(net.graph))
    quiet = options.format == "json"
    if mistakes := net.untrainable():
        raise SpecError(mistakes)
    if options.save:
        check_writable(Path(options.save))
    pictures = {place: options.curves(place) for place in _pictures(options.plot, net)}
    try:
        with noticed():
            histories = [
                _fitted(number, net, learned, held, options)
                for number in range(1, len(members(net)) + 1)
            ]
    except Interrupted as stop:
        return _stopped(stop, net, options)
    except SpecError as error:
        if options.save and isinstance(error.diagnostics[0], Diverged) and isinstance(net, Net):
            net.save(options.save)
            print(f"the weights that were put back are saved to {options.save}", file=sys.stderr)
        raise
    scores, apart = _judged(net, held)
    if options.save:
        net.save(options.save)
    if not quiet and _learned_nothing(scores, held):
        print(
            f"no better than always saying the same: `{_doctor(options)}` looks for the reason",
            file=sys.stderr,
        )
    for draw, history in zip(pictures.values(), histories, strict=bool(pictures)):
        draw(logged(history), f"{options.run or options.spec} on {learned.name}")
    if quiet:
        report = {
            "data": described(learned) | {"held_out": len(held)},
            "settings": as_text(net.training),
            "params": net.params,
            "trainable": net.trainable,
            "epochs": histories[0].rows(),
            "best": histories[0].best,
            "stopped": histories[0].stopped or None,
            "test": asdict(scores),
            "saved": options.save,
            "plot": list(pictures),
        }
        if isinstance(net, Ensemble):
            told = members_as_json(net, apart)
            report["members"] = [
                row | {"epochs": h.rows(), "best": h.best, "stopped": h.stopped or None}
                for row, h in zip(told, histories, strict=True)
            ]
            for name in ("epochs", "best", "stopped"):
                del report[name]
        _print(report)
        return 0
    seconds = sum(epoch.seconds for history in histories for epoch in history)
    nets = f"{len(histories)} nets, " if len(histories) > 1 else ""
    frozen = f" ({net.params - net.trainable:,} frozen)" if net.params > net.trainable else ""
    print(
        f"trained {nets}{quantity(net.trainable, 'parameter')}{frozen} on {quantity(len(learned), 'example')} of "
        f"{learned.name}, {quantity(sum(map(len, histories)), 'epoch')} in {seconds:.1f} s"
    )
    for place, history in enumerate(histories, 1):
        if net.training.early_stop and history.best < len(history):
            which = f"net {place}: " if len(histories) > 1 else ""
            ended = f"{history.stopped}: " if history.stopped else ""
            back = f"of epoch {history.best}" if history.best else "it began with"
            print(f"{which}{ended}the weights {back} are back")
    chose = net.training.early_stop is not None
    what = "held out, which chose the epoch" if chose else "it never saw"
    print(f"on {quantity(len(held), 'example')} {what}: {_told(scores)}")
    if isinstance(net, Ensemble):
        print(f"\n{member_table(scores, apart)}\n")
    if options.save:
        print(f"saved to {options.save}")
    if pictures:
        print(f"drawn to {', '.join(pictures)}")
    return 0


def _judged(net: Net | Ensemble, held: Dataset) -> tuple[Scores, tuple[Scores, ...]]:
    """How the net does, and how each member of an ensemble does."""
    asked = net.judged(held, None)
    return net.scores_apart(asked) if isinstance(net, Ensemble) else (net.scores(asked), ())


def _learned_nothing(scores: Scores, held: Dataset) -> bool:
    """Whether always saying the most frequent class, or the mean, does as well."""
    if scores.accuracy is None:
        return scores.r2 is not None and scores.r2 <= 0
    if not held.is_labelled:
        return False
    _, counts = np.unique(np.asarray(held.y), return_counts=True)
    return guesses(scores.accuracy, counts.tolist())


def _doctor(options: argparse.Namespace) -> str:
    """The command that examines the same net on the same data; a long text is not repeated."""
    spec = options.spec if len(options.spec) <= LONGEST and "\n" not in options.spec else "SPEC"
    given = {name: getattr(options, name) for name in ("target", "resize", *SETTINGS)}
    told = [(f"--{name.replace('_', '-')}", worth) for name, worth in given.items() if worth]
    told += [("--let", text) for text in options.let]
    return shlex.join(["nnspec", "doctor", spec, "--data", options.data, *chain(*told)])


def _pictures(place: str | None, net: Net | Ensemble) -> list[str]:
    """Where curves are drawn to: of an ensemble a picture for each member, with its number."""
    if place is None:
        return []
    path, count = Path(place), len(members(net))
    if count == 1:
        return [place]
    return [str(path.with_name(f"{path.stem}-{n}{path.suffix}")) for n in range(1, count + 1)]


def _fitted(
    number: int, net: Net | Ensemble, learned: Dataset, held: Dataset, options: argparse.Namespace
) -> History:
    """Train the net, or the member of this number, and show how it goes."""
    several = members(net)
    member = several[number - 1]
    label = f"net {number}/{len(several)} " if len(several) > 1 else ""

    def own(place: str | None) -> str | Path | None:
        return folder(place, number) if place and len(several) > 1 else place

    logs = own(options.tensorboard)
    events = Events(Path(logs), "--tensorboard") if logs else None
    with nullcontext() if options.format == "json" else shown(member.training, label) as bar:
        hear = [tell for tell in (bar and bar.on_epoch, events) if tell]
        return member.fit(
            learned,
            validation=held,
            on_epoch=lambda epoch: [tell(epoch) for tell in hear],
            on_step=None if bar is None else bar.on_step,
            run=own(options.run),
            every=options.every,
            resume=options.resume,
            watch=options.watch,
            notes={"data": described(learned) | {"held_out": len(held)}},
        )


def _stopped(stop: Interrupted, net: Net | Ensemble, options: argparse.Namespace) -> int:
    """Say where training stopped, and how it can go on; of an ensemble some would be untrained, so it
    is not saved."""
    whole = options.save and isinstance(net, Net)
    if whole:
        net.save(options.save)
    saved = f"; saved to {options.save}" if whole else ""
    advice = f"; the same command with --resume goes on in {options.run}" if options.run else ""
    print(f"{stop}{saved}{advice}", file=sys.stderr)
    return 130


def _told(scores: Scores) -> str:
    parts = {
        "accuracy": percent(scores.accuracy) if scores.accuracy is not None else "",
        "top 5": percent(scores.top5) if scores.top5 is not None else "",
        "loss": number(scores.loss) if scores.loss != scores.mse else "",
        "mse": number(scores.mse) if scores.mse is not None else "",
        "r2": f"{scores.r2:.4f}" if scores.r2 is not None else "",
    }
    return ", ".join(f"{name} {worth}" for name, worth in parts.items() if worth)


# ----------------------------------------------------------------------------------- evaluate


def configure_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", help="a file that `nnspec train --save` wrote")
    data_arguments(parser)
    parser.add_argument(
        "--held-out",
        type=float,
        metavar="SHARE",
        help="judge only what `train` holds out by this share: the one that it was told, or 0.2",
    )
    memory_argument(parser)
    jit_argument(parser)
    parser.epilog = (
        "examples:\n  nnspec evaluate digits.safetensors --data digits --held-out 0.2\n"
        "  nnspec evaluate digits.safetensors --data new.npz --format json"
    )


def evaluate(options: argparse.Namespace) -> int:
    """How the net does, and which classes are taken for which."""
    net = load_net(options.weights, max_memory=options.max_memory, jit=options.jit)
    data = loaded(options, options.data, input_shape(net.graph))
    if options.held_out is not None:
        _, data = split(data, options.held_out)
    answered = net.answered(net.judged(data, None))
    scores = answered.judged()
    found = answered.tally() if _tells_classes(net) else None
    if options.format == "json":
        classes = None if found is None else [asdict(one) for one in found.classes]
        confusion = None if found is None else found.counts.tolist()
        told = {**asdict(scores), "confusion": confusion, "classes": classes}
        _print({"data": described(data), **told})
        return 0
    print(f"{quantity(len(data), 'example')} of {data.name}: {_told(scores)}")
    if found is not None:
        print()
        known = net.classes or data.classes
        names = [printable(_named(label, known)) for label in range(len(found.classes))]
        print(_matrix(found, names) if len(names) <= SHOWN else _hardest(found, names))
    return 0


SHOWN = 12
"""Classes up to which all of them are shown."""


def _tells_classes(net: Net | Ensemble) -> bool:
    output = net.graph.output.value
    loss = net.training.judged_by(output)
    return loss.compares or (loss.target == "answers" and output.size == 1)


def _matrix(found: Tally, names: list[str]) -> str:
    """Counts, and behind each row how well its class is told from the others."""
    wide = max(4, *(len(name) for name in names), len(f"{found.counts.max():,}"))
    head = "true \\ said".rjust(wide + 2) if wide >= 9 else "said".rjust(wide + 2)
    lines = [head + "".join(name.rjust(wide + 1) for name in names) + MEASURES]
    for name, row, one in zip(names, found.counts, found.classes, strict=True):
        cells = "".join((f"{n:,}" if n else "·").rjust(wide + 1) for n in row)
        lines.append(name.rjust(wide + 2) + cells + _measured(one))
    return "\n".join(lines)


def _hardest(found: Tally, names: list[str]) -> str:
    """The classes that are told worst from the others."""
    worst = sorted(range(len(names)), key=lambda index: found.classes[index].f1)[:SHOWN]
    wide = max(5, *(len(names[index]) for index in worst))
    head = f"the {SHOWN} of {len(names):,} classes that it tells worst from the others"
    lines = [head, "", "class".rjust(wide + 2) + MEASURES + "  examples"]
    for index in worst:
        one = found.classes[index]
        lines.append(names[index].rjust(wide + 2) + _measured(one) + f"{one.support:>10,}")
    return "\n".join(lines)


MEASURES = "   precision     recall         f1"


def _measured(one: OfClass) -> str:
    shares = (one.precision, one.recall, one.f1)
    return " " + "".join(percent(share).rjust(11) for share in shares)


# ------------------------------------------------------------------------------------ predict


def configure_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", help="a file that `nnspec train --save` wrote")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--data", metavar="D", help=DATA)
    asked.add_argument("--input", metavar="NUMBERS", help="one example: 5.1,3.5,1.4,0.2")
    reading_arguments(parser)
    parser.add_argument("--first", type=whole, default=10, metavar="N", help="examples to show")
    memory_argument(parser)
    jit_argument(parser)
    parser.epilog = (
        "examples:\n  nnspec predict iris.safetensors --input 5.1,3.5,1.4,0.2\n"
        "  nnspec predict digits.safetensors --data digits --first 5 --format json\n"
        "  nnspec predict pets.safetensors --data photo.png --resize 32x32"
    )


def predict(options: argparse.Namespace) -> int:
    """Classes with their probabilities, or plain outputs."""
    net = load_net(options.weights, max_memory=options.max_memory, jit=options.jit)
    data = _examples(options, input_shape(net.graph))
    classes = net.classes or data.classes
    answers = net.answers(net.asked(data), None)
    outputs, value = list(answers.values())[-1], net.graph.output.value
    probable = probabilities(net.training.judged_by(value), outputs) if value.rank == 1 else None
    labels = _labels(net, outputs)
    rows = []
    for index, output in enumerate(outputs):
        row: dict[str, object] = {"output": output.tolist()}
        if len(answers) > 1:
            row["outputs"] = {name: found[index].tolist() for name, found in answers.items()}
        if labels is not None and value.rank > 1:
            row["classes"] = labels[index].tolist()
        elif labels is not None:
            label = int(labels[index])
            share = 1.0 if probable is None else float(probable[index, label])
            known = label != NONE and math.isfinite(share)
            row["class"] = _named(label, classes) if known else None
            if probable is not None and known:
                row["probability"] = share
        rows.append(row)
    if options.format == "json":
        _print(rows)
        return 0
    for place, row in enumerate(rows, 1):
        if "probability" in row:
            print(
                f"{place:>4}  {printable(str(row['class']))}  {percent(float(str(row['probability'])))}"
            )
        elif "class" in row:
            word = row["class"]
            told = "no class: a score is NaN or infinite" if word is None else printable(str(word))
            print(f"{place:>4}  {told}")
        elif "classes" in row:
            print(f"{place:>4}  {row['classes']}")
        else:
            print(f"{place:>4}  {np.array2string(outputs[place - 1], precision=4, threshold=12)}")
    return 0


def _labels(net: Net | Ensemble, outputs: Array) -> Array | None:
    """What is chosen, where the loss makes a choice of the scores."""
    value = net.graph.output.value
    loss = net.training.judged_by(value)
    if loss.compares:
        return chosen(outputs, value.channel_axis + 1)
    return said(outputs.reshape(-1)) if loss.target == "answers" and value.size == 1 else None


def _named(label: int, classes: tuple[str, ...]) -> str:
    return classes[label] if label < len(classes) else str(label)


def _examples(options: argparse.Namespace, shape: tuple[int, ...]) -> Dataset:
    if options.data is not None:
        size = asked_size(options.resize)
        data = load_inputs(options.data, shape, target=options.target, resize=size)
        return replace(data, x=data.x[: options.first], y=data.y[: options.first])
    try:
        numbers = np.array([number_of(cell) for cell in options.input.split(",")])
    except ValueError:
        advice = "write numbers parted by commas: --input 5.1,3.5,1.4,0.2"
        raise SpecError([DataUnfit(None, "--input", "is not a row of numbers", advice)]) from None
    if not np.isfinite(numbers).all():
        first = int(np.isfinite(numbers).argmin())
        problem = f"is NaN or infinite in number {first + 1:,}: {options.input.split(',')[first]}"
        raise SpecError([DataUnfit(None, "--input", problem, "give a number in its place")])
    if not (fits := np.isfinite(single(numbers))).all():
        first = int(fits.argmin())
        problem = f"goes beyond 3.4e38 in number {first + 1:,}: {options.input.split(',')[first]}"
        advice = "scale it: nets compute with numbers of 32 bits"
        raise SpecError([DataUnfit(None, "--input", problem, advice)])
    if numbers.size != np.prod(shape):
        problem = (
            f"holds {quantity(numbers.size, 'number')}, but the net takes {int(np.prod(shape))}"
        )
        raise SpecError([DataUnfit(None, "--input", problem)])
    return Dataset("--input", numbers.reshape(1, *shape), np.zeros(1, np.int64))
