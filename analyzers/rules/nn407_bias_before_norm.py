"""A bias that the norm behind it takes away again.

Batch norm and instance norm subtract the mean of each channel, and with it any bias added before;
their own shift takes its place. The bias costs parameters and memory and learns nothing.

Source: Ioffe and Szegedy 2015, section 3.2: "the bias b can be ignored".
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.ops.norm import BatchNorm, InstanceNorm
from ...grammar.diagnostics import Edit, Fix
from ...grammar.quantity import quantity
from ...grammar.source import Span
from ..facts.anatomy import Anatomy, affine, word
from ..rule import Finding

WRONG = ("3x8x8 -> conv4 3 bn relu -> gap fc2", "8 -> fc4 bn relu -> fc2")
RIGHT = (
    "3x8x8 -> conv4 3 nobias bn relu -> gap fc2",
    "8 -> fc4 relu bn -> fc2",
    "8 -> fc4 ln",
    "3x8x8 -> conv4 3 bn freeze relu -> gap fc2",
    "16x8x8 -> conv16 3 same gn4 relu -> gap fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        bias = next((weight for weight in node.weights if weight.name == "bias"), None)
        if bias is None or not affine(node):
            continue
        behind = next(net.ahead(node), None)
        if behind is None or behind.frozen:
            continue
        if isinstance(behind.op, BatchNorm | InstanceNorm):
            end = Span(node.span.source, node.span.end, node.span.end)
            yield Finding(
                node.span,
                f"the bias of `{word(node)}` ({quantity(bias.size, 'parameter')}) is taken away again "
                f"by the `{behind.op.name}` behind it",
                "write `nobias`",
                Fix("write `nobias`", (Edit(end, " nobias"),)),
            )
