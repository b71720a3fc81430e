"""The vocabulary in which elementwise operators state their law, and the recorder that reads it.

A law is a plain function over an algebra `m` and symbols: ``def law(self, m, x): return x /
(1 + m.exp(-x))``. Whoever brings an `m` can read it: `record` turns it into a flat program of
array operations with reused registers, which the runtime runs and the memory plan counts; Python's
`math` evaluates it at a point; another `m` prints it. Every operator states its equation likewise,
over the wider `Notation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Symbol: TypeAlias = Any
"""What flows through a law: a recorded term, a float, or a piece of text."""


class Algebra(Protocol):
    """The functions a law may use beside ``+ - * /`` and unary minus."""

    def exp(self, x: Symbol) -> Symbol: ...
    def expm1(self, x: Symbol) -> Symbol: ...
    def log1p(self, x: Symbol) -> Symbol: ...
    def tanh(self, x: Symbol) -> Symbol: ...
    def erf(self, x: Symbol) -> Symbol: ...
    def abs(self, x: Symbol) -> Symbol: ...
    def maximum(self, x: Symbol, bound: float) -> Symbol: ...
    def minimum(self, x: Symbol, bound: float) -> Symbol: ...
    def above(self, x: Symbol, bound: float) -> Symbol:
        """1 where `x` exceeds the bound, 0 elsewhere."""


class Notation(Algebra, Protocol):
    """What equations may use beside laws, and beside `W @ x` for a product of matrices."""

    def name(self, letter: str, over: str = "") -> Symbol:
        """A symbol, with a mark above it: `name("W", "O")` is Wᴼ."""

    def call(
        self, word: str, *x: Symbol, index: str = "", settings: tuple[str, ...] = ()
    ) -> Symbol: ...
    def at(self, x: Symbol, *indices: Symbol | str) -> Symbol:
        """One entry or one row; an index written as a word is a symbol."""

    def over(self, word: str, through: str, body: Symbol) -> Symbol:
        """A `sum`, `mean` or `max` over what an index runs through."""

    def row(self, *items: Symbol) -> Symbol:
        """Side by side."""

    def column(self, *items: Symbol) -> Symbol:
        """One below the other."""

    def root(self, x: Symbol) -> Symbol: ...
    def power(self, x: Symbol, exponent: Symbol) -> Symbol: ...
    def transposed(self, x: Symbol) -> Symbol: ...
    def floor(self, x: Symbol) -> Symbol: ...
    def each(self, *x: Symbol) -> Symbol:
        """The product number by number."""

    def convolved(self, sign: str, w: Symbol, x: Symbol) -> Symbol:
        """`∗`, in groups `⊛`; run backwards `∗ᵀ` and `⊛ᵀ`."""

    def plain(self, x: Symbol) -> bool:
        """Whether it reads well inside another formula: functions alone, each symbol once."""

    def equals(self, left: Symbol, right: Symbol | None, says: str = "") -> Symbol:
        """An equation, with words for what symbols leave open."""


Operand: TypeAlias = "int | float"
"""A register (int) or a constant (float)."""


@dataclass(frozen=True)
class Instruction:
    """Apply `operation` to the operands and put the result into register `target`."""

    operation: str
    operands: tuple[Operand, ...]
    target: int


@dataclass(frozen=True)
class Program:
    """A law as array operations.

    Registers 0 .. len(inputs) - 1 are the inputs, the next one is the result, the rest are scratch:
    `floats` of the working type, then `masks` of booleans. The result's register is written only
    when no input is needed any more, so the result may share memory with any input.
    """

    inputs: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    floats: int
    masks: int

    @property
    def reads(self) -> frozenset[str]:
        """The inputs that the program really uses."""
        used = {o for i in self.instructions for o in i.operands if isinstance(o, int)}
        return frozenset(name for index, name in enumerate(self.inputs) if index in used)


@dataclass(frozen=True, eq=False)
class Term:
    """A recorded value: compared by identity, so a shared subterm is computed once."""

    operation: str
    operands: tuple[Term | float, ...] = ()
    name: str = ""

    def __add__(self, other: Term | float) -> Term:
        return Term("add", (self, other))

    def __sub__(self, other: Term | float) -> Term:
        return Term("subtract", (self, other))

    def __mul__(self, other: Term | float) -> Term:
        return Term("multiply", (self, other))

    def __truediv__(self, other: Term | float) -> Term:
        return Term("divide", (self, other))

    def __rsub__(self, other: float) -> Term:
        return Term("subtract", (other, self))

    def __rtruediv__(self, other: float) -> Term:
        return Term("divide", (other, self))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Term:
        return Term("negative", (self,))


class Recorder:
    """The algebra whose values are recorded terms."""

    def exp(self, x: Term) -> Term:
        return Term("exp", (x,))

    def expm1(self, x: Term) -> Term:
        return Term("expm1", (x,))

    def log1p(self, x: Term) -> Term:
        return Term("log1p", (x,))

    def tanh(self, x: Term) -> Term:
        return Term("tanh", (x,))

    def erf(self, x: Term) -> Term:
        return Term("erf", (x,))

    def abs(self, x: Term) -> Term:
        return Term("absolute", (x,))

    def maximum(self, x: Term, bound: float) -> Term:
        return Term("maximum", (x, float(bound)))

    def minimum(self, x: Term, bound: float) -> Term:
        return Term("minimum", (x, float(bound)))

    def above(self, x: Term, bound: float) -> Term:
        return Term("cast", (Term("greater", (x, float(bound))),))


# A mask is only cast, for arithmetic with it would ask for memory; erf works in an array of its own.
MASKS = frozenset({"greater"})
EXTRA_FLOATS = {"erf": 1}


def record(inputs: Sequence[str], law: Callable[..., Symbol]) -> Program:
    """Record ``law(m, *inputs)`` as a `Program`.

    Raises TypeError when the law returns a number or one of its inputs untouched: multiply by 1.0
    to copy.
    """
    sources = [Term("input", name=name) for name in inputs]
    result = law(Recorder(), *sources)
    if not isinstance(result, Term) or result.operation == "input":
        raise TypeError("a law must compute something from its inputs")
    return _allocate(tuple(inputs), sources, _in_order(result))


def _in_order(result: Term) -> list[Term]:
    """Every term below `result`, operands first, each once."""
    done: dict[int, Term] = {}

    def visit(term: Term) -> None:
        if term.operation == "input" or id(term) in done:
            return
        for operand in term.operands:
            if isinstance(operand, Term):
                visit(operand)
        done[id(term)] = term

    visit(result)
    return list(done.values())


def _allocate(inputs: tuple[str, ...], sources: list[Term], terms: list[Term]) -> Program:
    """Give every term a register, using one again as soon as its value is dead."""
    last = {id(o): i for i, t in enumerate(terms) for o in t.operands if isinstance(o, Term)}
    inputs_end = max((last.get(id(s), -1) for s in sources), default=-1)
    out = len(inputs)
    place: dict[int, tuple[str, int]] = {id(s): ("in", i) for i, s in enumerate(sources)}
    free: dict[str, list[int]] = {"float": [], "mask": []}
    made = {"float": 0, "mask": 0}
    out_busy_until = -1
    written: list[tuple[str, list[tuple[str, int] | float], tuple[str, int]]] = []
    extra = 0
    for index, term in enumerate(terms):
        operands: list[tuple[str, int] | float] = [
            place[id(o)] if isinstance(o, Term) else float(o) for o in term.operands
        ]
        extra = max(extra, EXTRA_FLOATS.get(term.operation, 0))
        for operand in {id(o): o for o in term.operands if isinstance(o, Term)}.values():
            kind, register = place[id(operand)]
            if last[id(operand)] == index and kind in free:
                free[kind].append(register)
        kind = "mask" if term.operation in MASKS else "float"
        final = index == len(terms) - 1
        # erf reads its operand after it has begun to write, so it never takes the result early.
        if kind == "float" and (
            final or (index >= inputs_end and out_busy_until <= index and term.operation != "erf")
        ):
            target = ("out", 0)
            out_busy_until = last.get(id(term), index)
        elif free[kind] and term.operation != "erf":
            target = (kind, free[kind].pop())
        else:
            target = (kind, made[kind])
            made[kind] += 1
        place[id(term)] = target
        written.append((term.operation, operands, target))

    floats = made["float"] + extra
    base = {"in": 0, "out": out, "float": out + 1, "mask": out + 1 + floats}

    def placed(where: tuple[str, int] | float) -> Operand:
        return where if isinstance(where, float) else base[where[0]] + where[1]

    instructions = tuple(
        Instruction(operation, tuple(placed(o) for o in operands), base[target[0]] + target[1])
        for operation, operands, target in written
    )
    return Program(inputs, instructions, floats, made["mask"])
