"""One warm process in which all tests are collected; a fork of it for every mutant.

In the fork the functions of the changed module get the changed code. Every test is run once before,
in a fork of its own, to learn which functions it calls and how long it takes.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from importlib.machinery import SourceFileLoader
from itertools import accumulate
from pathlib import Path
from types import CodeType, FrameType, FunctionType

import pytest

from .mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0
"""Tests for one mutant, by the time that they took unchanged."""
PATIENCE = 120
"""Seconds after which a mutant counts as timed out."""

Function = tuple[str, int]
"""File and first line."""


class Fate(Enum):
    KILLED = 1
    SURVIVED = 0
    TIMED_OUT = 2


@dataclass
class Calls:
    """Which functions each test calls, and its seconds."""

    seconds: dict[int, float] = field(default_factory=dict)
    tests: dict[Function, set[int]] = field(default_factory=lambda: defaultdict(set))

    def of(self, mutant: Mutant) -> list[int]:
        """The tests that call a function the mutant is in: the quickest, for `SECONDS`."""
        calling: set[int] = set()
        for line in mutant.within:
            calling |= self.tests.get((str(mutant.path), line), set())
        quickest = sorted(calling, key=lambda test: self.seconds[test])
        spent = accumulate(self.seconds[test] for test in quickest)
        return [test for test, by_then in zip(quickest, spent, strict=True) if by_then <= SECONDS]


class Loop:
    """A pytest plugin: mutants are tried where pytest would run the tests."""

    def __init__(self, mutants: Sequence[Mutant], told: Callable[[Mutant, Fate | None], None]):
        self.mutants, self.told = mutants, told
        self.files = {str(mutant.path) for mutant in mutants}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(Fate.KILLED.value)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for file in sorted(self.files):  # some are loaded only when their command is given
            import_module(".".join(("nnspec", *Path(file).relative_to(ROOT).with_suffix("").parts)))
        calls = self._record(session.items)
        live = defaultdict(list)
        for thing in gc.get_objects():
            if type(thing) is FunctionType and thing.__code__.co_filename in self.files:
                live[thing.__code__.co_filename].append(thing)
        for mutant in self.mutants:
            tests = [session.items[number] for number in calls.of(mutant)]
            if not tests:
                self.told(mutant, None)
                continue

            def attempt(mutant: Mutant = mutant, tests: list[pytest.Item] = tests) -> None:
                replace_code(live[str(mutant.path)], mutant.code())
                run(tests)

            self.told(mutant, fate_of(attempt))
        return True

    def _record(self, items: Sequence[pytest.Item]) -> Calls:
        reader, writer = os.pipe()
        if not (child := os.fork()):
            silence()
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(self._traced(items), stream)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            content = stream.read()
        if os.waitpid(child, 0)[1]:
            raise SystemExit("a test fails before anything is changed")
        found = pickle.loads(content)
        assert isinstance(found, Calls)
        return found

    def _traced(self, items: Sequence[pytest.Item]) -> Calls:
        calls = Calls()
        called: set[Function] = set()

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and (name := frame.f_code.co_filename) in self.files:
                called.add((name, frame.f_code.co_firstlineno))

        for number, item in enumerate(items):
            called.clear()
            begun = time.perf_counter()
            sys.setprofile(note)
            run([item])
            sys.setprofile(None)
            calls.seconds[number] = time.perf_counter() - begun
            for function in called:
                calls.tests[function].add(number)
        calls.tests = dict(calls.tests)
        return calls


def run(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def replace_code(functions: Sequence[FunctionType], module: CodeType) -> None:
    changed = {(code.co_qualname, code.co_firstlineno): code for code in codes(module)}
    for function in functions:
        code = function.__code__
        function.__code__ = changed.get((code.co_qualname, code.co_firstlineno), code)


def silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def fate_of(attempt: Callable[[], None]) -> Fate:
    """Of an attempt in a fork, which fails by ending the process or by raising."""
    if not (child := os.fork()):
        silence()
        signal.alarm(PATIENCE)
        fate = Fate.KILLED
        try:
            attempt()
            fate = Fate.SURVIVED
        finally:
            os._exit(fate.value)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return Fate.TIMED_OUT if os.WTERMSIG(status) == signal.SIGALRM else Fate.KILLED
    return Fate(os.WEXITSTATUS(status))


def pytest_on(tests: Sequence[str], *plugins: object) -> bool:
    """Whether all went well; the same examples every time."""
    options = "-x", "-p", "no:terminal", "-p", "no:cacheprovider", "--hypothesis-profile=ci"
    return not pytest.main([*options, *tests], plugins=plugins)


def afresh(path: Path, code: CodeType, tests: Sequence[str]) -> Fate:
    """Of code that is there when its module is imported; nnspec must not be loaded yet."""

    def attempt() -> None:
        usual = SourceFileLoader.get_code

        def get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
            return code if Path(loader.path).resolve() == path else usual(loader, name)

        SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]
        assert pytest_on(tests)

    return fate_of(attempt)
