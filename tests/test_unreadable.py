"""Files and folders that cannot be read hold no other spec up, and pass for nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_cli import NET, ran


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
    for part in ("bad.nn:1:6", "cannot read", "gone.nn`: there is no such file", "worse.nn:1:6"):
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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_spec_in_a_locked_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir()
    place.chmod(0)
    assert ran(capsys, "check", str(place / "net.nn"))[0] == 2
    place.chmod(0o700)


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
