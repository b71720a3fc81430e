"""A spec put back: to its file, to standard output, or as what would change."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path

from .diagnostics import SpecError
from .errors import Unwritable
from .read import is_text
from .source import Source


def is_file(spec: str) -> bool:
    """Whether a spec given on the command line is a file's path."""
    return spec != "-" and not is_text(spec)


def put_out(text: str) -> None:
    """To stdout in UTF-8, as files are, whatever the terminal; a stream of text takes it as such."""
    sys.stdout.flush()
    bytewise = getattr(sys.stdout, "buffer", None)
    if bytewise is None:
        sys.stdout.write(text)
    else:
        bytewise.write(text.encode(errors="surrogateescape"))


def difference(source: Source, text: str) -> str:
    """What changes between a source and its new text, as a unified diff."""

    def lines(of: str) -> Sequence[str]:
        return re.findall(r"[^\n]*\n|[^\n]+", of)

    said = unified_diff(lines(source.text), lines(text), source.name, source.name)
    return "".join(s if s.endswith("\n") else f"{s}\n\\ No newline at end of file\n" for s in said)


def rewrite(path: Path, text: str) -> None:
    """Write whole or not at all, with the mode the file has; a link stays a link."""
    put(path, text.encode())


def put(path: Path, content: bytes) -> None:
    """Bytes in place of a file, or as a new one: `rewrite` for what is no text."""
    place = path.resolve()
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.open("ab").close()
        unfinished.write_bytes(content)
        shutil.copymode(place, unfinished)
        unfinished.replace(place)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        problem = error.strerror or "the system refused"
        raise SpecError([Unwritable(None, str(path), problem.lower())]) from None
