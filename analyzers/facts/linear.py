"""Which chains of layers are one affine map, and which layer that is.

Convention: inference, where dropout passes and batch norm is a scale and a shift. A chain begins
and ends at learned affine operators, has two or more of them, and nothing bends between; each value
in it has one reader. f then g of affine maps is affine: W₂ (W₁ x + b₁) + b₂ = (W₂ W₁) x + (W₂ b₁ + b₂).
Windows compose likewise: the second's step of 1 is the first's stride, so the kernels' widths less 1,
the second's times that stride, add up. Zeros padded between two convolutions are not what the first
makes of zeros around the input: such a chain is one convolution but for the edges.

Source: CS231n, neural networks 1, 'Modeling one neuron'; Dumoulin and Visin 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...compiler.graph import Node
from ...compiler.op import Op, Trait
from ...compiler.ops.conv import Conv, Convolution, DepthwiseConv, TransposedConv
from ...compiler.ops.dense import Fc
from ...compiler.ops.learned import Positions, Scale, Shift
from ...compiler.ops.norm import BatchNorm
from ...compiler.ops.pool import AvgPool
from ...compiler.shapes import Value, Window
from ...grammar.quantity import quantity
from .anatomy import Anatomy, affine, passes

LONGEST, WIDEST = 2**14, 2**8
"""Places along an axis, and in a window, up to which windows are composed."""


@dataclass(frozen=True)
class OneMap:
    """A chain that is one affine map.

    Attributes
    ----------
    nodes: in order, the first and last of them learned.
    equals: the layer that computes the same, as it is written; None where no operator does.
    before, after: parameters of the chain, and of that layer.
    exact: whether it computes the same everywhere; else at every place but those that padding
        between the layers reaches.
    """

    nodes: tuple[Node, ...]
    equals: str | None
    before: int
    after: int
    exact: bool

    @property
    def told(self) -> str:
        """What the one layer costs: `18 parameters instead of 39`; empty where no operator is it."""
        if self.equals is None:
            return ""
        if self.after < self.before:
            return f"with {quantity(self.after, 'parameter')} instead of {self.before:,}"
        return f"which takes {quantity(self.after, 'parameter')} where these have {self.before:,}"

    @property
    def layers(self) -> tuple[Node, ...]:
        """Those with neurons."""
        return tuple(node for node in self.nodes if affine(node))


def chains(net: Anatomy) -> tuple[OneMap, ...]:
    """The longest chains of a net, in order."""
    found: list[OneMap] = []
    seen: set[str] = set()
    for node in net.graph.nodes:
        if node.name in seen or not straight(node):
            continue
        run = [node]
        for after in net.ahead(node):
            if not straight(after):
                break
            run.append(after)
        seen.update(one.name for one in run)
        learned = [i for i, one in enumerate(run) if one.weights]
        if len(learned) > 1:
            found.append(one_map(run[learned[0] : learned[-1] + 1]))
    return tuple(found)


def straight(node: Node) -> bool:
    """Whether it is one affine map of one value, at inference."""
    bends = Trait.LINEAR not in node.op.traits and not passes(node)
    return not node.is_input and len(node.inputs) == 1 and not bends


def one_map(nodes: Sequence[Node]) -> OneMap:
    """What a chain of affine operators is together."""
    x, y = nodes[0].arrivals[0], nodes[-1].value
    before = sum(node.params for node in nodes)
    found = _by_channel(nodes) or _dense(nodes, x, y) or _windows(nodes, x, y)
    if found is None:
        return OneMap(tuple(nodes), None, before, 0, False)
    text, op, exact = found
    arrival = Value((x.size,)) if text.startswith("flatten") else x
    after = sum(weight.size for weight in op.weights(arrival))
    return OneMap(tuple(nodes), text, before, after, exact)


Found = tuple[str, Op, bool]


def _by_channel(nodes: Sequence[Node]) -> Found | None:
    """Scales and shifts alone: one of their kind, or a batch norm."""
    moving = [node.op for node in nodes if Trait.RANDOM not in node.op.traits]
    if all(isinstance(op, Scale) for op in moving):
        return "scale", Scale(), True
    if all(isinstance(op, Shift) for op in moving):
        return "shift", Shift(), True
    if all(isinstance(op, Positions) for op in moving):
        return "pos", Positions(), True
    channelwise = all(isinstance(op, Scale | Shift | BatchNorm) for op in moving)
    return ("bn", BatchNorm(), True) if channelwise else None


def _dense(nodes: Sequence[Node], x: Value, y: Value) -> Found | None:
    """To a vector every affine map is fully connected; row by row where every operator is."""
    if y.rank > 1 and not all(map(_row_by_row, nodes)):
        return None
    op = Fc(n=y.channels, nobias=not any(map(_shifts, nodes)))
    flat = "flatten " if x.rank > 1 and y.rank == 1 else ""
    return f"{flat}fc{op.n}{' nobias' if op.nobias else ''}", op, True


def _row_by_row(node: Node) -> bool:
    """Whether each step of a sequence is mapped alike."""
    if isinstance(node.op, Scale | Shift | BatchNorm):
        return node.value.channels_last
    return isinstance(node.op, Fc) or Trait.RANDOM in node.op.traits


def _shifts(node: Node) -> bool:
    """Whether it makes something of zeros."""
    kinds = isinstance(node.op, Shift | BatchNorm | Positions)
    return kinds or any(weight.name == "bias" for weight in node.weights)


# ------------------------------------------------------------------------------------ windows


@dataclass(frozen=True)
class Axis:
    """A window that slides along one axis.

    Attributes
    ----------
    size: places that there are. taps: which the window reads, from where it begins.
    wrong: the places of the output where it is not what the operators make one after another.
    """

    size: int
    taps: frozenset[int] = frozenset({0})
    stride: int = 1
    before: int = 0
    after: int = 0
    wrong: frozenset[int] = frozenset()

    @classmethod
    def of(cls, window: Window) -> Axis:
        reach = window.dilation * (window.kernel - 1) + 1
        taps = frozenset(range(0, reach, window.dilation))
        return cls(window.size, taps, window.stride, window.before, window.after)

    @property
    def dilation(self) -> int:
        return math.gcd(*self.taps) or 1

    @property
    def kernel(self) -> int:
        return max(self.taps) // self.dilation + 1

    def read(self, place: int) -> Iterator[int]:
        """What the window at a place reads; below 0 and from `size` on there are zeros."""
        return (self.stride * place - self.before + tap for tap in self.taps)

    def sees(self, place: int) -> bool:
        """Whether the window at a place reads anything but zeros."""
        return any(0 <= one < self.size for one in self.read(place))

    @property
    def places(self) -> range:
        padded = self.size + self.before + self.after
        return range((padded - max(self.taps) - 1) // self.stride + 1)

    def then(self, other: Axis, *, shifted: bool) -> Axis:
        """The window through which the second sees what the first reads.

        Zeros that the second pads are wrong where the first, shifted or not, makes more of what is
        there.
        """

        padded = (*range(-other.before, 0), *range(other.size, other.size + other.after))
        bad = self.wrong.union(place for place in padded if shifted or self.sees(place))
        return Axis(
            self.size,
            frozenset(one + self.stride * two for one in self.taps for two in other.taps),
            self.stride * other.stride,
            self.before + self.stride * other.before,
            self.after + self.stride * other.after,
            frozenset(one for one in other.places if bad and not bad.isdisjoint(other.read(one))),
        )


@dataclass(frozen=True)
class Windows:
    """A convolution, whatever it is written as.

    Attributes
    ----------
    blocks: groups of channels that do not meet; the input's channels where each is by itself.
    shifts: whether it makes something of zeros.
    """

    axes: tuple[Axis, ...]
    blocks: int
    shifts: bool

    @property
    def exact(self) -> bool:
        return not any(axis.wrong for axis in self.axes)

    def then(self, other: Windows) -> Windows:
        """First this one, then the other."""
        pairs = zip(self.axes, other.axes, strict=True)
        return Windows(
            tuple(one.then(two, shifted=self.shifts) for one, two in pairs),
            math.gcd(self.blocks, other.blocks),
            self.shifts or other.shifts,
        )


def _windows(nodes: Sequence[Node], x: Value, y: Value) -> Found | None:
    """One convolution from maps to maps; None where an operator slides no window."""
    if x.rank < 2 or max(x.shape[1:]) > LONGEST:
        return None
    parts = [_slid(node) for node in nodes if Trait.RANDOM not in node.op.traits]
    whole = Windows(tuple(map(Axis, x.shape[1:])), x.shape[0], shifts=False)
    for part in parts:
        if part is None:
            return None
        whole = whole.then(part)
        if any(len(axis.taps) > WIDEST for axis in whole.axes):
            return None
    return _written(whole, x, y)


def _slid(node: Node) -> Windows | None:
    """An operator as a convolution."""
    (x,), op = node.arrivals, node.op
    match op:
        case TransposedConv():
            return None
        case Convolution():
            slid, blocks = op.windows(x), op.groups(x)
        case AvgPool() if not op.ceil:
            slid, blocks = op.windows(x), x.shape[0]
        case Scale() | Shift() | BatchNorm() if not x.channels_last:
            return Windows(tuple(map(Axis, x.shape[1:])), x.shape[0], _shifts(node))
        case _:
            return None
    if any(max(w.size, w.before, w.after) > LONGEST or w.kernel > WIDEST for w in slid):
        return None
    axes = tuple(map(Axis.of, slid))
    return Windows(axes, blocks, _shifts(node))


def _written(whole: Windows, x: Value, y: Value) -> Found | None:
    """As `conv` or `dwconv`; None where the padding differs in front and behind."""
    if any(axis.before != axis.after for axis in whole.axes):
        return None
    kernel, stride, padding, dilation = (
        tuple(getattr(axis, name) for axis in whole.axes)
        for name in ("kernel", "stride", "before", "dilation")
    )
    filters, apart = y.shape[0], whole.blocks == x.shape[0] > 1
    settings = {"k": kernel, "s": stride, "p": padding, "d": dilation, "nobias": not whole.shifts}
    op: Conv | DepthwiseConv
    if apart:
        op = DepthwiseConv(**settings, m=filters // x.shape[0])
    else:
        op = Conv(**settings, n=filters, g=whole.blocks)
    if op.shape(x) != y:
        return None
    words = ["dwconv" if apart else f"conv{filters}", "x".join(map(str, kernel))]
    words += [
        f"{letter}{value[0]}" if len(set(value)) == 1 else f"{letter}({', '.join(map(str, value))})"
        for letter, value, usual in (("s", stride, 1), ("p", padding, 0), ("d", dilation, 1))
        if set(value) != {usual}
    ]
    if apart and filters != x.shape[0]:
        words.append(f"m={filters // x.shape[0]}")
    if not apart and whole.blocks > 1:
        words.append(f"g{whole.blocks}")
    return " ".join([*words, *(["nobias"] if op.nobias else [])]), op, whole.exact
