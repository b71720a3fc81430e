"""Mutants change one thing each, what is said to be left out is left alone, and forks tell."""

from __future__ import annotations

import time
from pathlib import Path
from types import FunctionType

import pytest

from . import engine
from .engine import Fate, codes, fate_of, replace_code
from .mutants import mutants

TEXT = '''"""Words."""
source = "a book"

def size(n: int = 1) -> int:
    """Words."""
    if n < 2 and n:
        raise ValueError(f"{n} is small")
    return max(n, -3) // 2
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "size.py"
    file.write_text(TEXT, "utf-8")
    return file


def test_what_is_changed(path: Path) -> None:
    found = list(mutants(path))
    changed = {(mutant.line, mutant.now.splitlines()[0]) for mutant in found}
    assert changed == {
        (4, "def size(n: int=2) -> int:"),
        (6, "if not (n < 2 and n):"),
        (6, "if n < 2 or n:"),
        (6, "if n <= 2 and n:"),
        (6, "if n < 3 and n:"),
        (7, "pass"),
        (7, "raise ValueError(f'{n} is small?')"),
        (8, "return None"),
        (8, "return max(n, -3) * 2"),
        (8, "return min(n, -3) // 2"),
        (8, "return max(n, 3) // 2"),
        (8, "return max(n, -4) // 2"),
        (8, "return max(n, -3) // 3"),
    }
    assert len({mutant.code() for mutant in found}) == len(found)
    assert all(mutant.within == ({4} if mutant.line > 4 else set()) for mutant in found[1:])


def test_a_function_gets_the_changed_code(path: Path) -> None:
    unchanged = codes(compile(TEXT, "", "exec"))
    size = FunctionType(next(code for code in unchanged if code.co_name == "size"), {"max": max})
    assert size(8) == 4
    times = next(mutant for mutant in mutants(path) if mutant.now.endswith("* 2"))
    replace_code([size], times.code())
    assert size(8) == 16


def test_the_fate_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fate_of(lambda: None) is Fate.SURVIVED
    assert fate_of(lambda: pytest.fail("noticed")) is Fate.KILLED
    monkeypatch.setattr(engine, "PATIENCE", 1)
    assert fate_of(lambda: time.sleep(9)) is Fate.TIMED_OUT
