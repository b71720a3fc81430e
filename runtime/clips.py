"""Bounds on the gradient in NumPy, block by block before the optimiser sees it.

Each is declared under the same name in `compiler/training/clips.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.training.clips import ByValue, Clip, Norm
from .constants import scalar
from .kernels import Array, Calls

Bounds: TypeAlias = Callable[[Any, Array, Mapping[str, Array]], Calls]
Pace: TypeAlias = Callable[[Any, float], Mapping[str, float]]


def norm(clip: Norm, gradient: Array, tempo: Mapping[str, Array]) -> Calls:
    """One factor for all blocks, which is 1 where the whole gradient is short enough."""
    yield np.multiply, (gradient, tempo["clip"], gradient)


def value(clip: ByValue, gradient: Array, tempo: Mapping[str, Array]) -> Calls:
    most, least = (scalar(end, gradient.dtype) for end in (clip.most, -clip.most))
    yield np.clip, (gradient, least, most, gradient)


def norm_pace(clip: Norm, length: float) -> Mapping[str, float]:
    return {"clip": min(1.0, clip.most / (length + 1e-6))}


def no_pace(clip: Clip, length: float) -> Mapping[str, float]:
    return {}


COMPUTE: Mapping[type[Clip], tuple[Bounds, Pace]] = MappingProxyType(
    {Norm: (norm, norm_pace), ByValue: (value, no_pace)}
)


def bounded(clip: Clip | None, gradient: Array, tempo: Mapping[str, Array]) -> Calls:
    """The calls that bound one block of the gradient."""
    if clip is not None:
        bounds, _ = COMPUTE[type(clip)]
        yield from bounds(clip, gradient, tempo)


def pace(clip: Clip | None, length: float) -> Mapping[str, float]:
    """What the calls need to know of a gradient of this length."""
    if clip is None:
        return {}
    _, told = COMPUTE[type(clip)]
    return told(clip, length)
