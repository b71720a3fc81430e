"""A `let`, a block or a name of `use` that nothing uses.

In a file with a net it is a leftover, or the use of it was misspelt. A file of declarations alone is a
library: what it declares is for others.

Source: ruff, F401 and F841.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...grammar import tree
from ...grammar.source import Span
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "let width = 8\n3 -> fc4",
    "block b(c) = fc(c)\n3 -> fc4",
    "use vision.vgg (stage, head)\n3x8x8 -> stage(4, 1) -> gap fc2",
)
RIGHT = (
    "let width = 8\n3 -> fc(width)",
    "block b(c) = fc(c)\n3 -> b4",
    "block b(c) = fc(c)\n3 -> b(4)",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for kind, name, place in _declared(net.file):
        if not _used(name, place, net.file):
            yield Finding(place, f"nothing uses the {kind} `{name}`", "remove it, or use it")


def _declared(file: tree.File) -> Iterator[tuple[str, str, Span]]:
    for statement in file.statements:
        match statement:
            case tree.Let(target=target):
                yield from (("constant", name.word, name.span) for name in target.names)
            case tree.Block(name=name, shared=shared):
                yield "shared chain" if shared else "block", name.word, name.span
            case tree.Use(names=names) if names:
                yield from (("name", name.word, name.span) for name in names)
            case _:
                pass


def _used(name: str, place: Span, file: tree.File) -> bool:
    """Whether the word stands anywhere else, outside of comments; `b4` uses the block `b`."""
    text = place.source.text
    comments = [comment.span for comment in file.comments]
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}(?=\d*(?![\w]))", text):
        if match.start() != place.start and not any(
            c.start <= match.start() < c.end for c in comments
        ):
            return True
    return False
