"""Laws, run: recorded programs as blocked array operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ...compiler.algebra import Instruction, Operand, Program
from ...compiler.op import BLOCK, Elementwise
from ..constants import scalar
from . import Array, Arrays, Calls, kernel
from .bounds import bounded, maximum, minimum
from .erf import erf

PLAIN: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
        "negative": np.negative, "exp": np.exp, "expm1": np.expm1, "log1p": np.log1p,
        "tanh": np.tanh, "absolute": np.absolute, "greater": np.greater,
    }
)  # fmt: skip
"""Operations that take their operands and, by position, their result."""

BOUNDS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {"maximum": maximum, "minimum": minimum}
)
"""Operations against one number, which is spread over a block."""


@kernel(Elementwise)
class Law:
    """Any operator that states a law."""

    def forward(self, op: Elementwise, a: Arrays) -> Calls:
        assert a.output is not None
        yield from run(op.forward, {"x": a.inputs[0]}, a.output, a.scratch)

    infer = forward

    def backward(self, op: Elementwise, a: Arrays) -> Calls:
        (d_input,) = a.d_inputs
        if d_input is None:
            return
        given = {"x": a.inputs[0], "y": a.output, "dy": a.d_output}
        yield from run(op.backward, given, d_input, a.scratch)


def run(
    program: Program,
    inputs: Mapping[str, Array | None],
    output: Array,
    scratch: Mapping[str, Array],
) -> Calls:
    """The calls that compute a program, a block at a time so that scratch stays in cache."""
    size = output.size
    whole = [_flat(inputs[name], size) for name in program.inputs]
    flat = output.reshape(-1)
    registers = [scratch[f"float{i}"] for i in range(program.floats)]
    registers += [scratch[f"mask{i}"] for i in range(program.masks)]
    alone = len(program.instructions) == 1 and program.instructions[0].operation in PLAIN
    block = size if alone else BLOCK
    for start in range(0, size, block):
        stop = min(start + block, size)
        memory = [array if array is None else array[start:stop] for array in (*whole, flat)]
        memory += [register[: stop - start] for register in registers]
        first_scratch = len(program.inputs) + 1
        floats = memory[first_scratch : first_scratch + program.floats]
        for instruction in program.instructions:
            yield from _call(instruction, memory, floats)


def _flat(array: Array | None, size: int) -> Array | None:
    return None if array is None else array.reshape(size)


def _call(instruction: Instruction, memory: list[Array | None], floats: list[Any]) -> Calls:
    def operand(place: Operand) -> Any:
        if isinstance(place, int):
            return memory[place]
        # The target of `greater` is a mask: the constant is as precise as what it is held against.
        return scalar(place, next(a.dtype for a in memory if a is not None and a.dtype.kind == "f"))

    operands = [operand(place) for place in instruction.operands]
    target: Any = memory[instruction.target]
    if instruction.operation == "erf":
        yield from erf(operands[0], target, floats[-1])
    elif instruction.operation in BOUNDS:
        bound = BOUNDS[instruction.operation]
        yield from bounded(bound, operands[0], float(operands[1]), target)
    elif instruction.operation == "cast":
        yield np.copyto, (target, operands[0])
    else:
        yield PLAIN[instruction.operation], (*operands, target)
