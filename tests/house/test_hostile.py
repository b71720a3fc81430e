"""Hostile specs end within seconds, in a mistake or a net, and touch nothing on the way."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from .hostile import hostile
from .test_fuzz import read_whole

ROOT = Path(__file__).parents[2]
SPECS = hostile()

AUDITED = """
import sys
from nnspec.analyzers.report import report
from tests.house.hostile import hostile
from tests.house.test_fuzz import read_whole
import tests.house.test_fuzz as fuzz
from random import Random
import networkx, rich.console
from importlib.resources import files
LIBRARY = str(files("nnspec").joinpath("specs", "lib")) + "/"

for _ in range(2):
    read_whole("1x8x8 -> conv4 3x3 bn relu -> add[ id | gap ] -> flatten -> maxout3 -> fc2 gelu")
read_whole("3 -> dense4")

FORBIDDEN = ("open", "exec", "compile", "import", "socket", "subprocess", "os.", "shutil", "ctypes", "pickle")
watching = True
seen = []

def library(event, arguments):
    # A spec may read the specs that ship, by `use`, and is told the nearest name of those there are; it
    # has no directory of its own here.
    reads = event == "open" and arguments[1] == "r" or event == "os.listdir"
    return reads and f"{arguments[0]}/".startswith(LIBRARY)

def hook(event, arguments):
    if watching and event.startswith(FORBIDDEN) and not library(event, arguments):
        seen.append((event, str(arguments)[:200]))

sys.addaudithook(hook)
texts = list(hostile().values())
rng = Random(0)
texts += [make(rng) for _ in range(100) for make in (fuzz.grown, fuzz.mutated, fuzz.soup)]
for text in texts:
    read_whole(text)
watching = False
print(len(texts), "texts", seen)
sys.exit(bool(seen))
"""


@pytest.mark.parametrize("name", SPECS)
def test_ends_well(name: str) -> None:
    begun = time.process_time()
    read_whole(SPECS[name])
    assert time.process_time() - begun < 10


def test_there_are_enough_of_them() -> None:
    assert len(SPECS) >= 300


def test_reading_a_spec_touches_nothing() -> None:
    """Under `sys.addaudithook`: no file opened but specs that ship, nothing imported, compiled, executed or
    sent."""
    environment = {"PYTHONPATH": f"{ROOT / '.dev'}:{ROOT}", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", AUDITED],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
