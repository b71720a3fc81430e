"""Files and folders that cannot be read hold no other spec up, and pass for nothing else."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_cli import NET, ROOT, ran


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spec that is well, one that is wrong, and what cannot be read between them."""
    (tmp_path / "bad.nn").write_text("3 -> nope")
    (tmp_path / "bytes.nn").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.nn").mkdir()
    (tmp_path / "gone.nn").symlink_to(tmp_path / "nowhere")
    (tmp_path / "good.nn").write_text(NET)
    (tmp_path / "worse.nn").write_text("3 -> no")
    return tmp_path


FOUND = [
    ("NN101", "bad.nn"),
    ("NN011", "bytes.nn"),
    ("NN011", "folder.nn"),
    ("NN011", "gone.nn"),
    ("NN101", "worse.nn"),
]


def named(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(code, Path(name).name) for code, name in found]


def test_every_other_finding_is_told(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = ran(capsys, "check", str(folder))
    assert (code, err) == (2, "")
    for part in ("bad.nn:1:6", "cannot read", "gone.nn`: it is a link to", "worse.nn:1:6"):
        assert part in out
    assert "Found 5 errors." in out


def test_in_every_format(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    def told(how: str) -> str:
        code, out, err = ran(capsys, "check", str(folder), "--format", how)
        assert (code, err) == (2, "")
        return out

    found = json.loads(told("json"))
    assert found["checked"] == 3
    assert named([(one["code"], one["filename"]) for one in found["diagnostics"]]) == FOUND
    assert [one["location"] is None for one in found["diagnostics"]] == [
        code == "NN011" for code, _ in FOUND
    ]
    results = json.loads(told("sarif"))["runs"][0]["results"]
    places: list[dict[str, Any]] = [one["locations"][0]["physicalLocation"] for one in results]
    assert (
        named(
            [
                (one["ruleId"], place["artifactLocation"]["uri"])
                for one, place in zip(results, places, strict=True)
            ]
        )
        == FOUND
    )
    for how in ("github", "concise"):
        lines = told(how).splitlines()
        assert len(lines) == len(FOUND)
        for line, (code, name) in zip(lines, FOUND, strict=True):
            assert code in line
            assert f"{folder / name}" in line
    assert f"{folder / 'gone.nn'}: NN011 " in told("concise")
    assert f"file={folder / 'gone.nn'}::" in told("github")


def test_several_paths(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    paths = [str(folder / name) for name in ("missing.nn", "bad.nn", "good.nn")]
    code, out, _ = ran(capsys, "check", *paths)
    assert code == 2
    assert "missing.nn`: there is no such file" in out
    assert "bad.nn:1:6" in out
    code, out, err = ran(capsys, "check", "--diff", *paths)
    assert code == 2
    assert "missing.nn" in err


def test_fix_mends_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    for name in ("bad.nn", "worse.nn"):
        (folder / name).write_text("3 -> dense4")
    code, out, err = ran(capsys, "check", "--fix", str(folder))
    assert (code, err) == (2, "Fixed 2 mistakes.\n")
    assert out.count("NN011") == 3
    assert (folder / "worse.nn").read_text() == "3 -> fc4"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (folder / "bad.nn").write_text("3 -> dense4")
    monkeypatch.setattr(Path, "replace", full)
    code, out, _ = ran(capsys, "check", "--fix", str(folder / "bad.nn"), str(folder / "worse.nn"))
    assert code == 2
    assert "NN012" in out
    assert "NN101" in out


# ----------------------------------------------------------------------------------- folders


@pytest.fixture
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside the specs that may not be searched, whoever asks."""
    place = folder / "locked"
    place.mkdir()
    search: Callable[[Any], Any] = os.scandir

    def refused(path: Any = ".") -> Iterator[os.DirEntry[str]]:
        if Path(path) == place:
            raise PermissionError(13, "Permission denied", str(path))
        found: Iterator[os.DirEntry[str]] = search(path)
        return found

    monkeypatch.setattr(os, "scandir", refused)
    return place


@pytest.mark.parametrize("word", ["check", "fmt"])
def test_a_locked_folder_is_told(
    capsys: pytest.CaptureFixture[str], locked: Path, word: str
) -> None:
    code, out, err = ran(capsys, word, str(locked))
    assert code == 2
    assert f"cannot read `{locked}`: permission denied" in out + err
    code, out, err = ran(capsys, word, str(locked.parent))
    assert code == 2
    assert f"cannot read `{locked}`: permission denied" in out + err
    assert "bytes.nn" in out + err


def test_a_locked_folder_above_a_spec(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state: Callable[..., os.stat_result] = os.stat
    locked = tmp_path / "locked"

    def refused(path: Any, *words: Any, **named: Any) -> os.stat_result:
        if isinstance(path, str | Path) and locked in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return state(path, *words, **named)

    monkeypatch.setattr(os, "stat", refused)
    spec = str(locked / "net.nn")
    for words in (
        ["check", spec],
        ["summary", spec],
        ["report", spec],
        ["train", spec, "--data", spec],
    ):
        code, out, err = ran(capsys, *words)
        assert code == 2
        assert "permission denied" in out + err


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder that another program removed."""
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()


@pytest.mark.usefixtures("gone")
def test_the_working_folder_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "check", NET) == (0, "All is well. Checked 1 spec.\n", "")
    assert ran(capsys, "summary", NET)[0] == 0
    for words in (["check"], ["fmt"], ["check", "deep"], ["draw", NET, "-o", "net.dot"]):
        code, out, err = ran(capsys, *words)
        assert code == 2
        assert "standard output" not in out + err
    assert "cannot read `.`: the working folder is gone" in ran(capsys, "check")[1]
    assert "NN012 cannot write `net.html`" in ran(capsys, "report", NET)[2]
    assert "the working folder is gone" in ran(capsys, "draw", NET, "-o", "net.dot")[2]


# ----------------------------------------------------------------------------------- streams


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('summary "3 -> fc1" >&-', 0),
        ('summary "3 -> fc1" <&- >&- 2>&-', 0),
        ('fmt "3->fc4" >&-', 0),
        ("check >&-", 2),
        ("check missing.nn >&-", 2),
        ("check missing.nn 2>&-", 2),
        ("check missing.nn 2>/dev/full", 2),
        ("docs zz 2>/dev/full", 2),
        ('summary "3 -> nope" 2>&-', 1),
        ("summary 2>&-", 2),
        ("check - <&-", 2),
        ("check - 0>out", 2),
        ("summary - <&-", 2),
        ("train '4 -> fc3' --data iris --epochs 1 >&- 2>&-", 0),
        ("train '4 -> fc3' --data iris --epochs 1 2>&-", 0),
        ("--help >&-", 0),
    ],
)
def test_streams_that_are_closed(tmp_path: Path, words: str, code: int) -> None:
    (tmp_path / "net.nn").write_bytes(b"\xff")
    ended = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m nnspec {words}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".dev")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == code, said
    assert "Traceback" not in said
    assert "Error" not in said
    if " - " in words:
        assert "cannot read `<stdin>`" in said


@pytest.mark.parametrize("options", [[], ["--statistics"]])
def test_nothing_to_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str]
) -> None:
    code, out, err = ran(capsys, "check", str(tmp_path), *options)
    assert (code, out) == (0, "Nothing was checked.\n")
    assert err == f"nnspec: there is no .nn file in `{tmp_path}`\n"


def test_nothing_to_lay_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = f"nnspec: there is no .nn file in `{tmp_path}`\n"
    assert ran(capsys, "fmt", str(tmp_path)) == (0, "", said)


@pytest.mark.parametrize("word", ["check", "fmt", "summary"])
def test_an_empty_word_is_no_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path, word: str
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = ran(capsys, word, "")
    assert code == 2
    assert "an empty text is no spec" in out + err
    assert "bad.nn" not in out + err


def test_a_folder_that_may_not_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_bytes", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    code, _, err = ran(capsys, "draw", NET, "-o", str(tmp_path / "net.dot"))
    assert code == 2
    assert f"NN012 cannot write `{tmp_path / 'net.dot'}`: permission denied" in err
