"""Mistakes of weights: kept in another node whose weights do not suit, or told how to learn where they
cannot be."""

from __future__ import annotations

from dataclasses import dataclass

from ..grammar.diagnostics import Mistake, Note
from ..grammar.source import Span


@dataclass(frozen=True)
class SharedDiffers(Mistake):
    """A shared chain is used where its weights would have other sizes than where it was first used."""

    code, name = "NN123", "shared-differs"
    weight: str
    found: str
    wanted: str
    first: Span | None = None

    def message(self) -> str:
        return f"`{self.weight}` is {self.wanted}, but here it would be {self.found}"

    def help(self) -> str:
        return "one set of weights fits one shape; a `block` has weights of its own in every use"

    def notes(self) -> tuple[Note, ...]:
        return (Note(self.first, "first used here"),) if self.first else ()


@dataclass(frozen=True)
class CannotTie(Mistake):
    """`tie=@name` asks for the weight of a stage that has none, or one of another shape."""

    code, name = "NN124", "cannot-tie"
    word: str
    problem: str

    def message(self) -> str:
        return f"`tie=@{self.word}`: {self.problem}"

    def help(self) -> str:
        return (
            "tie weights of one shape: `t: embed50257 768`, and at the end `fc50257 nobias tie=@t`"
        )


@dataclass(frozen=True)
class NothingToLearn(Mistake):
    """`freeze`, `lr=`, `l2=`, `l1=` or `max_norm=` stands where there are no weights that it could act on.

    `freeze` and `lr` act on all weights; `l2`, `l1` and `max_norm` on matrices and kernels, not on
    biases and on the scales of norms.
    """

    code, name = "NN125", "nothing-to-learn"
    operator: str
    words: str
    matrices: bool = False

    def message(self) -> str:
        lacks = "no matrix or kernel" if self.matrices else "no weights"
        return f"`{self.operator}` has {lacks} for `{self.words}` to act on"

    def help(self) -> str:
        places = "an operator that has one" if self.matrices else "an operator with weights"
        return (
            f"write it behind {places}, as in `fc4 {self.words}`, or behind brackets around several"
        )


@dataclass(frozen=True)
class LearnsElsewhere(Mistake):
    """A use of weights that are kept elsewhere says that they learn otherwise than there.

    One set of weights learns in one way: a shared chain's where it is first used, a tied one's where
    it is made.
    """

    code, name = "NN126", "learns-elsewhere"
    weights: str
    found: str
    wanted: str
    first: Span | None = None

    def message(self) -> str:
        there = f"with `{self.wanted}`" if self.wanted else "as the net does"
        return (
            f"the weights of `{self.weights}` learn {there} where they are made, "
            f"so not with `{self.found}` here"
        )

    def help(self) -> str:
        return "say it there; one set of weights learns in one way"

    def notes(self) -> tuple[Note, ...]:
        return (Note(self.first, "made here"),) if self.first else ()
