"""Laws, run: recorded programs as blocked array operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from ...compiler.algebra import EXTRA_FLOATS, Instruction, Program
from ...compiler.op import BLOCK, Elementwise
from . import Array, Arrays, Calls, kernel
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
    {"maximum": np.maximum, "minimum": np.minimum}
)
"""Against a whole array of the bound they are five times faster than against one number."""


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
    block = size if len(program.instructions) == 1 else BLOCK
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


def _call(instruction: Instruction, memory: list[Array | None], floats: list[Array | None]) -> Calls:
    target = memory[instruction.target]
    assert target is not None
    operands = [
        memory[o] if isinstance(o, int) else np.array(o, _float(memory)) for o in instruction.operands
    ]
    if instruction.operation == "erf":
        extra = EXTRA_FLOATS["erf"]
        yield from erf(operands[0], target, *floats[-extra:])
    elif instruction.operation in BOUNDS:
        function = BOUNDS[instruction.operation]
        bound = np.full(target.shape, instruction.operands[1], target.dtype)
        yield partial(function, operands[0], bound, out=target), ()
    else:
        yield PLAIN[instruction.operation], (*operands, target)


def _float(memory: list[Array | None]) -> np.dtype[np.generic]:
    return next(array.dtype for array in memory if array is not None and array.dtype.kind == "f")


