"""`python -m tests.bench [SECTION ...]`: measures, and writes the page or JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from . import (
    THREADS,
    front_end,
    inference,
    memory,
    overhead,
    products,
    scaling,
    training,
    wall,
)
from .machine import described
from .nets import chosen
from .options import Options
from .page import page
from .results import Section, Skipped, as_section, merged

SECTIONS: Mapping[str, Callable[[Options], Section]] = {
    room.NAME: room.measured
    for room in (training, inference, memory, scaling, overhead, products, wall, front_end)
}
NONE = "none"
EXAMPLES = """examples:
  python -m tests.bench --out tests/bench/README.md          # all, as the page
  python -m tests.bench training inference --quick           # a quick look at two
  python -m tests.bench training --nets ef --with all.json --format json --out all.json
  python -m tests.bench none --with all.json                 # the page of what was measured before
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "python -m tests.bench", description="Measure nnspec beside its peers.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    made.add_argument("--quick", action="store_true", help="three short rounds")
    made.add_argument("--nets", default="", metavar="LETTERS", help="only these: abf; g: ResNet-18")
    made.add_argument("--mnist", type=Path, default=os.environ.get("NNSPEC_MNIST") or None,
                      metavar="FOLDER", help="where t10k-images-idx3-ubyte.gz and its labels are")  # fmt: skip
    made.add_argument("--with", dest="before", type=Path, metavar="FILE",
                      help="JSON of an earlier run: what is not measured now is taken from it")  # fmt: skip
    made.add_argument("--format", choices=("markdown", "json"), default="markdown")
    made.add_argument("--out", type=Path, metavar="FILE", help="write there, not to stdout")
    return made


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    if strange := [name for name in given.sections if name not in SECTIONS and name != NONE]:
        print(f"no section `{strange[0]}`: there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    if strange := [key for key in given.nets if key not in "abcdefg"]:
        print(f"no net `{strange[0]}`: there are a to f, and g for ResNet-18", file=sys.stderr)
        return 2
    if given.sections == [NONE] and not (given.before and given.before.is_file()):
        print(f"nothing was measured before in {given.before}", file=sys.stderr)
        return 2
    if given.mnist and not (given.mnist / "t10k-images-idx3-ubyte.gz").is_file():
        print(f"no t10k-images-idx3-ubyte.gz in {given.mnist}", file=sys.stderr)
        return 2
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    torch.set_num_threads(THREADS)
    sections = measured(given)
    write(sections, given)
    return 0


def measured(given: argparse.Namespace) -> list[Section]:
    """What is asked for now, among what was measured before; in the order of the page."""
    before = {entry["name"]: as_section(entry) for entry in read(given.before)["sections"]}
    now = {}
    with Console(stderr=True).status("") as status:
        options = Options(
            cases=tuple(chosen(given.nets)),
            large=not given.nets or "g" in given.nets,
            quick=given.quick,
            mnist=given.mnist,
            say=lambda words: status.update(words),
        )
        for name in given.sections or SECTIONS:
            if name != NONE:
                now[name] = tried(name, options)
    found = {name: merged(before.get(name), now.get(name)) for name in SECTIONS}
    return [section for section in found.values() if section]


def tried(name: str, options: Options) -> Section:
    """A section; where a program of its own fails, what it said stands there, and the others go on."""
    try:
        return SECTIONS[name](options)
    except subprocess.CalledProcessError as error:
        said = [line for line in (error.stderr or "").splitlines() if line.strip()]
        reason = f"a program failed: {said[-1] if said else error}"
        print(f"{name}: {reason}", file=sys.stderr)
        return Section(name, skipped=(Skipped("all of it", "every rival", reason),))


def read(place: Path | None) -> dict[str, Any]:
    """What an earlier run wrote; nothing where there was none."""
    if place is None or not place.exists():
        return {"sections": []}
    told: dict[str, Any] = json.loads(place.read_text("utf-8"))
    return told


def write(sections: list[Section], given: argparse.Namespace) -> None:
    machine = read(given.before)["machine"] if given.sections == [NONE] else described()
    if given.format == "json":
        told = {"machine": machine, "sections": [asdict(section) for section in sections]}
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    else:
        text = page(sections, machine)
    if given.out:
        given.out.write_text(text, "utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    sys.exit(main())
