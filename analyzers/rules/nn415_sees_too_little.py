"""A global pool over numbers that each see a small part of the input.

Nothing in the net then sees a whole object: what is far apart meets only in a mean. The receptive field
before the pool should be as large as the object, which fills half of the input or more.

Source: Araujo et al. 2019; Luo et al. 2016, effective receptive fields are smaller still.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.pool import GlobalAverage, GlobalMax
from ..facts.anatomy import Anatomy, word
from ..facts.receptive_field import receptive_fields
from ..rule import Finding

WRONG = ("3x64x64 -> conv8 3 same relu -> conv8 3 same relu -> gap fc10",)
RIGHT = (
    "3x16x16 -> conv8 3 s2 p1 relu -> conv8 3 s2 p1 relu -> conv8 3 p1 relu -> gap fc10",
    "3x64x64 -> conv8 3 same relu -> flatten fc10",
)


def check(net: Anatomy) -> Iterator[Finding]:
    fields = receptive_fields(net.graph)
    if len(net.graph.inputs) != 1:
        return
    size = net.graph.inputs[0].value.shape[1:]
    for node in net.graph.nodes:
        last = isinstance(node.op, GlobalAverage | GlobalMax) and not net.gates_later(node)
        view = fields[node.inputs[0]] if last else None
        if view and all(2 * f.size < whole for f, whole in zip(view, size, strict=True)):
            seen = "x".join(str(f.size) for f in view)
            yield Finding(
                node.span,
                f"`{word(node)}` pools numbers that see {seen} of "
                f"{'x'.join(map(str, size))} pixels each",
                "stride or pool before it, or add layers",
            )
