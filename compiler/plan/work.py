"""What each step of a schedule does: operations in matrix products, and bytes moved.

Convention: a multiply-add is two operations (FLOPs); biases, norms, activations and pooling count 0,
as in the published counts. Backward makes the product again for the gradient of either factor; the
gradient that nobody asks for, the net's own input's or a frozen weight's, is left out. Bytes are what a step reads and
writes, each array once: values, weights, gradients, statistics, what is kept for backward; scratch
is written and read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..graph import Node
from .schedule import Kind, Phase, Schedule, Step


@dataclass(frozen=True)
class Work:
    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)

    @property
    def intensity(self) -> float:
        """Operations a byte: below the machine's own, memory is what it waits for."""
        return self.flops / self.bytes if self.bytes else 0.0


@dataclass(frozen=True)
class Machine:
    """Two measured figures of a machine.

    Attributes
    ----------
    flops: operations a second of its best matrix product.
    bandwidth: bytes a second of a copy, what is read and what is written.
    """

    flops: float
    bandwidth: float

    def seconds(self, work: Work) -> float:
        """The least time for the work: products and memory at the same time, the slower one tells.

        Williams, Waterman and Patterson 2009, roofline.
        """
        return max(work.flops / self.flops, work.bytes / self.bandwidth)


def work(plan: Schedule, step: Step) -> Work:
    return Work(2 * macs(step), traffic(plan, step).moved)


SPARED = {"winograd": 4}
"""How many of a direct convolution's multiply-adds become one: 36 products make what takes 144."""


def least(plan: Schedule, step: Step) -> Work:
    """What no machine is spared of it, as it is computed: scratch, which is to stay in cache, moves
    nothing; the transforms of Winograd's tiles count 0."""
    moved = traffic(plan, step)
    return Work(2 * macs(step) // SPARED.get(step.algorithm, 1), moved.read + moved.written)


def update(plan: Schedule, slots: int) -> Work:
    """The optimiser's sweep: weights, gradients and its own vectors, read; all but the gradients
    written."""
    return Work(0, plan.parameters.trainable * plan.float_bytes * (3 + 2 * slots))


def macs(step: Step) -> int:
    """Multiply-adds of its matrix products."""
    node = step.node
    if node is None or step.phase not in (Phase.FORWARD, Phase.BACKWARD):
        return 0
    if step.phase is Phase.FORWARD:
        return step.examples * node.macs
    unasked = sum(d is None for d in step.d_inputs)
    spared = unasked * node.op.macs_to_input(*node.arrivals) if unasked else 0
    matrices = [weight.name for weight in node.weights if weight.decays]
    if matrices and not set(matrices).intersection(step.learned):
        spared += node.op.macs_to_weights(*node.arrivals)
    return step.examples * (2 * node.macs - spared)


@dataclass(frozen=True)
class Traffic:
    """Bytes that a step reads and writes, each array once; scratch is written and read."""

    read: int
    written: int
    scratch: int

    @property
    def moved(self) -> int:
        return self.read + self.written + 2 * self.scratch


def traffic(plan: Schedule, step: Step) -> Traffic:
    if step.phase is Phase.JOIN:
        stretch = plan.parameters.trainable // len(plan.lanes) * plan.float_bytes
        return Traffic(len(plan.lanes) * stretch, stretch, 0)
    own = {*step.scratch.values(), *step.aside.values(), *step.behind_scratch.values()}
    # What is prepared once is only read in a pass.
    prepared = {index for index in own if plan.arrays[index].kind is Kind.PREPARED}
    inner = own - prepared
    # Between a law and its operator a gradient stays in cache.
    between = set() if step.behind_gradient is None else {step.d_output}
    read = ({*step.reads} | prepared) - inner
    written = {*step.writes} - own - {*step.reads} - between
    weights, gradients = (plan.float_bytes * count for count in _learned(step))
    return Traffic(
        _sizes(plan, read) + weights, _sizes(plan, written) + gradients, _sizes(plan, inner)
    )


def _sizes(plan: Schedule, indices: Iterable[int]) -> int:
    return sum(plan.arrays[index].bytes(plan.float_bytes) for index in indices)


def _learned(step: Step) -> tuple[int, int]:
    """Numbers of weights and statistics read, and of gradients written."""
    node: Node | None = step.node
    if node is None or step.phase not in (Phase.FORWARD, Phase.BACKWARD):
        return 0, 0
    if step.phase is Phase.FORWARD:
        return sum(weight.size for weight in (*node.weights, *node.state)), 0
    read = sum(w.size for w in node.weights if w.name in step.weights)
    return read, sum(w.size for w in node.weights if w.name in step.learned)
