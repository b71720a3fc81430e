"""The folder of a run: what goes on, what is refused, and in which words; whatever fails, the earlier
checkpoint is whole."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import durable
from nnspec.runtime.durable import TOLD
from nnspec.runtime.tensors import decode

from ..runtime.test_durable import FaultyDisk
from .cuts import left_in, unequal

EXPECTED = Path(__file__).with_name("messages.txt")
ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((22, 6)), RNG.integers(0, 3, 22)
SPEC = "6 -> fc5 relu dropout0.2 -> fc3"


def net(spec: str = SPEC, seed: int = 0, dtype: Any = "float32", **settings: Any) -> nnspec.Net:
    given: dict[str, Any] = {"batch": 8, **settings}
    found: nnspec.Net = nnspec.compile(spec, seed=seed, dtype=dtype, **given)
    return found


def fit(folder: Path | str | None, one: nnspec.Net | None = None, **options: Any) -> int:
    """Train for three epochs, or go on; returns how many epochs are done."""
    given: dict[str, Any] = {"x": X, "y": Y, "epochs": 3, "every": 2, "resume": True, **options}
    return len((one or net()).fit(run=folder, **given))


def said(folder: Path, one: nnspec.Net | None = None, **options: Any) -> str:
    """What a user hears of it: warnings, and the error or the number of epochs."""
    with warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always")
        try:
            found = f"{fit(folder, one, **options)} epochs"
        except SpecError as error:
            mistake = error.diagnostics[0]
            found = f"{mistake.code} {mistake.message()}\n      help: {mistake.help()}"
    lines = [*(f"notice: {notice.message}" for notice in notices), found]
    return (
        "\n      ".join(lines)
        .replace(str(folder.resolve()), "FOLDER")
        .replace(str(folder), "FOLDER")
    )


def told(folder: Path, **changes: object) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def other_versions(folder: Path) -> dict[str, str]:
    now: dict[str, str] = json.loads((folder / "run.json").read_text())["versions"]
    return {**now, "nnspec": "0.0", "numpy": "1.26"}


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def each_checkpoint(folder: Path, change: Callable[[Path], object], count: int) -> None:
    """Of the newest so many."""
    for path in sorted(folder.glob("checkpoint-*"))[-count:]:
        change(path)


def removed(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def a_file(folder: Path) -> None:
    emptied(folder).rmdir()
    folder.write_text("")


def other_rows() -> Any:
    x = X.copy()
    x[13, 2] += 1e-3
    return x


OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "without --resume": lambda: {"resume": False},
    "the end is reached": dict,
    "fewer epochs than are done": lambda: {"epochs": 2},
    "more epochs": lambda: {"epochs": 5},
    "another spec": lambda: {"one": net("6 -> fc4 relu -> fc3")},
    "another seed": lambda: {"one": net(seed=3)},
    "another dtype": lambda: {"one": net(dtype="float64")},
    "another example": lambda: {"x": other_rows()},
    "another truth": lambda: {"y": (Y + 1) % 3},
    "fewer examples": lambda: {"x": X[:20], "y": Y[:20]},
    "another rate": lambda: {"optimizer": "adam(lr=0.5)"},
    "another optimiser, batch and l2": lambda: {"optimizer": "sgd", "batch": 4, "l2": 0.1},
    "judged by held-out examples": lambda: {"validation": (X[:5], Y[:5])},
}

DAMAGE: dict[str, Callable[[Path], object]] = {
    "the newest checkpoint is cut short": lambda f: each_checkpoint(
        f, lambda p: p.write_bytes(p.read_bytes()[:100]), 1
    ),
    "a bit of the newest checkpoint is wrong": lambda f: each_checkpoint(f, flipped, 1),
    "all checkpoints are damaged": lambda f: each_checkpoint(f, flipped, 2),
    "run.json is cut short": lambda f: (f / "run.json").write_text("{"),
    "run.json is no table": lambda f: (f / "run.json").write_text("[]"),
    "run.json is not text": lambda f: (f / "run.json").write_bytes(b"\xff\xfe"),
    "run.json has lost a part": lambda f: (f / "run.json").write_text('{"format": "nnspec run 1"}'),
    "run.json has a strange part": lambda f: told(f, settings=[1]),
    "run.json is of another version": lambda f: told(f, format="nnspec run 9"),
    "run.json is gone": lambda f: removed(f / "run.json"),
    "begun with other versions": lambda f: told(f, versions=other_versions(f)),
    "the log is torn": lambda f: (f / "log.jsonl").write_text('{"epoch": 1, "lo'),
    "log and spec are gone": lambda f: removed(f / "log.jsonl", f / "spec.nn"),
    "other files": lambda f: (emptied(f) / "thesis.tex").write_text(""),
    "a file": a_file,
    "an empty folder": emptied,
}


def test_words(tmp_path: Path) -> None:
    """Every message as it is printed."""
    folder, heard = tmp_path / "run", []
    for name, options in OPTIONS.items():
        shutil.rmtree(folder, ignore_errors=True)
        fit(folder)
        heard.append(f"{name}:\n      {said(folder, **options())}")
    for name, damage in DAMAGE.items():
        shutil.rmtree(folder, ignore_errors=True)
        fit(folder)
        damage(folder)
        heard.append(f"{name}:\n      {said(folder, epochs=4)}")
        if folder.is_file():
            folder.unlink()
    text = "\n".join(heard) + "\n"
    here = {"numpy": np.__version__, "nnspec": nnspec.__version__}
    for library, version in here.items():
        text = text.replace(f"{library} {version}", f"{library} VERSION")
    text = re.sub(r"at least [\d,]+ bytes", "at least N bytes", text)
    if os.environ.get("NNSPEC_ACCEPT"):
        EXPECTED.write_text(text, "utf-8")
    assert text == EXPECTED.read_text("utf-8")


@pytest.mark.parametrize("damage", ["the newest checkpoint is cut short", "the log is torn"])
def test_what_is_damaged_is_made_again(damage: str, tmp_path: Path) -> None:
    """Also where it had been made with checkpoints elsewhere."""
    fit(tmp_path / "through", epochs=4)
    fit(tmp_path / "run")
    DAMAGE[damage](tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(tmp_path / "run", epochs=4)
    assert unequal(left_in(tmp_path / "run"), left_in(tmp_path / "through")) == []


def test_a_checkpoint_of_another_run(tmp_path: Path) -> None:
    fit(tmp_path / "run")
    fit(tmp_path / "other", net("6 -> fc7 relu -> fc3"), epochs=5)
    newest = max((tmp_path / "other").glob("checkpoint-*"))
    shutil.copy(newest, tmp_path / "run")
    with pytest.warns(UserWarning, match=f"{newest.name} is of another run; going on from checkpo"):
        assert fit(tmp_path / "run", epochs=4) == 4
    assert (tmp_path / "run" / f"damaged-{newest.name}").exists()


def test_the_course_of_the_rate_is_planned_anew(tmp_path: Path) -> None:
    fit(tmp_path, net(schedule="cosine"))
    with pytest.warns(UserWarning, match="planned over 3 epochs, now over 6: it goes on at 0.0005"):
        fit(tmp_path, net(schedule="cosine"), epochs=6)


@pytest.mark.parametrize("batch", [22, 64])
@pytest.mark.parametrize("every", [None, 1, 1000])
def test_an_epoch_of_one_step(batch: int, every: int | None, tmp_path: Path) -> None:
    """And checkpoints that would be further apart than all updates."""

    def stop(step: Any) -> None:
        if step.epoch == 2:
            raise KeyboardInterrupt

    fit(tmp_path / "through", net(batch=batch), every=every)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", net(batch=batch), every=every, on_step=stop)
    fit(tmp_path / "run", net(batch=batch), every=every)
    assert unequal(left_in(tmp_path / "run"), left_in(tmp_path / "through")) == []


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_counts_that_are_none(every: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"NN117 `every` is .* whole number from 1"):
        fit(tmp_path / "run", every=every)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", [{"every": 3, "resume": False}, {"every": None}])
def test_options_of_a_run_that_nobody_keeps(option: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"NN117 `(every|resume)` needs a run that is kept"):
        fit(None, **option)


def test_any_notes(tmp_path: Path) -> None:
    fit(tmp_path, notes={"by": Path("me"), "of": [np.float32(2)], "at": float("inf")})
    assert json.loads((tmp_path / "run.json").read_text())["notes"]["by"] == "me"


def test_another_folder_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    fit("run", on_epoch=lambda epoch: os.chdir(tmp_path / "elsewhere"))
    assert not list((tmp_path / "elsewhere").iterdir())
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("name", ["a\0b", "n" * 300])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(SpecError, match="NN533"):
        fit(name)


def test_a_thread_has_no_signals(tmp_path: Path) -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(fit(tmp_path)))
    thread.start()
    thread.join()
    assert done == [3]


def test_two_at_once(tmp_path: Path) -> None:
    """The second is refused and harms nothing."""
    heard: list[str] = []

    def again(_: object) -> None:
        with pytest.raises(SpecError) as met:
            fit(tmp_path / "run")
        heard.append(str(met.value))

    fit(tmp_path / "run", on_epoch=again)
    assert len(heard) == 3
    assert f"in use by process {os.getpid()}" in heard[0]
    fit(tmp_path / "through")
    assert unequal(left_in(tmp_path / "run"), left_in(tmp_path / "through")) == []


def test_a_net_that_had_been_trained(tmp_path: Path) -> None:
    """The updates before the run are in its checkpoints too."""
    one = net(optimizer="momentum")
    one.fit(X, Y, epochs=2)
    fit(tmp_path, one)
    other = net(optimizer="momentum")
    with pytest.warns(UserWarning, match="the run is over: 3 epochs are done, 3 were asked for"):
        fit(tmp_path, other)
    assert all(np.array_equal(w, other.weights[name]) for name, w in one.weights.items())


def test_every_member_of_an_ensemble_goes_on(tmp_path: Path) -> None:
    def ensemble() -> Any:
        return nnspec.compile("6 -> fc5 relu dropout0.2 -> fc3", ensemble=3, batch=8)

    def stop(epoch: Any) -> None:
        if (tmp_path / "cut" / "member2").exists() and epoch.number == 2:
            raise KeyboardInterrupt

    given: dict[str, Any] = {"epochs": 3, "every": 2, "resume": True}
    through, cut = ensemble(), ensemble()
    through.fit(X, Y, run=tmp_path / "through", **given)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, Y, run=tmp_path / "cut", on_epoch=stop, **given)
    again = ensemble()
    with pytest.warns(UserWarning, match="the run is over"):
        again.fit(X, Y, run=tmp_path / "cut", **given)
    for number in (1, 2, 3):
        parts = [left_in(tmp_path / name / f"member{number}") for name in ("cut", "through")]
        assert unequal(*parts) == []
    assert all(np.array_equal(w, again.weights[name]) for name, w in through.weights.items())


# ---------------------------------------------------------------------------------- disks


def test_every_call_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call of a run to the disk fails, then the second, ...: each time the error says so,
    all that is there is whole, and what goes on with it ends as if nothing had been."""
    fit(tmp_path / "through", epochs=2)
    through, fails, folder = left_in(tmp_path / "through"), 0, tmp_path / "run"
    while True:
        fails += 1
        disk = FaultyDisk(fails, errno.ENOSPC)
        shutil.rmtree(folder, ignore_errors=True)
        monkeypatch.setattr(durable, "os", disk)
        heard = ""
        try:
            fit(folder, epochs=2)
        except SpecError as error:
            heard = str(error)
        monkeypatch.undo()
        if disk.calls < fails:
            break
        assert TOLD[errno.ENOSPC][0] in heard or not heard
        for path in folder.glob("checkpoint-*"):
            decode(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(folder, epochs=2)
        assert unequal(left_in(folder), through) == [], f"call {fails}"
    assert fails > 90


def test_a_disk_that_is_full_indeed(tmp_path: Path) -> None:
    """The system's own refusal, in the midst of a run: no file may pass 4 KiB."""
    wide = "6 -> fc60 relu -> fc3"
    fit(tmp_path / "through", net(wide), epochs=4)

    def fill(epoch: Any) -> None:
        if epoch.number == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(
            SpecError, match=r"NN533 cannot write the .* larger than this disk takes"
        ):
            fit(tmp_path / "run", net(wide), epochs=4, on_epoch=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [decode(path) for path in (tmp_path / "run").glob("checkpoint-*")]
    fit(tmp_path / "run", net(wide), epochs=4)
    assert unequal(left_in(tmp_path / "run"), left_in(tmp_path / "through")) == []


AS_NOBODY = """
import os, sys, tempfile
from pathlib import Path
import numpy as np
import nnspec
from nnspec.grammar.diagnostics import SpecError
x, y = np.zeros((8, 4)), np.zeros(8, int)
with tempfile.TemporaryDirectory() as name:  # so that all is loaded that it takes
    nnspec.compile("4 -> fc3").fit(x, y, epochs=1, run=Path(name) / "run")
if os.getuid() == 0:  # whom no permission holds back
    os.setuid(65534)
try:
    nnspec.compile("4 -> fc3").fit(x, y, run=sys.argv[1], resume=len(sys.argv) > 2)
except SpecError as error:
    print(error)
"""


@pytest.mark.parametrize(("mode", "resume"), [(0o555, ()), (0o555, ("resume",)), (0o000, ())])
def test_a_folder_without_rights(mode: int, resume: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        folder.mkdir()
        Path(name).chmod(0o755)
        folder.chmod(mode)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / ".dev")}
        run = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(folder), *resume],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        folder.chmod(0o755)
        assert "NN533 cannot write the run file" in run.stdout, run.stderr
        assert "permission denied" in run.stdout
        assert run.returncode == 0
