"""Which convolutions Winograd's F(4x4, 3x3) is for, the blocks it works in, the room they take.

A tile is 4x4 outputs and the 6x6 inputs that they see; 36 products stand for it. A block is some
images and some of their rows of tiles; one number of a block's `Needed` shapes gives the other
way round how many: `padded` is (rows, columns, images, channels). Maps are channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..op import Needed
from ..shapes import Window

TILE = 4
"""Outputs along one side of a tile."""

READ = 6
"""Inputs along one side of a tile, and products."""

PLACES = READ * READ

IN_CACHE = 8 * 1024
"""Numbers of one place that a block's tiles hold in and out: 36 of them stay in a core's cache."""

FEWEST = 32
"""Tiles of a block; where these leave the cache filters do too, and `MOST` are worth a reading."""

MOST = 128

RUN = 64
"""Numbers that lie beside each other in the second pass of a transform, or more."""


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


def suits(windows: Sequence[Window], channels: int, filters: int, groups: int) -> bool:
    """Whether tiles take less time than gathered columns."""
    return groups == 1 and len(windows) == 2 and all(_fits(w) for w in windows)


def _fits(w: Window) -> bool:
    return w.kernel == 3 and w.stride == w.dilation == 1 and max(w.before, w.after) <= 2


def mirrored(windows: Sequence[Window]) -> tuple[Window, ...]:
    """What slides over the output's gradient to make the input's."""
    return tuple(replace(w, size=w.output, before=2 - w.before, after=2 - w.after) for w in windows)


def forward_scratch(
    windows: Sequence[Window], batch: int, channels: int, filters: int
) -> dict[str, Needed]:
    """`front` and `back` in turn: half transformed, tiles, products, half made, outputs."""
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
    """The same the other way: the gradient of the filters' outputs is what slides are made over."""
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
    height, width = (-(-w.output // TILE) for w in windows)
    tiles = IN_CACHE // (channels + filters)
    if tiles < FEWEST:
        tiles = MOST
    images = max(tiles // (height * width), -(-RUN // min(channels, filters)))
    images = _even(batch, images)
    down = _even(height, max(1, tiles // (width * images)))
    return Room(images, down, width, alone=images == batch and down == height)


def _even(whole: int, most: int) -> int:
    """At most `most`, and as many parts as that makes, of equal size but for the last."""
    return -(-whole // -(-whole // most))
