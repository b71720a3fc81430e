"""x"""
from __future__ import annotations

from ..op import Needed
from ..shapes import Window


def _padded(windows, batch, channels, images, rows):
    h, w = windows
    down, across = -(-h.output // 4), -(-w.output // 4)
    images = min(images, batch); rows = min(rows, down)
    return images, rows, across

def forward_scratch(windows, batch, channels, filters, images, rows):
    n, r, a = _padded(windows, batch, channels, images, rows)
    t = n * r * a
    return {
        "padded": Needed((4 * r + 2, 4 * a + 2, n, channels)),
        "front": Needed((max(6 * r * (4 * a + 2) * n * channels, 36 * t * filters),)),
        "back": Needed((max(36 * t * channels, 24 * t * filters),)),
        "filters": Needed((36, filters, channels)),
    }

def weight_scratch(windows, batch, channels, filters, images, rows):
    n, r, a = _padded(windows, batch, channels, images, rows)
    t = n * r * a
    return {
        "padded": Needed((4 * r + 2, 4 * a + 2, n, channels)),
        "whole": Needed((4 * r, 4 * a, n, filters)),
        "half": Needed((max(6 * r * (4 * a + 2) * n * channels, 24 * t * filters),)),
        "tiles": Needed((36, t, channels)),
        "errors": Needed((36, t, filters)),
        "products": Needed((36, filters, channels)),
        "total": Needed((36, filters, channels)),
    }
