"""Hostile specs end within seconds, in a mistake or a net, and touch nothing on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .hostile import hostile

ROOT = Path(__file__).parents[2]
SPECS = hostile()
PARTS = 4
"""Processes that read a part of the specs each."""
SECONDS = 10

AUDITED = """
import json, sys, time, traceback, warnings
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
watching = False
seen = []

def library(event, arguments):
    # A spec may read the specs that ship, by `use`, and is told the nearest name of those there are; it
    # has no directory of its own here.
    reads = event == "open" and arguments[1] == "r" or event == "os.listdir"
    return reads and f"{arguments[0]}/".startswith(LIBRARY)

def hook(event, arguments):
    if watching and event.startswith(FORBIDDEN) and not library(event, arguments):
        seen.append((event, str(arguments)[:200]))

part, parts = map(int, sys.argv[1:])
texts = list(hostile().items())[part::parts]
rng = Random(part)
texts += [
    (f"{make.__name__} {i}", make(rng))
    for i in range(100 // parts)
    for make in (fuzz.grown, fuzz.mutated, fuzz.soup)
]
warnings.simplefilter("error")
sys.addaudithook(hook)
found = {}
for name, text in texts:
    begun, failed = time.process_time(), None
    watching = True
    try:
        read_whole(text)
    except Exception as error:
        failed = error
    watching = False
    told = "".join(traceback.format_exception(failed)) if failed else ""
    found[name] = (time.process_time() - begun, told, seen[:5])
    seen.clear()
print(json.dumps(found))
"""


@pytest.mark.parametrize("part", range(PARTS))
def test_ends_well_and_touches_nothing(part: int) -> None:
    """Under `sys.addaudithook`, which no process gets rid of: no file opened but specs that ship, nothing
    imported, compiled, executed or sent."""
    environment = {"PYTHONPATH": f"{ROOT / '.dev'}:{ROOT}", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", AUDITED, str(part), str(PARTS)],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert {*list(SPECS)[part::PARTS]} <= found.keys()
    for name, (seconds, failed, seen) in found.items():
        assert not failed, f"{name}: {failed}"
        assert not seen, f"{name}: {seen}"
        assert seconds < SECONDS, name


def test_there_are_enough_of_them() -> None:
    assert len(SPECS) >= 300
