"""How long a gradient may be, declared. `runtime/clips.py` computes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import PositiveFloat

from .choice import Choice


class Clip(Choice):
    """A bound on the loss's gradient, before `l2` and `l1` join it."""


class Norm(Clip):
    """All gradients together as one vector: where that is longer than `most`, it is shortened to it.

    The factor is most / (norm + 1e-6), as in PyTorch. A plain number means this: `clip = 1.0`.
    """

    name, places = "norm", ("most",)
    source = "Pascanu et al. 2013; PyTorch's clip_grad_norm_"

    most: PositiveFloat = 1.0


class ByValue(Clip):
    """Every number of the gradient on its own is kept between -most and most."""

    name, places = "value", ("most",)
    source = "Mikolov 2012; PyTorch's clip_grad_value_"

    most: PositiveFloat = 0.5


CLIPS: Mapping[str, type[Clip]] = MappingProxyType({clip.name: clip for clip in (Norm, ByValue)})
