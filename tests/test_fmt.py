"""`nnspec fmt`: what it writes, prints and leaves alone."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from .test_cli import ran

WRITTEN, LAID_OUT = "3->fc4   relu->fc1", "3 -> fc4 relu -> fc1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One spec to lay out, one that is laid out, and some that are none of its business."""
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("deep/other.nn", ".hidden/net.nn", "words.txt"):
        (tmp_path / name).write_text(WRITTEN)
    (tmp_path / "done.nn").write_text(LAID_OUT)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_folders_are_rewritten(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    before = contents(folder)
    code, out, err = ran(capsys, "fmt", str(folder))
    assert (code, out, err) == (0, "", "1 file reformatted, 1 file left unchanged\n")
    assert contents(folder) == before | {"deep/other.nn": LAID_OUT.encode()}
    assert ran(capsys, "fmt", str(folder)) == (0, "", "2 files left unchanged\n")


def test_check_and_diff_write_nothing(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    before = contents(folder)
    name = str(folder / "deep" / "other.nn")
    said = "1 file would be reformatted, 1 file would be left unchanged\n"
    assert ran(capsys, "fmt", "--check", str(folder)) == (1, f"would reformat {name}\n", said)
    code, out, err = ran(capsys, "fmt", "--diff", str(folder))
    assert (code, err) == (1, said)
    assert out == (
        f"--- {name}\n+++ {name}\n@@ -1 +1 @@\n-{WRITTEN}\n\\ No newline at end of file\n+{LAID_OUT}"
    )
    assert contents(folder) == before
    assert ran(capsys, "fmt", "--check", str(folder / "done.nn"))[0] == 0


def test_mistakes_hold_no_other_spec_up(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "bad.nn").write_text("3   ->   -> fc4")
    code, out, err = ran(capsys, "fmt", str(folder))
    assert (code, out) == (1, "")
    assert f"{folder / 'bad.nn'}:1:5" in err
    assert "1 file reformatted, 1 file left unchanged" in err
    assert (folder / "bad.nn").read_text() == "3   ->   -> fc4"
    assert (folder / "deep" / "other.nn").read_text() == LAID_OUT


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        ([], 0, LAID_OUT),
        (["--check"], 1, "would reformat <stdin>\n"),
        (["--format", "json"], 0, '{\n  "reformatted": [],\n  "unchanged": []\n}\n'),
    ],
)
def test_standard_input(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    out: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WRITTEN.encode())))
    assert ran(capsys, "fmt", "-", *words)[:2] == (code, out)


def test_the_text_itself_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "fmt", WRITTEN) == (0, LAID_OUT, "")
    assert ran(capsys, "fmt", "3 -> -> fc4")[:2] == (1, "")


def test_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = ran(capsys, "fmt", "--check", str(folder), "--format", "json")
    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "reformatted": [str(folder / "deep" / "other.nn")],
        "unchanged": [str(folder / "done.nn")],
    }


def test_mode_and_links_stay(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    spec, link = folder / "deep" / "other.nn", folder / "link.nn"
    spec.chmod(0o640)
    link.symlink_to(spec)
    assert ran(capsys, "fmt", str(link))[0] == 0
    assert link.is_symlink()
    assert (spec.read_text(), spec.stat().st_mode & 0o777) == (LAID_OUT, 0o640)


def test_a_file_that_cannot_be_replaced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = contents(folder)
    monkeypatch.setattr(Path, "replace", full)
    code, _, err = ran(capsys, "fmt", str(folder))
    assert code == 2
    assert "NN012" in err
    assert "no space left on device" in err
    assert contents(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_only_be_read(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "deep" / "other.nn").chmod(0o440)
    assert ran(capsys, "fmt", str(folder))[0] == 2
    assert (folder / "deep" / "other.nn").read_text() == WRITTEN
