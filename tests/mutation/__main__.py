"""`python -m tests.mutation compiler/ops --sample 300`."""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter

import numpy
import torch

from .engine import ROOT, Fate, Loop, afresh, pytest_on
from .mutants import Mutant, mutants

TESTS = {
    "compiler": (
        "tests/test_cases.py", "tests/ops", "tests/compiler", "tests/zoo/test_zoo.py",
        "tests/house/test_catalogue.py", "tests/analyzers/test_report.py",
        "tests/analyzers/test_equations.py", "tests/runtime/test_versus_torch.py",
    ),
    "analyzers": (
        "tests/test_cases.py", "tests/analyzers", "tests/zoo/test_zoo.py", "tests/test_cli.py",
        "tests/test_fix.py", "tests/test_notebook.py",
    ),
}  # fmt: skip
AFRESH = {
    "compiler": (
        "tests/test_cases.py", "tests/ops/test_facts.py", "tests/zoo/test_zoo.py",
        "tests/house/test_catalogue.py", "tests/analyzers/test_equations.py",
        "tests/ops/test_values.py",
    ),
    "analyzers": (
        "tests/test_cases.py", "tests/analyzers/test_words.py", "tests/analyzers/test_rules.py",
        "tests/analyzers/test_report.py",
        "tests/analyzers/test_equations.py", "tests/analyzers/test_formats.py",
        "tests/analyzers/test_docs.py", "tests/analyzers/test_markdown.py", "tests/test_cli.py",
        "tests/analyzers/test_fold.py", "tests/analyzers/test_sarif.py",
        "tests/analyzers/test_schemas.py",
    ),
}  # fmt: skip
"""Tests of a change outside every function."""

assert numpy
assert torch


def chosen(paths: list[str], sample: int, seed: int) -> list[Mutant]:
    """A sample, spread evenly over the files."""
    files = [
        file
        for path in paths
        for file in ([ROOT / path] if path.endswith(".py") else sorted((ROOT / path).rglob("*.py")))
    ]
    draw = random.Random(seed)
    waiting = [draw.sample(all_, len(all_)) for file in files if (all_ := list(mutants(file)))]
    found: list[Mutant] = []
    while len(found) < sample and any(waiting):
        found += [one.pop() for one in waiting if one]
    return found[:sample]


class Tally:
    """What became of the mutants, printed as it happens."""

    def __init__(self) -> None:
        self.fates: Counter[Fate | None] = Counter()

    def note(self, mutant: Mutant, fate: Fate | None) -> None:
        self.fates[fate] += 1
        if fate in (None, Fate.SURVIVED):
            what = "survived" if fate else "no test calls it"
            print(f"{mutant.path.relative_to(ROOT)}:{mutant}   ({what})", flush=True)

    def __str__(self) -> str:
        total = self.fates.total()
        noticed = self.fates[Fate.KILLED] + self.fates[Fate.TIMED_OUT]
        return (
            f"{noticed} of {total} noticed ({noticed / total:.1%}), {self.fates[Fate.TIMED_OUT]} of "
            f"them by running on; {self.fates[None]} in functions that no test calls"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="modules or folders to change")
    parser.add_argument("--sample", type=int, default=300, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="+", help="instead of those of the room")
    options = parser.parse_args()
    room = options.paths[0].split("/")[0]
    drawn = chosen(options.paths, options.sample, options.seed)
    tally = Tally()
    os.chdir(ROOT)
    for mutant in drawn:
        if not mutant.within:
            fate = afresh(mutant.path, mutant.code(), options.tests or AFRESH[room])
            tally.note(mutant, fate)
    loop = Loop([mutant for mutant in drawn if mutant.within], tally.note)
    if not pytest_on(options.tests or TESTS[room], loop):
        raise SystemExit("the tests do not even run on the code as it is")
    print(tally)


main()
