"""A net's training step in JAX: functions of arrays, compiled whole, images with channels last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from torch import nn

from nnspec.runtime.net import Net

from .nets import Batch, Case, twin
from .timing import Step

Layers = list[dict[str, Any]]
Forward = Callable[[Layers, Any], tuple[Any, list[Any]]]
"""Weights by layer and a batch, to the outputs and the batch norms' means and variances."""

RATE, BETA1, BETA2, EPS, MOMENTUM, BN_EPS = 1e-3, 0.9, 0.999, 1e-8, 0.1, 1e-5


def conv(layer: dict[str, Any], x: Any, pad: int, stride: int = 1) -> Any:
    y = lax.conv_general_dilated(
        x, layer["weight"], (stride, stride), [(pad, pad)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    return y + layer["bias"] if "bias" in layer else y


def dense(layer: dict[str, Any], x: Any) -> Any:
    return x @ layer["weight"] + layer["bias"]


def pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def normal(layer: dict[str, Any], x: Any, seen: list[Any]) -> Any:
    """Batch norm in training; adds the batch's mean and unbiased variance to what was seen."""
    mean = x.mean((0, 1, 2))
    variance = ((x - mean) ** 2).mean((0, 1, 2))
    count = x.size // x.shape[-1]
    seen.append((mean, variance * (count / (count - 1))))
    return (x - mean) * lax.rsqrt(variance + BN_EPS) * layer["weight"] + layer["bias"]


def flat(x: Any) -> Any:
    """Channel by channel, as the specs flatten."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def mlp(w: Layers, x: Any) -> tuple[Any, list[Any]]:
    for layer in w[:-1]:
        x = jax.nn.relu(dense(layer, x))
    return dense(w[-1], x), []


def lenet(w: Layers, x: Any) -> tuple[Any, list[Any]]:
    x = pool(jax.nn.relu(conv(w[0], x, 2)))
    x = pool(jax.nn.relu(conv(w[1], x, 0)))
    return mlp(w[2:], flat(x))


def vgg(w: Layers, x: Any) -> tuple[Any, list[Any]]:
    x = pool(jax.nn.relu(conv(w[1], jax.nn.relu(conv(w[0], x, 1)), 1)))
    x = pool(jax.nn.relu(conv(w[3], jax.nn.relu(conv(w[2], x, 1)), 1)))
    return mlp(w[4:], flat(x))


def resnet20(w: Layers, x: Any) -> tuple[Any, list[Any]]:
    parts: Iterator[dict[str, Any]] = iter(w)
    seen: list[Any] = []
    x = jax.nn.relu(normal_after(parts, conv(next(parts), x, 1), seen))
    for width in (16, 32, 64):
        for _ in range(3):
            missing = width - x.shape[-1]
            past, stride = x, 1
            if missing:
                past, stride = jnp.pad(x[:, ::2, ::2], ((0, 0),) * 3 + ((missing // 2,) * 2,)), 2
            y = jax.nn.relu(normal_after(parts, conv(next(parts), x, 1, stride), seen))
            x = jax.nn.relu(normal_after(parts, conv(next(parts), y, 1), seen) + past)
    return dense(next(parts), x.mean((1, 2))), seen


def normal_after(parts: Iterator[dict[str, Any]], x: Any, seen: list[Any]) -> Any:
    return normal(next(parts), x, seen)


FORWARD: dict[str, Forward] = {
    "a": mlp, "b": mlp, "c": mlp, "d": lenet, "e": vgg, "f": resnet20,
}  # fmt: skip


def weights(case: Case, net: Net) -> tuple[Layers, list[Any]]:
    """Copies of the net's, as JAX programs hold them: (in, out), and (height, width, in, out)."""
    learned: Layers = []
    running = []
    for part in twin(case, net).modules():
        if not part._parameters:
            continue
        arrays = {name: jnp.array(p.detach().numpy()) for name, p in part.named_parameters()}
        if isinstance(part, nn.Conv2d):
            arrays["weight"] = arrays["weight"].transpose(2, 3, 1, 0)
        elif isinstance(part, nn.Linear):
            arrays["weight"] = arrays["weight"].T
        elif isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            both = part.running_mean, part.running_var
            running.append(tuple(jnp.array(each.numpy()) for each in both))
        learned.append(arrays)
    return learned, running


def training_step(case: Case, net: Net, batches: list[Batch]) -> Step:
    """The step of a twin of the net; it returns the loss, which is there when it returns."""
    learned, running = weights(case, net)
    nothing = jax.tree.map(jnp.zeros_like, learned)
    kept = (learned, nothing, jax.tree.map(jnp.copy, nothing), running, jnp.zeros((), jnp.int32))
    update = jax.jit(updated(case), donate_argnums=0)
    turn = cycle([as_jax(batch) for batch in batches])

    def step() -> Any:
        nonlocal kept
        batch = next(turn)
        kept, loss = update(kept, batch.x, batch.y)
        return loss.block_until_ready()

    return step


def as_jax(batch: Batch) -> Batch:
    x = batch.x.transpose(0, 2, 3, 1) if batch.x.ndim == 4 else batch.x
    return Batch(jnp.array(x), jnp.array(batch.y))


def updated(case: Case) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """All that a step does: loss, gradients, running statistics, Adam."""
    forward = FORWARD[case.key]

    def loss(learned: Layers, x: Any, y: Any) -> tuple[Any, list[Any]]:
        output, seen = forward(learned, x)
        if case.key == "a":
            return ((output - y) ** 2).mean(), seen
        chosen = jnp.take_along_axis(jax.nn.log_softmax(output), y[:, None], 1)
        return -chosen.mean(), seen

    def step(kept: Any, x: Any, y: Any) -> tuple[Any, Any]:
        learned, first, second, running, steps = kept
        (found, seen), slope = jax.value_and_grad(loss, has_aux=True)(learned, x, y)
        steps = steps + 1
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, slope)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, slope)
        part1, part2 = 1 - BETA1**steps, 1 - BETA2**steps
        learned = jax.tree.map(
            lambda w, m, v: w - RATE / part1 * m / (jnp.sqrt(v / part2) + EPS),
            learned, first, second,
        )  # fmt: skip
        running = jax.tree.map(lambda old, new: old + MOMENTUM * (new - old), running, seen)
        return (learned, first, second, running, steps), found

    return step
