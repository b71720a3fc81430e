"""Which module may load which library, and what no module may do at all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("grammar", "compiler", "runtime", "analyzers")
SOURCES = sorted(f for room in ROOMS for f in (ROOT / room).rglob("*.py"))

HOMES = {
    "lark": ("grammar/parse.py", "grammar/tables.py"),
    "networkx": ("compiler/graph.py",),
    "matplotlib": ("analyzers/render/charts.py", "analyzers/render/curves.py", "runtime/curves.py"),
    "numba": ("runtime/jit/*",),
    "numpy": ("runtime/*",),
    "pydantic": (
        "compiler/op.py", "compiler/ops/*", "compiler/training/*", "compiler/arguments.py",
        "analyzers/report.py", "analyzers/diagnosis.py", "analyzers/commands.py",
    ),
    "rich": ("grammar/console.py", "analyzers/render/text.py", "analyzers/render/cells.py", "analyzers/render/plan.py", "runtime/progress.py", "runtime/commands_sweep.py", "runtime/profile_table.py"),
    "PIL": ("runtime/pictures.py",),
    "pyarrow": ("runtime/parquet.py",),
    "safetensors": (),
    "sklearn": ("runtime/estimators.py", "runtime/teaching.py"),
    "tensorboard": ("runtime/events.py",),
    "torch": ("runtime/torch_twin.py",),
    "threadpoolctl": ("runtime/threads.py",),
}  # fmt: skip
LATE = {"rich", "networkx", "matplotlib", "PIL", "pyarrow", "sklearn", "tensorboard", "torch"}
"""Heavy libraries that are loaded where they are used."""

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "yaml", "ctypes", "subprocess", "socket"}


def imports(tree: ast.Module) -> Iterator[tuple[str, int, ast.stmt]]:
    """Every import: the module's first name, how many dots, and the statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], 0, node
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0], node.level, node


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    tree = ast.parse(path.read_text("utf-8"))
    nested = {
        id(inner)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }
    for name, dots, statement in imports(tree):
        assert name not in FORBIDDEN_MODULES or dots, f"{place} imports {name}"
        if not dots and name in HOMES:
            assert any(fnmatch(place, home) for home in HOMES[name]), f"{place} imports {name}"
        if id(statement) in nested:
            assert not dots, f"{place} defers an import of our own"
            assert name in LATE, f"{place} defers {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"{place} calls {node.func.id}"


def loaded_by(program: str) -> set[str]:
    """Which modules a fresh process has loaded in the end."""
    run = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sorted(sys.modules))"],
        env={"PYTHONPATH": str(ROOT / ".dev"), "PATH": ""},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(run.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"numpy", "lark", "pydantic", "networkx", "rich", "sklearn"}
    assert not loaded_by("import nnspec, nnspec.sklearn") & heavy


def test_check_loads_no_more_than_it_needs() -> None:
    program = "from nnspec.__main__ import main\nmain(['check', '3 -> fc4 relu -> fc1'])"
    assert not loaded_by(program) & {"numpy", "networkx", "rich", "safetensors"}


def test_fmt_loads_the_grammar_alone() -> None:
    program = "from nnspec.__main__ import main\nmain(['fmt', '3->fc4 relu'])"
    loaded = loaded_by(program)
    assert not loaded & {"numpy", "pydantic", "networkx", "rich", "safetensors"}
    assert {name.split(".")[1] for name in loaded if name.startswith("nnspec.")} == {
        "__main__",
        "grammar",
        "sklearn",  # the name alone: what it stands for is loaded on first use
    }
