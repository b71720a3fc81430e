"""Files that are written whole or not at all, and directories that one process writes into at a time.

A file is first written beside its place under another name, brought to the disk, and then renamed:
whoever looks, and whenever the power fails, finds the earlier file or the new one, each whole. The
order (write, fsync, rename, fsync of the directory) is that of Pillai et al. 2014, "All File Systems
Are Not Created Equal".
"""

from __future__ import annotations

import errno
import os
import platform
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from ..grammar.diagnostics import SpecError
from .file_errors import FileUnwritable, FolderInUse, Kind, Origin

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Chunk: TypeAlias = bytes | memoryview

UNFINISHED = ".part"
"""How the names of files end that are being written."""

LOCK = ".lock"
"""The file in a directory that says whose it is."""

TOLD: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        errno.ENOSPC: ("the disk is full", "free some space, or choose another disk"),
        errno.EDQUOT: ("your share of the disk is used up", "free some space"),
        errno.EIO: ("the disk reports an error", "choose another disk; this one may be failing"),
        errno.EROFS: ("the disk is read-only", "choose another folder"),
        errno.EACCES: ("permission denied", "choose another folder, or ask for the right to"),
        errno.EPERM: ("permission denied", "choose another folder, or ask for the right to"),
        errno.ENAMETOOLONG: ("its name is too long", "choose a shorter one"),
        errno.ENOENT: ("there is no such folder", "make the folder first"),
        errno.ENOTDIR: ("there is no such folder", "make the folder first"),
        errno.EEXIST: ("a file stands where a folder is wanted", "choose another folder"),
        errno.EISDIR: ("it is a folder", "add a file name"),
        errno.EFBIG: ("the file is larger than this disk takes", "choose another disk"),
        errno.ELOOP: ("its links run in a circle", "choose another path"),
    }
)
"""What the system's refusals mean, and what to do."""

UNSYNCED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""How file systems answer that do not bring directories to the disk one by one."""

ALONE = frozenset({errno.EAGAIN, errno.EACCES})
"""How the system answers when another process holds the lock."""


def write_durably(path: Path, content: Chunk | Iterable[Chunk], kind: Kind = "weights") -> None:
    """Write a file whole or not at all; a link stays a link, and a file keeps its permissions.

    Returns once the content is on the disk. On any failure the earlier file is as it was, and nothing
    unfinished is left. Raises SpecError when the system refuses.
    """
    chunks = (content,) if isinstance(content, bytes | memoryview) else content
    with _refusals(path, kind):
        place = _place(path)
        mode = _mode(place)
        unfinished = place.with_name(f".{place.name[:40]}.{secrets.token_hex(4)}{UNFINISHED}")
        try:
            _fill(unfinished, chunks, mode)
            os.replace(unfinished, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            raise
        _sync_directory(place.parent)


def append_durably(path: Path, content: bytes, kind: Kind = "run") -> None:
    """Add to the end of a file and bring it to the disk; raises SpecError when the system refuses."""
    with _refusals(path, kind), path.open("ab", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())


def make_folder(path: Path, kind: Kind = "run") -> None:
    """Make a folder, and those above it; raises SpecError when that cannot be."""
    with _refusals(path, kind):
        place = _place(path)
        files = [
            above for above in (place, *place.parents) if above.exists() and not above.is_dir()
        ]
        if files:
            raise OSError(errno.EEXIST, "")
        place.mkdir(parents=True, exist_ok=True)


def remove(path: Path, kind: Kind) -> None:
    """Remove a file, if it is there; raises SpecError when the system refuses."""
    with _refusals(path, kind):
        path.unlink(missing_ok=True)


def check_writable(path: Path, kind: Kind = "weights") -> None:
    """Raise SpecError when a file could not be written here: better known before hours of training."""
    with _refusals(path, kind):
        place = _place(path)
        _mode(place)
        if not place.parent.is_dir():
            raise OSError(errno.ENOENT, "")
        if not os.access(place.parent, os.W_OK):
            raise OSError(errno.EACCES, "")


def clear_unfinished(directory: Path) -> None:
    """Remove what killed processes left half written; only for who holds the directory's lock."""
    for left in directory.glob(f".*{UNFINISHED}"):
        with suppress(OSError):
            left.unlink()


@contextmanager
def _refusals(path: Path, kind: Kind) -> Iterator[None]:
    """Say in words what the system refuses."""
    try:
        yield
    except OSError as error:
        problem, advice = TOLD.get(error.errno or 0, ((error.strerror or "unknown").lower(), ""))
    else:
        return
    raise SpecError([FileUnwritable(None, Origin(kind, str(path)), problem, advice)])


def _place(path: Path) -> Path:
    """Where a path leads in the end; raises OSError when it leads nowhere."""
    try:
        return path.resolve()
    except (ValueError, RuntimeError):
        raise OSError(0, "no file can have this name") from None


def _mode(place: Path) -> int | None:
    """The permissions of the file that stands here, None where there is none; raises OSError when it
    may not be replaced."""
    try:
        found = os.stat(place)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is a device or a pipe, not a file")
    if not os.access(place, os.W_OK):
        raise OSError(errno.EACCES, "")
    return stat.S_IMODE(found.st_mode)


def _fill(place: Path, chunks: Iterable[Chunk], mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    file = os.open(place, flags | getattr(os, "O_BINARY", 0), 0o666)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)
    if mode is not None:
        os.chmod(place, mode)


def _sync_directory(directory: Path) -> None:
    """Bring a renaming to the disk; Windows does so by itself."""
    if os.name == "nt":
        return
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise
    finally:
        os.close(file)


# -------------------------------------------------------------------------------- directories


@contextmanager
def alone_in(directory: Path, kind: Kind = "checkpoint") -> Iterator[None]:
    """Hold a directory's lock: no other process that asks for it gets it meanwhile.

    The system itself lets go of the lock of a process that ended, however it ended. Where it knows no
    such locks, the lock is a file that names its process, and is taken over when that one is dead.
    Raises SpecError when another process holds it, or when nothing can be written here.
    """
    place = directory / LOCK
    with _refusals(place, kind):
        file = _taken(place)
    try:
        yield
    finally:
        # What the lock file held matters to nobody: no refusal here spoils what was done.
        with suppress(OSError):
            os.unlink(place)
        with suppress(OSError):
            os.close(file)


def _taken(place: Path) -> int:
    """The open lock file, ours alone; raises SpecError when it is another's."""
    while True:
        file = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _locked(file, place) and _same(file, place):
                os.ftruncate(file, 0)
                os.write(file, _self())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _locked(file: int, place: Path) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in ALONE:
                raise _in_use(file, place) from None
        else:
            return True
    # No such locks here: whoever is named in the file holds it while he lives.
    if _alive(os.pread(file, 200, 0) if hasattr(os, "pread") else place.read_bytes()):
        raise _in_use(file, place)
    return True


def _same(file: int, place: Path) -> bool:
    """Whether the lock file that we hold still stands: its last holder may have removed it."""
    try:
        there = os.stat(place)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (os.fstat(file).st_dev, os.fstat(file).st_ino)


def _self() -> bytes:
    return f"process {os.getpid()} on {platform.node() or 'this machine'}\n".encode()


def _alive(holder: bytes) -> bool:
    """Whether the process that a lock file names may still run: yes where that cannot be known."""
    words = holder.decode("utf-8", "replace").split()
    if len(words) < 4 or not words[1].isdecimal():
        return False
    if words[3] != _self().decode().split()[3] or os.name == "nt":
        return True
    try:
        os.kill(int(words[1]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _in_use(file: int, place: Path) -> SpecError:
    holder = os.read(file, 200).decode("utf-8", "replace").strip()
    return SpecError([FolderInUse(None, str(place.parent), holder)])
