"""How a net does while it learns: what its layers and its weights do on some examples.

Source: CS231n, neural networks 3, "Babysitting the learning process": activations and gradients by
layer, and the size of updates beside that of the weights, which should be about one in a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Any


@dataclass(frozen=True)
class LayerVitals:
    """One layer.

    Attributes
    ----------
    mean, std: of the numbers it puts out.
    dead: the share of its rectified units (of a map: channels) whose slope is 0 on every example;
        None where it has none.
    saturated: the share of its sigmoids and tanhs whose slope is below 1 % of the largest, over
        units and examples; None where it has none.
    gradient: root mean square of the gradient of its matrices and kernels; None without one.
    """

    layer: str
    mean: float
    std: float
    dead: float | None = None
    saturated: float | None = None
    gradient: float | None = None


@dataclass(frozen=True)
class WeightVitals:
    """One weight.

    Attributes
    ----------
    rms, gradient: root mean squares of its numbers, and of their gradient, penalties left out; None
        where it is frozen.
    matrix: whether l2 acts on it: matrices and kernels, not biases.
    update: how far the last update moved it, as a share of its length; None where none was seen, or
        where it was 0 before.
    """

    weight: str
    rms: float
    gradient: float | None
    update: float | None = None
    matrix: bool = True


@dataclass(frozen=True)
class Vitals:
    """A net on some examples, noise on as in training.

    Attributes
    ----------
    examples: how many.
    layers: from input to output. weights: in the same order.
    """

    examples: int
    layers: tuple[LayerVitals, ...]
    weights: tuple[WeightVitals, ...]

    @property
    def flow(self) -> float | None:
        """The gradient of the first layer as a share of the last's: what is left of it when it
        arrives. None where there is nothing to compare."""
        found = [layer.gradient for layer in self.layers if layer.gradient is not None]
        if len(found) < 2 or not found[-1]:
            return None
        return found[0] / found[-1]

    @property
    def update(self) -> float | None:
        """The median over matrices and kernels of how far the last update moved each."""
        moved = [w.update for w in self.weights if w.matrix and w.update is not None]
        found = [update for update in moved if isfinite(update)]
        return median(found) if found else None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Vitals:
        """What `asdict` made plain."""
        layers = tuple(LayerVitals(**layer) for layer in row["layers"])
        return cls(row["examples"], layers, tuple(WeightVitals(**w) for w in row["weights"]))

    def __str__(self) -> str:
        head = ("layer", "mean", "std", "dead", "saturated", "gradient", "weight", "update")
        rows = [head, *(self._row(layer) for layer in self.layers)]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(wide[0]), *map(str.rjust, row[1:], wide[1:])]).rstrip()
            for row in rows
        ]
        return "\n".join(lines)

    def _row(self, layer: LayerVitals) -> tuple[str, ...]:
        main = next((w for w in self.weights if w.weight.rpartition(".")[0] == layer.layer), None)
        return (
            layer.layer,
            f"{layer.mean:.3g}",
            f"{layer.std:.3g}",
            share(layer.dead),
            share(layer.saturated),
            "·" if layer.gradient is None else f"{layer.gradient:.1e}",
            "·" if main is None else f"{main.rms:.3g}",
            "·" if main is None or main.update is None else f"{main.update:.1e}",
        )


def share(found: float | None) -> str:
    """`12 %`; a point where there is none."""
    return "·" if found is None else f"{found:.0%}".replace("%", " %")


def line(found: Vitals) -> str:
    """The vitals that are read first, in a line: a layer is named where many of its units are dead
    or saturated."""
    told = [f"gradient first/last {found.flow:.2g}"] if found.flow is not None else []
    if found.update is not None:
        told.append(f"updates {found.update:.1e} of the weights")
    for what in ("dead", "saturated"):
        worst = [(w, one.layer) for one in found.layers if (w := getattr(one, what) or 0) >= NOTED]
        named = [f"{layer} {share(worth)}" for worth, layer in sorted(worst, reverse=True)[:3]]
        told += [f"{what}: {', '.join(named)}"] if named else []
    return "  ".join(told)


NOTED = 0.1
"""The share of dead or saturated units from which a layer is named."""
