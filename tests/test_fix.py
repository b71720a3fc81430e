"""`nnspec check --fix`, `--diff` and `nnspec.fix`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.check import checked
from nnspec.grammar.diagnostics import Edit, Fix
from nnspec.grammar.fix import apply
from nnspec.grammar.limits import Limits
from nnspec.grammar.source import Source, Span

from .test_cases import CASES, LIMITS

WRONG = "3x8x8 => Conv2d16 3x3 relu -> a: dens10 -> add[ id | @a ]"
RIGHT = "3x8x8 -> conv16 3x3 relu -> a: flatten fc10 -> add[ id | @a ]"


def test_fixes_uncover_fixes() -> None:
    assert nnspec.fix(WRONG) == RIGHT
    assert nnspec.fix(RIGHT) == RIGHT


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("3 -> dense4", "3 -> fc4"),
        ("3x8x8 -> Conv2d(64, 3, padding=1)", "3x8x8 -> conv(64, 3, padding=1)"),
        ("3 -> fcc4 -> rellu", "3 -> fc4 -> relu"),
        ("128 -> Embedding 50 7 -> fc10", "128 int -> embed 50 7 -> fc10"),
        ("3x4x4 -> fc10", "3x4x4 -> flatten -> fc10"),
        ("3 -> stem: fc4 -> add[ id | @sten ]", "3 -> stem: fc4 -> add[ id | @stem ]"),
        ("3 → fc4 --> fc1", "3 -> fc4 -> fc1"),
        ("3 -> fc4 -> @b", "3 -> fc4 -> @b"),
    ],
)
def test_fix(wrong: str, right: str) -> None:
    assert nnspec.fix(wrong) == right


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_cases_with_fixes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fix mends its mistake and brings no new kind of mistake in its place."""
    monkeypatch.chdir(path.parent)
    limits = LIMITS.get(path.stem, Limits())
    source = Source(path.name, path.read_text("utf-8"))
    before = checked(source, limits, {})
    text, count = apply(source, before)
    assert (text != source.text) == bool(count)
    after = checked(Source(path.name, text), limits, {})
    mended = [mistake for mistake in before if mistake.fix()][:count]
    for mistake in mended:
        assert mistake.message() not in {other.message() for other in after}


def test_a_fix_is_applied_whole_and_alone() -> None:
    source = Source("net", "abcdef")

    def fix(*places: tuple[int, int, str]) -> Fix:
        return Fix("", tuple(Edit(Span(source, a, b), text) for a, b, text in places))

    class Told:
        def __init__(self, fix: Fix | None) -> None:
            self.fix = lambda: fix

    two = fix((0, 1, "X"), (4, 5, "Y"))
    assert apply(source, [Told(two), Told(fix((4, 6, "Z"))), Told(None)]) == ("XbcdYf", 1)  # type: ignore[list-item]
    assert apply(source, [Told(two), Told(two), Told(fix((2, 3, "")))]) == ("XbdYf", 2)  # type: ignore[list-item]
    elsewhere = Fix("", (Edit(Span(Source("other", "abcdef"), 0, 1), "X"),))
    assert apply(source, [Told(elsewhere)]) == ("abcdef", 0)  # type: ignore[list-item]


def test_files_are_rewritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.nn"
    path.write_text("# mine\n3 -> dense4\n", "utf-8")
    assert main(["check", "--diff", str(path)]) == 1
    assert "-3 -> dense4\n+3 -> fc4\n" in capsys.readouterr().out
    assert path.read_text("utf-8") == "# mine\n3 -> dense4\n"
    assert main(["check", "--fix", str(path)]) == 0
    said = capsys.readouterr()
    assert path.read_text("utf-8") == "# mine\n3 -> fc4\n"
    assert said.out == "All is well. Checked 1 spec.\n"
    assert said.err == "Fixed 1 mistake.\n"
    assert main(["check", "--diff", str(path)]) == 0
    assert main(["check", "--fix", "--format", "json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["fixed"] == 0


def test_what_stays_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--fix", "3 -> dense4 -> fc0"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("3 -> fc4 -> fc0\n\nNN105")
    assert said.err == "Fixed 1 mistake.\n"


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"3 -> dense4\n"))
    monkeypatch.setattr("sys.stdin", given)
    assert main(["check", "--fix", "-"]) == 0
    assert capsys.readouterr().out == "3 -> fc4\n\nAll is well. Checked 1 spec.\n"


def test_a_file_in_use_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blocks.nn").write_text("block b(c) = dense(c)\n", "utf-8")
    (tmp_path / "net.nn").write_text('use "blocks.nn" (b)\n3 -> b(4)\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--fix", "net.nn"]) == 1
    assert (tmp_path / "blocks.nn").read_text("utf-8") == "block b(c) = dense(c)\n"
