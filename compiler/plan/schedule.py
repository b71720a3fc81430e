"""The frozen plan of one pass over one batch: arrays, steps, and an offset for each array."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import Literal

from ..graph import Node
from ..op import DType
from ..training.losses import Loss
from .parameters import Parameters

Mode = Literal["train", "infer"]

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""


class Kind(Enum):
    """What an array is for."""

    INPUT = auto()
    TARGET = auto()
    VALUE = auto()
    GRADIENT = auto()
    SAVED = auto()
    SCRATCH = auto()
    PREPARED = auto()
    """Made of weights and statistics, for every batch until these change."""
    LOSS = auto()


class Phase(Enum):
    FORWARD = auto()
    GATHER = auto()
    """What a lane put out goes to its place among all."""
    LOSS = auto()
    ACCUMULATE = auto()
    """The second input is added to the first: a value that two operators read."""
    BACKWARD = auto()
    MEET = auto()
    """A lane waits for the others."""
    JOIN = auto()
    """The gradients that the lanes found are added up, each lane adding a part of the vector."""


EVERY = -1
"""In place of a lane: all of them."""


@dataclass(frozen=True)
class Array:
    """An array of the arena: its shape with the batch axis first, and what it is for.

    Attributes
    ----------
    lane: whose it is; EVERY where several lanes use it at once, so that no memory of it is ever free.
    part: (whole, first): the examples from `first` of another array, of which it is a view.
    """

    index: int
    shape: tuple[int, ...]
    dtype: DType
    kind: Kind
    lane: int = 0
    part: tuple[int, int] | None = None

    def bytes(self, float_bytes: int) -> int:
        width = {"float": float_bytes, "bool": 1, "uint8": 1, "int64": 8}[self.dtype]
        return math.prod(self.shape) * width


@dataclass(frozen=True)
class Lifetime:
    """A piece of memory: the arrays that lie in it, and the steps between which it is needed.

    -1 stands before the first step, the number of steps behind the last.
    """

    arrays: tuple[int, ...]
    first: int
    last: int
    bytes: int


@dataclass(frozen=True)
class Step:
    """One kernel's work. Arrays are named by index; None stands where one is not given.

    Weights, their gradients and running statistics are not in the arena: the kernel finds them by
    the node's name in the flat vectors of `Parameters`.

    Attributes
    ----------
    lane: the thread that makes it; `examples` of the batch are its.
    """

    phase: Phase
    node: Node | None = None
    lane: int = 0
    examples: int = 0
    algorithm: str = ""
    inputs: tuple[int | None, ...] = ()
    output: int | None = None
    weights: tuple[str, ...] = ()
    saved: Mapping[str, int] = field(default_factory=dict)
    scratch: Mapping[str, int] = field(default_factory=dict)
    d_output: int | None = None
    d_inputs: tuple[int | None, ...] = ()
    learned: tuple[str, ...] = ()
    """The weights whose gradients backward fills."""
    aside: Mapping[str, int] = field(default_factory=dict)
    """Where backward puts gradients of weights whose gradient an earlier step has begun: they are
    added to it."""
    folded: Node | None = None
    """The operator behind it that its weights take in."""
    shared: Mapping[str, int] = field(default_factory=dict)
    """What every lane writes, and all read once they have met: a row for each lane."""
    overwrites: tuple[tuple[int, int], ...] = ()
    """(written, read): the first may take the memory of the second."""
    behind: Node | None = None
    """The law that it does too, of which `output` is made: that behind it, in the same sweep, or that
    in front of it, of what it chose."""
    behind_scratch: Mapping[str, int] = field(default_factory=dict)
    behind_gradient: int | None = None
    """Of the law's output; backward makes `d_output` of it first."""

    @property
    def meets(self) -> bool:
        """Whether the lane waits for the others: for what they share in backward only where an
        input's gradient is made of it."""
        asked = self.phase is Phase.FORWARD or any(d is not None for d in self.d_inputs)
        return self.phase is Phase.MEET or bool(self.shared and asked)

    @property
    def writes(self) -> tuple[int, ...]:
        backward = self.phase is Phase.BACKWARD
        made = () if backward or self.output is None else (self.output,)
        gradient = (
            (self.d_output,) if self.phase is Phase.LOSS and self.d_output is not None else ()
        )
        inner: tuple[int, ...] = (*self.scratch.values(), *self.aside.values())
        inner += tuple(self.behind_scratch.values())
        inner += () if self.behind_gradient is None or self.d_output is None else (self.d_output,)
        inner += tuple(self.shared.values())
        inner += () if backward else tuple(self.saved.values())
        return (*made, *gradient, *(d for d in self.d_inputs if d is not None), *inner)

    @property
    def reads(self) -> tuple[int, ...]:
        backward = self.phase is Phase.BACKWARD
        arriving = self.d_output if self.behind_gradient is None else self.behind_gradient
        late = (self.output, arriving, *self.saved.values()) if backward else ()
        return tuple(i for i in (*self.inputs, *late) if i is not None)


@dataclass(frozen=True)
class Schedule:
    """Everything the runtime needs to run a batch, and all the memory it will take.

    Attributes
    ----------
    lifetimes: every piece of memory, and between which steps it is needed.
    offsets: for each array its place in the arena, in bytes; arrays may share a place.
    inputs, outputs: arrays by the names of the net's inputs and outputs.
    target, loss_value: the truth, and the mean loss; None at inference.
    threads: how many there are; `lanes`: how many examples each has, one number where the batch is not
        split.
    gradients: for each lane but the first the vector of its gradients.
    """

    mode: Mode
    batch: int
    float_bytes: int
    arrays: tuple[Array, ...]
    steps: tuple[Step, ...]
    lifetimes: tuple[Lifetime, ...]
    offsets: tuple[int, ...]
    arena_bytes: int
    parameters: Parameters
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    loss: Loss | None = None
    target: int | None = None
    loss_value: int | None = None
    threads: int = 1
    lanes: tuple[int, ...] = ()
    gradients: tuple[int, ...] = ()

    @property
    def rows(self) -> tuple[tuple[Step, ...], ...]:
        """The steps in order, those that lanes make side by side together."""
        begun = [number for number, step in enumerate(self.steps) if step.lane == 0]
        return tuple(self.steps[a:b] for a, b in pairwise((*begun, len(self.steps))))
