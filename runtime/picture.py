"""Arrays as a PNG picture. ISO/IEC 15948, "Portable Network Graphics"."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from .kernels import Array

GAP = 2
"""Pixels between the pictures of a grid."""


def grid(pictures: Array, scale: int) -> Array:
    """Bytes (H, W, 3) of a grid of pictures (rows, columns, C, H, W): 0 to 1 is black to white.

    Three channels are red, green and blue; of any other number the first is shown. `scale`: pixels
    a side that each pixel becomes.
    """
    rows, columns, channels = pictures.shape[:3]
    shown = pictures if channels == 3 else np.repeat(pictures[:, :, :1], 3, axis=2)
    large = shown.repeat(scale, axis=3).repeat(scale, axis=4)
    tall, wide = large.shape[3] + GAP, large.shape[4] + GAP
    whole = np.full((rows * tall - GAP, columns * wide - GAP, 3), 96, np.uint8)
    for row in range(rows):
        for column in range(columns):
            place = whole[row * tall :, column * wide :][: tall - GAP, : wide - GAP]
            place[:] = np.rint(np.clip(large[row, column], 0, 1) * 255).transpose(1, 2, 0)
    return whole


def png(pixels: Array) -> bytes:
    """The file for bytes (H, W, 3)."""
    height, width = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
