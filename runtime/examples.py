"""What the loop and inference read their batches from: arrays, files, or items made on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..compiler.graph import Graph
from ..compiler.shapes import Value
from ..compiler.training.losses import CrossEntropy, Loss
from ..grammar.diagnostics import SpecError
from .batches import (
    Given,
    Slot,
    are_labels,
    by_input,
    in_memory,
    input_slots,
    judged_by,
    truth_slot,
    typed,
    write_shares,
)
from .data_errors import BadExample, NoTruth, shown
from .dataset import Dataset
from .judgeable import check_classes
from .kernels import Array

Fill: TypeAlias = Callable[[Array, Array], None]
"""(chosen, out): writes the chosen examples of one array."""

ONCE = 64 * 2**20
"""Bytes up to which an array in memory of another type is converted once, and not at every batch."""

CHUNK = 2**18
"""Numbers that are looked at together where a whole array is looked through."""


class Examples(Protocol):
    """Examples by number, written into arrays that are there already."""

    def __len__(self) -> int: ...

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array | None) -> None:
        """Write the chosen examples into arrays of a batch, shaped and typed as the net has them.

        `truth` is where the right answers go; None where they are not asked for. Raises SpecError,
        with the number of the example, for one that does not suit.
        """


def examples(graph: Graph, loss: Loss, x: Any, y: Any, dtype: np.dtype[Any]) -> Examples:
    """Examples with their truth, from whatever users pass as `x` and `y`.

    Arrays (or mappings of arrays by the inputs' names) with a truth of their own; or, where `y` is
    None, a `Dataset`, a tuple (x, y), or anything with a length whose items are pairs (x, y).

    Arrays in memory are looked through at once: shapes, labels, tokens, NaN and infinity. What lies
    in a file, and items, are looked at as they are read. An array that is C-contiguous and of the
    net's own type is not copied. Where the loss takes shares and labels are given, these are what is
    read. Raises SpecError.
    """
    output = graph.output.value
    if y is None and isinstance(x, Dataset):
        check_classes(x, loss, output)
    if y is None and is_pair(x):
        x, y = (x.x, x.y) if isinstance(x, Dataset) else x
    if loss.target == "shares" and (y is None or are_labels(y, output)):
        return AsShares(examples(graph, CrossEntropy(), x, y, dtype), output)
    slots, judged = input_slots(graph, dtype), truth_slot(loss, output, dtype)
    if y is None:
        return Items(_sequence(x), slots, judged)
    arrays, count = by_input(graph, x)
    truth = judged_by(loss, y, output, count)
    for name, array in arrays.items():
        _look_through(array, slots[name])
    _look_through(truth, judged)
    fills = {name: _fill(array, slots[name]) for name, array in arrays.items()}
    return Columns(count, fills, _fill(truth, judged))


def is_pair(x: Any) -> bool:
    """Whether inputs and truth come together, each as a whole: a `Dataset`, or a tuple of two."""
    return isinstance(x, Dataset) or (isinstance(x, tuple) and len(x) == 2)


def unjudged(graph: Graph, x: Any, dtype: np.dtype[Any]) -> Examples:
    """Examples without their truth: arrays, a `Dataset`, or items, of which pairs (x, y) lose y.

    NaN and infinity pass. Raises SpecError when the shapes do not suit.
    """
    slots = input_slots(graph, dtype, finite=False)
    if isinstance(x, Dataset):
        x = x.x
    if not isinstance(x, list | tuple) and is_sequence(x):
        return Items(x, slots, None)
    arrays, count = by_input(graph, x)
    return Columns(count, {name: _fill(array, slots[name]) for name, array in arrays.items()}, None)


def is_sequence(x: Any) -> bool:
    """Whether items can be had of it by number, and it is no array, nor a mapping of arrays."""
    items = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return items and not is_array_like(x) and not isinstance(x, Mapping | str | bytes)


def is_array_like(x: Any) -> bool:
    """Whether it is one array, if perhaps of a kind that NumPy cannot take (a sparse matrix)."""
    return hasattr(x, "__array__") or hasattr(x, "shape")


def _sequence(x: Any) -> Any:
    if is_sequence(x):
        return x
    if is_array_like(x) or isinstance(x, Mapping):
        raise SpecError([NoTruth(None, "there are inputs, but no truth to learn from")])
    problem = f"a {type(x).__name__} has no length and no items to learn from"
    if isinstance(x, str):
        problem = f"{x!r} is a text, no data: `nnspec.load_data({x!r})` reads what it names"
    raise SpecError([NoTruth(None, problem)])


# ------------------------------------------------------------------------------------- arrays


@dataclass(frozen=True)
class AsShares:
    """Examples of labels for a loss of shares: a 1 at the class and 0 elsewhere."""

    labelled: Examples
    output: Value

    def __len__(self) -> int:
        return len(self.labelled)

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array | None) -> None:
        if truth is None:
            self.labelled.fill(chosen, inputs, None)
            return
        labels = np.empty((len(chosen), *CrossEntropy().truth(self.output)), np.int64)
        self.labelled.fill(chosen, inputs, labels)
        write_shares(labels, self.output, truth)


@dataclass(frozen=True)
class Part:
    """Some examples of more, one behind the other."""

    of: Examples
    where: slice

    def __len__(self) -> int:
        return int(self.where.stop - self.where.start)

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array | None) -> None:
        self.of.fill(chosen + self.where.start, inputs, truth)


@dataclass(frozen=True)
class Columns:
    """Examples that lie in arrays, one for each input and one for the truth, in memory or not."""

    count: int
    inputs: Mapping[str, Fill]
    truth: Fill | None

    def __len__(self) -> int:
        return self.count

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array | None) -> None:
        for name, array in inputs.items():
            self.inputs[name](chosen, array)
        if truth is not None:
            assert self.truth is not None
            self.truth(chosen, truth)


def _fill(array: Given, slot: Slot) -> Fill:
    """How the rows of an array come into a batch: copied as they are, or converted."""
    array = np.atleast_1d(array) if isinstance(array, np.ndarray) else array
    if in_memory(array) and (_is_ready(array, slot) or len(array) * _bytes(slot) <= ONCE):
        return partial(_take, typed(array, slot))
    return partial(_convert, array, slot)


def _is_ready(array: Array, slot: Slot) -> bool:
    return array.dtype == slot.dtype and array.flags.c_contiguous


def _bytes(slot: Slot) -> int:
    return slot.size * slot.dtype.itemsize


def _take(array: Array, chosen: Array, out: Array) -> None:
    np.take(array, chosen, axis=0, out=out, mode="clip")


def _convert(array: Given, slot: Slot, chosen: Array, out: Array) -> None:
    rows = np.asarray(array[chosen]).reshape(out.shape)
    if (found := _first_wrong(rows, slot)) is not None:
        raise SpecError([_mistake(rows, slot, found, int(chosen[found[0]]))])
    with np.errstate(over="ignore"):
        out[...] = rows


def _look_through(array: Given, slot: Slot) -> None:
    """Raise SpecError for the first number that is NaN, or infinite, of an array in memory.

    What else can be wrong of one has been looked at where it was given.
    """
    if not in_memory(array) or not array.size or array.dtype.kind != "f" or slot.whole:
        return
    array = np.atleast_1d(array)
    step = max(1, CHUNK // math.prod(array.shape[1:]))
    for start in range(0, len(array), step):
        rows = array[start : start + step]
        if (found := _first_wrong(rows, slot)) is not None:
            raise SpecError([_mistake(rows, slot, found, start + found[0])])


# -------------------------------------------------------------------------- what may be wrong


def _first_wrong(rows: Array, slot: Slot) -> tuple[int, ...] | None:
    """Where the first number stands that the slot does not hold; None where all suit."""
    wrong = _wrong(rows, slot)
    if wrong is None or not wrong.any():
        return None
    return tuple(int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))


def _wrong(rows: Array, slot: Slot) -> Array | None:
    """Which numbers do not suit; None where none can be wrong."""
    if slot.whole:
        below = math.inf if slot.below is None else slot.below
        lowest = -math.inf if slot.below is None else 0
        wrong = ~((rows >= lowest) & (rows < below))
        return wrong if rows.dtype.kind != "f" else wrong | (rows != np.floor(rows))
    if rows.dtype.kind != "f" or not slot.finite:
        return None
    with np.errstate(over="ignore"):
        return np.asarray(~np.isfinite(rows.astype(slot.dtype, copy=False)))


def _mistake(rows: Array, slot: Slot, at: tuple[int, ...], index: int) -> BadExample:
    """What to say of the number at a place."""
    number = rows[at].item()
    place = f" at [{', '.join(map(str, at[1:]))}]" if rows[at[0]].size > 1 else ""
    found = f"`{slot.name}` is {_told(number)}{place}"
    if slot.whole:
        return BadExample(None, index, found, _whole_advice(slot))
    if math.isfinite(number):
        return BadExample(None, index, f"{found}, beyond {slot.dtype}", "scale the numbers")
    return BadExample(None, index, found, "remove these examples, or fill in what is missing")


def _told(number: float) -> str:
    return "NaN" if math.isnan(number) else f"{number:g}"


def _whole_advice(slot: Slot) -> str:
    if slot.below is None:
        return "it takes whole numbers"
    what = "labels are" if slot.name == "y" else "it takes"
    return f"{what} whole numbers from 0 to {slot.below - 1:,}"


# -------------------------------------------------------------------------------------- items


@dataclass(frozen=True)
class Items:
    """Examples that are asked for one by one: ``data[i]`` is (x, y), x an array, or arrays by input.

    Anything with a length serves: a list of pairs, a PyTorch `Dataset`. Each is looked at as it
    comes. `truth` is None where only x is wanted; items need not be pairs then.
    """

    data: Any
    slots: Mapping[str, Slot]
    truth: Slot | None

    def __len__(self) -> int:
        return len(self.data)

    def fill(self, chosen: Array, inputs: Mapping[str, Array], truth: Array | None) -> None:
        for row, index in enumerate(chosen.tolist()):
            item = self._item(index)
            x, y = (_input_of(item), None) if truth is None else _pair(item, index)
            for name, number in self._by_name(x, index).items():
                _put(inputs[name], row, number, self.slots[name], index)
            if truth is not None:
                assert self.truth is not None
                _put(truth, row, y, self.truth, index)

    def _item(self, index: int) -> Any:
        try:
            return self.data[index]
        except Exception as error:
            error.add_note(f"nnspec asked for example {index:,} of {len(self):,}, counted from 0")
            raise

    def _by_name(self, x: Any, index: int) -> Mapping[str, Any]:
        given = x if isinstance(x, Mapping) else {next(iter(self.slots)): x}
        if given.keys() != self.slots.keys():
            problem = f"it has {_listed(given)}, but the net's inputs are {_listed(self.slots)}"
            advice = "x of an item is a mapping from each input's name to its array"
            raise SpecError([BadExample(None, index, problem, advice)])
        return given


def _pair(item: Any, index: int) -> tuple[Any, Any]:
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1]
    advice = "an item is a tuple (x, y)"
    raise SpecError([BadExample(None, index, f"{_kind(item)} is no pair", advice)])


def _input_of(item: Any) -> Any:
    return item[0] if isinstance(item, tuple) and len(item) == 2 else item


def _kind(item: Any) -> str:
    count = f" of {len(item)}" if isinstance(item, tuple | list | dict) else ""
    return f"a {type(item).__name__}{count}"


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _put(out: Array, row: int, given: Any, slot: Slot, index: int) -> None:
    """Write one example's numbers into a row of the batch."""
    numbers = _as_numbers(given, slot, index)
    if numbers.size != slot.size:
        problem = f"`{slot.name}` has shape {shown(numbers.shape)}, not {shown(slot.shape)}"
        raise SpecError([BadExample(None, index, problem)])
    longer, wanted = ([n for n in axes if n != 1] for axes in (numbers.shape, slot.shape))
    if longer != wanted and sorted(longer) == sorted(wanted):
        problem = f"`{slot.name}` has its axes in another order, {shown(numbers.shape)}"
        advice = f"the net takes {shown(slot.shape)}, channels first"
        raise SpecError([BadExample(None, index, problem, advice)])
    rows = numbers[np.newaxis]
    if (found := _first_wrong(rows, slot)) is not None:
        raise SpecError([_mistake(rows, slot, found, index)])
    with np.errstate(over="ignore"):
        out[row] = numbers.reshape(slot.shape)


def _as_numbers(given: Any, slot: Slot, index: int) -> Array:
    try:
        numbers = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as error:
        problem = f"`{slot.name}` cannot be read as an array: {str(error).rstrip('.')}"
        raise SpecError([BadExample(None, index, problem)]) from None
    if numbers.dtype.kind not in "biuf":
        problem = f"`{slot.name}` holds {numbers.dtype}, not numbers"
        raise SpecError([BadExample(None, index, problem)])
    return numbers
