"""`expect`: what the author promised, held against what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from ..compiler.errors import BrokenPromise, NothingToExpect
from ..compiler.expressions import Scope, Worth, evaluate, shown
from ..compiler.graph import Graph
from ..compiler.op import Refused
from ..grammar import tree
from ..grammar.diagnostics import Mistake
from ..grammar.near import nearest
from .facts import cost, memory, parameters
from .facts.roles import roles


def _size(shape: tuple[int, ...]) -> Worth:
    """A vector's shape is its length, so that `output == 10` reads as one says it."""
    return shape[0] if len(shape) == 1 else shape


FACTS: Mapping[str, Callable[[Graph], Worth]] = MappingProxyType(
    {
        "params": lambda graph: parameters.of_net(graph).value,
        "trainable": lambda graph: parameters.trainable(graph).value,
        "neurons": lambda graph: roles(graph).neurons,
        "layers": lambda graph: len(graph.layers),
        "depth": lambda graph: roles(graph).depth,
        "macs": cost.of_net,
        "flops": lambda graph: 2 * cost.of_net(graph),
        "memory": memory.of_inference,
        "train_memory": memory.of_training,
        "input": lambda graph: _size(graph.inputs[0].value.shape),
        "output": lambda graph: _size(graph.output.value.shape),
    }
)
"""What can be promised, and how it is counted."""


SUMS: Mapping[str, Callable[[Graph], parameters.Count]] = MappingProxyType(
    {"params": parameters.of_net, "trainable": parameters.trainable}
)
"""The facts that are told with what they are the sum of."""


def check_promises(graph: Graph) -> tuple[Mistake, ...]:
    """A mistake for every `expect` that does not hold, or that asks for what is not known."""
    return tuple(m for promise in graph.promises for m in _checked(graph, promise.condition))


def _checked(graph: Graph, condition: tree.Expression) -> Iterator[Mistake]:
    if isinstance(condition, tree.Binary) and condition.operator == "and":
        yield from _checked(graph, condition.left)
        yield from _checked(graph, condition.right)
        return
    facts: dict[str, Worth] = {}
    try:
        for part in _names(condition):
            facts[_key(part)] = _known(graph, part)
        if not evaluate(condition, Scope(facts)):
            yield BrokenPromise(condition.span, condition.span.text, _counted(graph, facts))
    except Refused as refused:
        yield refused.mistake


def _names(expression: tree.Expression) -> Iterator[tree.Name | tree.Reference]:
    """The facts that an expression asks for."""
    pending: list[tree.Expression] = [expression]
    while pending:
        match pending.pop():
            case (tree.Name() | tree.Reference()) as part:
                yield part
            case tree.Binary(left=left, right=right):
                pending += [left, right]
            case tree.Unary(operand=operand):
                pending.append(operand)
            case tree.Conditional(then=then, condition=condition, otherwise=otherwise):
                pending += [then, condition, otherwise]
            case tree.Tuple(items=items):
                pending += items
            case tree.Call(arguments=arguments):
                pending += [argument.value for argument in arguments]
            case _:
                pass


def _key(part: tree.Name | tree.Reference) -> str:
    return part.word if isinstance(part, tree.Name) else f"@{part.word}.{part.attribute or 'shape'}"


def _known(graph: Graph, part: tree.Name | tree.Reference) -> Worth:
    if isinstance(part, tree.Name):
        if part.word in FACTS:
            return FACTS[part.word](graph)
        near = nearest(part.word, FACTS)
        raise Refused(NothingToExpect(part.span, part.word, near, tuple(FACTS)))
    name = graph.named.get(part.word, part.word)
    if (part.attribute or "shape") == "shape" and name in graph:
        return _size(graph[name].value.shape)
    known = [f"@{word}.shape" for word in (*graph.named, *(node.name for node in graph.nodes))]
    near = nearest(_key(part), known)
    raise Refused(NothingToExpect(part.span, _key(part), near, ("@name.shape",)))


def _counted(graph: Graph, facts: Mapping[str, Worth]) -> str:
    """What is true instead: `params is 41 = 16 + 20 + 5`."""
    told = []
    for name, worth in facts.items():
        text = f"{name} is {shown(worth)}"
        if name in SUMS and len(graph.layers) > 1:
            parts = SUMS[name](graph).formula.partition(" = ")[0]
            text += f" = {parts}" if len(parts) <= 60 else ""
        told.append(text)
    return ", ".join(told) if told else "that is not so"
