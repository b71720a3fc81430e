"""A `let`, a block, a parameter or a name of `use` that nothing uses.

In a file with a net it is a leftover, or the use of it was misspelt. A file of declarations alone
is a library: what it declares is for others. The fix removes a declaration; a parameter it leaves,
because every use of the block would have to change with it.

Source: ruff, F401, F841 and ARG001.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from ...grammar import tree
from ...grammar.diagnostics import Edit, Fix
from ...grammar.source import Span
from ..facts.anatomy import Anatomy
from ..facts.wording import Wording
from ..rule import Finding

WRONG = (
    "let width = 8\n3 -> fc4",
    "block b(c) = fc(c)\n3 -> fc4",
    "use vision.vgg (stage, head)\n3x8x8 -> stage(4, 1) -> gap fc2",
    "use vision.vgg (stage, head)\n3x8x8 -> gap fc2",
    "shared t = fc4 relu\n3 -> fc4",
    "block b(c, s=1) = fc(c) relu\n3 -> b4 -> fc2",
    "block b(c) = { let m = c // 2 } fc(c) relu\n3 -> b4 -> fc2",
)
RIGHT = (
    "let width = 8\n3 -> fc(width)",
    "block b(c) = fc(c)\n3 -> b4",
    "block b(c) = fc(c)\n3 -> b(4)",
    "block b(c, s=1) = { let m = c * s } fc(m) relu\n3 -> b4 -> fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    words = _words(net.file, net.graph.source.text)
    everywhere = _named(words)
    for statement in net.file.statements:
        for kind, name in _declared(statement):
            if name.word not in everywhere:
                edit = _removal(net.wording, statement, name)
                mending = Fix(f"remove `{name.word}`", (edit,)) if edit else None
                text = f"nothing uses the {kind} `{name.word}`"
                yield Finding(name.span, text, "remove it, or use it", mending)
        if isinstance(statement, tree.Block):
            start, end = (
                bisect_left(words, (at,)) for at in (statement.span.start, statement.span.end)
            )
            here = _named(words[start:end])
            for kind, name in _inside(statement):
                if name.word not in here:
                    text = (
                        f"the block `{statement.name.word}` does not use its {kind} `{name.word}`"
                    )
                    yield Finding(name.span, text, "remove it, or use it")


def _declared(statement: tree.Statement) -> Iterator[tuple[str, tree.Name]]:
    match statement:
        case tree.Let(target=target):
            yield from (("constant", name) for name in target.names)
        case tree.Block(name=name, shared=shared):
            yield "shared chain" if shared else "block", name
        case tree.Use(names=names) if names:
            yield from (("name", name) for name in names)
        case _:
            pass


def _inside(block: tree.Block) -> Iterator[tuple[str, tree.Name]]:
    yield from (("parameter", parameter.name) for parameter in block.parameters or ())
    yield from (("constant", name) for let in block.lets for name in let.target.names)


def _words(file: tree.File, text: str) -> list[tuple[int, str]]:
    """The words of a text with their places, but for comments and where names are declared."""
    declared = {
        name.span.start
        for statement in file.statements
        for _, name in (
            *_declared(statement),
            *(_inside(statement) if isinstance(statement, tree.Block) else ()),
        )
    }
    remarks = iter(sorted((comment.span.start, comment.span.end) for comment in file.comments))
    remark = next(remarks, None)
    found = []
    for match in re.finditer(r"(?<![\w.])[A-Za-z_]\w*", text):
        while remark and remark[1] <= match.start():
            remark = next(remarks, None)
        if match.start() not in declared and not (remark and remark[0] <= match.start()):
            found.append((match.start(), match[0]))
    return found


def _named(words: Iterable[tuple[int, str]]) -> frozenset[str]:
    """What words may mean: `b44` is the block `b44`, or `b4` or `b` with a number behind it."""
    found: set[str] = set()
    for _, word in words:
        found.add(word)
        while word[-1:].isdigit():
            word = word[:-1]
            found.add(word)
    return frozenset(found)


def _removal(wording: Wording, statement: tree.Statement, name: tree.Name) -> Edit | None:
    """The edit that takes a declared name away, with its statement where it declares no other."""
    match statement:
        case tree.Use(names=names) if names and len(names) > 1:
            place = names.index(name)
            start = names[place - 1].span.end if place else name.span.start
            end = name.span.end if place else names[1].span.start
            return Edit(Span(name.span.source, start, end), "")
        case tree.Let(target=target) if target.parted:
            return None
        case _:
            return wording.without_statement(statement)
