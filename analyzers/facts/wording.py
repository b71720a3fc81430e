"""How a net is written, and the edits that take something out of it without leaving half a sentence."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ...grammar import tree
from ...grammar.diagnostics import Edit
from ...grammar.source import Span


@dataclass(frozen=True, eq=False)
class Wording:
    """The text of a net as it was read."""

    file: tree.File

    @cached_property
    def chains(self) -> tuple[tree.Chain, ...]:
        """Every chain, those in brackets behind the one they stand in."""
        found = [s.chain for s in self.file.statements if isinstance(s, tree.Flow | tree.Block)]
        for chain in found:
            for piece in (piece for stage in chain.stages for piece in stage.pieces):
                found += _inner(piece)
        return tuple(found)

    @cached_property
    def pieces(self) -> dict[int, tuple[tree.Chain, int, int]]:
        """By where a piece begins: its chain, the number of its stage, and its own."""
        return {
            piece.span.start: (chain, number, place)
            for chain in self.chains
            for number, stage in enumerate(chain.stages)
            for place, piece in enumerate(stage.pieces)
        }

    @cached_property
    def comments(self) -> list[int]:
        """Where comments begin."""
        return sorted(comment.span.start for comment in self.file.comments)

    def commented(self, cut: Span) -> bool:
        """Whether a comment begins within the stretch: what an edit takes away must not be one."""
        place = bisect_left(self.comments, cut.start)
        return place < len(self.comments) and self.comments[place] < cut.end

    def without(self, span: Span) -> Edit | None:
        """The edit that takes an operator out of its chain; None where a name, a comment or an
        empty chain would be left, or where it stands in another file."""
        if span.start not in self.pieces:
            return None
        chain, number, first = self.pieces[span.start]
        if chain.span.source.name != span.source.name:
            return None
        pieces = chain.stages[number].pieces
        last = first
        while last + 1 < len(pieces) and pieces[last + 1].span.end <= span.end:
            last += 1
        cut = _cut(chain, number, first, last)
        return Edit(cut, "") if cut and not self.commented(cut) else None

    def without_statement(self, statement: tree.Statement) -> Edit | None:
        """The edit that takes the lines of a statement out of the text; None where a comment or
        documentation would be left behind."""
        span = statement.span
        text = span.source.text
        start = text.rfind("\n", 0, span.start) + 1
        end = text.find("\n", span.end) + 1 or len(text)
        beside = text[start : span.start] + text[span.end : end]
        above = text[text.rfind("\n", 0, max(0, start - 1)) + 1 : start]
        whole = Span(span.source, start, end)
        documented = above.lstrip().startswith("##")
        return None if beside.strip() or documented or self.commented(whole) else Edit(whole, "")


def _inner(piece: tree.Piece | tree.Chain | None) -> Iterator[tree.Chain]:
    """The chains that a piece holds."""
    while isinstance(piece, tree.Choice):
        yield piece.then
        piece = piece.otherwise
    if isinstance(piece, tree.Group):
        yield from piece.branches
    elif isinstance(piece, tree.Loop):
        yield piece.body
    elif isinstance(piece, tree.Chain):
        yield piece


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
