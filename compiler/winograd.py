"""Which convolutions Winograd's F(4x4, 3x3) is for, the blocks it works in, the room they take.

A tile is 4x4 outputs and the 6x6 inputs that they see; it takes 36 products. A block is some images
and some of their rows of tiles: as many as the scratch array `padded`, (rows, columns, images,
channels), holds. Maps are channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from . import convolving
from .op import Needed
from .shapes import Window

TILE = 4
"""Outputs along one side of a tile."""

READ = 6
"""Inputs along one side of a tile, and products."""

PLACES = READ * READ

IN_CACHE = 8 * 1024
"""Numbers of one place that a block's tiles aim to hold, inputs and outputs: the tiles, 36 times as
many, stay in a core's cache."""

FEWEST = 32
"""Tiles of a block, and of a batch: below, bringing the filters takes longer than using them."""

MOST = 128
"""Tiles of a block where the filters of all places leave the cache, so that they are read seldom."""

FILTERS = 32 * 1024
"""Numbers of one place's filters, from which on they do."""

CHANNELS = 8
"""Below, transforms take longer than the products that they save."""

RUN = 64
"""Numbers side by side, at least, in the second pass of a transform."""


@dataclass(frozen=True)
class Room:
    """The largest block of one use.

    Attributes
    ----------
    down, across: rows of tiles, tiles in a row.
    alone: the whole batch is one block.
    """

    images: int
    down: int
    across: int
    alone: bool

    @property
    def tiles(self) -> int:
        return self.images * self.down * self.across

    @property
    def inputs(self) -> tuple[int, int, int]:
        """Rows, columns and images that the block's tiles read."""
        return TILE * self.down + 2, TILE * self.across + 2, self.images

    @property
    def outputs(self) -> tuple[int, int, int]:
        return TILE * self.down, TILE * self.across, self.images


def suits(windows: Sequence[Window], batch: int, channels: int, filters: int, groups: int) -> bool:
    """Whether tiles take less time than gathered columns: 2 to 3 times less for most shapes.

    Not where tiles hang over by more than 7 of their 16 outputs, not for few channels, and not for
    few tiles, which do not repay that the filters are transformed.
    """
    if groups != 1 or len(windows) != 2 or not all(map(_fits, windows)):
        return False
    tiles, outputs = prod(map(_tiles, windows)), prod(w.output for w in windows)
    return (
        16 * outputs >= 9 * TILE * TILE * tiles
        and min(channels, filters) >= CHANNELS
        and batch * tiles >= FEWEST
    )


def _fits(w: Window) -> bool:
    return w.kernel == 3 and w.stride == w.dilation == 1 and max(w.before, w.after) <= 2


def _tiles(w: Window) -> int:
    return -(-w.output // TILE)


def mirrored(windows: Sequence[Window]) -> tuple[Window, ...]:
    """What slides over the output's gradient to make the input's: padding of at most 2 lets it."""
    found = convolving.mirrored(windows)
    assert found is not None
    return found


def forward_scratch(
    windows: Sequence[Window], batch: int, channels: int, filters: int
) -> dict[str, Needed]:
    """`front` and `back` hold in turn: half a transform, tiles, products, half of them, outputs."""
    room = _room(windows, batch, channels, filters)
    rows, columns, images = room.inputs
    half = READ * room.down * columns * images * channels
    return {
        "padded": Needed((rows, columns, images, channels)),
        "front": Needed((max(half, PLACES * room.tiles * filters),)),
        "back": Needed((room.tiles * max(PLACES * channels, TILE * READ * filters),)),
        "taps": Needed((channels, 9, filters)),
        "filters": Needed((PLACES, channels, filters)),
    }


def input_scratch(
    windows: Sequence[Window], batch: int, channels: int, filters: int
) -> dict[str, Needed]:
    """The same, with the output's gradient in the input's place."""
    return forward_scratch(mirrored(windows), batch, filters, channels)


def weight_scratch(
    windows: Sequence[Window], batch: int, channels: int, filters: int
) -> dict[str, Needed]:
    """Tiles of inputs and of errors, and sums over blocks of what they make together."""
    room = _room(windows, batch, channels, filters)
    columns = room.inputs[1]
    seen = READ * room.down * columns * room.images * channels
    sums = Needed((PLACES, filters, channels))
    found = {
        "padded": Needed((*room.inputs, channels)),
        "whole": Needed((*room.outputs, filters)),
        "half": Needed((max(seen, TILE * READ * room.tiles * filters),)),
        "tiles": Needed((PLACES, room.tiles, channels)),
        "errors": Needed((PLACES, room.tiles, filters)),
        "total": sums,
    }
    return found if room.alone else {**found, "products": sums}


def _room(windows: Sequence[Window], batch: int, channels: int, filters: int) -> Room:
    """Whole images where they fit, else rows of one, or of as many as make a run long."""
    height, width = map(_tiles, windows)
    large = channels * filters > FILTERS
    tiles = MOST if large else max(FEWEST, IN_CACHE // (channels + filters))
    images = max(tiles // (height * width), -(-RUN // min(channels, filters)))
    images = _even(batch, images)
    down = _even(height, max(1, tiles // (width * images)))
    return Room(images, down, width, alone=images == batch and down == height)


def _even(whole: int, most: int) -> int:
    """At most `most`, and as many parts as that makes, of equal size but for the last."""
    return -(-whole // -(-whole // most))
