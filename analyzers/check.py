"""`nnspec check`: apart from the reports, because it has to start fast."""

from __future__ import annotations

import argparse
import sys

from ..compiler.elaborate import elaborate
from ..grammar.diagnostics import Mistake, Severity, in_order
from ..grammar.read import found_in, read
from .promises import check_promises
from .render.messages import counted, messages
from .render.structured import as_json, diagnostics

SPEC = "a path, `-` for standard input, or the text itself"


def write(text: str) -> None:
    """To stdout, whatever is in it."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def configure_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="*", default=["."], help=f"{SPEC}; folders are searched")
    parser.epilog = (
        "examples:\n  nnspec check\n  nnspec check specs/course net.nn\n"
        '  nnspec check "3x32x32 -> conv6 5x5 relu -> fc10"\n  cat net.nn | nnspec check -\n\n'
        "exit code: 0 nothing but warnings, 1 errors, 2 wrong usage"
    )


def check(options: argparse.Namespace) -> int:
    """Every mistake of every spec."""
    specs = list(found_in(options.specs))
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
    found = elaborate(read(spec, options.limits), options.limits, lets=options.lets)
    promises = check_promises(found.graph) if found.graph else ()
    return in_order((*found.mistakes, *promises))
