"""`nnspec check`: apart from the reports, because it has to start fast."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from ..compiler.elaborate import elaborate
from ..grammar.diagnostics import Mistake, Severity, in_order
from ..grammar.fix import apply
from ..grammar.limits import Limits
from ..grammar.read import found_in, read
from ..grammar.source import Source
from ..grammar.write import difference, is_file, put_out, rewrite
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
    parser.add_argument("--fix", action="store_true", help="mend what has a fix, marked [*]")
    parser.add_argument("--diff", action="store_true", help="show what --fix would change, no more")
    parser.epilog = (
        "examples:\n  nnspec check\n  nnspec check specs/course net.nn\n"
        '  nnspec check "3x32x32 -> conv6 5x5 relu -> fc10"\n  cat net.nn | nnspec check -\n'
        "  nnspec check --fix specs\n  nnspec check --diff net.nn\n\n"
        "exit code: 0 nothing but warnings, 1 errors, 2 wrong usage"
    )


ROUNDS = 10
"""How often fixes are looked for anew: mending one mistake may uncover another."""


def check(options: argparse.Namespace) -> int:
    """Every mistake of every spec."""
    specs = list(found_in(options.specs))
    if options.diff:
        return _differences(specs, options)
    found: list[Mistake] = []
    fixed = 0
    for spec in specs:
        source = read(spec, options.limits)
        if options.fix:
            mended, count = fixes(source, options.limits, options.lets)
            _put(spec, source, mended, options)
            source, fixed = mended, fixed + count
        found += checked(source, options.limits, options.lets)
    if options.format == "json":
        facts = {"checked": len(specs)} | ({"fixed": fixed} if options.fix else {})
        write(as_json({**facts, "diagnostics": diagnostics(found)}))
    elif found:
        write(messages(found, colour=options.colour))
    else:
        write(
            f"{counted(found)} Checked {len(specs):,} {'spec' if len(specs) == 1 else 'specs'}.\n"
        )
    if fixed:
        print(f"Fixed {fixed:,} mistake{'' if fixed == 1 else 's'}.", file=sys.stderr)
    return int(any(mistake.severity is Severity.ERROR for mistake in found))


def _differences(specs: list[str], options: argparse.Namespace) -> int:
    """What `--fix` would change."""
    changed = False
    for spec in specs:
        source = read(spec, options.limits)
        mended, _ = fixes(source, options.limits, options.lets)
        put_out(difference(source, mended.text))
        changed = changed or mended.text != source.text
    return int(changed)


def _put(spec: str, source: Source, mended: Source, options: argparse.Namespace) -> None:
    """The mended text to its file; of standard input and of a text itself to stdout."""
    if is_file(spec):
        if mended.text != source.text:
            rewrite(Path(spec), mended.text)
    elif options.format == "text":
        put_out(mended.text.rstrip("\n") + "\n\n")


def checked(source: Source, limits: Limits, lets: Mapping[str, object]) -> tuple[Mistake, ...]:
    """Everything wrong with one spec, broken promises among it."""
    found = elaborate(source, limits, lets=lets)
    promises = check_promises(found.graph) if found.graph else ()
    return in_order((*found.mistakes, *promises))


def fixes(source: Source, limits: Limits, lets: Mapping[str, object]) -> tuple[Source, int]:
    """The spec with every fix applied that its mistakes offer, and how many they were."""
    total = 0
    for _ in range(ROUNDS):
        text, count = apply(source, checked(source, limits, lets))
        if not count:
            break
        source, total = Source(source.name, text), total + count
    return source, total
