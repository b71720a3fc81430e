"""The same training under other surroundings leaves the same bits: hash seed, folder, locale, umask, time
zone, the time of day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, os, sys
from itertools import islice
from pathlib import Path
os.umask(int(sys.argv[2], 8))
import locale
locale.setlocale(locale.LC_ALL, "")
from tests.safety.combinations import combinations
from tests.safety.cuts import whole
found = {}
for number, combination in enumerate(islice(combinations(), 12)):
    found[str(combination)] = whole(combination, Path(sys.argv[1]) / str(number))
print(json.dumps(found))
"""

PLACES = ("a", "a folder", "über", "deep/er/still")
UMASKS = ("022", "077", "000")
LOCALES = ("C", "C.UTF-8", "POSIX")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns")
RUNS = int(os.environ.get("NNSPEC_SAME_BITS", "4"))
"""`make safety` takes twenty."""


def digests(folder: Path, number: int, umask: str, locale: str, zone: str) -> dict[str, object]:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "PYTHONPATH": os.pathsep.join((str(ROOT / ".dev"), str(ROOT))), "PATH": "",
        "PYTHONHASHSEED": str(number), "LC_ALL": locale, "TZ": zone, "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), umask],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found: dict[str, object] = json.loads(run.stdout)
    return found


@pytest.mark.skipif(os.name == "nt", reason="no umask")
def test_one_digest(tmp_path: Path) -> None:
    """Of weights, log, checkpoints and run.json of twelve nets."""
    around = zip(cycle(PLACES), cycle(UMASKS), cycle(LOCALES), cycle(ZONES), strict=False)
    found = [
        digests(tmp_path / str(number) / place, number, umask, locale, zone)
        for number, (place, umask, locale, zone) in enumerate(islice(around, RUNS))
    ]
    assert len(found[0]) == 12
    assert all(other == found[0] for other in found[1:])
