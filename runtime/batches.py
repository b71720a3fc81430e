"""What users pass as a batch, checked against what the net takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from ..compiler.graph import Graph
from ..compiler.shapes import Value, written
from ..compiler.training.losses import CrossEntropy, Loss
from ..grammar.diagnostics import SpecError
from .errors import BatchShape, BatchSizes, LabelRange, MissingInput, NotNumbers, TokenRange
from .kernels import Array
from .rows import Rows

Given: TypeAlias = Array | Rows


@dataclass(frozen=True)
class Slot:
    """What one array of a batch holds.

    Attributes
    ----------
    name: of the net's input; `y` for the truth.
    shape: of one example.
    dtype: what the net computes with, int64 for whole numbers.
    below: whole numbers run from 0 to under this; None where there is no such end.
    finite: whether NaN and infinity are refused, as they are in training.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    below: int | None = None
    finite: bool = True

    @property
    def whole(self) -> bool:
        return self.dtype.kind == "i"

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@lru_cache(maxsize=8)
def input_slots(graph: Graph, dtype: np.dtype[Any], *, finite: bool = True) -> dict[str, Slot]:
    """What each input of the net holds, by its name."""
    return {
        node.name: Slot(
            node.name,
            node.value.shape,
            np.dtype(np.int64) if node.value.integer else dtype,
            graph.vocabularies.get(node.name),
            finite,
        )
        for node in graph.inputs
    }


@lru_cache(maxsize=8)
def truth_slot(loss: Loss, output: Value, dtype: np.dtype[Any]) -> Slot:
    """What the loss judges the output by."""
    shape = loss.truth(output)
    if loss.target != "labels":
        return Slot("y", shape, dtype)
    return Slot("y", shape, np.dtype(np.int64), output.channels)


def as_inputs(graph: Graph, x: Any, dtype: np.dtype[Any]) -> tuple[dict[str, Array], int]:
    """Arrays by input name, (N, *shape) each, and N.

    An array goes to the only input, a mapping goes by name. A batch whose examples have the right
    size under another shape is taken in memory order (8x8 images for an input of 64).
    """
    arrays, count = by_input(graph, x)
    slots = input_slots(graph, dtype)
    return {name: typed(np.asarray(array), slots[name]) for name, array in arrays.items()}, count


def by_input(graph: Graph, x: Any) -> tuple[dict[str, Given], int]:
    """The arrays by input name as they were given, and N, once they are known to suit.

    What lies in a file is not read: only its shape is looked at.
    """
    names = [node.name for node in graph.inputs]
    given = x if isinstance(x, Mapping) else {names[0]: x}
    missing = [name for name in names if name not in given]
    if missing or len(given) > len(names):
        raise SpecError([MissingInput(None, tuple(names), tuple(map(str, given)))])
    found = {node.name: _shaped(node.name, given[node.name], node.value) for node in graph.inputs}
    for name, below in graph.vocabularies.items():
        whole = found[name]
        if not in_memory(whole):
            continue
        if whole.size and not (whole.min() >= 0 and whole.max() < below):
            lowest, highest = int(whole.min()), int(whole.max())
            raise SpecError([TokenRange(None, name, (lowest, highest), below)])
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        raise SpecError([BatchSizes(None, tuple(counts.items()))])
    return found, next(iter(counts.values()))


def in_memory(array: Given) -> TypeGuard[Array]:
    return isinstance(array, np.ndarray) and not isinstance(array, np.memmap)


def typed(array: Array, slot: Slot) -> Array:
    """The same numbers as the net computes with them; the array itself where it is that already."""
    shaped = array.reshape(len(array), *slot.shape)
    if array.dtype == slot.dtype:
        return np.ascontiguousarray(shaped)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(shaped, dtype=slot.dtype)


def _shaped(name: str, x: Any, value: Value) -> Given:
    array = _numbers(name, x)
    size = math.prod(array.shape[1:])
    if array.ndim == 0 or size != value.size or (array.ndim == 1 and value.size > 1):
        raise SpecError([BatchShape(None, name, value.shape, array.shape)])
    if value.integer and in_memory(array) and not _are_whole(array):
        found = _strange(array)
        raise SpecError([NotNumbers(None, name, f"{found}, but it takes whole numbers")])
    return array


def _strange(array: Array) -> str:
    """What an array holds that should hold whole numbers, and where that is first."""
    wrong = ~np.isfinite(array)
    what = "NaN or infinity" if wrong.any() else "fractions"
    wrong = wrong if wrong.any() else array != np.floor(array)
    return f"{what} (first in example {int(np.argwhere(wrong)[0][0])}, counted from 0)"


def _are_whole(array: Array) -> bool:
    if array.dtype.kind != "f":
        return True
    return bool(np.isfinite(array).all()) and np.array_equal(array, np.floor(array))


def _numbers(name: str, x: Any) -> Given:
    if isinstance(x, Rows):
        return x
    try:
        array = np.asanyarray(x) if isinstance(x, np.memmap) else np.asarray(x)
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
    """Labels int64 for a loss of labels, (N,) or one for each step of TxC and place of CxHxW; else
    numbers (N, *output). For a loss of shares labels become rows of 0 and one 1."""
    if loss.target == "shares" and are_labels(y, output):
        labels = as_truth(CrossEntropy(), y, output, count, dtype)
        shares = np.empty((count, *output.shape), dtype)
        write_shares(labels, output, shares)
        return shares
    array = np.atleast_1d(np.asarray(judged_by(loss, y, output, count)))
    return typed(array, truth_slot(loss, output, dtype))


def are_labels(y: Any, output: Value) -> bool:
    """Whether truth for a loss of shares is labels: it has fewer numbers than the scores."""
    array = _numbers("y", y)
    return array.size != (len(array) if array.ndim else 1) * output.size


def write_shares(labels: Array, output: Value, shares: Array) -> None:
    """Labels as a 1 at the class and 0 elsewhere, into shares (N, *output)."""
    axis = output.channel_axis + 1
    shares.fill(0)
    np.put_along_axis(shares, np.expand_dims(labels, axis), 1, axis)


def judged_by(loss: Loss, y: Any, output: Value, count: int) -> Given:
    """The truth as it was given, once it is known to suit; what lies in a file is not read."""
    array = _numbers("y", y)
    found = len(array) if array.ndim else 1
    if found != count:
        raise SpecError([BatchSizes(None, (("x", count), ("y", found)))])
    shape = loss.truth(output)
    if array.size != count * math.prod(shape):
        raise SpecError([BatchShape(None, "y", shape, array.shape)])
    if not in_memory(array):
        return array
    if loss.target == "labels":
        _check_labels(loss, array, output)
    elif loss.target in ("answers", "shares"):
        _check_shares(loss, array)
    return array


def _check_labels(loss: Loss, labels: Array, output: Value) -> None:
    if not _are_whole(labels):
        strange = _strange(labels)
        raise SpecError([NotNumbers(None, "y", f"{strange}, but {loss.name} takes class labels")])
    if labels.size and not (labels.min() >= 0 and labels.max() < output.channels):
        found = (int(labels.min()), int(labels.max()))
        raise SpecError([LabelRange(None, found, output.channels, written(output.shape))])


def _check_shares(loss: Loss, whole: Array) -> None:
    """From 0, a no, to 1, a yes."""
    if not whole.size or (whole.min() >= 0 and whole.max() <= 1):
        return
    wanted = "1 for yes and 0 for no" if loss.target == "answers" else "shares from 0 to 1"
    found = f"numbers from {whole.min():g} to {whole.max():g}, but {loss.name} takes {wanted}"
    raise SpecError([NotNumbers(None, "y", found)])
