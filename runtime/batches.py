"""What users pass as a batch, checked against what the net takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..compiler.graph import Graph
from ..compiler.shapes import Value, written
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from .errors import BatchShape, BatchSizes, LabelRange, MissingInput, NotNumbers, TokenRange
from .kernels import Array


def as_inputs(graph: Graph, x: Any, dtype: np.dtype[Any]) -> tuple[dict[str, Array], int]:
    """Arrays by input name, (N, *shape) each, and N.

    An array goes to the only input, a mapping goes by name. A batch whose examples have the right
    size under another shape is taken in memory order (8x8 images for an input of 64).
    """
    names = [node.name for node in graph.inputs]
    given = x if isinstance(x, Mapping) else {names[0]: x}
    missing = [name for name in names if name not in given]
    if missing or len(given) > len(names):
        raise SpecError([MissingInput(None, tuple(names), tuple(map(str, given)))])
    found = {
        node.name: _shaped(node.name, given[node.name], node.value, dtype) for node in graph.inputs
    }
    for name, below in graph.vocabularies.items():
        whole = found[name]
        if whole.size and not (whole.min() >= 0 and whole.max() < below):
            lowest, highest = int(whole.min()), int(whole.max())
            raise SpecError([TokenRange(None, name, (lowest, highest), below)])
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        raise SpecError([BatchSizes(None, tuple(counts.items()))])
    return found, next(iter(counts.values()))


def _shaped(name: str, x: Any, value: Value, dtype: np.dtype[Any]) -> Array:
    array = _numbers(name, x)
    if (
        array.ndim == 0
        or array[:1].size not in (value.size, 0)
        or (array.ndim == 1 and value.size > 1)
    ):
        raise SpecError([BatchShape(None, name, value.shape, array.shape)])
    wanted = np.dtype(np.int64) if value.integer else dtype
    if value.integer and array.dtype.kind == "f" and not np.array_equal(array, np.floor(array)):
        raise SpecError([NotNumbers(None, name, "fractions, but it takes whole numbers")])
    return np.ascontiguousarray(array.reshape(len(array), *value.shape), dtype=wanted)


def _numbers(name: str, x: Any) -> Array:
    try:
        array = np.asarray(x)
    except ValueError:
        raise SpecError([NotNumbers(None, name, "rows of unequal length")]) from None
    except (TypeError, RuntimeError) as error:
        raise SpecError([NotNumbers(None, name, f"no array: {error}")]) from None
    if array.dtype.kind == "O":
        return _unwrapped(name, array)
    if array.dtype.kind not in "biuf":
        raise SpecError([NotNumbers(None, name, f"{array.dtype}, not numbers")])
    return array


def _unwrapped(name: str, array: Array) -> Array:
    """Python's numbers as NumPy's: a table of mixed columns comes as objects."""
    for thing in array.flat:
        if not isinstance(thing, Real):
            raise SpecError([NotNumbers(None, name, f"{_told(thing)}, not numbers alone")])
    return array.astype(np.float64)


def _told(thing: object) -> str:
    """What an array holds in place of a number, in a few words."""
    if isinstance(thing, str):
        return f"the text {thing[:40]!r}"
    return "None" if thing is None else f"a {type(thing).__name__}"


def as_truth(loss: Loss, y: Any, output: Value, count: int, dtype: np.dtype[Any]) -> Array:
    """Labels int64 for a loss that judges classes, (N,) or one for each step of TxC and place of
    CxHxW; else values (N, *output)."""
    array = _numbers("y", y)
    if len(np.atleast_1d(array)) != count:
        raise SpecError([BatchSizes(None, (("x", count), ("y", len(np.atleast_1d(array)))))])
    shape = loss.truth(output)
    if array.size != count * math.prod(shape):
        raise SpecError([BatchShape(None, "y", shape, array.shape)])
    if loss.target == "values":
        return np.ascontiguousarray(array.reshape(count, *shape), dtype=dtype)
    labels = array.reshape(count, *shape)
    classes = max(2, output.channels)
    if array.dtype.kind == "f" and not np.array_equal(labels, np.floor(labels)):
        raise SpecError([NotNumbers(None, "y", f"fractions, but {loss.name} takes class labels")])
    if count and not (labels.min() >= 0 and labels.max() < classes):
        found = (int(labels.min()), int(labels.max()))
        raise SpecError([LabelRange(None, found, classes, written(output.shape))])
    return labels.astype(np.int64)
