"""The README is true: every command in it is run, every output compared, every program executed.

`make accept` writes the present outputs, and the picture, into it.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from nnspec.__main__ import COMMANDS, main
from nnspec.compiler.elaborate import elaborate
from nnspec.compiler.ops import CATALOGUE
from nnspec.compiler.training import MENUS
from nnspec.grammar.source import Source

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / ".dev" / "summary.svg"
ACCEPT = bool(os.environ.get("NNSPEC_ACCEPT"))
SHELL = ("make ", "pip ")
MEASURED = ("train", "evaluate", "predict", "doctor", "gradcheck", "sweep", "runs")
"""Commands whose output holds measured numbers: these are compared without their digits."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Each command of the README with the output that follows it."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command.partition("  #")[0].strip(), output))
    return [pair for pair in found if not pair[0].startswith(SHELL)]


def run(command: str) -> str:
    """What a command prints to stdout, or where that is nothing to stderr."""
    program, *words = shlex.split(command)
    assert program == "nnspec"
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        main(words)
    return out.getvalue() or err.getvalue()


def worn(text: str, command: str) -> str:
    """The text as it is compared."""
    if command.split()[1] in MEASURED:
        text = re.sub(r"[\d·]+(?:[.,][\d]+)*(?:e[-+]\d+)?", "N", text)
        text = re.sub(r"[▁-█×─]+", "", text)
    return re.sub(r"\s+", " ", text).strip()


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("specs", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = README.read_text("utf-8")
    for command, output in commands():
        printed = run(command)
        if ACCEPT:
            text = text.replace(f"$ {command}\n{output}", f"$ {command}\n{printed}", 1)
            continue
        assert worn(printed, command) == worn(output, command), command
    if ACCEPT:
        README.write_text(text, "utf-8")


def test_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    for program in blocks("python"):
        exec(compile(program, "README.md", "exec"), {})


def test_specs() -> None:
    shipped = [path.read_text("utf-8") for path in (ROOT / "specs").rglob("*.nn")]
    for text in blocks("nn"):
        # A block shown alone stands in a file with others, and the documentation of each.
        for part in text.split("\n\n"):
            assert not elaborate(Source("README.md", part)).mistakes or part.startswith("block")
            assert any(part.strip() in whole for whole in shipped)


def test_everything_is_named() -> None:
    text = README.read_text("utf-8")
    for name in (
        *CATALOGUE,
        *(word for menu in MENUS.values() for word in menu.choices),
        *COMMANDS,
    ):
        assert re.search(rf"\b{name}\b", text), name


def test_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's picture is what the command prints, in colour."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "96")
    out = io.StringIO()
    with redirect_stdout(out):
        main(["summary", "specs/course/lenet5.nn", "--color", "always"])
    console = Console(record=True, width=98, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(out.getvalue()))
    title = "nnspec summary specs/course/lenet5.nn"
    picture = console.export_svg(title=title, unique_id="summary")
    if ACCEPT:
        PICTURE.write_text(picture, "utf-8")
    assert PICTURE.read_text("utf-8") == picture
