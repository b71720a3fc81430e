"""How a net is written: what an edit takes out of the text without leaving half a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...grammar import tree
from ...grammar.diagnostics import Edit
from ...grammar.source import Span


def chains(file: tree.File) -> Iterator[tree.Chain]:
    """Every chain of a file, those in brackets behind those they stand in."""
    waiting = [s.chain for s in file.statements if isinstance(s, tree.Flow | tree.Block)]
    while waiting:
        chain = waiting.pop(0)
        yield chain
        for stage in chain.stages:
            for piece in stage.pieces:
                waiting += _inner(piece)


def _inner(piece: tree.Piece) -> Iterator[tree.Chain]:
    match piece:
        case tree.Group(branches=branches):
            yield from branches
        case tree.Loop(body=body):
            yield body
        case tree.Choice(then=then, otherwise=otherwise):
            yield then
            if isinstance(otherwise, tree.Chain):
                yield otherwise
            elif otherwise is not None:
                yield from _inner(otherwise)


def without(file: tree.File, span: Span) -> Edit | None:
    """The edit that takes an operator out of its chain; None where a name, a comment or an empty
    chain would be left."""
    for chain in chains(file):
        for number, stage in enumerate(chain.stages):
            taken = [
                place
                for place, piece in enumerate(stage.pieces)
                if span.start <= piece.span.start and piece.span.end <= span.end
            ]
            if taken and stage.span.source.name == span.source.name:
                cut = _cut(chain, number, taken[0], taken[-1])
                return Edit(cut, "") if cut and not commented(file, cut) else None
    return None


def _cut(chain: tree.Chain, number: int, first: int, last: int) -> Span | None:
    """The pieces from the first to the last, and what joins them to the rest of the stage, or else
    of the chain."""
    stage, source = chain.stages[number], chain.span.source
    pieces = stage.pieces
    if first:
        return Span(source, pieces[first - 1].span.end, pieces[last].span.end)
    if last + 1 < len(pieces):
        return Span(source, pieces[0].span.start, pieces[last + 1].span.start)
    if stage.label is not None:
        return None
    if number:
        return Span(source, chain.stages[number - 1].span.end, stage.span.end)
    if len(chain.stages) > 1:
        return Span(source, stage.span.start, chain.stages[1].span.start)
    return None


def without_statement(file: tree.File, statement: tree.Statement) -> Edit | None:
    """The edit that takes the lines of a statement out of the text; None where a comment or
    documentation would be left behind."""
    span = statement.span
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end) + 1 or len(text)
    whole = Span(span.source, start, end)
    beside = text[start : span.start] + text[span.end : end]
    documented = re.search(r"##[^\n]*\n\Z", text[:start])
    return None if beside.strip() or documented or commented(file, whole) else Edit(whole, "")


def commented(file: tree.File, cut: Span) -> bool:
    """Whether a comment begins within the stretch: what an edit takes away must not be one."""
    return any(cut.start <= comment.span.start < cut.end for comment in file.comments)
