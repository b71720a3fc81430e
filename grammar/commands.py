"""`nnspec fmt`."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path

from .diagnostics import Mistake, SpecError
from .errors import Unwritable
from .format import formatted
from .read import found_in, is_text, read
from .source import Source


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
        "something\nthat --check or --diff would change, 2 wrong usage"
    )


def fmt(options: argparse.Namespace) -> int:
    """Every spec in its one spelling; one with mistakes stays as it is and holds no other up."""
    changed: list[str] = []
    unchanged: list[str] = []
    mistakes: list[Mistake] = []
    for spec in found_in(options.specs):
        try:
            source = read(spec, options.limits)
            text = formatted(source, options.limits)
            _put(spec, source, text, options)
        except SpecError as error:
            mistakes += error.diagnostics
        else:
            if _is_file(spec) or options.check or options.diff:
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
        _print(_difference(source, text) if told else "")
    elif options.check:
        _print(f"would reformat {source.name}\n" if told and changed else "")
    elif not _is_file(spec):
        _print(text if told else "")
    elif changed:
        _replace(Path(spec), text)


def _is_file(spec: str) -> bool:
    return spec != "-" and not is_text(spec)


def _print(text: str) -> None:
    """To stdout in UTF-8, as files are, whatever the terminal; a stream of text takes it as such."""
    sys.stdout.flush()
    bytewise = getattr(sys.stdout, "buffer", None)
    if bytewise is None:
        sys.stdout.write(text)
    else:
        bytewise.write(text.encode(errors="surrogateescape"))


def _difference(source: Source, text: str) -> str:
    def lines(of: str) -> Sequence[str]:
        return re.findall(r"[^\n]*\n|[^\n]+", of)

    said = unified_diff(lines(source.text), lines(text), source.name, source.name)
    return "".join(s if s.endswith("\n") else f"{s}\n\\ No newline at end of file\n" for s in said)


def _replace(path: Path, text: str) -> None:
    """Write whole or not at all, with the mode the file has; a link stays a link."""
    place = path.resolve()
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.open("ab").close()
        unfinished.write_bytes(text.encode())
        shutil.copymode(place, unfinished)
        unfinished.replace(place)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        problem = error.strerror or "the system refused"
        raise SpecError([Unwritable(None, str(path), problem.lower())]) from None


def _counted(changed: list[str], unchanged: list[str], options: argparse.Namespace) -> str:
    """`1 file reformatted, 2 files left unchanged`; empty where all was printed."""
    would = options.check or options.diff
    counts = (
        (changed, "would be reformatted" if would else "reformatted"),
        (unchanged, "would be left unchanged" if would else "left unchanged"),
    )
    told = [f"{len(n):,} {'file' if len(n) == 1 else 'files'} {what}" for n, what in counts if n]
    return ", ".join(told) + "\n" if told else ""
