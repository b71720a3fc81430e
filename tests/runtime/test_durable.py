"""Files stay whole whatever fails while they are written; a directory has one writer at a time."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import durable
from nnspec.runtime.durable import (
    TOLD,
    alone_in,
    check_writable,
    clear_unfinished,
    write_durably,
)

ROOT = Path(__file__).parents[2]
OLD, NEW = b"the earlier file", b"the new file, which is longer"
CALLS = ("open", "write", "fsync", "replace", "chmod", "close")


class FaultyDisk:
    """`os` whose calls are counted; the one of a given number fails."""

    def __init__(self, fails: int, code: int) -> None:
        self.fails, self.code, self.calls = fails, code, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls != self.fails:
                return real(*arguments)
            if name == "close":
                real(*arguments)
            raise OSError(self.code, os.strerror(self.code))

        return call


def faults(code: int) -> Iterator[FaultyDisk]:
    """A disk that fails at its first call, at its second, ... until one was not asked so often."""
    disk = FaultyDisk(1, code)
    while True:
        yield disk
        if disk.calls < disk.fails:
            return
        disk = FaultyDisk(disk.fails + 1, code)


def refusal(path: Path) -> str:
    """What is said when the new content is written; empty when it could be."""
    try:
        write_durably(path, [NEW[:5], memoryview(NEW)[5:]])
    except SpecError as error:
        return str(error)
    return ""


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("earlier", [None, OLD])
def test_every_call_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, earlier: bytes | None
) -> None:
    path = tmp_path / "file"
    failures = 0
    for disk in faults(code):
        path.unlink(missing_ok=True)
        if earlier is not None:
            path.write_bytes(earlier)
        monkeypatch.setattr(durable, "os", disk)
        before = opened()
        said = refusal(path)
        monkeypatch.undo()
        found = path.read_bytes() if path.exists() else None
        if said:
            failures += 1
            assert TOLD[code][0] in said
            # Only what comes after the renaming fails with the new file in place.
            assert found == earlier or (found == NEW and disk.calls > 6)
        else:
            assert found == NEW
        assert opened() == before
        assert {p.name for p in tmp_path.iterdir()} <= {"file"}
    # open, write twice, fsync, close, replace, open, fsync, close; chmod where a file stood.
    assert failures == 9 + (earlier is not None)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_sync_no_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(durable, "os", FaultyDisk(7, code))
    write_durably(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW


def test_writes_that_take_only_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FaultyDisk(0, 0)
    monkeypatch.setattr(durable, "os", disk)
    monkeypatch.setattr(disk, "write", lambda f, b: os.write(f, b[:3]), raising=False)
    write_durably(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW


def test_content_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def broken() -> Iterator[bytes]:
        yield NEW
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_durably(path, broken())
    assert path.read_bytes() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_is_full_indeed(tmp_path: Path) -> None:
    """The system's own refusal: this process may write no file past a kilobyte."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(SpecError, match=r"NN533 .* larger than this disk takes"):
            write_durably(path, [bytes(1000)] * 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(OLD)
    path.chmod(0o640)
    link.symlink_to(path)
    write_durably(link, NEW)
    assert link.is_symlink()
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_durably(tmp_path / "durable", NEW)
    (tmp_path / "plain").write_bytes(NEW)
    modes = {p.stat().st_mode for p in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("length", [41, 255])
def test_names_as_long_as_the_disk_takes(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("n" * length)
    write_durably(path, NEW)
    assert path.read_bytes() == NEW
    wide = tmp_path / ("é" * (length // 2))
    write_durably(wide, NEW)
    assert wide.read_bytes() == NEW


REFUSED = [
    ("n" * 256, "its name is too long"),
    ("none/file", "there is no such folder"),
    ("file/file", "there is no such folder"),
    ("folder", "it is a folder"),
    ("pipe", "it is a device or a pipe"),
    ("a\0b", "no file can have this name"),
    ("circle", "links run in a circle|no file can have this name"),
]


@pytest.mark.parametrize(("name", "problem"), REFUSED, ids=lambda text: text[:12])
def test_places_that_are_none(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    before = sorted(tmp_path.iterdir())
    for attempt in (lambda p: write_durably(p, NEW), check_writable):
        with pytest.raises(SpecError, match=f"NN533 .*({problem})"):
            attempt(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_bytes() == OLD


AS_NOBODY = """
import os, sys
from pathlib import Path
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.durable import alone_in, check_writable, write_durably

def held(path):
    with alone_in(path.parent):
        pass

if os.getuid() == 0:  # whom no permission holds back
    os.setuid(65534)
for attempt in (check_writable, lambda path: write_durably(path, b"x"), held):
    try:
        attempt(Path(sys.argv[1]))
    except SpecError as error:
        print(error)
"""


@pytest.mark.parametrize(("folder", "file"), [(0o555, 0o666), (0o777, 0o444)])
def test_what_may_not_be_written(folder: int, file: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "file"
        path.write_bytes(OLD)
        path.chmod(file)
        Path(name).chmod(folder)
        run = child(AS_NOBODY, str(path))
        out, _ = run.communicate()
        assert out.count("NN533") == out.count("permission denied") == (3 if folder == 0o555 else 2)
        assert run.returncode == 0
        assert path.read_bytes() == OLD
        Path(name).chmod(0o700)


def child(program: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(ROOT / ".dev"), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


WRITING = """
import sys
from itertools import count
from pathlib import Path
from nnspec.runtime.durable import write_durably
for turn in count():
    write_durably(Path(sys.argv[1]), [bytes([turn % 256]) * 50_000] * 4)
    if turn == 1:
        print("begun", flush=True)
"""


def test_killed_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for attempt in range(10):
        run = child(WRITING, str(path))
        assert run.stdout is not None
        with run.stdout:
            assert run.stdout.readline() == "begun\n"
        time.sleep(0.003 * attempt)
        run.kill()
        run.wait()
        content = path.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1
        clear_unfinished(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]


# -------------------------------------------------------------------------------- directories


HOLDING = """
import sys, time
from pathlib import Path
import nnspec.runtime.durable as durable
if sys.argv[2] == "without":
    durable.fcntl = None
with durable.alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["with", "without"])
def flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the system's locks, and where it knows none."""
    if request.param == "without":
        monkeypatch.setattr(durable, "fcntl", None)
    return str(request.param)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_two_processes(tmp_path: Path, flock: str, stop: signal.Signals) -> None:
    run = child(HOLDING, str(tmp_path), flock)
    assert run.stdout is not None
    with run.stdout:
        assert run.stdout.readline() == "held\n"
    try:
        for _ in range(2):
            with pytest.raises(
                SpecError, match=f"NN548 the folder .* in use by process {run.pid} on"
            ):
                alone_in(tmp_path).__enter__()
    finally:
        run.send_signal(stop)
        run.wait()
    # Its lock is left behind, but it is dead.
    assert (tmp_path / durable.LOCK).exists()
    with alone_in(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_twice_in_one_process(tmp_path: Path, flock: str) -> None:
    assert flock
    before = opened()
    with alone_in(tmp_path):
        with pytest.raises(SpecError, match=f"NN548 .* by process {os.getpid()} on"):
            alone_in(tmp_path).__enter__()
        assert (tmp_path / durable.LOCK).read_text().startswith(f"process {os.getpid()}")
    with pytest.raises(RuntimeError, match="in the block"), alone_in(tmp_path):
        raise RuntimeError("in the block")
    assert not list(tmp_path.iterdir())
    assert opened() == before


@pytest.mark.parametrize("left", [b"", b"nonsense", b"process x on y", b"process 999999999999 on "])
def test_locks_of_nobody(tmp_path: Path, flock: str, left: bytes) -> None:
    assert flock
    own = durable._self().split()[3] if left.endswith(b"on ") else b""
    (tmp_path / durable.LOCK).write_bytes(left + own)
    with alone_in(tmp_path):
        pass


def test_a_lock_from_another_machine_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "fcntl", None)
    (tmp_path / durable.LOCK).write_bytes(b"process 1 on elsewhere\n")
    with pytest.raises(SpecError, match="in use by process 1 on elsewhere"):
        alone_in(tmp_path).__enter__()


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"NN533 .* no such folder"):
        alone_in(tmp_path / "none").__enter__()


def test_a_lock_that_its_last_holder_has_just_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited at the door with the old file in hand takes the new one."""
    real, turns = durable._locked, []

    def late(file: int, place: Path) -> bool:
        turns.append(file)
        if len(turns) == 1:
            place.unlink()
        return real(file, place)

    monkeypatch.setattr(durable, "_locked", late)
    with alone_in(tmp_path):
        assert (tmp_path / durable.LOCK).exists()
        with pytest.raises(SpecError, match="NN548"):
            alone_in(tmp_path).__enter__()
    assert len(turns) == 3
