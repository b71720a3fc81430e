"""How far float32 strays from the truth where arithmetic is easily lost: `make stability`.

    python -m tests.runtime.stability_table

Each row is one computation on inputs that would overflow, cancel or drown in rounding if it were done
carelessly. The truth is float64's, or mpmath's with 50 digits; the error is that of the worst number,
relative to it, or to the largest number of the result where the computation is a difference (norms,
gradients). PyTorch's error on the same float32 inputs stands beside. What it printed last is kept in
stability_table.txt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import mpmath
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import nnspec
from nnspec.compiler.training.losses import LOSSES, CrossEntropy, Loss
from nnspec.runtime.kernels import Array
from nnspec.runtime.net import DType

from .test_losses import computed, in_torch

FINE, CARRIED = 1e-6, 1e-5
"""What is allowed: in general, and of what 10,000 steps have carried."""


@dataclass(frozen=True)
class Row:
    """One computation.

    Attributes
    ----------
    error: the largest, relative; infinite where a number is not finite that should be.
    allowed: the most that it may be. torch: PyTorch's error; None where it has no such computation.
    """

    what: str
    error: float
    allowed: float
    torch: float | None

    def __str__(self) -> str:
        beside = "" if self.torch is None else f"{self.torch:10.1e}"
        return f"{self.what:58}{self.error:10.1e}{self.allowed:10.0e}{beside}".rstrip()


def relative(found: Any, wanted: Any, least: float = 0.0) -> float:
    """The largest error; of numbers below `least` relative to that, of 0 and infinity exact."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    # Equal infinities have no difference; one that meets a number has an infinite one.
    with np.errstate(invalid="ignore"):
        off = np.where(found == wanted, 0.0, abs(found - wanted))
    # What float32 cannot hold but as a denormal has fewer digits.
    size = np.maximum(abs(wanted), max(least, float(np.finfo(np.float32).tiny) * 2**23))
    error = np.where(off == 0, 0.0, off / size)
    return float("inf") if np.isnan(error).any() else float(error.max())


def largest(found: Any, wanted: Any) -> float:
    """The largest error, relative to the largest number."""
    return relative(found, wanted, float(abs(np.asarray(wanted)).max()))


def run(spec: str, x: Array) -> Array:
    return np.asarray(nnspec.compile(spec, seed=0)(x))


# ------------------------------------------------------------------------------------- values


def softmaxes() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((64, 10))
    cases = {
        "scores of +-1e4": rng.uniform(-1e4, 1e4, (64, 10)),
        "scores of 1e4, near each other": 1e4 + normal,
        "rows masked by -inf": np.where(rng.random((64, 10)) < 0.5, -np.inf, normal),
        "all but one masked by -inf": np.where(np.eye(10) > 0, 3.0, -np.inf),
        "all equal, 1e4": np.full((3, 10), 1e4),
        "one class": np.full((3, 1), 123.0),
    }
    for name, scores in cases.items():
        scores[np.isinf(scores).all(axis=1)] = 0
        x = scores.astype(np.float32)
        for word, function in (("softmax", F.softmax), ("logsoftmax", F.log_softmax)):
            wanted = function(torch.tensor(x, dtype=torch.float64), 1).numpy()
            found = run(f"{x.shape[1]} -> {word}", x)
            theirs = relative(function(torch.tensor(x), 1), wanted)
            yield Row(f"{word}, {name}", relative(found, wanted), FINE, theirs)


def sums_of_powers() -> Iterator[Row]:
    """log sum exp, through the logsoftmax of a row."""
    for count in (1, 1_000_000):
        x = np.random.default_rng(0).standard_normal((1, count)).astype(np.float32)
        with mpmath.workdps(50):
            powers = np.exp(x.astype(float))
            total = float(mpmath.log(mpmath.fsum(powers.ravel().tolist())))
        found = float(x[0, 0]) - float(run(f"{count} -> logsoftmax", x)[0, 0])
        theirs = torch.logsumexp(torch.tensor(x), 1).item()
        wanted = total if count > 1 else float(x[0, 0])
        yield Row(
            f"log sum exp of {count:,}",
            relative(found, wanted, 1),
            FINE,
            relative(theirs, wanted, 1),
        )


def activations() -> Iterator[Row]:
    """At +-1e3 and +-1e4 and everywhere between."""
    sides = np.concatenate([np.logspace(-3, 4, 200), [1e3, 1e4]])
    x = np.concatenate([-sides, [0.0], sides])[:, None].astype(np.float32)
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "sigmoid": torch.sigmoid, "softplus": F.softplus,
        "tanh": torch.tanh, "silu": F.silu, "elu": F.elu, "selu": F.selu, "mish": F.mish,
        "gelu": F.gelu, "gelutanh": lambda t: F.gelu(t, approximate="tanh"), "hswish": F.hardswish,
    }  # fmt: skip
    for word, function in functions.items():
        exact = function(torch.tensor(x, dtype=torch.float64)).numpy()
        # Tails below 1e-6 are differences from 0 that gelu and its kin round away, in PyTorch too.
        least = 1.0 if word.startswith("gelu") else 1e-30
        error = relative(run(f"1 -> {word}", x), exact, least)
        yield Row(
            f"{word}, up to +-1e4", error, FINE, relative(function(torch.tensor(x)), exact, least)
        )


# ------------------------------------------------------------------------------------- losses


def _judged(what: str, loss: Loss, scores: Array, truth: Array) -> Iterator[Row]:
    """Value and gradient of a loss in float32."""
    real = truth.dtype.kind == "f"
    scores = scores.astype(np.float32)
    truth = truth.astype(np.float32) if real else truth
    value, slopes = in_torch(loss, scores.astype(float), truth.astype(float) if real else truth)
    found, gradient = computed(loss, scores, truth)
    theirs, theirs_back = in_torch(loss, scores, truth)
    yield Row(f"{loss.name}, {what}", relative(found, value), FINE, relative(theirs, value))
    back = largest(gradient, slopes), largest(theirs_back, slopes)
    yield Row(f"{loss.name}, {what}, gradient", back[0], FINE, back[1])


def losses() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for power in (5, 10, 20, 30):
        scores = np.array([[0.0, power * np.log(10)]])
        yield from _judged(f"p = 1e-{power}", CrossEntropy(), scores, np.array([0]))
    with mpmath.workdps(50):
        chance = mpmath.mpf(10) ** -30
        scores = np.array([[0.0, float(mpmath.log(1 / chance - 1))]], np.float32)
        exact = float(mpmath.log(1 + mpmath.exp(mpmath.mpf(float(scores[0, 1])))))
    found, _ = computed(CrossEntropy(), scores, np.array([0]))
    yield Row("cross_entropy, p = 1e-30, against mpmath", relative(found, exact), FINE, None)
    for size in (1e3, 1e4):
        for kind in LOSSES.values():
            loss = kind()
            scores = rng.uniform(-size, size, (40, 5))
            scores[:2] = [[size] * 5, [-size] * 5]
            answers = rng.integers(0, 2, (40, 5)).astype(float)
            wanted: dict[str, Array] = {
                "labels": rng.integers(0, 5, 40), "values": answers * size, "answers": answers,
            }  # fmt: skip
            yield from _judged(f"scores of +-{size:.0e}", loss, scores, wanted[loss.target])
    for kind in LOSSES.values():
        loss = kind()
        scores, values = rng.standard_normal((2, 1_000_000, 10)).astype(np.float32)
        truth = rng.integers(0, 10, 1_000_000) if loss.compares else values
        truth = (values > 0).astype(float) if loss.target == "answers" else truth
        yield from _judged("mean over 1e7 numbers", loss, scores, truth)


# ------------------------------------------------------------------------------ means and norms


def means() -> Iterator[Row]:
    x = np.random.default_rng(0).random((1, 1, 3200, 3200), np.float32)
    wanted = x.mean(dtype=float)
    yield Row(
        "gap, mean over 1e7 numbers", relative(run("1x3200x3200 -> gap", x), wanted), FINE,
        relative(torch.tensor(x).mean(dim=(2, 3)), wanted),
    )  # fmt: skip


def _trained(spec: str, x: Array) -> Array:
    """The output in training mode, where bn takes the batch's own statistics."""
    net = nnspec.compile(f"{spec}\ntrain(loss = mse)", seed=0)
    bound = net.learner.bound(len(x))
    for array in bound.inputs.values():
        array[:] = x
    assert bound.target is not None
    bound.target[:] = 0
    bound.run()
    return np.array(next(iter(bound.outputs.values())))


NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "64 -> bn": lambda t: F.batch_norm(t, None, None, training=True),
    "8x16x16 -> bn": lambda t: F.batch_norm(t, None, None, training=True),
    "20x64 -> bn": lambda t: F.batch_norm(t.mT, None, None, training=True).mT,
    "64 -> ln": lambda t: F.layer_norm(t, (64,)),
    "20x64 -> ln": lambda t: F.layer_norm(t, (64,)),
    "8x16x16 -> ln": lambda t: F.layer_norm(t.movedim(1, -1), (8,)).movedim(-1, 1),
    "8x16x16 -> gn2": lambda t: F.group_norm(t, 2),
    "8x16x16 -> inorm": lambda t: F.instance_norm(t),
    "64 -> rms": lambda t: F.rms_norm(t, (64,), eps=1e-6),
}


def norms() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for spec, function in NORMS.items():
        shape = (32, *map(int, spec.split()[0].split("x")))
        for ratio in (1.0, 1e2, 1e4):
            x = (rng.standard_normal(shape) + ratio).astype(np.float32)
            wanted = function(torch.tensor(x, dtype=torch.float64)).numpy()
            errors = [
                largest(found, wanted) for found in (_output(spec, x), function(torch.tensor(x)))
            ]
            yield Row(f"{spec}, mean / deviation = {ratio:g}", errors[0], FINE, errors[1])
        same = _output(spec, np.full(shape, 1e4, np.float32))
        wanted = np.ones(shape) if "rms" in spec else np.zeros(shape)
        yield Row(f"{spec}, all numbers 1e4", relative(same, wanted, 1), FINE, None)


def _output(spec: str, x: Array) -> Array:
    return _trained(spec, x) if "bn" in spec else run(spec, x)


def recurrence() -> Iterator[Row]:
    """What 10,000 steps carry is finite, forward and back."""
    x = np.random.default_rng(0).standard_normal((1, 10_000, 4))
    for cell in ("rnn", "lstm", "gru"):
        outputs, slopes = [], []
        for dtype in get_args(DType):
            net = nnspec.compile(f"10000x4 -> {cell}8", seed=0, dtype=dtype, loss="mse")
            outputs.append(net(x))
            _, gradients = net.gradients(x, np.zeros((1, 10_000, 8)))
            slopes.append(np.concatenate([g.ravel() for g in gradients.values()]))
        yield Row(f"{cell}, 10,000 steps", largest(*outputs), CARRIED, None)
        yield Row(f"{cell}, 10,000 steps, gradient", largest(*slopes), CARRIED, None)


PARTS = (softmaxes, sums_of_powers, activations, losses, means, norms, recurrence)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'computation in float32':58}{'error':>10}{'allowed':>10}{'PyTorch':>10}")
    rows = 0
    past = 0
    for part in PARTS:
        for row in part():
            print(row, flush=True)
            rows, past = rows + 1, past + (not row.error <= row.allowed)
    print(f"{rows} computations, {past} of them past what is allowed")


if __name__ == "__main__":
    main()
