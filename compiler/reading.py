"""How far the reading of a text has come: the nodes made so far, the names given, what was wrong,
and where it stands.

After a mistake the value is poisoned: what follows is still read for mistakes of its own, but
nothing downstream complains about a value that never came to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..grammar import tree
from ..grammar.diagnostics import Mistake, Note
from ..grammar.errors import TooManySteps
from ..grammar.limits import Limits
from ..grammar.near import nearest
from ..grammar.source import Span
from .errors import NameTaken, UnknownReference
from .expressions import LOST, Lost, Scope, Worth
from .files import Block, Module
from .graph import AS_THE_NET, BlockUse, Node
from .making import Maker
from .naming import Names
from .ops import CATALOGUE
from .pieces import Part, Parts, sort
from .training.learning import Learning

POISON = ""
"""The name of the value that a mistake leaves behind."""


class Frame(NamedTuple):
    """Where the reading stands.

    Attributes
    ----------
    prefix: what names of nodes begin with.
    names: what constants and parameters are worth here.
    labels: what `@name` means, innermost scope last: the node's name and where it was given.
    module: the file whose blocks are seen here.
    calls: the blocks that this place is inside of, and `trail` where each was used.
    blocks: their uses, the outermost first.
    learning: how the weights that are made here learn.
    """

    prefix: str
    names: Mapping[str, Worth | Lost]
    labels: tuple[dict[str, tuple[str, Span]], ...]
    module: Module
    calls: tuple[Block, ...] = ()
    trail: tuple[Note, ...] = ()
    blocks: tuple[BlockUse, ...] = ()
    learning: Learning = AS_THE_NET


class Stop(Exception):
    """A limit that nothing can be read past; the mistake has been reported."""


@dataclass
class Reading:
    """One pass over a syntax tree.

    Attributes
    ----------
    later: every label of the file, for references to what comes below.
    parts: stages with their pieces sorted, by identity: a repeat runs one stage many times.
    shared: the nodes of a shared chain's first use, and its place.
    smallest: how many nodes the chain of a repeat makes at least, by the chain's identity.
    poisoned: something was refused: there will be no graph.
    """

    limits: Limits
    mistakes: list[Mistake]
    maker: Maker
    frame: Frame
    later: Mapping[str, Span]
    nodes: dict[str, Node] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    parts: dict[int, Parts] = field(default_factory=dict)
    shared: dict[Block, tuple[tuple[Node, ...], Span]] = field(default_factory=dict)
    smallest: dict[int, int] = field(default_factory=dict)
    steps: int = 0
    poisoned: bool = False

    def report(self, mistake: Mistake) -> None:
        self.mistakes.append(replace(mistake, trail=self.frame.trail))

    def poison(self, *mistakes: Mistake) -> str:
        for mistake in mistakes:
            self.report(mistake)
        return self.silent()

    def silent(self) -> str:
        """A poisoned value without a message: the mistake behind it has been reported."""
        self.poisoned = True
        return POISON

    def count(self, span: Span) -> None:
        """One step more; raises `Stop` when there have been too many."""
        self.steps += 1
        if self.steps > self.limits.steps:
            self.report(TooManySteps(span, self.steps, self.limits.steps))
            raise Stop

    def scope(self, value: str | None) -> Scope:
        """Constants, and `in`: what flows in here."""
        inflow = LOST if value == POISON else None if value is None else self.nodes[value].value
        return Scope(self.frame.names, inflow)

    def sorted(self, stage: tree.Stage, begins: int) -> list[Part]:
        """The parts of a stage behind its source; their mistakes are reported once."""
        parts = self.parts.get(id(stage))
        if parts is None:
            parts = sort(stage.pieces[begins:], self.frame.module)
            self.parts[id(stage)] = parts
            if parts.mistakes:
                self.poison(*parts.mistakes)
        return parts.found

    def label(self, label: tree.Name, value: str) -> None:
        """Let `@label` mean the value in the innermost scope."""
        scope = self.frame.labels[-1]
        if label.word in scope:
            self.report(NameTaken(label.span, label.word, scope[label.word][1]))
        elif label.word in CATALOGUE or label.word == "id":
            reason = "an operator is called so"
            self.report(NameTaken(label.span, label.word, reason=reason))
        else:
            scope[label.word] = (value, label.span)

    def reference(self, reference: tree.Reference) -> str:
        """The value that `@name` means here."""
        for scope in reversed(self.frame.labels):
            if reference.word in scope:
                return scope[reference.word][0]
        known = [word for scope in self.frame.labels for word in scope]
        near = nearest(reference.word, known)
        later = None if self.frame.calls else self.later.get(reference.word)
        return self.poison(UnknownReference(reference.span, reference.word, near, later))
