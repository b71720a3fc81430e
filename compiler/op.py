"""What an operator is, and the catalogue of them all.

An operator is one class: its fields are its arguments (checked by pydantic), its methods say what
is true of it: the shape rule, the weights, the multiply-adds, what a kernel needs. How a machine
computes it stands in `runtime/kernels` under the same file name, unless the operator states a
`law` (an elementwise formula), which is computed from the statement itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..grammar.diagnostics import Mistake
from .algebra import Program, Symbol, record
from .shapes import Layout, Value

# --------------------------------------------------------------------------------- arguments


def _as_sizes(value: object) -> object:
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A whole number from 1."""

Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A whole number from 0."""

Sizes = Annotated[tuple[Count, ...], BeforeValidator(_as_sizes)]
"""One size for every spatial axis, or one for each: `3`, `3x3`."""

Margins = Annotated[tuple[Index, ...], BeforeValidator(_as_sizes)]
"""Like `Sizes`, from 0."""

Share = Annotated[float, Field(ge=0, lt=1)]
"""A probability below 1."""

LETTERS: Mapping[str, str] = MappingProxyType(
    {"k": "kernel", "s": "stride", "p": "padding", "d": "dilation", "g": "groups"}
)
"""The options that have a one-letter name; `stride=2` is `s2`."""


class Initialiser(BaseModel):
    """How a weight is drawn: `init=he`, `init=normal(0.01)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    word: Literal[
        "he", "he_uniform", "xavier", "xavier_uniform", "lecun", "lecun_uniform",
        "normal", "uniform", "zeros", "orthogonal", "torch",
    ] = Field(description="the initialiser")  # fmt: skip
    scale: float | None = Field(default=None, gt=0)

    def __str__(self) -> str:
        """As a spec writes it."""
        return self.word if self.scale is None else f"{self.word}({written(self.scale)})"


SCALED = frozenset({"normal", "uniform", "orthogonal"})
"""The initialisers that take a number: a standard deviation, a bound, a gain."""


def written(number: float) -> str:
    """The shortest text that reads back as the number."""
    return repr(number).removesuffix(".0")


# ------------------------------------------------------------------------------------ facts


class Trait(Enum):
    """What analysers, passes and the planner ask of an operator instead of its name."""

    NEURONS = auto()
    """Affine in its input and weighted: what the field calls a layer of neurons."""
    ACTIVATION = auto()
    """Elementwise and not linear."""
    SATURATES = auto()
    """Its slope goes to zero on both sides."""
    ZERO_CENTRED = auto()
    RECTIFIES = auto()
    """Like relu: about half the signal passes, so He's variance fits the layer before."""
    LINEAR = auto()
    """Affine in its input."""
    NORMALISES = auto()
    MERGES = auto()
    """Takes branches in brackets."""
    RANDOM = auto()
    """Draws numbers in training, does nothing at inference."""
    HANGS = auto()
    """Belongs to the layer before it in the same stage: norms, activations, dropout."""
    VIEW = auto()
    """Moves no number: its output is its input under another shape."""
    MOVES = auto()
    """Puts its input's numbers elsewhere, cuts some off, puts zeros between: computes nothing."""
    INTEGERS = auto()
    """Takes whole numbers too; others refuse them."""
    NO_GRADIENT = auto()
    POOLS = auto()
    SWEEPS = auto()
    """Makes its output stretch by stretch: a law behind it is done on each while it is in cache."""
    RISES = auto()
    """Never falls where its input rises, to the last bit: the largest of what it makes is made of the
    largest."""
    CHOOSES = auto()
    """Of what a window sees it takes the largest, and nothing else."""
    FOLDS = auto()
    """At inference a number a channel times its input plus another, which the weights before it can
    take in."""


@dataclass(frozen=True)
class Draw:
    """How the numbers of a weight are drawn.

    Attributes
    ----------
    kind: "constant": all of them `width`; "normal": of mean 0 and that standard deviation;
        "uniform": evenly from minus `width` to `width`; "orthogonal": `width` times a matrix whose
        rows, or columns where they are fewer, are orthonormal.
    """

    kind: Literal["constant", "normal", "uniform", "orthogonal"]
    width: float


def even(fan_in: int) -> Draw:
    """U(±1/√fan_in): how PyTorch draws matrices, kernels and their biases (`kaiming_uniform_` with
    a = √5)."""
    return Draw("uniform", 1 / math.sqrt(fan_in))


@dataclass(frozen=True)
class Weight:
    """A learned array, or a running statistic, of one use of an operator.

    Attributes
    ----------
    shape: as it is stored; `(out, in, ...)` for matrices and kernels.
    fan_in, fan_out: inputs and outputs that one number connects, for the initialiser.
    constant: the value it starts from; None where it is drawn.
    decays: whether l2 acts on it (matrices and kernels, not biases: CS231n, neural networks 2).
    factors: the sizes as the course multiplies them, for formulas; the shape reversed by default.
    torch: how PyTorch's layer of that kind draws it; None where it has none, or a constant.
    grid: the shape with four axes: what comes into one neuron lies along the second and the last.
    """

    name: str
    shape: tuple[int, ...]
    fan_in: int = 0
    fan_out: int = 0
    constant: float | None = None
    decays: bool = False
    factors: tuple[int, ...] = ()
    torch: Draw | None = None
    grid: tuple[int, int, int, int] | None = None

    @cached_property
    def by_neuron(self) -> tuple[int, int, int, int]:
        """Its `grid`; where none is given the first axis counts the neurons."""
        return self.grid or (self.shape[0], 1, 1, math.prod(self.shape[1:]))

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns: a row a neuron, or, where these do not lie so, as it is stored."""
        rows, between, beside, columns = self.by_neuron
        return (
            (rows, columns)
            if between * beside == 1
            else (self.shape[0], self.size // self.shape[0])
        )

    @cached_property
    def size(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def formula(self) -> str:
        return "·".join(map(str, self.factors or self.shape[::-1])) or "1"


DType: TypeAlias = Literal["float", "bool", "uint8", "int64"]
"""`float` is the working precision: float32, or float64 on request."""


@dataclass(frozen=True)
class Needed:
    """An array that a kernel needs beside values and weights, whole batch included."""

    shape: tuple[int, ...]
    dtype: DType = "float"


@dataclass(frozen=True)
class Needs:
    """What one operator asks of the memory plan, for one batch size.

    Attributes
    ----------
    algorithm: the name of the kernel to run; "" where there is one.
    why: what decided that, in a few words; "" where there is no choice.
    why_infer: the same at inference, where it differs.
    saved: written by forward in training, read by backward.
    scratch, scratch_back: alive during forward, or backward, alone.
    scratch_infer: alive during forward at inference, where it differs from `scratch`.
    reads_back: which of `x`, `y` and weights' names backward reads.
    overwrites: forward may write its output over its first input.
    overwrites_back: backward may write the first input's gradient over the output's gradient.
    product: multiply-adds of the largest matrix product it makes in one call.
    around: which of what is prepared has the first input at its beginning, and more behind it; ""
        where the input may lie anywhere.
    shared, shared_back: what a part of a batch has to tell the other parts, in forward or backward,
        while threads split the batch.
    prepared: what of its scratch depends on weights and statistics alone: at inference it is made
        when these have changed, not for every batch.
    to_learn: what of `reads_back` and `scratch_back` serves the gradients of its weights alone.
    to_return: what of `scratch_back` serves the gradients of its inputs alone.
    """

    algorithm: str = ""
    why: str = ""
    why_infer: str | None = None
    saved: Mapping[str, Needed] = field(default_factory=dict)
    scratch: Mapping[str, Needed] = field(default_factory=dict)
    scratch_back: Mapping[str, Needed] = field(default_factory=dict)
    scratch_infer: Mapping[str, Needed] | None = None
    reads_back: frozenset[str] = frozenset()
    overwrites: bool = False
    overwrites_back: bool = False
    product: int = 0
    prepared: frozenset[str] = frozenset()
    around: str = ""
    shared: Mapping[str, Needed] = field(default_factory=dict)
    shared_back: Mapping[str, Needed] = field(default_factory=dict)
    to_learn: frozenset[str] = frozenset()
    to_return: frozenset[str] = frozenset()

    @property
    def unlearning(self) -> Needs:
        """The same where no weight of it learns."""
        return replace(
            self,
            scratch_back={n: s for n, s in self.scratch_back.items() if n not in self.to_learn},
            reads_back=self.reads_back - self.to_learn,
        )

    @property
    def anywhere(self) -> Needs:
        """The same where the first input cannot lie as it asks."""
        if not self.around:
            return self
        return replace(
            self, algorithm="", why_infer=None, scratch_infer=None, prepared=frozenset(), around=""
        )

    @property
    def unreturning(self) -> Needs:
        """The same where nobody asks for the gradients of its inputs."""
        left = {n: s for n, s in self.scratch_back.items() if n not in self.to_return}
        return replace(self, scratch_back=left)

    def why_in(self, mode: Literal["train", "infer"]) -> str:
        """What decided how it is computed."""
        own = self.why_infer if mode == "infer" else None
        return self.why if own is None else own

    def scratch_in(self, mode: Literal["train", "infer"]) -> Mapping[str, Needed]:
        """What forward needs for itself."""
        own = self.scratch_infer if mode == "infer" else None
        return self.scratch if own is None else own


class Refused(Exception):
    """Raised by a shape rule or a check of arguments; the compiler reports the mistakes.

    A mistake without a place gets the operator's. No mistake at all means that the reason has been
    reported already, where it arose.
    """

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__(*(mistake.message() for mistake in mistakes[:1]))
        self.mistakes = mistakes

    @property
    def mistake(self) -> Mistake:
        """The first of them."""
        return self.mistakes[0]


# -------------------------------------------------------------------------------- operators


@dataclass(frozen=True)
class Terms:
    """What an operator's equation is written in.

    Attributes
    ----------
    x: its inputs as symbols. arrivals: their shapes.
    weights: the symbols of its weights and running statistics, by their names.
    index: the number that its weights bear, empty where no other operator has such weights.
    """

    x: tuple[Symbol, ...]
    arrivals: tuple[Value, ...]
    weights: Mapping[str, Symbol] = field(default_factory=dict)
    index: str = ""


LETTERS_OF_WEIGHTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "weight": ("W", ""),
        "bias": ("b", ""),
        "scale": ("γ", ""),
        "shift": ("β", ""),
        "mean": ("μ", ""),
        "variance": ("σ", "2"),
    }
)
"""How equations call weights: a letter and the mark above it (CS231n; Ioffe and Szegedy 2015)."""


Wanted: TypeAlias = Layout | Literal["either", "any"]
"""How an operator wants maps to lie: with the channels there; "either", first or last as they come; "any",
as they come."""


class Op(BaseModel):
    """One operator with its arguments; subclasses enter the catalogue by being defined."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, ignored_types=(cached_property,)
    )

    name: ClassVar[str] = ""
    traits: ClassVar[frozenset[Trait]] = frozenset()
    places: ClassVar[tuple[str, ...]] = ()
    """The fields that are filled by position, in order."""
    arity: ClassVar[int | None] = 1
    """How many inputs it takes; None for any number from one."""
    sizing: ClassVar[str] = "(W − F + 2P)/S + 1"
    """The output-size formula whose numbers `derivation` fills in."""
    source: ClassVar[str] = ""
    """The paper, course note or standard it is taken from."""
    samples: ClassVar[tuple[str, ...]] = ()
    """Small nets that use it, for the page and for the tests."""
    word: ClassVar[str] = ""
    """How equations call it as a function; by its name where empty."""
    letters: ClassVar[Mapping[str, tuple[str, str]]] = LETTERS_OF_WEIGHTS
    """How equations call its weights."""
    implied: ClassVar[frozenset[str]] = frozenset({"n", "nobias", "init"})
    """The arguments that an equation shows without saying them."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.name:
            return
        twin = _CATALOGUE.setdefault(cls.name, cls)
        if twin is not cls and twin.__qualname__ != cls.__qualname__:
            raise TypeError(f"operator `{cls.name}` is defined twice")

    def shape(self, *inputs: Value) -> Value:
        """The output's shape; raises `Refused` when the inputs do not suit the operator."""
        raise NotImplementedError(f"operator {self.name} has no shape rule")

    @property
    def vocabulary(self) -> int | None:
        """Whole numbers that arrive must lie below this; None where all may."""
        return None

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        """The output-size formula of each spatial axis, with numbers; empty where none is used."""
        return ()

    def remarks(self, *inputs: Value) -> tuple[Mistake, ...]:
        """Warnings about this use that need nothing but its inputs."""
        return ()

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        return ()

    def state(self, *inputs: Value) -> tuple[Weight, ...]:
        """Running statistics: kept and saved, not learned, not counted as parameters."""
        return ()

    def macs(self, *inputs: Value) -> int:
        """Multiply-adds for one example, by the convention of the published counts: products in
        affine layers and matrix products; biases, norms, activations and pooling count 0."""
        return 0

    def macs_formula(self, *inputs: Value) -> str:
        """The product behind `macs`, with numbers; empty where it is 0."""
        return ""

    def macs_to_input(self, *inputs: Value) -> int:
        """The multiply-adds that the gradient of one input takes, for one example: those of the
        products that the input is a factor of."""
        return self.macs(*inputs)

    def macs_to_weights(self, *inputs: Value) -> int:
        """The multiply-adds that the gradients of its weights take, for one example."""
        return self.macs(*inputs)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        raise NotImplementedError(f"operator {self.name} does not say what its kernel needs")

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        """How its kernel wants maps to lie; `examples`: that a thread learns from at a time, 0 at
        inference."""
        return "first"

    def absorbs(self, *inputs: Value) -> bool:
        """Whether its kernel takes an operator that `FOLDS` into its weights."""
        return False

    def fewest(self, *inputs: Value) -> int:
        """Examples that a training batch must have for it to mean anything."""
        return 1

    def needs_frozen(self, batch: int, *inputs: Value) -> Needs:
        """What its kernel needs where its weights are frozen."""
        return self.needs(batch, *inputs).unlearning

    def equation(self, m: Any, terms: Terms) -> Symbol:
        """Its output at inference as mathematics; as a function where that is all there is to say."""
        return self.called(m, terms)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        """What the words and signs of `equation` stand for, each as an equation."""
        return ()

    def called(self, m: Any, terms: Terms) -> Symbol:
        settings = self.settings(*terms.arrivals)
        return m.call(self.word or self.name, *terms.x, index=terms.index, settings=settings)

    def settings(self, *inputs: Value) -> tuple[str, ...]:
        """The arguments that are not left to their defaults, as equations say them."""
        said: list[str] = []
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if name in self.implied or value == info.default:
                continue
            match value:
                case bool():
                    said.append(name)
                    continue
                case tuple():
                    given = "×".join(map(str, value))
                case _:
                    given = f"{value:g}" if isinstance(value, float) else f"{value}"
            said.append(given if name in self.places else f"{name} = {given}")
        return tuple(said)

    def formula(self, *inputs: Value) -> str:
        """How the parameters add up: `3·4 + 4 = 16`; `0` without weights."""
        weights = self.weights(*inputs)
        if not weights:
            return "0"
        return total([w.formula for w in weights], sum(w.size for w in weights))


def total(terms: Sequence[str], value: int) -> str:
    """`3·4 + 4 = 16`; a single number stands alone."""
    text = " + ".join(terms)
    return text if text == str(value) else f"{text} = {value}"


class Elementwise(Op):
    """An operator that is its law: a formula and its slope, stated once, read by everyone."""

    traits: ClassVar[frozenset[Trait]] = frozenset({Trait.ACTIVATION, Trait.HANGS})

    def law(self, m: Any, x: Symbol) -> Symbol:
        raise NotImplementedError(f"operator {self.name} has no law")

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        """d law / d x, from the input and, where that is cheaper, the output."""
        raise NotImplementedError(f"operator {self.name} has no slope")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        return "any"

    def stated(self, m: Any, x: Symbol) -> Symbol:
        """The law as papers write it, where it is stated otherwise for speed."""
        return self.law(m, x)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        short = m.plain(self.stated(m, m.name("x")))
        return self.stated(m, *terms.x) if short else self.called(m, terms)

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        written = self.stated(m, *terms.x)
        return () if m.plain(written) else (m.equals(self.called(m, terms), written),)

    @cached_property
    def forward(self) -> Program:
        """The law as array operations on `x`."""
        return record(("x",), self.law)

    @cached_property
    def backward(self) -> Program:
        """slope times the output's gradient, as array operations on `x`, `y`, `dy`."""

        def product(m: Any, x: Symbol, y: Symbol, dy: Symbol) -> Symbol:
            return self.slope(m, x, y) * dy

        return record(("x", "y", "dy"), product)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        block = min(batch * inputs[0].size, BLOCK)
        return Needs(
            scratch=_registers(self.forward, block),
            scratch_back=_registers(self.backward, block),
            reads_back=self.backward.reads - {"dy"},
            overwrites=True,
            overwrites_back=True,
        )


BLOCK = 64 * 1024
"""Elements that an elementwise program sweeps at a time, so that scratch stays in cache."""


def _registers(program: Program, block: int) -> dict[str, Needed]:
    return {f"float{i}": Needed((block,)) for i in range(program.floats)} | {
        f"mask{i}": Needed((block,), "bool") for i in range(program.masks)
    }


_CATALOGUE: dict[str, type[Op]] = {}

Catalogue: TypeAlias = Mapping[str, type[Op]]


def catalogue() -> Catalogue:
    """Every operator by name. `compiler.ops` fills it; ask there unless you are an operator."""
    return MappingProxyType(_CATALOGUE)
