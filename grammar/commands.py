"""`nnspec fmt`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .diagnostics import Mistake, SpecError
from .format import formatted
from .read import read
from .search import found_in
from .source import Source
from .write import difference, is_file, put_out, rewrite


def configure_fmt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "specs",
        nargs="*",
        default=["."],
        help="paths to rewrite, folders are searched; standard input (`-`) or the text itself is "
        "printed",
    )
    parser.add_argument("--check", action="store_true", help="name what would change, no more")
    parser.add_argument("--diff", action="store_true", help="show what would change, no more")
    parser.epilog = (
        "examples:\n  nnspec fmt\n  nnspec fmt specs/course net.nn\n  nnspec fmt --check specs\n"
        "  nnspec fmt --diff net.nn\n  cat net.nn | nnspec fmt -\n\n"
        "exit code: 0 nothing is left to do, 1 mistakes (their specs stay as they are), or "
        "something\nthat --check or --diff would change, 2 wrong usage, or something that cannot be read"
    )


def fmt(options: argparse.Namespace) -> int:
    """Every spec in its one spelling; one with mistakes stays as it is and holds no other up."""
    changed: list[str] = []
    unchanged: list[str] = []
    found = found_in(options.specs)
    mistakes: list[Mistake] = [*found.mistakes]
    found.tell()
    for spec in found.specs:
        try:
            source = read(spec, options.limits)
            text = formatted(source, options.limits)
            _put(spec, source, text, options)
        except SpecError as error:
            mistakes += error.diagnostics
        else:
            if is_file(spec) or options.check or options.diff:
                (changed if text != source.text else unchanged).append(source.name)
    if options.format == "text":
        print(_counted(changed, unchanged, options), end="", file=sys.stderr)
    elif not mistakes:
        print(json.dumps({"reformatted": changed, "unchanged": unchanged}, indent=2))
    if mistakes:
        raise SpecError(mistakes)
    return int(bool(changed) and (options.check or options.diff))


def _put(spec: str, source: Source, text: str, options: argparse.Namespace) -> None:
    """The text to where it belongs, or what is asked about it to stdout."""
    changed, told = text != source.text, options.format == "text"
    if options.diff:
        put_out(difference(source, text) if told else "")
    elif options.check:
        put_out(f"would reformat {source.name}\n" if told and changed else "")
    elif not is_file(spec):
        put_out(text if told else "")
    elif changed:
        rewrite(Path(spec), text)


def _counted(changed: list[str], unchanged: list[str], options: argparse.Namespace) -> str:
    """`1 file reformatted, 2 files left unchanged`; empty where all was printed."""
    would = options.check or options.diff
    counts = (
        (changed, "would be reformatted" if would else "reformatted"),
        (unchanged, "would be left unchanged" if would else "left unchanged"),
    )
    told = [f"{len(n):,} {'file' if len(n) == 1 else 'files'} {what}" for n, what in counts if n]
    return ", ".join(told) + "\n" if told else ""
