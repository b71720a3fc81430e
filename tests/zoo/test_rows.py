"""Row by row, in order, nnspec reports of a net what PyTorch's hooks see of torchvision's."""

from __future__ import annotations

import pytest

import nnspec

from . import SPECS, Row, published
from .hooked import KINDS, Seen, hooked

NETS = [row for row in published() if row.source.startswith("torchvision")]


def reported(row: Row) -> list[Seen]:
    """nnspec's rows of the same kinds; a depthwise convolution is a convolution."""
    return [
        Seen(op, tuple(found.output), found.params, found.macs)
        for layer in nnspec.analyze(SPECS / row.spec).layers
        for found in layer.operators
        if (op := found.op.removeprefix("dw")) in KINDS
    ]


@pytest.mark.parametrize("row", NETS, ids=lambda row: row.spec)
def test_rows(row: Row) -> None:
    assert reported(row) == hooked(row.net, int(row.input.split("x")[1]))


def test_they_are_many() -> None:
    assert len(NETS) >= 40
