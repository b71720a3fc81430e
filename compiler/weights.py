"""Weights of nodes that are being made: how they learn, and where they are kept when that is in
another node: the stage that `tie=@name` names, or the first use of a shared chain."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, zip_longest

from ..grammar import tree
from ..grammar.source import Span
from .files import Block
from .graph import Node
from .op import Op, Refused, Weight
from .pieces import Part
from .reading import POISON, Reading
from .shapes import Value, written
from .training.learning import ON_MATRICES, Learning
from .weight_errors import CannotTie, LearnsElsewhere, NothingToLearn, SharedDiffers


def learning(reading: Reading, part: Part, value: str | None) -> Learning:
    """How the weights of a part learn that says so; raises `Refused`."""
    said = reading.maker.learning(part, reading.scope(value))
    return said.within(reading.frame.learning)


def reach(reading: Reading, part: Part, weights: tuple[Weight, ...]) -> None:
    """Report what the part says of learning that acts on none of these weights."""
    matrices = any(weight.decays for weight in weights)
    if not matrices:
        lost = [word for word in part.learning if not weights or word in ON_MATRICES]
        if lost:
            places = [part.learning[word].span for word in lost]
            words = " ".join(place.text for place in places)
            reading.poison(NothingToLearn(places[0], part.word, words, bool(weights)))


def tied(
    reading: Reading, reference: tree.Reference, op: Op, arrivals: tuple[Value, ...]
) -> dict[str, str]:
    """The weight that `tie=@name` takes: of the stage's operator, or of its layer's head; raises
    `Refused` when there is none like it."""
    name = reading.reference(reference)
    if name == POISON:
        raise Refused
    nodes = reading.nodes
    wanted = next(
        (
            w
            for w in reading.maker.applied(op, arrivals, reference.span).weights
            if w.name == "weight"
        ),
        None,
    )
    for node in (nodes[name], nodes[nodes[name].layer]):
        for weight in node.weights:
            if weight.name == "weight" and wanted is not None:
                if weight.shape == wanted.shape:
                    return {"weight": node.keeper(weight)}
                sizes = [written(w.shape) for w in (weight, wanted)]
                problem = f"its weight is {sizes[0]}, but {sizes[1]} is wanted"
                raise Refused(CannotTie(reference.span, reference.word, problem))
    raise Refused(CannotTie(reference.span, reference.word, "it has no such weight"))


def as_kept(reading: Reading, weight: str, learns: Learning, span: Span) -> None:
    """Refuse that a weight learns otherwise than where it is kept."""
    keeper = reading.nodes[weight.rpartition(".")[0]]
    if keeper.learning != learns:
        words = str(learns), str(keeper.learning)
        reading.poison(LearnsElsewhere(span, keeper.name, *words, keeper.span))


def lend(reading: Reading, block: Block, before: int, value: str, span: Span) -> str:
    """Give the nodes of a further use of a shared chain, those from `before` on, the weights of the
    first."""
    made = tuple(islice(reading.nodes.values(), before, None))
    if block not in reading.shared:
        reading.shared[block] = (made, span)
        return value
    first, place = reading.shared[block]
    if differing := _differing(made, first):
        return reading.poison(SharedDiffers(span, *differing, place))
    if reading.frame.learning.said:
        for node, owner in zip(made, first, strict=True):
            if owner.weights and node.learning != owner.learning:
                words = str(node.learning), str(owner.learning)
                return reading.poison(LearnsElsewhere(span, block.name, *words, place))
    for node, owner in zip(made, first, strict=True):
        lent = {w.name: owner.keeper(w) for w in (*owner.weights, *owner.state)}
        reading.nodes[node.name] = replace(node, lent=lent, learning=owner.learning)
    return value


def _differing(made: tuple[Node, ...], first: tuple[Node, ...]) -> tuple[str, str, str] | None:
    """The first weight whose size is another in a further use: its name, and both sizes."""
    kept, wanted = (
        [(node, w) for node in nodes for w in (*node.weights, *node.state)]
        for nodes in (first, made)
    )
    for (node, here), (_, there) in zip_longest(kept, wanted, fillvalue=(None, None)):
        if here is None or there is None or here.shape != there.shape:
            owner = (node or made[-1]).keeper(here) if here else "a weight"
            sizes = [written(w.shape) if w else "nothing" for w in (there, here)]
            return owner, sizes[0], sizes[1]
    return None
