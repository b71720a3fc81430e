"""The repository root is the package: what git tracks in its rooms is what a wheel carries."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("grammar", "compiler", "runtime", "analyzers", "specs")
FACE = ("__init__.py", "__main__.py", "py.typed")


def test_mirror_for_type_checkers() -> None:
    mirror = ROOT / ".dev" / "nnspec"
    assert {p.name for p in mirror.iterdir()} - {"__pycache__"} == {*ROOMS, *FACE, "sklearn"}
    for name in (*ROOMS, *FACE):
        assert (mirror / name).resolve() == (ROOT / name).resolve()


def test_the_rooms_import_each_other_relatively() -> None:
    sources = [ROOT / "__main__.py", *(f for room in ROOMS for f in (ROOT / room).rglob("*.py"))]
    absolute = re.compile(r"^\s*(from|import) nnspec\b", re.MULTILINE)
    assert not [f for f in sources if absolute.search(f.read_text("utf-8"))]


def test_nothing_else_stands_at_the_top() -> None:
    allowed = {
        *ROOMS,
        *FACE,
        "tests",
        "pyproject.toml",
        "README.md",
        "Makefile",
        "LICENSE",
        "CHANGELOG.md",
    }
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert top <= allowed


def test_every_room_is_packaged() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    globs = config["tool"]["setuptools"]["package-data"]["nnspec"]
    stubs = config["tool"]["setuptools"]["package-dir"]["nnspec.sklearn"]
    assert (ROOT / stubs / "__init__.pyi").is_file()
    assert {g.split("/")[0] for g in globs} == {*ROOMS, "py.typed"}


def test_wheel_carries_what_git_tracks(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    packed = {n.removeprefix("nnspec/") for n in names if n.startswith("nnspec/")}
    tracked = subprocess.run(
        ["git", "ls-files", *ROOMS, *FACE], cwd=copy, check=True, capture_output=True, text=True
    ).stdout.split()
    assert packed == {*tracked, "sklearn/__init__.pyi"}
