"""`nnspec check`: apart from the reports, because it has to start fast."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ..compiler.elaborate import elaborate
from ..compiler.graph import Graph
from ..grammar.diagnostics import (
    Applicability,
    Mistake,
    Severity,
    SpecError,
    concise,
    exit_code,
    in_order,
)
from ..grammar.fix import apply
from ..grammar.limits import Limits
from ..grammar.quantity import quantity
from ..grammar.read import read
from ..grammar.search import Found, found_in
from ..grammar.source import Source
from ..grammar.write import difference, is_file, put_out, rewrite
from .config import Config, config_for
from .lint import linted, selected, warnings
from .promises import check_promises
from .render.github import workflow_commands
from .render.messages import counted, messages
from .render.sarif import sarif
from .render.structured import as_json, diagnostics
from .trial import sound

SPEC = "a path, `-` for standard input, or the text itself"


def write(text: str) -> None:
    """To stdout, whatever is in it."""
    print(text, end="")


def configure_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="*", default=["."], help=f"{SPEC}; folders are searched")
    for option, what in (("--select", "report"), ("--ignore", "leave out")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="CODES",
            help=f"warnings to {what}: NN402,NN41",
        )
    parser.add_argument("--isolated", action="store_true", help="read no pyproject.toml")
    parser.add_argument("--statistics", action="store_true", help="count by code, no more")
    parser.add_argument("--fix", action="store_true", help="mend what has a fix, marked [*]")
    parser.add_argument(
        "--unsafe-fixes",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="also by fixes that change what the net computes or learns",
    )
    parser.add_argument("--diff", action="store_true", help="show what --fix would change, no more")
    parser.epilog = (
        "examples:\n  nnspec check\n  nnspec check specs/course net.nn\n"
        '  nnspec check "3x32x32 -> conv6 5x5 relu -> fc10"\n  cat net.nn | nnspec check -\n'
        "  nnspec check --fix specs\n  nnspec check --diff net.nn\n"
        "  nnspec check --diff --unsafe-fixes net.nn\n\n"
        "exit code: 0 nothing but warnings, 1 errors, 2 wrong usage, or something that cannot be "
        "read"
    )


NOTHING = "Nothing was checked.\n"

ROUNDS = 10
"""How often fixes are looked for anew: mending one mistake may uncover another."""


def check(options: argparse.Namespace) -> int:
    """Every mistake of every spec."""
    searched = found_in(options.specs)
    searched.tell()
    asked = _asked(searched.specs, options)
    if options.diff:
        return _differences(searched, asked, options)
    found: list[Mistake] = [*searched.mistakes]
    count = fixed = 0
    for spec in searched.specs:
        codes = _codes(spec, options)
        try:
            mistakes, mended = _one(spec, codes, asked, options)
        except SpecError as error:
            found += error.diagnostics
        else:
            found += mistakes
            count, fixed = count + 1, fixed + mended
    if options.format == "json":
        facts = {"checked": count} | ({"fixed": fixed} if options.fix else {})
        write(as_json({**facts, "diagnostics": diagnostics(found)}))
    elif options.format == "sarif":
        write(as_json(sarif(found, options.version, options.page)))
    elif options.format == "github":
        write(workflow_commands(found))
    elif options.format == "concise":
        write("".join(f"{concise(mistake)}\n" for mistake in found))
    elif options.statistics:
        write(_statistics(found, asked) or ("All is well.\n" if count else NOTHING))
    elif found:
        write(messages(found, colour=options.colour, asked=asked))
    elif count:
        write(f"{counted(found)} Checked {quantity(count, 'spec')}.\n")
    else:
        write(NOTHING)
    if fixed:
        print(f"Fixed {quantity(fixed, 'mistake')}.", file=sys.stderr)
    return exit_code(found)


def _one(
    spec: str, codes: frozenset[str], asked: Applicability, options: argparse.Namespace
) -> tuple[tuple[Mistake, ...], int]:
    """What is wrong with one spec, and how much of it was mended if asked for.

    Raises SpecError when it cannot be read; one that cannot be written is a mistake beside its others.
    """
    source = read(spec, options.limits)
    if not options.fix:
        return checked(source, options.limits, options.lets, codes), 0
    mended, count = fixes(source, options.limits, options.lets, codes, asked)
    try:
        _put(spec, source, mended, options)
    except SpecError as error:
        wrong = checked(source, options.limits, options.lets, codes)
        return (*error.diagnostics, *wrong), 0
    return checked(mended, options.limits, options.lets, codes), count


def _differences(searched: Found, asked: Applicability, options: argparse.Namespace) -> int:
    """What `--fix` would change; raises SpecError at the end for what could not be read."""
    changed, unread = False, list[Mistake](searched.mistakes)
    for spec in searched.specs:
        codes = _codes(spec, options)
        try:
            source = read(spec, options.limits)
        except SpecError as error:
            unread += error.diagnostics
            continue
        mended, _ = fixes(source, options.limits, options.lets, codes, asked)
        put_out(difference(source, mended.text))
        changed = changed or mended.text != source.text
    if unread:
        raise SpecError(unread)
    return int(changed)


def _put(spec: str, source: Source, mended: Source, options: argparse.Namespace) -> None:
    """The mended text to its file; of standard input and of a text itself to stdout."""
    if is_file(spec):
        if mended.text != source.text:
            rewrite(Path(spec), mended.text)
    elif options.format == "text":
        put_out(mended.text.rstrip("\n") + "\n\n")


def _codes(spec: str, options: argparse.Namespace) -> frozenset[str]:
    """The warnings asked for: by options, else by the project's pyproject.toml."""
    config = _config(spec, options)
    select, ignore = (
        tuple(code.strip() for text in given for code in text.split(",") if code.strip())
        for given in (options.select, options.ignore)
    )
    return selected(select or config.select, (*config.ignore, *ignore))


def _asked(specs: list[str], options: argparse.Namespace) -> Applicability:
    """The fixes asked for: by the option, else by the first spec's pyproject.toml."""
    unsafe = options.unsafe_fixes
    if unsafe is None:
        unsafe = bool(specs) and _config(specs[0], options).unsafe_fixes
    return Applicability.UNSAFE if unsafe else Applicability.SAFE


def _config(spec: str, options: argparse.Namespace) -> Config:
    if options.isolated:
        return Config()
    return config_for(Path(spec).parent if is_file(spec) else Path())


def _statistics(found: list[Mistake], asked: Applicability) -> str:
    """How many of each code, the most first; marked where a fix is asked for; empty for none."""
    counts = Counter((mistake.code, mistake.name) for mistake in found)
    mended = {m.code for m in found if (fix := m.fix()) and fix.within(asked)}
    rows = [
        f"{count:>6,}  {code}  {'[*]' if code in mended else '   '} {name}\n"
        for (code, name), count in counts.most_common()
    ]
    return "".join(rows)


def checked(
    source: Source,
    limits: Limits | None = None,
    lets: Mapping[str, object] | None = None,
    codes: frozenset[str] | None = None,
) -> tuple[Mistake, ...]:
    """Everything wrong with one spec: mistakes, broken promises, and what the rules find."""
    graph, mistakes = _read(source, limits, lets)
    found = linted(graph, mistakes, warnings() if codes is None else codes)

    def errors(of: Source) -> tuple[Mistake, ...]:
        return tuple(m for m in _read(of, limits, lets)[1] if m.severity is Severity.ERROR)

    return in_order(sound(source, found, errors))


def _read(
    source: Source, limits: Limits | None, lets: Mapping[str, object] | None
) -> tuple[Graph | None, tuple[Mistake, ...]]:
    """The net, with the mistakes of reading it and the promises it breaks."""
    found = elaborate(source, limits, lets=lets)
    promises = check_promises(found.graph) if found.graph else ()
    return found.graph, (*found.mistakes, *promises)


def fixes(
    source: Source,
    limits: Limits | None = None,
    lets: Mapping[str, object] | None = None,
    codes: frozenset[str] | None = None,
    asked: Applicability = Applicability.SAFE,
) -> tuple[Source, int]:
    """The spec with every fix applied that is asked for, and how many they were."""
    total = 0
    for _ in range(ROUNDS):
        text, count = apply(source, checked(source, limits, lets, codes), asked)
        if not count:
            break
        source, total = Source(source.name, text), total + count
    return source, total
