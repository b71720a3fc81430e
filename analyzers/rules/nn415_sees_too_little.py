"""A global pool over numbers that each see a small part of the input.

Nothing in the net then sees a whole object: what is far apart meets only in a mean. The receptive
field before the pool should be as large as the object, which fills half of the input or more. Where
time is pooled, or what is pooled goes back to the map, a short view is meant, and not reported.

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
    "64x128 -> conv100 5 relu -> gmp fc2",
    "3x64x64 -> conv8 3 same relu -> mul[ id | gap -> fc2 relu -> fc8 sigmoid ] -> flatten fc10",
    "3x64x64 -> conv8 3 same relu -> add[ id | gap -> fc8 relu -> fc8 ] -> flatten fc10",
)


def check(net: Anatomy) -> Iterator[Finding]:
    if len(net.graph.inputs) != 1 or net.graph.inputs[0].value.rank < 3:
        return
    fields = receptive_fields(net.graph)
    size = net.graph.inputs[0].value.shape[1:]
    for node in net.graph.nodes:
        pools = isinstance(node.op, GlobalAverage | GlobalMax)
        back = pools and any(after.value.rank > 2 for after in net.ahead(node))
        view = fields[node.inputs[0]] if pools and not back else None
        if view and all(2 * f.size < whole for f, whole in zip(view, size, strict=True)):
            seen = "x".join(str(f.size) for f in view)
            yield Finding(
                node.span,
                f"`{word(node)}` pools numbers that see {seen} of "
                f"{'x'.join(map(str, size))} pixels each",
                "stride or pool before it, or add layers",
            )
