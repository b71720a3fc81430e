"""Schedules of a few batch sizes, while others let them go."""

from __future__ import annotations

import sys
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from nnspec.runtime.bind import Bound
from nnspec.runtime.remembered import Remembered

ONE, TWO, THREE = (cast(Bound, SimpleNamespace(shortcut=object())) for _ in range(3))


def test_what_was_asked_for_last_is_the_newest() -> None:
    kept = Remembered(2)
    for batch, bound in ((1, ONE), (2, TWO), (1, THREE), (3, THREE)):
        kept.asked(batch, partial(lambda made: made, bound))
    assert kept.kept == {1: ONE, 3: THREE}
    assert kept.newest is THREE
    assert kept.get(2) is None
    assert kept.newest is THREE
    assert kept.shortcut is THREE.shortcut
    assert kept.get(1) is kept.newest is ONE
    assert kept.shortcut is ONE.shortcut
    assert [*kept.kept] == [3, 1]


def test_what_binding_lets_go_is_gone() -> None:
    kept = Remembered(2)
    kept.asked(1, lambda: ONE)

    def without_room() -> Bound:
        kept.clear()
        return TWO

    assert kept.asked(2, without_room) is TWO
    assert [*kept.kept] == [2]
    kept.clear()
    assert (kept.kept, kept.newest, kept.shortcut) == ({}, None, None)


def test_one_may_let_go_what_another_asks_for() -> None:
    kept, over, failures = Remembered(1), threading.Event(), list[Any]()

    def ask() -> None:
        try:
            for turn in range(20_000):
                bound = (ONE, TWO)[turn % 2]
                assert kept.asked(turn % 2, partial(lambda made: made, bound)) is bound
                assert kept.get(turn % 2) in (bound, None)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            over.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        asking = threading.Thread(target=ask)
        asking.start()
        while not over.is_set():
            kept.clear()
        asking.join()
    finally:
        sys.setswitchinterval(before)
    assert not failures
