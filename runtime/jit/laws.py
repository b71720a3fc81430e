"""Laws, compiled: a recorded program as one loop, its intermediate results in registers.

A library's exponential, called number by number, is slower than NumPy's: so the functions stand here in
plain arithmetic, which the compiler turns into vector instructions. What a loop is made of stands in
this one file, since compiled loops are kept until the file of the loop changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numba.extending import intrinsic, register_jitable

from ...compiler.algebra import Instruction, Program
from ...compiler.op import Elementwise
from ..kernels import Array, Arrays, Calls
from ..kernels.elementwise import Law as ByNumPy
from ..kernels.erf import DOUBLE, SINGLE
from . import kernel
from .compiled import bound, compiled

GIVEN = 3
"""Arrays that a program may read beside the one it fills."""


@kernel(Elementwise)
class Law(ByNumPy):
    """Any operator that states a law; a function alone is as fast in NumPy."""

    def forward(self, op: Elementwise, a: Arrays) -> Calls:
        assert a.output is not None
        if [step.operation for step in op.forward.instructions] == ["tanh"]:
            yield from super().forward(op, a)
        else:
            yield from run(op.forward, {"x": a.inputs[0]}, a.output)

    infer = forward

    def backward(self, op: Elementwise, a: Arrays) -> Calls:
        (d_input,) = a.d_inputs
        if d_input is not None:
            given = {"x": a.inputs[0], "y": a.output, "dy": a.d_output}
            yield from run(op.backward, given, d_input)


def run(program: Program, inputs: Mapping[str, Array | None], output: Array) -> Calls:
    """The call that computes a program."""
    flat = output.reshape(-1)
    read = [inputs[name] if name in program.reads else None for name in program.inputs]
    # What shares the result's memory is read there, or the compiler would fear that they overlap.
    others = [a.reshape(-1) if a is not None and not same(a, output) else flat for a in read]
    places = [index if other is not flat else GIVEN for index, other in enumerate(others)]
    text = written(program, places, SINGLE if output.dtype == np.float32 else DOUBLE)
    yield bound(loop(text), *others, *[flat] * (GIVEN - len(others)), flat)


def same(one: Array, other: Array) -> bool:
    return one.ctypes.data == other.ctypes.data


@cache
def loop(program: str) -> Any:
    """Fill `out` with what a program makes of `a`, `b`, `c` and of what `out` held."""

    def law(a: Array, b: Array, c: Array, out: Array) -> None:
        for i in range(out.size):
            out[i] = computed(program, a[i], b[i], c[i], out[i])

    return compiled(law, forceinline=True)


# ------------------------------------------------------------------------- programs as words


def written(program: Program, places: list[int], erf: tuple[float, ...]) -> str:
    """A program as text, since text is a constant to the compiler: `add 0 0x1.8p+0 4; ...`, the
    result's register last. `places`: the register of each input. The error function is written out.
    """
    moved = dict(enumerate(places)) | {len(places): GIVEN}

    def register(place: int) -> int:
        return moved.get(place, place + GIVEN)

    spare = len(places) + 1 + program.floats + program.masks
    words = []
    for instruction in program.instructions:
        for step in plain(instruction, spare, erf):
            operands = (str(register(o)) if isinstance(o, int) else o.hex() for o in step.operands)
            words.append(" ".join([step.operation, *operands, str(register(step.target))]))
    return ";".join(words)


def plain(instruction: Instruction, spare: int, erf: tuple[float, ...]) -> Iterator[Instruction]:
    """The error function as a polynomial, see `kernels/erf.py`; all else as it is."""
    if instruction.operation != "erf":
        yield instruction
        return
    (x,), y, z = instruction.operands, instruction.target, spare
    first, *others = erf
    yield Instruction("absolute", (x,), z)
    yield Instruction("minimum", (z, 4.0 if erf is SINGLE else 6.0), z)
    yield Instruction("multiply", (z, first), y)
    for coefficient in others:
        yield Instruction("add", (y, coefficient), y)
        yield Instruction("multiply", (y, z), y)
    yield Instruction("expm1", (y,), y)
    yield Instruction("copysign", (y, x), y)


@intrinsic
def quotient(typing: Any, x: Any, y: Any) -> Any:
    """x / y; by 0 it is infinite and no mistake."""

    def generate(context: Any, builder: Any, signature: Any, arguments: tuple[Any, Any]) -> Any:
        return builder.fdiv(*arguments)

    return x(x, y), generate


@intrinsic(prefer_literal=True)
def computed(typing: Any, program: Any, a: Any, b: Any, c: Any, out: Any) -> Any:
    """What a program makes of four numbers, in code without a branch."""
    number = out

    def generate(context: Any, builder: Any, signature: Any, arguments: tuple[Any, ...]) -> Any:
        memory: dict[int, Any] = dict(enumerate(arguments[1:]))
        functions = FUNCTIONS[number.bitwidth]
        target = GIVEN
        for line in program.literal_value.split(";"):
            operation, *operands, last = line.split()
            values = [
                context.get_constant(number, float.fromhex(o)) if "x" in o else memory[int(o)]
                for o in operands
            ]
            target = int(last)
            memory[target] = context.compile_internal(
                builder, functions[operation], number(*[number] * len(values)), values
            )
        return memory[target]

    return number(program, a, b, c, out), generate


# ----------------------------------------------------------------------------- functions


@dataclass(frozen=True)
class Format:
    """A precision, and how long the series are that fill it.

    Attributes
    ----------
    number, whole: its type, and integers as wide.
    mantissa, bias: IEEE 754.
    log2: the logarithm of 2; the first part is short, so that its multiples are exact.
    terms: the degree of Taylor's polynomial of exp(x) to |x| = log(2) / 2.
    logarithm: by rising power, from `e_log.c` and `e_logf.c` of fdlibm, Sun Microsystems 1993.
    clear: from here down exp(x) - 1 is -1.
    """

    number: Any
    whole: Any
    mantissa: int
    bias: int
    log2: tuple[float, float]
    terms: int
    logarithm: tuple[float, ...]
    clear: float


FLOAT = Format(
    np.float32, np.int32, 23, 127, (0.693359375, -2.12194440e-4), 7,
    (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841), -30.0,
)  # fmt: skip
LONG = Format(
    np.float64, np.int64, 52, 1023, (6.93145751953125e-1, 1.42860682030941723212e-6), 13,
    (
        6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
        2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
        1.479819860511658591e-01,
    ),
    -60.0,
)  # fmt: skip


def functions(of: Format) -> Mapping[str, Callable[..., Any]]:
    """Every operation of laws on numbers of one precision; NaN stays NaN, as in NumPy."""
    number, whole = of.number, of.whole
    zero, half, one, two = number(0), number(0.5), number(1), number(2)
    infinite, undefined = number(math.inf), number(math.nan)
    high, low = map(number, of.log2)
    per_log2 = number(1 / math.log(2))
    clear = number(of.clear)
    most = number((of.bias + 1.4) * math.log(2))
    least = number(-(of.bias + of.mantissa + 2) * math.log(2))
    taylor = tuple(number(1 / math.factorial(k)) for k in range(of.terms, 1, -1))
    area = tuple(map(number, reversed(of.logarithm)))
    # Added to a number it leaves the nearest whole one in the last bits.
    rounding = number(1.5 * 2**of.mantissa)
    rounding_bits = rounding.view(whole)
    root_bits = number(math.sqrt(0.5)).view(whole)
    mantissa, bias = whole(of.mantissa), whole(of.bias)

    @register_jitable(forceinline=True)
    def power(n: Any) -> Any:
        """2^n."""
        return number(whole(whole(n + bias) << mantissa).view(number))

    @register_jitable(forceinline=True)
    def parted(x: Any) -> Any:
        """n and exp(r) - 1, where x = n log 2 + r."""
        rounded = number(x * per_log2 + rounding)
        n = whole(rounded.view(whole) - rounding_bits)
        k = rounded - rounding
        r = (x - k * high) - k * low
        p = taylor[0]
        for c in taylor[1:]:
            p = p * r + c
        return n, p * (r * r) + r

    def exp(x: Any) -> Any:
        bounded = min(x, most)
        n, q = parted(max(bounded, least))
        # 2^n itself may have no place among the numbers.
        some = whole(n >> whole(1))
        return (one + q) * power(some) * power(whole(n - some))

    @register_jitable(forceinline=True)
    def expm1(x: Any) -> Any:
        bounded = min(x, most)
        n, q = parted(max(bounded, clear))
        scale = power(whole(n - whole(1)))
        return two * (scale * q + (scale - half))

    def tanh(x: Any) -> Any:
        t = expm1(-two * abs(x))
        y = quotient(t, t + two)
        return y if x < zero else -y

    def log1p(x: Any) -> Any:
        u = number(one + x)
        n = whole(whole(u.view(whole) - root_bits) >> mantissa)
        m = number(whole(u.view(whole) - whole(n << mantissa)).view(number))
        near = n == whole(0)
        f = x if near else m - one
        lost = zero if near else quotient(x - (u - one), u)
        s = quotient(f, two + f)
        z = s * s
        p = area[0]
        for c in area[1:]:
            p = p * z + c
        k = number(n)
        hill = half * f * f
        y = s * (hill + z * p) + (k * low + lost) - hill + f + k * high
        y = y if x < infinite else x
        y = -infinite if x == -one else y
        return undefined if x < -one else y

    return {
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "divide": lambda x, y: quotient(x, y),
        "negative": lambda x: -x,
        "absolute": lambda x: abs(x),
        "maximum": lambda x, y: max(x, y),
        "minimum": lambda x, y: min(x, y),
        "greater": lambda x, y: one if x > y else zero,
        "cast": lambda x: x,
        "copysign": lambda x, y: -abs(x) if y < zero else abs(x),
        "exp": exp,
        "expm1": expm1,
        "tanh": tanh,
        "log1p": log1p,
    }


FUNCTIONS = MappingProxyType({32: functions(FLOAT), 64: functions(LONG)})
"""By the width of the numbers."""
