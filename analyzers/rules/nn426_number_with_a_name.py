"""A number that a `let` of the file already names.

Changing the constant would then change half of the net. Only constants that size an operator are
meant, and only numbers from 16 on, which are less often equal by chance. The fix writes the name.

Source: ruff, PLR2004, magic values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from ...grammar import tree
from ...grammar.diagnostics import writes
from ...grammar.source import Span
from ..facts.anatomy import Anatomy
from ..facts.wording import Wording
from ..rule import Finding

LEAST = 16
"""Smaller numbers are kernels and counts, and equal by chance."""
WRONG = (
    "let width = 64\n3 -> fc(width) relu -> fc64 relu -> fc1",
    "let width = 64\n3x8x8 -> conv(width) 3 relu -> conv64 3 relu -> gap fc2",
)
RIGHT = (
    "let width = 64\n3 -> fc(width) relu -> fc(width) relu -> fc1",
    "let width = 64\n64 -> fc(width) relu -> fc32",
    "let n = 3\n3x8x8 -> [conv4 3 p1 relu]*n -> gap fc2",
    "let size = 64\n3 -> fc64 relu -> fc1\ntrain(batch = size)",
    "let (a, b) = (64, 64)\n3 -> fc(a) relu -> fc64 relu -> fc(b)",
    "let a = 64\nlet b = 64\n3 -> fc(a) relu -> fc64 relu -> fc(b)",
    "let w = 64\nblock b(w) = fc(w) relu -> fc64 relu\n3 -> fc(w) relu -> b32 -> fc1",
)


def check(net: Anatomy) -> Iterator[Finding]:
    names = _names(net)
    for node in net.graph.nodes:
        match = re.match(r"([A-Za-z_]+)(\d+)\b", node.span.text)
        name = names.get(int(match[2])) if match and not node.is_input else None
        if match is None or name is None or node.span.source.name != net.graph.source.name:
            continue
        begun = Span(node.span.source, node.span.start, node.span.start + match.end())
        mended = f"{match[1]}({name})"
        yield Finding(
            begun,
            f"`{match[0]}` writes out what `{name}` names",
            f"write `{mended}`",
            writes(begun, mended),
        )


def _names(net: Anatomy) -> Mapping[int, str]:
    """Numbers that one constant of the file names, which sizes an operator somewhere and has no
    namesake."""
    bound = Counter(name.word for name in _bound(net.wording))
    sizing = set(re.findall(r"\b[A-Za-z_]+\(\s*(\w+)\s*[,)]", net.graph.source.text))
    found: dict[int, list[str]] = {}
    for statement in net.file.statements:
        if isinstance(statement, tree.Let) and isinstance(statement.value, tree.Number):
            word, worth = statement.target.names[0].word, statement.value.value
            if isinstance(worth, int) and worth >= LEAST:
                found.setdefault(worth, []).append(word)
    return {
        worth: words[0]
        for worth, words in found.items()
        if len(words) == 1 and words[0] in sizing and bound[words[0]] == 1
    }


def _bound(wording: Wording) -> Iterator[tree.Name]:
    """Every name that is given a worth, in the file or in its blocks and loops."""
    for statement in wording.file.statements:
        if isinstance(statement, tree.Let):
            yield from statement.target.names
        elif isinstance(statement, tree.Block):
            yield from (parameter.name for parameter in statement.parameters or ())
            yield from (name for let in statement.lets for name in let.target.names)
    for chain in wording.chains:
        for stage in chain.stages:
            for piece in stage.pieces:
                if isinstance(piece, tree.Loop):
                    yield from piece.target.names
