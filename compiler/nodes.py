"""Nodes from inputs and from uses of operators: shapes are inferred, and each node gets its name, its
layer, and how its weights learn."""

from __future__ import annotations

from dataclasses import replace

from ..grammar import tree
from ..grammar.diagnostics import Note
from ..grammar.errors import TooManyNodes
from ..grammar.source import Span
from .applied import Applied
from .errors import BadExpression, MissingBranches, NoSource
from .expressions import Scope, evaluate, shown
from .graph import Input, Node
from .op import Op, Refused, Trait
from .pieces import Use
from .reading import Reading, Stop
from .shape_errors import ShapeMistake, WindowTooLarge, WrongSizes
from .shapes import Value, channels_first, written
from .weights import as_kept, learning, reach, tied


def input_node(
    reading: Reading, piece: tree.Value, label: tree.Name | None, *, integer: bool
) -> str:
    """Make the node of an input: `3x32x32`, or `64 int`."""
    try:
        sizes = evaluate(piece.value, Scope(reading.frame.names))
        shape = sizes if isinstance(sizes, tuple) else (sizes,)
        whole = tuple(s for s in shape if isinstance(s, int) and not isinstance(s, bool))
        if len(whole) != len(shape) or min(whole, default=0) < 1:
            problem = f"an input's sizes are whole numbers from 1, not {shown(sizes)}"
            raise Refused(BadExpression(piece.span, problem))
        value = Value.read(whole, integer=integer)
        reading.maker.bounded(value, piece.span)
    except Refused as refused:
        return reading.poison(*refused.mistakes)
    scope = "" if label and not reading.frame.calls else reading.frame.prefix
    name = reading.names.labelled(scope, label.word if label else "input")
    reading.nodes[name] = Node(name, Applied(Input(), (value,), value), (), name, piece.span)
    return name


def apply(
    reading: Reading,
    part: Use,
    inputs: list[str | None],
    layer: str | None,
    label: tree.Name | None,
) -> tuple[str | None, str | None]:
    """Apply an operator; returns its value and the layer that now stands open."""
    if part.flawed:
        return reading.silent(), None
    try:
        if part.merges and part.branches is None:
            raise Refused(MissingBranches(part.span, part.word))
        op = reading.maker.operator(part, reading.scope(inputs[0]))
        if any(name is None for name in inputs):
            raise Refused(NoSource(part.span, part.word))
        sources = [name for name in inputs if name]
        if len(sources) < len(inputs):
            return reading.silent(), None
        return _made(reading, part, op, sources, layer, label)
    except Refused as refused:
        return reading.poison(*refused.mistakes), None


def _made(
    reading: Reading,
    part: Use,
    op: Op,
    inputs: list[str],
    layer: str | None,
    label: tree.Name | None,
) -> tuple[str, str]:
    """Make the node of an operator; returns its name and its layer's, or raises `Refused`."""
    nodes, frame, span = reading.nodes, reading.frame, part.span
    arrivals = tuple(nodes[name].value for name in inputs)
    if op.arity is not None and len(inputs) != op.arity:
        problem = f"`{op.name}` joins {op.arity} branches, not {len(inputs)}"
        raise Refused(BadExpression(span, problem))
    if len(nodes) >= reading.limits.nodes:
        reading.report(TooManyNodes(span, len(nodes) + 1, reading.limits.nodes))
        raise Stop
    applied = _applied(reading, op, inputs, arrivals, span)
    for remark in applied.remarks:
        reading.report(replace(remark, span=span))
    learns = frame.learning
    if part.branches is None and part.learning:
        reach(reading, part, applied.weights)
        learns = learning(reading, part, inputs[0])
    hangs = layer is not None and Trait.HANGS in op.traits
    if label is not None and layer is None:
        name = reading.names.labelled(frame.prefix, label.word)
    else:
        name = reading.names.numbered(frame.prefix, op.name)
    owner = layer if hangs and layer is not None else name
    lent = tied(reading, part.tie, op, arrivals) if part.tie else {}
    if lent and learns.said:
        as_kept(reading, lent["weight"], learns, span)
    nodes[name] = Node(name, applied, tuple(inputs), owner, span, lent, frame.blocks, learns)
    return name, owner


def _applied(
    reading: Reading, op: Op, inputs: list[str], arrivals: tuple[Value, ...], span: Span
) -> Applied:
    """The operator on what arrives; what it refuses is told with where each shape comes from."""
    try:
        return reading.maker.applied(op, arrivals, span)
    except Refused as refused:
        mistake = replace(refused.mistake, span=refused.mistake.span or span)
        if isinstance(mistake, ShapeMistake):
            sources = (reading.nodes[name] for name in inputs)
            notes = (Note(node.span, f"{node.value} leaves here") for node in sources)
            arrivals_from = tuple(dict.fromkeys(notes))
            pictured = _pictured(reading, inputs[0], mistake)
            mistake = replace(mistake, arrivals=arrivals_from, pictured=pictured)
        raise Refused(mistake) from None


def _pictured(reading: Reading, name: str, mistake: ShapeMistake) -> str:
    """The shape of the input that a value comes from, with its channels first, where that explains
    the mistake: they seem to stand last, or are left out."""
    node = reading.nodes[name]
    while node.inputs:
        node = reading.nodes[node.inputs[0]]
    match mistake:
        case WindowTooLarge():
            rank = 3
        case WrongSizes(axes=1):
            rank = 2
        case _:
            return ""
    shape = channels_first(node.value.shape) if node.value.rank == rank else None
    return written(shape) if shape else ""
