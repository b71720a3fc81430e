"""Shapes and window arithmetic in Python integers, each result with its derivation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Layout: TypeAlias = Literal["first", "last", "outermost"]
"""Where the channels of maps lie in an array of a batch: (N, C, H, W), (N, H, W, C) or (C, H, W, N)."""


@dataclass(frozen=True)
class Value:
    """What flows between operators: a shape without the batch axis, and how to read it.

    Attributes
    ----------
    shape: channels first, `(C, H, W)`; `(T, D)` when `channels_last`.
    channels_last: the channels (features) stand on the last axis, as in time x features, or in
        maps that a plan lays out so.
    integer: whole numbers (indices), not floats.
    outermost: an array of a batch has the examples innermost, `(C, H, W, N)`: no spec has such maps,
        a plan may (compiler/plan/layout.py).
    """

    shape: tuple[int, ...]
    channels_last: bool = False
    integer: bool = False
    outermost: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def channel_axis(self) -> int:
        """Counted without the batch axis."""
        return self.rank - 1 if self.channels_last else 0

    @property
    def channels(self) -> int:
        return self.shape[self.channel_axis]

    @property
    def interleaved(self) -> bool:
        """Maps `(H, W, C)`: no spec has them, a plan may (compiler/plan/layout.py)."""
        return self.channels_last and self.rank > 2

    @property
    def depth(self) -> int:
        """The channels of maps; what windows do not slide along."""
        return self.shape[-1] if self.interleaved else self.shape[0]

    @property
    def places(self) -> tuple[int, ...]:
        """The sizes of maps, along which windows slide."""
        return self.shape[:-1] if self.interleaved else self.shape[1:]

    def maps(self, depth: int, *places: int) -> Value:
        """So many maps of these sizes, laid out as these are."""
        if self.interleaved:
            return Value((*places, depth), channels_last=True)
        return Value((depth, *places), outermost=self.outermost)

    @property
    def layout(self) -> Layout:
        """Of maps, where their channels lie."""
        if self.outermost:
            return "outermost"
        return "last" if self.interleaved else "first"

    def laid(self, layout: Layout) -> Value:
        """The same maps with the channels there."""
        last = layout == "last"
        shape = (*self.places, self.depth) if last else (self.depth, *self.places)
        return replace(self, shape=shape, channels_last=last, outermost=layout == "outermost")

    def batched(self, examples: int) -> tuple[int, ...]:
        """The shape of an array of so many."""
        return (*self.shape, examples) if self.outermost else (examples, *self.shape)

    @property
    def place_axes(self) -> tuple[int, ...]:
        """The axes of such an array that hold neither examples nor channels."""
        if self.outermost:
            return tuple(range(1, self.rank))
        return tuple(axis for axis in range(1, self.rank + 1) if axis != self.channel_axis + 1)

    @property
    def first_place(self) -> int:
        """Of maps, the first axis of such an array that windows slide along."""
        return 1 if self.interleaved or self.outermost else 2

    @classmethod
    def read(cls, shape: tuple[int, ...], *, integer: bool = False) -> Value:
        """How a shape is read when nothing says more: two sizes are time x features."""
        return cls(shape, channels_last=len(shape) == 2, integer=integer)

    def reshaped(self, *shape: int) -> Value:
        return replace(self, shape=shape)

    def __str__(self) -> str:
        return written(self.shape)


def written(shape: tuple[int, ...]) -> str:
    """A shape as the language writes it: `3x32x32`."""
    return "x".join(map(str, shape)) or "1"


SMALLEST = 8
"""The shortest side that a picture is known by."""

LONGER = 1.5
"""So much longer one side of a picture may be than the other."""


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """What `32x32x3` is meant to be, `3x32x32`, and `28x28`, `1x28x28`; None where the shape does not look
    like a picture with its channels last, or without any."""
    if len(shape) not in (2, 3):
        return None
    rows, columns, channels = (*shape, 1)[:3]
    alike = min(rows, columns) >= SMALLEST and max(rows, columns) <= LONGER * min(rows, columns)
    return (channels, rows, columns) if alike and channels in (1, 3, 4) else None


@dataclass(frozen=True)
class Window:
    """A kernel sliding along one axis.

    CS231n, convolutional networks, "Spatial arrangement"; with dilation and with PyTorch's
    `ceil_mode` (a last window may hang over the end, but must begin inside input or left padding).
    """

    size: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def reach(self) -> int:
        """How many inputs one window spans."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def room(self) -> int:
        """How far a window can slide; negative when it does not fit."""
        return self.size + self.before + self.after - self.reach

    @property
    def fits(self) -> bool:
        """Whether there is any output; rounded up, a window may be larger than its input."""
        return self.output >= 1

    @property
    def output(self) -> int:
        if not self.ceil:
            return self.room // self.stride + 1
        steps = -(-self.room // self.stride) + 1
        hangs_past = (steps - 1) * self.stride >= self.size + self.before
        return steps - 1 if hangs_past else steps

    @property
    def unseen(self) -> int:
        """Inputs at the far end that no window covers."""
        covered = (self.output - 1) * self.stride + self.reach - self.before
        return max(0, self.size - covered)

    @property
    def derivation(self) -> str:
        """The output-size formula with the numbers in it: `(32 + 2·1 − 3)/1 + 1 = 32`."""
        padding = (
            f" + 2·{self.before}"
            if self.before == self.after
            else f" + {self.before} + {self.after}"
        )
        reach = (
            f" − {self.kernel}"
            if self.dilation == 1
            else f" − {self.dilation}·({self.kernel} − 1) − 1"
        )
        quotient = f"({self.size}{padding}{reach})/{self.stride}"
        if self.room % self.stride:
            quotient = f"⌈{quotient}⌉" if self.ceil else f"⌊{quotient}⌋"
        plain = f"{quotient} + 1 = {self.output}"
        if self.ceil and self.output != -(-self.room // self.stride) + 1:
            return f"{quotient} = {self.output}: the last window would begin in the padding"
        return plain

    def inside(self, tap: int) -> tuple[int, int, int]:
        """For one tap of the kernel: the outputs `first` up to `last` that read a real input
        through it, and the input index that the first of them reads."""
        offset = tap * self.dilation - self.before
        first = -(offset // self.stride) if offset < 0 else 0
        last = min(self.output, (self.size - 1 - offset) // self.stride + 1)
        return first, max(first, last), first * self.stride + offset


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after that keeps ceil(size / stride) outputs; the odd one goes after."""
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return total // 2, total - total // 2
