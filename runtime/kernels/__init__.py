"""Kernels: arrays in, arrays filled. No shape is worked out here, no memory is asked for.

A kernel does not compute: it *yields calls*, each a function with its arguments bound to arrays
that exist already. They are collected once when a schedule is bound, and a training step runs
through the flat list. What depends on the step (a learning rate, a random stream) is a 0-d array
or a generator that the call reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.op import Elementwise, Op
from ...compiler.shapes import Value

Array: TypeAlias = NDArray[Any]

Call: TypeAlias = tuple[Callable[..., object], tuple[object, ...]]
"""A function and its positional arguments; ``functools.partial`` where keywords are needed."""

Calls: TypeAlias = Iterator[Call]


def alone() -> None:
    """Wait for the other lanes: where there are none, there is nothing to wait for."""


MEET: Call = (alone, ())
"""Where a lane waits until all have come so far."""


@dataclass(frozen=True)
class Folded:
    """A norm by running statistics: y = scale (x - mean) / sqrt(variance + eps) + shift."""

    scale: Array
    shift: Array
    mean: Array
    variance: Array
    eps: float


class Behind:
    """The law that an operator does too, most often the one behind it; here there is none.

    A kernel that makes its output stretch by stretch calls `finish` on each; one that reads the
    gradient of its output stretch by stretch calls `ready` before. Who calls neither gets it done
    before and after. `met` says whether it was.
    """

    met = False

    def finish(self, made: Array) -> Calls:
        """What the law makes of a contiguous stretch of the output, in place."""
        return iter(())

    def ready(self, stretch: slice) -> Calls:
        """The gradient of the output, made of that of the law's, for a stretch of its numbers as they
        lie in memory."""
        return iter(())


NOTHING = Behind()


@dataclass(frozen=True)
class Arrays:
    """The arrays of one use of an operator, every one already shaped, the batch axis first (last,
    of maps whose channels lie outermost).

    Forward sees `inputs`, `output`, `weights`, `state`, `saved` and `scratch`; backward sees what
    the operator's `Needs.reads_back` names of inputs, output and weights, and beside it `saved`,
    `scratch` (those of backward), `d_output`, `d_inputs` (None where nobody asks) and `d_weights` (those
    that are not frozen; where none is left, what `Needs.to_learn` names is not there either).
    Forward fills `output` and `saved`; backward fills (never adds to) `d_inputs` and `d_weights`.

    Attributes
    ----------
    values: shape facts of the inputs, without the batch axis.
    shared: what every lane writes and all read once they have met (`MEET`): a row for each lane.
    lane: which of them these arrays belong to. lanes: how many examples each has.
    folded: the operator behind it that its weights take in, at inference.
    behind: the law that it does too.
    rng: the random stream of this use, for operators that draw.
    """

    values: tuple[Value, ...]
    inputs: tuple[Array, ...] = ()
    output: Array | None = None
    weights: Mapping[str, Array] = field(default_factory=dict)
    state: Mapping[str, Array] = field(default_factory=dict)
    saved: Mapping[str, Array] = field(default_factory=dict)
    scratch: Mapping[str, Array] = field(default_factory=dict)
    d_output: Array | None = None
    d_inputs: tuple[Array | None, ...] = ()
    d_weights: Mapping[str, Array] = field(default_factory=dict)
    rng: np.random.Generator | None = None
    shared: Mapping[str, Array] = field(default_factory=dict)
    folded: Folded | None = None
    behind: Behind = NOTHING
    lane: int = 0
    lanes: tuple[int, ...] = (1,)


class Kernel(Protocol):
    """How NumPy computes one operator."""

    def forward(self, op: Any, a: Arrays) -> Calls:
        """The calls of a training step's forward pass."""

    def infer(self, op: Any, a: Arrays) -> Calls:
        """The calls at inference; `saved` is empty."""

    def backward(self, op: Any, a: Arrays) -> Calls:
        """The calls that fill `d_inputs` and `d_weights` from `d_output`."""


class Preparing(Kernel, Protocol):
    """A kernel that makes something of its weights first: `forward` makes it every time, `infer`
    finds it made."""

    def prepare(self, op: Any, a: Arrays) -> Calls:
        """The calls that fill what `Needs.prepared` names."""


Kernels: TypeAlias = dict[tuple[type[Op], str], Kernel]

KERNELS: Kernels = {}


def kernel(
    operator: type[Op], algorithm: str = "", among: Kernels = KERNELS
) -> Callable[[type[Any]], type[Any]]:
    """Enter a kernel class for an operator; a second one for the same place is refused."""

    def enter(cls: type[Any]) -> type[Any]:
        if (operator, algorithm) in among:
            raise TypeError(f"two kernels for `{operator.name}` {algorithm}".rstrip())
        among[operator, algorithm] = cls()
        return cls

    return enter


def kernel_of(op: Op, algorithm: str = "") -> Kernel:
    """The kernel of an operator: its own, or for a law the one that runs laws."""
    own = KERNELS.get((type(op), algorithm))
    if own is None and isinstance(op, Elementwise):
        return KERNELS[Elementwise, ""]
    if own is None:
        raise LookupError(
            f"operator `{op.name}` has no law and no kernel: give it one in "
            f"runtime/kernels/{type(op).__module__.rpartition('.')[2]}.py"
        )
    return own


for _family in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_family}")
