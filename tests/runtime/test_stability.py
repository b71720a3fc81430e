"""Float32 where arithmetic is easily lost: every row of the stability table is within what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from .stability_table import PARTS, Row, largest, relative


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_within_what_is_allowed(part: Callable[[], Iterator[Row]]) -> None:
    rows = list(part())
    assert rows
    assert not [str(row) for row in rows if not row.error <= row.allowed]


def test_the_ruler() -> None:
    """Errors are relative; what is no number where it should be is infinitely wrong."""
    assert relative([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
    assert relative([0.0, 1e-3], [0.0, 0.0], least=1.0) == pytest.approx(1e-3)
    assert largest([1.1, 10.0], [1.0, 10.0]) == pytest.approx(0.01)
    assert relative([-np.inf], [-np.inf]) == 0
    assert relative([np.nan], [1.0]) == relative([np.inf], [1.0]) == math.inf
