"""Activations: elementwise, stated by their law and its slope; prelu and the softmaxes have
kernels."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field

from ..algebra import Symbol
from ..op import LETTERS_OF_WEIGHTS, Elementwise, Needed, Needs, Op, Terms, Trait, Weight
from ..shapes import Value

RECTIFIER = frozenset({Trait.ACTIVATION, Trait.HANGS, Trait.RECTIFIES})
SIGMOIDAL = frozenset({Trait.ACTIVATION, Trait.HANGS, Trait.SATURATES})
SLOPE, CUBIC = 2.0 * math.sqrt(2.0 / math.pi), 0.044715
"""Of the cubic whose sigmoid stands for the normal distribution in `gelutanh`."""


class Relu(Elementwise):
    """max(0, x)."""

    name, traits = "relu", RECTIFIER | {Trait.RISES}
    source = "Nair and Hinton 2010; CS231n, neural networks 1, 'Commonly used activation functions'"
    samples = ("3 -> relu", "2x4x4 -> relu")

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.maximum(x, 0.0)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return m.above(y, 0.0)


class Relu6(Elementwise):
    """min(max(0, x), 6)."""

    name, traits = "relu6", RECTIFIER | {Trait.RISES}
    source = "Krizhevsky 2010, convolutional deep belief networks on CIFAR-10"
    samples = ("3 -> relu6",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.minimum(m.maximum(x, 0.0), 6.0)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return 1.0 * m.above(y, 0.0) * m.above(6.0 - y, 0.0)


class LRelu(Elementwise):
    """x above 0, a x below: a leaky rectifier."""

    name, traits, places = "lrelu", RECTIFIER, ("a",)
    source = "Maas et al. 2013; CS231n, neural networks 1, 'Leaky ReLU'"
    samples = ("3 -> lrelu", "3 -> lrelu0.2")

    a: float = Field(default=0.01, ge=0, le=1, description="slope below zero")

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.maximum(x, 0.0) + self.a * m.minimum(x, 0.0)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return self.a + (1.0 - self.a) * m.above(x, 0.0)


class Elu(Elementwise):
    """x above 0, a (exp(x) - 1) below."""

    name, traits, places = "elu", RECTIFIER | {Trait.ZERO_CENTRED}, ("a",)
    source = "Clevert et al. 2015"
    samples = ("3 -> elu", "3 -> elu0.5")

    a: float = Field(default=1.0, gt=0, le=100, description="how far it goes below zero")

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.maximum(x, 0.0) + self.a * m.expm1(m.minimum(x, 0.0))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        above = m.above(x, 0.0)
        return 1.0 * above + (self.a - self.a * above) * m.exp(m.minimum(x, 0.0))


class Selu(Elementwise):
    """An elu whose scales keep mean 0 and variance 1 from layer to layer, with LeCun's start."""

    name, traits = "selu", frozenset({Trait.ACTIVATION, Trait.HANGS, Trait.ZERO_CENTRED})
    source = "Klambauer et al. 2017, self-normalizing neural networks"
    samples = ("3 -> selu", "8 -> fc4(init=lecun) selu")

    above: ClassVar[float] = 1.0507009873554804934193349852946
    below: ClassVar[float] = 1.6732632423543772848170429916717 * above

    def law(self, m: Any, x: Symbol) -> Symbol:
        return self.above * m.maximum(x, 0.0) + self.below * m.expm1(m.minimum(x, 0.0))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        mask = m.above(x, 0.0)
        return self.above * mask + (self.below - self.below * mask) * m.exp(m.minimum(x, 0.0))


class Gelu(Elementwise):
    """x times the chance that a standard normal draw is below x, by the error function."""

    name, traits = "gelu", RECTIFIER
    source = "Hendrycks and Gimpel 2016"
    samples = ("3 -> gelu",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return x * (0.5 + 0.5 * m.erf(x * math.sqrt(0.5)))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        density = m.exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
        return 0.5 + 0.5 * m.erf(x * math.sqrt(0.5)) + x * density


class GeluTanh(Elementwise):
    """gelu as BERT and GPT-2 compute it: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).

    Stated as x sigmoid(2 u), which is the same number from one exponential.
    """

    name, traits = "gelutanh", RECTIFIER
    source = "Hendrycks and Gimpel 2016, section 2"
    samples = ("3 -> gelutanh",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return x / (1.0 + m.exp(x * (-SLOPE - SLOPE * CUBIC * (x * x))))

    def stated(self, m: Any, x: Symbol) -> Symbol:
        return 0.5 * x * (1.0 + m.tanh(SLOPE / 2.0 * (x + CUBIC * (x * x * x))))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        square = x * x
        s = 1.0 / (1.0 + m.exp(x * (-SLOPE - SLOPE * CUBIC * square)))
        return s + x * (s * (1.0 - s)) * (SLOPE + 3.0 * SLOPE * CUBIC * square)


class Silu(Elementwise):
    """x sigmoid(x), also called swish."""

    name, traits = "silu", RECTIFIER
    source = "Elfwing et al. 2017"
    samples = ("3 -> silu",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return x / (1.0 + m.exp(-x))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        s = 1.0 / (1.0 + m.exp(-x))
        return s * (1.0 + x * (1.0 - s))


class Mish(Elementwise):
    """x tanh(softplus(x)).

    With e = exp(x) the tanh is w / (w + 2), where w = e (e + 2); past 20 it is 1 to the last digit.
    """

    name, traits = "mish", RECTIFIER
    source = "Misra 2019"
    samples = ("3 -> mish",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        e = m.exp(m.minimum(x, 20.0))
        w = e * (e + 2.0)
        return x * (w / (w + 2.0))

    def stated(self, m: Any, x: Symbol) -> Symbol:
        return x * m.tanh(m.log1p(m.exp(x)))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        e = m.exp(m.minimum(x, 20.0))
        w = e * (e + 2.0)
        return w / (w + 2.0) + x * (4.0 * e * (e + 1.0)) / ((w + 2.0) * (w + 2.0))


class Sigmoid(Elementwise):
    """1 / (1 + exp(-x)), between 0 and 1."""

    name, traits, word = "sigmoid", SIGMOIDAL, "σ"
    source = "CS231n, neural networks 1, 'Commonly used activation functions'"
    samples = ("3 -> sigmoid",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return 1.0 / (1.0 + m.exp(-x))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return y * (1.0 - y)


class Tanh(Elementwise):
    """The hyperbolic tangent, between -1 and 1."""

    name, traits = "tanh", SIGMOIDAL | {Trait.ZERO_CENTRED}
    source = "CS231n, neural networks 1, 'Commonly used activation functions'"
    samples = ("3 -> tanh",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.tanh(x)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return 1.0 - y * y


class HSigmoid(Elementwise):
    """min(max(x / 6 + 1/2, 0), 1): a sigmoid of straight lines."""

    name, traits = "hsigmoid", SIGMOIDAL
    source = "Howard et al. 2019, MobileNet v3"
    samples = ("3 -> hsigmoid",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.minimum(m.maximum(x * (1.0 / 6.0) + 0.5, 0.0), 1.0)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return (1.0 / 6.0) * m.above(x, -3.0) * m.above(-x, -3.0)


class HSwish(Elementwise):
    """x hsigmoid(x)."""

    name, traits = "hswish", RECTIFIER
    source = "Howard et al. 2019, MobileNet v3"
    samples = ("3 -> hswish",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return x * m.minimum(m.maximum(x + 3.0, 0.0), 6.0) * (1.0 / 6.0)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        inside = m.above(x, -3.0) * (1.0 - 1.0 * m.above(x, 3.0))
        return inside * (x * (1.0 / 3.0) + 0.5) + 1.0 * m.above(x, 3.0)


class Softplus(Elementwise):
    """log(1 + exp(x)), a smooth relu."""

    name, traits = "softplus", RECTIFIER
    source = "Dugas et al. 2001"
    samples = ("3 -> softplus",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return m.maximum(x, 0.0) + m.log1p(m.exp(-m.abs(x)))

    def stated(self, m: Any, x: Symbol) -> Symbol:
        return m.log1p(m.exp(x))

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return 1.0 / (1.0 + m.exp(-x))


class Step(Elementwise):
    """1 above 0, else 0: the perceptron's threshold. Its slope is 0, so nothing learns through it."""

    name = "step"
    traits = frozenset({Trait.ACTIVATION, Trait.HANGS, Trait.SATURATES, Trait.NO_GRADIENT})
    source = "Rosenblatt 1958"
    samples = ("3 -> step",)

    def law(self, m: Any, x: Symbol) -> Symbol:
        return 1.0 * m.above(x, 0.0)

    def slope(self, m: Any, x: Symbol, y: Symbol) -> Symbol:
        return y * 0.0


class PRelu(Op):
    """x above 0, a x below, with a learned for each channel."""

    name, traits = "prelu", RECTIFIER
    source = "He et al. 2015, delving deep into rectifiers"
    samples = ("3 -> prelu", "2x4x4 -> prelu", "5x3 -> prelu")

    letters = {**LETTERS_OF_WEIGHTS, "slope": ("a", "")}
    implied = frozenset({"a"})

    a: float = Field(default=0.25, description="slope below zero to start from")

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,), a = terms.x, terms.weights["slope"]
        both = m.maximum(x, 0.0) + a * m.minimum(x, 0.0)
        return (m.equals(self.called(m, terms), both, "a of x's channel"),)

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        return (Weight("slope", (inputs[0].channels,), constant=self.a),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        whole = Needed((batch, *inputs[0].shape))
        return Needs(
            scratch={"below": whole},
            scratch_back={"below": whole, "mask": Needed(whole.shape, "bool")},
            reads_back=frozenset({"x", "slope"}),
        )


class Softmax(Op):
    """exp(x) over its sum, along the channels: scores to probabilities."""

    name = "softmax"
    traits: ClassVar[frozenset[Trait]] = frozenset({Trait.ACTIVATION, Trait.HANGS})
    source = "CS231n, linear classification, 'Softmax classifier'"
    samples = ("3 -> softmax", "5x3 -> softmax", "2x3x3 -> softmax")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,) = terms.x
        whole = m.over("sum", "k", m.exp(m.at(x, "k")))
        share = m.exp(m.at(x, "c")) / whole
        return (m.equals(m.at(self.called(m, terms), "c"), share, "c, k: channels"),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        x = inputs[0]
        row = Needed((batch, *(1 if a == x.channel_axis else n for a, n in enumerate(x.shape))))
        return Needs(
            scratch={"row": row},
            scratch_back={"row": row, "product": Needed((batch, *x.shape))},
            reads_back=frozenset({"y"}),
            overwrites=True,
        )


class LogSoftmax(Op):
    """x less the log of the sum of exp(x), along the channels: scores to log-probabilities."""

    name = "logsoftmax"
    traits: ClassVar[frozenset[Trait]] = frozenset({Trait.ACTIVATION, Trait.HANGS})
    source = "CS231n, linear classification, 'Softmax classifier'"
    samples = ("3 -> logsoftmax", "5x3 -> logsoftmax", "2x3x3 -> logsoftmax")

    def shape(self, *inputs: Value) -> Value:
        return inputs[0]

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,) = terms.x
        rest = m.call("log", m.over("sum", "k", m.exp(m.at(x, "k"))))
        less = m.at(x, "c") - rest
        return (m.equals(m.at(self.called(m, terms), "c"), less, "c, k: channels"),)

    def needs(self, batch: int, *inputs: Value) -> Needs:
        x = inputs[0]
        row = Needed((batch, *(1 if a == x.channel_axis else n for a, n in enumerate(x.shape))))
        whole = Needed((batch, *x.shape))
        return Needs(
            scratch={"row": row, "exponentials": whole},
            scratch_back={"row": row, "exponentials": whole},
            reads_back=frozenset({"y"}),
            overwrites=True,
            overwrites_back=True,
        )
