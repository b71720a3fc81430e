"""`nnspec check`, `summary`, `explain` and `schema`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ..compiler.elaborate import elaborate
from ..compiler.graph import Graph
from ..grammar.diagnostics import Mistake, Severity, SpecError, in_order
from ..grammar.read import is_text, read
from .explain import Explanation
from .explain import explain as explained
from .promises import check_promises
from .render.messages import counted, messages
from .render.structured import as_json, diagnostics
from .render.text import explanations
from .render.text import summary as table
from .report import Report, report

SPEC = "a path, `-` for standard input, or the text itself"


def write(text: str) -> None:
    """To stdout, whatever is in it."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def one_spec(parser: argparse.ArgumentParser, examples: str) -> None:
    parser.add_argument("spec", help=SPEC)
    parser.epilog = f"examples:\n{examples}"


def graph_of(options: argparse.Namespace) -> Graph:
    """The spec's graph, its warnings told on stderr; raises SpecError."""
    source = read(options.spec, options.limits)
    found = elaborate(source, options.limits)
    graph = found.net
    broken = check_promises(graph)
    if broken:
        raise SpecError(broken)
    if options.format == "text" and found.mistakes:
        print(messages(found.mistakes), end="", file=sys.stderr)
    return graph


# -------------------------------------------------------------------------------------- check


def configure_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="*", default=["."], help=f"{SPEC}; folders are searched")
    parser.epilog = (
        "examples:\n  nnspec check\n  nnspec check specs/course net.nn\n"
        '  nnspec check "3x32x32 -> conv6 5x5 relu -> fc10"\n  cat net.nn | nnspec check -\n\n'
        "exit code: 0 nothing but warnings, 1 errors, 2 wrong usage"
    )


def check(options: argparse.Namespace) -> int:
    """Every mistake of every spec."""
    specs = list(_specs(options.specs))
    found = [mistake for spec in specs for mistake in checked(spec, options)]
    if options.format == "json":
        write(as_json({"checked": len(specs), "diagnostics": diagnostics(found)}))
    elif found:
        write(messages(found, colour=options.colour))
    else:
        write(
            f"{counted(found)} Checked {len(specs):,} {'spec' if len(specs) == 1 else 'specs'}.\n"
        )
    return int(any(mistake.severity is Severity.ERROR for mistake in found))


def checked(spec: str, options: argparse.Namespace) -> tuple[Mistake, ...]:
    """Everything wrong with one spec, broken promises among it."""
    found = elaborate(read(spec, options.limits), options.limits)
    promises = check_promises(found.graph) if found.graph else ()
    return in_order((*found.mistakes, *promises))


def _specs(given: list[str]) -> Iterator[str]:
    """Specs as given; folders as the `.nn` files below them, hidden folders left out."""
    for spec in given:
        path = Path(spec) if spec != "-" and not is_text(spec) else None
        if path is None or not path.is_dir():
            yield spec
            continue
        for file in sorted(path.rglob("*.nn")):
            if not any(part.startswith(".") for part in file.relative_to(path).parts):
                yield str(file)


# ------------------------------------------------------------------------------------ summary


def configure_summary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--width", type=int, default=None, help="columns; the terminal's by default"
    )
    one_spec(
        parser,
        '  nnspec summary "3 -> fc4 relu -> fc4 relu -> fc1"\n'
        "  nnspec summary specs/course/lenet5.nn --format json\n",
    )


def summary(options: argparse.Namespace) -> int:
    """The table of layers."""
    found = report(graph_of(options))
    if options.format == "json":
        write(as_json(found.model_dump(mode="json")))
        return 0
    width = options.width or shutil.get_terminal_size((100, 24)).columns
    write(table(found, width=max(40, width), colour=options.colour))
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


# ------------------------------------------------------------------------------------- schema


def configure_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", choices=("summary", "explain"), help="which report")
    parser.epilog = "examples:\n  nnspec schema summary"


def schema(options: argparse.Namespace) -> int:
    """The JSON Schema of what `--format json` prints."""
    if options.report == "summary":
        write(as_json(Report.model_json_schema()))
    else:
        write(as_json({"type": "array", "items": Explanation.model_json_schema()}))
    return 0
