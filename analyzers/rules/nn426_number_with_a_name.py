"""A number that a `let` of the file already names.

Changing the constant would then change half of the net. The fix writes the name.

Source: ruff, PLR2004, magic values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...grammar import tree
from ...grammar.diagnostics import Edit, Fix
from ..facts.anatomy import Anatomy
from ..rule import Finding

SAFE = True
LEAST = 16
"""Smaller numbers are kernels and counts, and equal by chance."""
WRONG = ("let width = 64\n3 -> fc(width) relu -> fc64 relu -> fc1",)
RIGHT = (
    "let width = 64\n3 -> fc(width) relu -> fc(width) relu -> fc1",
    "let width = 64\n64 -> fc(width) relu -> fc32",
    "let n = 3\n3x8x8 -> [conv4 3 p1 relu]*n -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    names = {
        statement.value.value: statement.target.names[0].word
        for statement in net.file.statements
        if isinstance(statement, tree.Let)
        and isinstance(statement.value, tree.Number)
        and not statement.target.parted
        and statement.value.value >= LEAST
    }
    for node in net.graph.nodes:
        match = re.match(r"([A-Za-z_]+)(\d+)\b", node.span.text)
        named = names.get(int(match[2])) if match else None
        ours = node.span.source.name == net.graph.source.name
        if not match or named is None or node.is_input or not ours:
            continue
        place = node.span
        begun = type(place)(place.source, place.start, place.start + match.end())
        mended = f"{match[1]}({named})"
        yield Finding(
            begun,
            f"`{match[0]}` writes out what `{named}` names",
            f"write `{mended}`",
            Fix(f"write `{mended}`", (Edit(begun, mended),)),
        )
