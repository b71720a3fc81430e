"""A picture whose channels stand last.

Shapes begin with the channels: `3x32x32` is a picture of 32 by 32 in three colours. `32x32x3` is one
of 32 channels, each 32 by 3, and a convolution or a pool slides over rows and colours. NumPy arrays and
files of pictures lie so, with the channels last. Two sides of 8 or more that are nearly alike, and
behind them 1, 3 or 4, are taken for such a picture; where no window slides over it nothing is reported.

Source: CS231n, convolutional networks, 'Convolutional Layer': a volume of W x H x D; the order of its
axes here, channels, rows, columns, is that of PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.graph import Node
from ...compiler.op import Elementwise
from ...compiler.ops.conv import Convolution
from ...compiler.ops.norm import BatchNorm
from ...compiler.ops.pool import Pool
from ...compiler.shapes import channels_first, written
from ..facts.anatomy import Anatomy
from ..rule import Finding

WRONG = (
    "32x32x3 -> conv16 3x3 relu -> flatten -> fc10",
    "28x28x1 -> conv8 1 relu -> flatten fc10",
    "64x48x4 -> bn -> maxpool 2 -> flatten fc10",
)
RIGHT = (
    "3x32x32 -> conv16 3x3 relu -> flatten -> fc10",
    "32x32x3 -> flatten fc16 relu -> fc10",
    "32x32x3 -> permute (2, 0, 1) -> conv16 3x3 relu -> flatten fc10",
    "64x7x4 -> conv16 3x3 relu -> flatten fc10",
    "16x64x4 -> conv16 3x3 relu -> flatten fc10",
)


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.inputs:
        shape = channels_first(node.value.shape) if node.value.rank == 3 else None
        if shape and any(_slides(net, reader) for reader in net.readers[node.name]):
            sides = "x".join(map(str, node.value.shape[1:]))
            yield Finding(
                node.span,
                f"`{node.value}` is {node.value.channels} channels of {sides}, "
                f"not a picture in {_colours(shape[0])}",
                f"channels come first: `{written(shape)}`",
            )


def _slides(net: Anatomy, node: Node) -> bool:
    """Whether a window slides over what the node reads, or, where that keeps its shape, over what
    it gives."""
    for after in (node, *net.ahead(node)):
        if isinstance(after.op, Convolution | Pool):
            return True
        if not isinstance(after.op, Elementwise | BatchNorm):
            break
    return False


def _colours(channels: int) -> str:
    return "one channel" if channels == 1 else f"{channels} channels"
