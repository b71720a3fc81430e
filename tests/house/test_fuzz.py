"""Any text whatever ends in a graph or in mistakes with a place: never a traceback, never a hang.

`make fuzz CASES=1000000` runs longer; NNSPEC_FUZZ_CASES is how many texts are tried in all.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from nnspec.analyzers.promises import check_promises
from nnspec.analyzers.render.messages import messages
from nnspec.analyzers.report import report
from nnspec.compiler.elaborate import elaborate
from nnspec.compiler.ops import CATALOGUE
from nnspec.grammar import tree
from nnspec.grammar.parse import parse
from nnspec.grammar.source import Source

from ..runtime.random_nets import random_net

TOTAL = int(os.environ.get("NNSPEC_FUZZ_CASES", "10000"))
PARTS = 20
SECONDS = 5.0
LARGE = 10_000
"""Operators past which only the mistakes are looked for, not every fact counted."""
ROOT = Path(__file__).parents[2]
CORPUS = [
    path.read_text("utf-8")
    for folder in (ROOT / "specs", ROOT / "tests" / "cases")
    for path in sorted(folder.rglob("*.nn"))
    if path.stat().st_size < 2000
]
TOKENS = [
    "->", "[", "]", "(", ")", "|", ",", ":", "=", "*", "+", "-", "/", "//", "%", "^", "==", "<",
    "@", ".", "\n", " ", "#", "##", '"', "in", "if", "else", "let", "block", "expect", "train(",
    "output", "true", "and", "not", "3", "0", "1x8x8", "3x32x32", "4.2G", "1e-3", "1e999", "9" * 30,
    "10000", "-1", "fc4", "conv8 3x3", "maxpool2", "same", "s2", "p1", "g2", "d3", "id", "@a", "a:",
    "for", "shared", "use", "{", "}", ";", "in.c", "in.h", "in.size", "let a = 3\n", "block b(c, s=1) = ",
    "for n in (1, 2) [", "if in.c > 2 [", "] else [", "b(2)", "b4", "shared t = ", "t", "range(3)",
    "use \"a.nn\"", "tie=@a", "params", "macs", "init=he", "init=normal(0.1)", "adam(lr=1e-3)", "loss", "é", "\u200b", "\x00",
    "\ud800", "💥", "=>", "→", "\r\n", "\t", "*2", "*100", "*(2-2)", "^9", "1_0", "_", "x", "3x",
    *CATALOGUE,
]  # fmt: skip


def expression(rng: Random, depth: int) -> str:
    if depth <= 0 or rng.random() < 0.4:
        return rng.choice(
            ("1", "2", "0", "7", "0.5", "params", "depth", "output", "3x3", "true", "1e9")
        )
    left, right = expression(rng, depth - 1), expression(rng, depth - 1)
    sign = rng.choice(("+", "-", "*", "/", "//", "%", "^", "==", "<", ">=", "and", "or"))
    return rng.choice(
        (
            f"({left} {sign} {right})",
            f"min({left}, {right})",
            f"-{left}",
            f"{left} if {right} else 2",
        )
    )


def grown(rng: Random) -> str:
    """A text from the grammar: nets, promises, settings."""
    lines = [random_net(rng.randrange(2**32))]
    if rng.random() < 0.5:
        lines.append(
            f"expect {expression(rng, 4)} {rng.choice(('==', '<', '>'))} {expression(rng, 3)}"
        )
    if rng.random() < 0.3:
        lines.append(
            f"train(batch = {expression(rng, 2)}, optimizer = adam(lr={expression(rng, 2)}))"
        )
    if rng.random() < 0.3:
        lines.insert(0, f"a: {rng.randint(0, 4)}x4 -> fc({expression(rng, 3)})")
    if rng.random() < 0.6:
        lines = declared(rng) + lines
    return "\n".join(lines)


def declared(rng: Random) -> list[str]:
    """Declarations, and a chain that uses them in loops, choices and branches."""
    size, body = expression(rng, 2), random_net(rng.randrange(2**32)).partition(" -> ")[2]
    return [
        f"let (w, v) = ({expression(rng, 2)}, {rng.randint(1, 9)})",
        f"block one(c, s=v) = {{ let d = in.c * s; let e = {size} }} {body}",
        f"block two(c) = [one(c) relu]*{rng.randint(0, 3)} -> [ one(w, s=c) ]",
        f"shared same1 = {body}",
        f"a{rng.randint(0, 9)}: {rng.choice(('4', '3x8x8', '5x3'))} -> for i in range(w) [ one(i) ]",
        f"output x: 4 -> if in.{rng.choice('chwtd')} > {size} [ two(v) ] else [ same1 -> same1 ]",
    ]


def mutated(rng: Random) -> str:
    """A spec with bytes changed, tokens moved, or parts of another spliced in."""
    text = rng.choice(CORPUS) if rng.random() < 0.7 else grown(rng)
    for _ in range(rng.randint(1, 6)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.randint(0, 12))
        other = rng.choice(CORPUS)
        cut = rng.randrange(len(other) + 1)
        insert = rng.choice(
            (
                "",
                rng.choice(TOKENS),
                chr(rng.randrange(256)),
                other[cut : cut + 30],
                text[start:end] * 3,
            )
        )
        text = text[:start] + insert + text[end:]
    return text


def soup(rng: Random) -> str:
    return "".join(rng.choice(TOKENS) + rng.choice(("", " ")) for _ in range(rng.randint(0, 40)))


def declares(source: Source) -> bool:
    """Whether a text is no net, but something that other files use."""
    return any(isinstance(s, tree.Let | tree.Block | tree.Use) for s in parse(source)[0].statements)


def read_whole(text: str) -> None:
    """Everything a user could do with a text before running it."""
    source = Source("<fuzz>", text)
    found = elaborate(source)
    mistakes = list(found.mistakes)
    if found.graph is not None:
        mistakes += check_promises(found.graph)
        if len(found.graph) < LARGE:
            report(found.graph)
    for mistake in mistakes:
        assert mistake.span is not None, mistake
        assert 0 <= mistake.span.start <= mistake.span.end <= len(mistake.span.source.text), mistake
    assert found.graph is not None or mistakes or declares(source), "neither net nor mistake"
    messages(mistakes)


@pytest.mark.parametrize("part", range(PARTS))
def test_any_text(part: int) -> None:
    rng = Random(part)
    for number in range(TOTAL // PARTS):
        make = (grown, mutated, mutated, soup)[number % 4]
        text = make(rng)
        begun = time.process_time()
        try:
            read_whole(text)
        except Exception as error:
            error.add_note(f"text: {text!r}")
            raise
        assert time.process_time() - begun < SECONDS, text
