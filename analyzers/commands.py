"""`nnspec summary`, `explain` and `schema`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from ..compiler.elaborate import elaborate
from ..compiler.graph import Graph
from ..compiler.targets.drawing import Drawing
from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from ..grammar.options import depth, whole
from ..grammar.read import read
from ..grammar.write import put
from .charts import Charts, charts
from .check import SPEC, write
from .compare import Comparison, compare
from .curves import drawer
from .diagnosis import Diagnosis
from .errors import MissingExtra
from .explain import Explanation
from .explain import explain as explained
from .plan import Plan
from .promises import check_promises
from .records import is_record, record
from .render.charts import KINDS, PICTURES, picture
from .render.columns import COLUMNS
from .render.comparison import comparison
from .render.equations import Mathematics
from .render.markdown import comparison as comparison_in_markdown
from .render.markdown import summary as summary_in_markdown
from .render.messages import messages
from .render.structured import as_json
from .render.text import explanations
from .render.text import summary as table
from .report import Report, report


def one_spec(parser: argparse.ArgumentParser, examples: str) -> None:
    parser.add_argument("spec", help=SPEC)
    parser.epilog = f"examples:\n{examples}"


def graph_of(options: argparse.Namespace) -> Graph:
    """The spec's graph, its warnings told on stderr; raises SpecError."""
    source = read(options.spec, options.limits)
    found = elaborate(source, options.limits, lets=options.lets)
    graph = found.net
    broken = check_promises(graph)
    if broken:
        raise SpecError(broken)
    if options.format == "text" and found.mistakes:
        print(messages(found.mistakes), end="", file=sys.stderr)
    return graph


# ------------------------------------------------------------------------------------ summary


def configure_summary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--width", type=whole, default=None, help="columns; the terminal's by default"
    )
    parser.add_argument(
        "--depth",
        type=depth,
        default=None,
        metavar="N|all",
        help="how many blocks deep the table looks; as deep as a screen or two by default",
    )
    parser.add_argument(
        "--columns",
        type=_columns,
        default=None,
        metavar="NAMES",
        help="what the table tells, parted by commas (see below)",
    )
    parser.add_argument(
        "--batch", type=whole, default=None, help="examples at once, for memory and cost"
    )
    one_spec(
        parser,
        '  nnspec summary "3 -> fc4 relu -> fc4 relu -> fc1"\n'
        "  nnspec summary specs/vision/resnet50.nn --depth 1\n"
        "  nnspec summary specs/course/lenet5.nn --columns layer,output,flops,back,moved\n"
        "  nnspec summary specs/course/lenet5.nn --format json\n"
        "  nnspec summary specs/course/lenet5.nn --format markdown >> README.md\n\n"
        "columns:\n" + "".join(f"  {name:<12} {column.says}\n" for name, column in COLUMNS.items()),
    )


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in COLUMNS:
            near = nearest(name, COLUMNS)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(COLUMNS)}"
            raise argparse.ArgumentTypeError(f"there is no column `{name}`; {hint}")
    if not names:
        raise argparse.ArgumentTypeError(f"name some of {', '.join(COLUMNS)}")
    return names


def summary(options: argparse.Namespace) -> int:
    """The table of layers."""
    found = report(graph_of(options), options.batch)
    if options.format == "json":
        write(as_json(found.model_dump(mode="json")))
        return 0
    if options.format == "markdown":
        write(summary_in_markdown(found, depth=options.depth, columns=options.columns))
        return 0
    width = options.width or shutil.get_terminal_size((100, 24)).columns
    write(
        table(
            found,
            width=max(40, width),
            colour=options.colour,
            depth=options.depth,
            columns=options.columns,
        )
    )
    return 0


# ------------------------------------------------------------------------------------ explain


def configure_explain(parser: argparse.ArgumentParser) -> None:
    one_spec(
        parser,
        '  nnspec explain "3 -> fc4 relu -> fc4 relu -> fc1"\n'
        "  nnspec explain specs/course/lenet5.nn conv2\n",
    )
    parser.add_argument("layer", nargs="?", help="a layer's name; all layers by default")


def explain(options: argparse.Namespace) -> int:
    """Derivations."""
    found = explained(graph_of(options), options.layer)
    if options.format == "json":
        write(as_json([one.model_dump(mode="json") for one in found]))
    else:
        write(explanations(found, colour=options.colour))
    return 0


# --------------------------------------------------------------------------------------- diff


def configure_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", help=SPEC)
    parser.add_argument("after", help=SPEC)
    parser.add_argument("--batch", type=whole, default=None, help="examples at once, for memory")
    parser.epilog = (
        "examples:\n  nnspec diff specs/vision/resnet18.nn specs/vision/resnet34.nn\n"
        '  nnspec diff "3 -> fc4 relu -> fc1" "3 -> fc8 relu -> fc1"\n'
        "  nnspec diff old.nn new.nn --format markdown  # for a comment on a pull request\n\n"
        "exit code: 0 nothing that is counted differs, 1 something does, 2 wrong usage"
    )


def diff(options: argparse.Namespace) -> int:
    """What changed between two nets."""
    before, after = (
        report(
            elaborate(read(spec, options.limits), options.limits, lets=options.lets).net,
            options.batch,
        )
        for spec in (options.before, options.after)
    )
    found = compare(before, after)
    if options.format == "json":
        write(as_json(found.model_dump(mode="json")))
    elif options.format == "markdown":
        write(comparison_in_markdown(found))
    else:
        write(comparison(found, colour=options.colour))
    return 0 if found.same else 1


# --------------------------------------------------------------------------------------- plot


def configure_plot(parser: argparse.ArgumentParser) -> None:
    one_spec(
        parser,
        "  nnspec plot specs/vision/vgg16.nn -o vgg16.png\n"
        "  nnspec plot specs/language/gpt2.nn -o memory.svg --chart memory\n"
        "  nnspec plot runs/a -o curves.png    # of a training that was kept\n",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=_picture, help="a picture: .png, .svg or .pdf"
    )
    parser.add_argument("--chart", choices=KINDS, default="all", help="what to draw")
    parser.add_argument("--batch", type=whole, default=None, help="examples at once, for memory")


def _picture(name: str) -> Path:
    if Path(name).suffix.lower() not in PICTURES:
        endings = ", ".join(PICTURES)
        raise argparse.ArgumentTypeError(f"`{name}` is no picture; one ends with {endings}")
    return Path(name)


def plot(options: argparse.Namespace) -> int:
    """Charts as a picture; the numbers in them as JSON."""
    if is_record(options.spec):
        return _plot_run(options)
    found = charts(graph_of(options), options.batch)
    if options.output:
        put(options.output, _drawn(found, options))
        print(f"drawn to {options.output}", file=sys.stderr)
    if options.format == "json":
        write(as_json(asdict(found)))
    elif not options.output:
        return _nowhere()
    return 0


def _plot_run(options: argparse.Namespace) -> int:
    """The curves of a training that a folder keeps."""
    found = record(Path(options.spec))
    if options.output:
        drawer(str(options.output), "plot")(found.epochs, found.title)
        print(f"drawn to {options.output}", file=sys.stderr)
    if options.format == "json":
        write(as_json([asdict(epoch) for epoch in found.epochs]))
    elif not options.output:
        return _nowhere()
    return 0


def _nowhere() -> int:
    print("nnspec plot: `-o FILE` tells where the picture goes", file=sys.stderr)
    return 2


def _drawn(found: Charts, options: argparse.Namespace) -> bytes:
    try:
        return picture(found, options.chart, PICTURES[options.output.suffix.lower()])
    except ImportError:
        raise SpecError([MissingExtra(None, "plot", "matplotlib", "plot")]) from None


# ------------------------------------------------------------------------------------- schema


PRINTED: Mapping[str, TypeAdapter[Any]] = MappingProxyType(
    {
        "check": TypeAdapter(Diagnosis),
        "summary": TypeAdapter(Report),
        "explain": TypeAdapter(list[Explanation]),
        "math": TypeAdapter(Mathematics),
        "diff": TypeAdapter(Comparison),
        "plan": TypeAdapter(Plan),
        "draw": TypeAdapter(Drawing),
        "plot": TypeAdapter(Charts),
    }
)
"""What `--format json` prints, by command."""


def configure_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", choices=tuple(PRINTED), help="whose `--format json`")
    parser.epilog = "examples:\n  nnspec schema summary\n  nnspec schema check"


def schema(options: argparse.Namespace) -> int:
    """The JSON Schema of what `--format json` prints."""
    write(as_json(PRINTED[options.report].json_schema(mode="serialization")))
    return 0
