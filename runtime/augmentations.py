"""Augmentations in NumPy: batches changed in place, between gathering and the step.

Each is declared under the same name in `compiler/training/augmentations.py`. It draws once a batch,
from a stream of its own, and then changes every input it acts on; what it needs of memory is made
with the first batch of a size, after which nothing is allocated.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.graph import Graph
from ..compiler.op import Needed
from ..compiler.training.augmentations import (
    TRUTH,
    Augmentation,
    Crop,
    Cutout,
    Flip,
    Mixup,
    Moved,
    Noise,
    Rotate,
    Shift,
)
from .initialise import stream
from .kernels import Array

Arrays: TypeAlias = Mapping[str, Array]
Draw: TypeAlias = Callable[[Any, np.random.Generator, Arrays], None]
"""(augmentation, rng, drawn): fills `drawn` for a batch."""
Change: TypeAlias = Callable[[Any, np.random.Generator, Arrays, Array, Arrays], None]
"""(augmentation, rng, drawn, x, scratch): changes x in place."""


def draw_nothing(augmentation: Augmentation, rng: np.random.Generator, drawn: Arrays) -> None:
    """What it draws is as large as the input, and drawn by blocks."""


def _uniform(rng: np.random.Generator, out: Array) -> None:
    rng.random(dtype=out.dtype.type, out=out)


# --------------------------------------------------------------------------------------- flip


def draw_flip(flip: Flip, rng: np.random.Generator, drawn: Arrays) -> None:
    _uniform(rng, drawn["chance"])
    np.less(drawn["chance"], flip.p, out=drawn["chosen"])


def flip(flip: Flip, rng: np.random.Generator, drawn: Arrays, x: Array, scratch: Arrays) -> None:
    chosen = drawn["chosen"].reshape(-1, 1, 1, 1)
    for start, stop in _blocks(len(x), len(scratch["copy"])):
        some, copy = x[start:stop], scratch["copy"][: stop - start]
        np.copyto(copy, some)
        np.copyto(some, copy[..., ::-1], where=chosen[start:stop])


# -------------------------------------------------------------------------------- shift, crop


def draw_offsets(moved: Moved, rng: np.random.Generator, drawn: Arrays) -> None:
    """Whole numbers from -reach to reach, each as likely as the others."""
    chance, offset = drawn["chance"], drawn["offset"]
    _uniform(rng, chance)
    np.multiply(chance, 2 * moved.reach + 1, out=chance)
    np.floor(chance, out=chance)
    np.subtract(chance, moved.reach, out=chance)
    np.copyto(offset, chance, casting="unsafe")


def move(moved: Moved, rng: np.random.Generator, drawn: Arrays, x: Array, scratch: Arrays) -> None:
    """x[i, :, r, c] = x[i, :, r - down, c - across], zero where that lies outside."""
    copy = scratch["copy"]
    height, width = x.shape[2:]
    for picture, (down, across) in zip(x, drawn["offset"].tolist(), strict=True):
        np.copyto(copy, picture)
        picture.fill(0)
        (to_rows, rows), (to_columns, columns) = _overlap(down, height), _overlap(across, width)
        picture[:, to_rows, to_columns] = copy[:, rows, columns]


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Where on an axis what stays in sight goes to, and where it comes from."""
    reach = min(abs(offset), size)
    late, early = slice(reach, size), slice(0, size - reach)
    return (late, early) if offset > 0 else (early, late)


# ------------------------------------------------------------------------------------- rotate


def draw_angle(rotate: Rotate, rng: np.random.Generator, drawn: Arrays) -> None:
    angle = drawn["angle"]
    _uniform(rng, angle)
    np.multiply(angle, 2 * np.deg2rad(rotate.degrees), out=angle)
    np.subtract(angle, np.deg2rad(rotate.degrees), out=angle)
    np.sin(angle, out=drawn["sine"])
    np.cos(angle, out=drawn["cosine"])


def rotate(
    rotate: Rotate, rng: np.random.Generator, drawn: Arrays, x: Array, scratch: Arrays
) -> None:
    """Each pixel reads the place that it was turned from: counter-clockwise for angles above 0."""
    for start, stop in _blocks(len(x), len(scratch["bordered"])):
        part = {name: array[: stop - start] for name, array in scratch.items()}
        sine, cosine = drawn["sine"][start:stop], drawn["cosine"][start:stop]
        part["bordered"].fill(0)
        part["bordered"][:, :, 1:-1, 1:-1] = x[start:stop]
        _places(sine, cosine, part)
        for channel in range(x.shape[1]):
            _blend(channel, part, x[start:stop, channel])


def _places(sine: Array, cosine: Array, part: Arrays) -> None:
    """Where each pixel reads in the bordered picture: the number of the upper left of four pixels in
    `where`, how far to go on from it in `down` and `across`."""
    down, across, spare = part["down"], part["across"], part["upper"]
    some, height, width = down.shape
    channels, tall, wide = part["bordered"].shape[1:]
    y, x = _from_centre(height, down.dtype).reshape(-1, 1), _from_centre(width, down.dtype)
    np.multiply(y, cosine, out=down)
    np.multiply(x, sine, out=spare)
    np.add(down, spare, out=down)
    np.multiply(x, cosine, out=across)
    np.multiply(y, sine, out=spare)
    np.subtract(across, spare, out=across)
    where, column = part["where"], part["column"]
    _split(down, height, spare, where)
    _split(across, width, spare, column)
    np.multiply(where, wide, out=where)
    np.add(where, column, out=where)
    np.add(where, _beginnings(some, channels * tall * wide), out=where)


def _split(place: Array, size: int, whole: Array, number: Array) -> None:
    """Places counted from the centre into whole pixels of the bordered axis, and the rest."""
    np.add(place, (size + 1) / 2, out=place)
    np.clip(place, 0, size + 1, out=place)
    np.floor(place, out=whole)
    np.minimum(whole, size, out=whole)
    np.subtract(place, whole, out=place)
    np.copyto(number, whole, casting="unsafe")


def _blend(channel: int, part: Arrays, result: Array) -> None:
    """Bilinear between the four pixels at `where`."""
    upper, lower, right, where = (part[name] for name in ("upper", "lower", "right", "where"))
    tall, wide = part["bordered"].shape[2:]
    pixels = part["bordered"].reshape(-1)[channel * tall * wide :]
    for row, left in ((pixels, upper), (pixels[wide:], lower)):
        np.take(row, where, out=left, mode="clip")
        np.take(row[1:], where, out=right, mode="clip")
        np.subtract(right, left, out=right)
        np.multiply(right, part["across"], out=right)
        np.add(left, right, out=left)
    np.subtract(lower, upper, out=lower)
    np.multiply(lower, part["down"], out=lower)
    np.add(upper, lower, out=result)


@lru_cache(maxsize=64)
def _from_centre(size: int, dtype: np.dtype[Any]) -> Array:
    return (np.arange(size) - (size - 1) / 2).astype(dtype)


@lru_cache(maxsize=64)
def _beginnings(count: int, size: int) -> Array:
    return (np.arange(count) * size).reshape(-1, 1, 1)


# ------------------------------------------------------------------------------ noise, cutout


def noise(noise: Noise, rng: np.random.Generator, drawn: Arrays, x: Array, scratch: Arrays) -> None:
    flat, draws = x.reshape(-1), scratch["draws"]
    for start, stop in _blocks(len(flat), len(draws)):
        some = draws[: stop - start]
        rng.standard_normal(dtype=some.dtype.type, out=some)
        np.multiply(some, noise.sd, out=some)
        np.add(flat[start:stop], some, out=flat[start:stop])


def draw_centre(cutout: Cutout, rng: np.random.Generator, drawn: Arrays) -> None:
    _uniform(rng, drawn["chance"])


def cutout(
    cutout: Cutout, rng: np.random.Generator, drawn: Arrays, x: Array, scratch: Arrays
) -> None:
    height, width = x.shape[2:]
    for picture, (down, across) in zip(x, drawn["chance"].tolist(), strict=True):
        top = int(down * height) - cutout.size // 2
        left = int(across * width) - cutout.size // 2
        rows = slice(max(0, top), max(0, top + cutout.size))
        picture[:, rows, max(0, left) : max(0, left + cutout.size)] = 0


# -------------------------------------------------------------------------------------- mixup


def draw_partners(mixup: Mixup, rng: np.random.Generator, drawn: Arrays) -> None:
    share = rng.beta(mixup.alpha, mixup.alpha)
    drawn["share"][()], drawn["rest"][()] = share, 1 - share
    np.copyto(drawn["partner"], _numbers(len(drawn["partner"])))
    rng.shuffle(drawn["partner"])


def mixup(mixup: Mixup, rng: np.random.Generator, drawn: Arrays, x: Array, scratch: Arrays) -> None:
    other = scratch["other"]
    np.take(x, drawn["partner"], axis=0, out=other, mode="clip")
    np.multiply(x, drawn["share"], out=x)
    np.multiply(other, drawn["rest"], out=other)
    np.add(x, other, out=x)


@lru_cache(maxsize=64)
def _numbers(count: int) -> Array:
    return np.arange(count)


# ------------------------------------------------------------------------------------- a batch


COMPUTE: Mapping[type[Augmentation], tuple[Draw, Change]] = MappingProxyType(
    {
        Flip: (draw_flip, flip),
        Shift: (draw_offsets, move),
        Crop: (draw_offsets, move),
        Rotate: (draw_angle, rotate),
        Noise: (draw_nothing, noise),
        Cutout: (draw_centre, cutout),
        Mixup: (draw_partners, mixup),
    }
)

REMEMBERED = 3
"""Batch sizes whose scratch is kept: as many as of bound schedules."""


@dataclass(frozen=True)
class _Room:
    """Memory of one augmentation for one batch size: what it draws, and scratch for every array that
    it changes, the truth under `TRUTH`."""

    drawn: Arrays
    scratch: Mapping[str, Arrays]


class Augmenter:
    """What varies the batches of one run.

    Attributes
    ----------
    streams: where each augmentation draws from, by its name: their state is all that it remembers.
    """

    def __init__(
        self,
        augment: tuple[Augmentation, ...],
        graph: Graph,
        seed: int,
        dtype: np.dtype[Any],
    ) -> None:
        self.augment = augment
        self.streams: Mapping[str, np.random.Generator] = {
            augmentation.name: stream(seed, "augment", augmentation.name)
            for augmentation in augment
        }
        self._values = {node.name: node.value for node in graph.inputs}
        self._output = graph.output.value
        self._dtype = dtype
        self._rooms: OrderedDict[int, tuple[_Room, ...]] = OrderedDict()

    def __call__(self, inputs: Mapping[str, Array], truth: Array) -> None:
        """Change a batch in place; the truth too where examples are mixed."""
        if not self.augment:
            return
        arrays = {**inputs, TRUTH: truth}
        for augmentation, room in zip(self.augment, self._of(len(truth)), strict=True):
            draw, change = COMPUTE[type(augmentation)]
            rng = self.streams[augmentation.name]
            draw(augmentation, rng, room.drawn)
            for name, scratch in room.scratch.items():
                change(augmentation, rng, room.drawn, arrays[name], scratch)

    @property
    def drawn(self) -> dict[str, Any]:
        """Where each stream stands; set it to draw the same again."""
        return {name: rng.bit_generator.state for name, rng in self.streams.items()}

    @drawn.setter
    def drawn(self, states: Mapping[str, Any]) -> None:
        for name, rng in self.streams.items():
            rng.bit_generator.state = states[name]

    def _of(self, batch: int) -> tuple[_Room, ...]:
        found = self._rooms.get(batch)
        if found is None:
            found = tuple(self._room(augmentation, batch) for augmentation in self.augment)
            self._rooms[batch] = found
            if len(self._rooms) > REMEMBERED:
                self._rooms.popitem(last=False)
        self._rooms.move_to_end(batch)
        return found

    def _room(self, augmentation: Augmentation, batch: int) -> _Room:
        changed = augmentation.changed(self._values, self._output)
        scratch = {n: self._made(augmentation.scratch(batch, v)) for n, v in changed.items()}
        return _Room(self._made(augmentation.drawn(batch)), scratch)

    def _made(self, needed: Mapping[str, Needed]) -> Arrays:
        dtypes = {"float": self._dtype, "bool": np.dtype(bool), "int64": np.dtype(np.int64)}
        return {name: np.empty(n.shape, dtypes[n.dtype]) for name, n in needed.items()}


def _blocks(count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, size):
        yield start, min(start + size, count)
