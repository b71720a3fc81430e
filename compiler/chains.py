"""The walk over chains: a value runs through stages, blocks, groups, loops and choices, and nodes are
made on the way.

Blocks, loops and branches are walked on a stack of our own (see walk.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from ..grammar import tree
from ..grammar.diagnostics import Note
from ..grammar.errors import BlocksTooDeep
from .declarations import bound
from .errors import BadExpression, BlockInItself, NoSource, StrayBranches
from .expressions import Lost, Worth, evaluate, shown
from .files import Block
from .graph import BlockUse
from .making import arguments
from .nodes import apply, input_node
from .op import Refused
from .pieces import Bracketed, Part, Use
from .reading import POISON, Frame, Reading
from .repeats import times
from .walk import Walk
from .weights import learning, lend, reach

# -------------------------------------------------------------------------- flows and stages


def flow(reading: Reading, written: tree.Flow) -> Walk[str]:
    """Run a whole flow, and let its label mean its end."""
    outside = reading.frame
    reading.frame = outside._replace(prefix=written.label.word if written.label else "")
    lone = len(written.chain.stages) == 1
    made: str | None = yield _chain(reading, written.chain, None, written.label if lone else None)
    first = written.chain.stages[0].span
    end = reading.poison(NoSource(written.chain.span, first.text)) if made is None else made
    if written.label:
        reading.label(written.label, end)
    reading.frame = outside
    return end


def _chain(
    reading: Reading, chain: tree.Chain, value: str | None, label: tree.Name | None = None
) -> Walk[str | None]:
    """Run a value through the stages; None when nothing flows in, and nothing comes of it."""
    for index, stage in enumerate(chain.stages):
        named = label if index == 0 else None
        value = yield _stage(reading, stage, value, named, first=index == 0)
    return value


def _stage(
    reading: Reading,
    stage: tree.Stage,
    value: str | None,
    chain_label: tree.Name | None,
    *,
    first: bool,
) -> Walk[str | None]:
    """Run a value through one stage; the `first` of a chain may have a source of its own."""
    reading.count(stage.span)
    begins = 0
    if first:
        value, begins = _origin(reading, stage.pieces, value, stage.label or chain_label)
    label = stage.label
    layer: str | None = None
    for part in reading.sorted(stage, begins):
        if isinstance(part, Use) and not isinstance(part.callee, Block):
            if part.branches is None:
                value, layer = apply(reading, part, [value], layer, label)
            else:
                outside = _enter(reading, part, value)
                before = len(reading.nodes)
                inputs = yield _branches(reading, part, part.branches, value)
                _leave(reading, part, before, outside)
                value, layer = apply(reading, part, inputs, layer, label)
        else:
            layer = None
            outside = _enter(reading, part, value)
            before = len(reading.nodes)
            value = yield _inner(reading, part, value, label)
            _leave(reading, part, before, outside)
        label = None if isinstance(part, Use) else label
    if stage.label:
        reading.label(stage.label, value or POISON)
    return value


def _origin(
    reading: Reading, pieces: tuple[tree.Piece, ...], value: str | None, label: tree.Name | None
) -> tuple[str | None, int]:
    """The source at the head of a chain, and how many pieces it takes."""
    match pieces[0]:
        case tree.Reference():
            return reading.reference(pieces[0]), 1
        case tree.Value():
            behind = pieces[1] if len(pieces) > 1 else None
            integer = isinstance(behind, tree.Word) and behind.word == "int"
            taken = 1 + integer
            named = label if len(pieces) == taken else None
            return input_node(reading, pieces[0], named, integer=integer), taken
        case _:
            return value, 0


def _enter(reading: Reading, part: Part, value: str | None) -> Frame:
    """Let what is made inside learn as the part says; returns the frame to come back to."""
    outside = reading.frame
    if not part.learning:
        return outside
    try:
        reading.frame = outside._replace(learning=learning(reading, part, value))
    except Refused as refused:
        reading.poison(*refused.mistakes)
    return outside


def _leave(reading: Reading, part: Part, before: int, outside: Frame) -> None:
    """Come back, and report what was said of weights that are not there; a choice may have some
    in the branch that is not taken."""
    reading.frame = outside
    if not part.learning or (isinstance(part, Bracketed) and isinstance(part.inner, tree.Choice)):
        return
    made = tuple(islice(reading.nodes.values(), before, None))
    if made and not reading.poisoned:
        reach(reading, part, tuple(weight for node in made for weight in node.weights))


def _inner(
    reading: Reading, part: Part, value: str | None, label: tree.Name | None
) -> Walk[str | None]:
    """The walk through what has stages of its own."""
    if isinstance(part, Use):
        return _call(reading, part, value, label)
    match part.inner:
        case tree.Group():
            return _group(reading, part.inner, value)
        case tree.Loop():
            return _loop(reading, part.inner, value)
        case tree.Choice():
            return _choice(reading, part.inner, value)


# ----------------------------------------------------------------------- branches and blocks


def _branches(
    reading: Reading, part: Use, group: tree.Group, value: str | None
) -> Walk[list[str | None]]:
    """What each branch makes of the value; None when it is `id` and nothing flows in."""
    if group.repeat is not None:
        problem = f"`{part.word}[ ... ]` is not repeated by `*`"
        advice = f"put it into a group: `[ {part.word}[ ... ] ]*n`"
        reading.poison(BadExpression(group.repeat.span, problem, advice))
        return [POISON]
    found: list[str | None] = []
    for chain in group.branches:
        end: str | None = yield _chain(reading, chain, value)
        found.append(end)
    return found


def _call(
    reading: Reading, use: Use, value: str | None, label: tree.Name | None
) -> Walk[str | None]:
    """Run a value through a block or a shared chain, under names of its own."""
    block = use.callee
    assert isinstance(block, Block)
    if use.flawed:
        return reading.silent()
    outside = reading.frame
    try:
        if block in outside.calls:
            raise Refused(BlockInItself(use.span, block.name))
        if len(outside.calls) >= reading.limits.blocks:
            depth = len(outside.calls) + 1
            raise Refused(BlocksTooDeep(use.span, depth, reading.limits.blocks))
        given = {name: g.value for name, g in arguments(use, reading.scope(value)).items()}
        names = _opened(reading, block, given, value)
    except Refused as refused:
        return reading.poison(*refused.mistakes)
    if label is not None:
        prefix = reading.names.labelled(outside.prefix, label.word)
    elif block.written.shared:
        prefix = reading.names.labelled("", block.name)
    else:
        prefix = reading.names.numbered(outside.prefix, block.name)
    note = Note(use.span, f"in this use of `{block.name}`")
    reading.frame = Frame(
        prefix,
        names,
        ({},),
        block.module,
        (*outside.calls, block),
        (note, *outside.trail),
        (*outside.blocks, BlockUse(prefix, block.name, tuple(given.items()))),
        outside.learning,
    )
    before = len(reading.nodes)
    value = yield _chain(reading, block.written.chain, value)
    reading.frame = outside
    if block.written.shared and value:
        value = lend(reading, block, before, value, use.span)
    return value


def _opened(
    reading: Reading, block: Block, given: Mapping[str, Worth], value: str | None
) -> dict[str, Worth | Lost]:
    """The names that a block's chain sees: its file's, its parameters, its lets."""
    names: dict[str, Worth | Lost] = {**block.module.lets, **given}
    scope = replace(reading.scope(value), names=names)
    for parameter in block.written.parameters or ():
        if parameter.name.word not in given and parameter.default is not None:
            names[parameter.name.word] = evaluate(parameter.default, scope)
    for let in block.written.lets:
        names.update(bound(let.target, evaluate(let.value, scope), let.value.span))
    return names


# ------------------------------------------------------------------ groups, loops and choices


def _group(reading: Reading, group: tree.Group, value: str | None) -> Walk[str | None]:
    """Run a value through a group as often as it is repeated."""
    if len(group.branches) > 1:
        return reading.poison(StrayBranches(group.span))
    (body,) = group.branches
    if group.repeat is None:
        value = yield _chain(reading, body, value)
        return value
    try:
        turns = times(reading, group, group.repeat, value)
    except Refused as refused:
        return reading.poison(*refused.mistakes)
    for _ in range(turns):
        before = value, len(reading.nodes), len(reading.names.taken)
        value = yield _turn(reading, body, value, {})
        # A turn that makes no node and takes no name is like all that would follow it.
        if value == POISON or (value, len(reading.nodes), len(reading.names.taken)) == before:
            break
    return value


def _loop(reading: Reading, loop: tree.Loop, value: str | None) -> Walk[str | None]:
    """Run a value through a loop's body, once for each item."""
    try:
        items = evaluate(loop.items, reading.scope(value))
        if not isinstance(items, tuple):
            problem = f"`for` goes through a list, not {shown(items)}"
            advice = "write one, as in `for n in (64, 128)`, or `range(n)`"
            raise Refused(BadExpression(loop.items.span, problem, advice))
        turns = [bound(loop.target, item, loop.items.span) for item in items]
    except Refused as refused:
        return reading.poison(*refused.mistakes)
    for names in turns:
        value = yield _turn(reading, loop.body, value, names)
        if value == POISON:
            break
    return value


def _turn(
    reading: Reading, body: tree.Chain, value: str | None, names: Mapping[str, Worth]
) -> Walk[str | None]:
    """One turn of a repeat or a loop: labels given in it are its own."""
    outside = reading.frame
    reading.frame = outside._replace(
        labels=(*outside.labels, {}),
        names={**outside.names, **names} if names else outside.names,
    )
    value = yield _chain(reading, body, value)
    reading.frame = outside
    return value


def _choice(reading: Reading, choice: tree.Choice, value: str | None) -> Walk[str | None]:
    """Run a value through the branch whose condition holds, if one does."""
    branch: tree.Choice | tree.Chain | None = choice
    try:
        while isinstance(branch, tree.Choice):
            holds = evaluate(branch.condition, reading.scope(value))
            if not isinstance(holds, bool):
                problem = f"`if` wants true or false, not {shown(holds)}"
                advice = "compare, as in `if in.c != c [ ... ]`"
                raise Refused(BadExpression(branch.condition.span, problem, advice))
            branch = branch.then if holds else branch.otherwise
    except Refused as refused:
        return reading.poison(*refused.mistakes)
    if branch is not None:
        value = yield _chain(reading, branch, value)
    return value
