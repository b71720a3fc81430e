"""`kill -9` at random moments; `make safety` runs two thousand."""

from __future__ import annotations

import os
import time
from random import Random

import pytest

from .combinations import combinations
from .killed import Count, until_done

SECONDS = 30.0
"""No training is begun after so many."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed that was forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_nothing_is_lost() -> None:
    count, until = Count(), time.monotonic() + SECONDS
    for number, combination in enumerate(combinations()):
        if count.kills >= 100 or time.monotonic() > until:
            break
        most = min(100, count.kills + 15)
        until_done(combination, number % 5 + 1, Random(number), most, count)
    assert not count.wrong, count.wrong
    assert count.kills >= 15
