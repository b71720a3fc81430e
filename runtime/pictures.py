"""Folders of images, one folder a class: ``folder/cat/001.png``. They need the extra `images`."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..grammar.diagnostics import SpecError
from . import rows
from .data_errors import DataDamaged, DataTooLarge, EmptyData, ImageSizes, MissingReader
from .dataset import Dataset
from .kernels import Array
from .readers import reading, scaled, unfit, visible
from .rows import Rows

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What a file is tried as, whatever its ending says."""

LITTER = frozenset({"thumbs.db", "desktop.ini"})
"""What file managers leave in folders."""

PIXELS = 2**26
"""The most pixels of one image: 64 Mi."""

GREY = frozenset({"1", "L", "LA"})
"""Pillow's kinds of images without colour, of at most 8 bits."""

DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Its kinds of more than 8 bits, which it would cut off where it makes 8 of them."""


def read_folder(folder: Path, resize: tuple[int, int] | None = None) -> Dataset:
    """Images by class: each folder in `folder` is one, in sorted order, named as the folder.

    All grey: (N, 1, H, W); else (N, 3, H, W) in red, green and blue; 0 to 1. What is see-through
    is taken as it is coloured. Hidden files are left out. All are of one size, or `resize`, (height,
    width), makes them so. A set of many is decoded as it is read.
    """
    classes = [entry for entry in visible(folder) if entry.is_dir()]
    found = [(file, label) for label, name in enumerate(classes) for file in _files_in(name)]
    files = [file for file, _ in found]
    labels = np.array([label for _, label in found], np.int64)
    for label, name in enumerate(classes):
        if label not in labels:
            raise SpecError([EmptyData(None, str(name), "images")])
    x = _as_examples(folder, files, resize)
    return Dataset(folder.name, x, labels, tuple(c.name for c in classes), str(folder))


def image_inputs(path: Path, resize: tuple[int, int] | None = None) -> Array | Rows:
    """One image, or those of a folder and of the folders in it, sorted by their paths."""
    files = _files_in(path) if path.is_dir() else [path]
    return _as_examples(path, files, resize)


def holds_images(folder: Path) -> bool:
    """Whether a folder has a folder in it, each a class."""
    return any(entry.is_dir() for entry in visible(folder))


def is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _files_in(folder: Path) -> list[Path]:
    """Every image below a folder; raises SpecError for a file that is none."""
    with reading(folder):
        found = sorted(
            Path(place) / name
            for place, inside, names in os.walk(folder, onerror=_raised)
            if _keep_visible(inside)
            for name in names
            if not name.startswith(".") and name.lower() not in LITTER
        )
    for file in found:
        if not is_image(file):
            advice = f"images end in {', '.join(sorted(ENDINGS))}"
            raise unfit(file, "lies among images, but is not called as one", advice)
    return found


def _keep_visible(inside: list[str]) -> bool:
    """Keep a walk out of hidden folders."""
    inside[:] = [name for name in inside if not name.startswith(".")]
    return True


def _raised(error: OSError) -> None:
    raise error


def _as_examples(
    folder: Path, files: Sequence[Path], resize: tuple[int, int] | None
) -> Array | Rows:
    if not files:
        raise SpecError([EmptyData(None, str(folder), "images")])
    facts = [_facts(file) for file in files]
    size = resize or _one_size(folder, files, [size for size, _ in facts])
    channels = 1 if all(mode in GREY for _, mode in facts) else 3
    pictures = Pictures(tuple(files), (len(files), channels, *size))
    if 4 * prod(pictures.shape) < rows.LARGE:
        return scaled(pictures[np.arange(len(files))])
    return Rows(pictures, pictures.shape, np.dtype(np.float32), scaled)


def _one_size(
    folder: Path, files: Sequence[Path], sizes: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    counts = Counter(sizes)
    usual, count = counts.most_common(1)[0]
    if count < len(sizes):
        first = next(place for place, size in enumerate(sizes) if size != usual)
        name = str(files[first].relative_to(folder))
        others = len(sizes) - count
        mistake = ImageSizes(None, str(folder), usual, count, others, name, sizes[first])
        raise SpecError([mistake])
    return usual


@dataclass(frozen=True)
class Pictures:
    """Images that are decoded when they are asked for: ``pictures[indices]`` is bytes, NxCxHxW."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]

    def __getitem__(self, chosen: Any, /) -> Array:
        found = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for row, place in enumerate(chosen):
            found[row] = _decoded(self.files[place], self.shape[1:])
        return found


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image of which the head was read, once it is known to be of a size that can be decoded."""
    try:
        from PIL import Image
    except ImportError:
        raise SpecError([MissingReader(None, str(path), "Pillow", "images")]) from None
    with reading(path), warnings.catch_warnings():
        # What Pillow warns of is decided here: a size that is too large, and harmless oddities.
        warnings.simplefilter("ignore")
        try:
            with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
                wide, high = image.size
                if wide * high > PIXELS:
                    raise SpecError([DataTooLarge(None, str(path), 3 * wide * high, 3 * PIXELS)])
                yield image
        except Image.DecompressionBombError:
            problem = f"it has more pixels than the {PIXELS:,} that an image may have"
            raise SpecError([DataDamaged(None, str(path), problem)]) from None
        except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError) as error:
            if isinstance(error, SpecError) or getattr(error, "strerror", None):
                raise
            problem = "it is no image, or is cut short or damaged"
            raise SpecError([DataDamaged(None, str(path), problem)]) from None


def _facts(path: Path) -> tuple[tuple[int, int], str]:
    """(height, width) and Pillow's kind of an image, from its head."""
    with _opened(path) as image:
        if image.mode in DEEP:
            advice = "save it with 8 bits a colour"
            raise unfit(path, "has more than 8 bits a pixel", advice)
        return (image.height, image.width), image.mode


def _decoded(path: Path, shape: tuple[int, ...]) -> Array:
    """The bytes of an image, (C, H, W), resized where it is of another size."""
    from PIL.Image import Resampling

    channels, high, wide = shape
    with _opened(path) as image:
        picture = image.convert("L" if channels == 1 else "RGB")
        if picture.size != (wide, high):
            picture = picture.resize((wide, high), Resampling.BILINEAR)
        return np.asarray(picture).reshape(high, wide, channels).transpose(2, 0, 1)
