"""`nnspec check --fix`, `--diff` and `nnspec.fix`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.check import checked
from nnspec.grammar.diagnostics import Applicability, Edit, Fix
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


SOFT = "8 -> fc4 bn relu -> fc3 softmax\ntrain(loss = cross_entropy)"


def test_unsafe_fixes_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert nnspec.fix(SOFT) == SOFT.replace("fc4", "fc4 nobias")
    whole = SOFT.replace("fc4", "fc4 nobias").replace(" softmax", "")
    assert nnspec.fix(SOFT, applicability="unsafe") == whole
    assert main(["check", "--isolated", SOFT]) == 0
    said = capsys.readouterr().out
    assert "NN407 [*]" in said
    assert "NN403 `" in said
    assert said.endswith(
        "Found 2 warnings. `nnspec check --fix` mends what is marked [*]. "
        "1 hidden fix can be enabled with `--unsafe-fixes`.\n"
    )
    assert main(["check", "--isolated", "--unsafe-fixes", SOFT]) == 0
    said = capsys.readouterr().out
    assert "NN403 [*]" in said
    assert "hidden" not in said
    assert main(["check", "--isolated", "--unsafe-fixes", "--fix", SOFT]) == 0
    out, err = capsys.readouterr()
    assert out == f"{whole}\n\nAll is well. Checked 1 spec.\n"
    assert err == "Fixed 2 mistakes.\n"
    assert main(["check", "--isolated", "--diff", SOFT]) == 1
    assert "softmax\n+8 -> fc4 nobias bn relu -> fc3 softmax\n" in capsys.readouterr().out


def test_applicability_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--isolated", "--format", "json", SOFT.replace("relu", "rellu")])
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert found["fix"]["applicability"] == "safe"
    main(["check", "--isolated", "--format", "json", SOFT])
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [one["fix"]["applicability"] for one in found] == ["safe", "unsafe"]


def test_unsafe_fixes_in_pyproject(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, config = tmp_path / "net.nn", tmp_path / "pyproject.toml"
    path.write_text(SOFT, "utf-8")
    config.write_text("[tool.nnspec]\nunsafe-fixes = true\n", "utf-8")
    assert main(["check", "--fix", "--no-unsafe-fixes", str(path)]) == 0
    assert "softmax" in path.read_text("utf-8")
    assert main(["check", "--fix", str(path)]) == 0
    assert "softmax" not in path.read_text("utf-8")
    capsys.readouterr()
    config.write_text('[tool.nnspec]\nunsafe-fixes = "yes"\n', "utf-8")
    assert main(["check", str(path)]) == 2
    assert "write unsafe-fixes = true, or false" in capsys.readouterr().err


@pytest.mark.parametrize("asked", Applicability)
def test_a_promise_is_not_broken_by_a_fix(asked: Applicability) -> None:
    kept = "8 -> fc4 bn relu -> fc2\nexpect params == 54"
    assert nnspec.fix(kept, applicability=asked.value) == kept
    (found,) = checked(Source("net", kept))
    assert found.fix() is None
    assert found.help() == "write `nobias`; then `params == 54` has to change too"
    two = "8 -> fc4 bn relu -> fc4 bn relu -> fc2\nexpect params >= 78"
    mended = nnspec.fix(two, applicability=asked.value)
    assert mended.count("nobias") == 1
    assert "params >= 78" in mended
    broken = kept.replace("54", "55")
    assert "nobias" in nnspec.fix(broken, applicability=asked.value)


@pytest.mark.parametrize(
    "text",
    [
        "block c(n) = conv(n) 3 p1\n3x8x8 -> c8 bn relu -> c8 relu -> gap fc2",
        "3x8x8 -> [conv8 3 p1]*2 -> bn relu -> gap fc2",
        "shared c = conv3 3 p1\n3x8x8 -> c bn relu -> c relu -> gap fc2",
        "block head = flatten fc8 relu\n3x4x4 -> head -> head -> fc2",
    ],
)
def test_a_fix_holds_in_every_use(text: str) -> None:
    assert nnspec.fix(text, applicability="unsafe") == text


def test_comments_and_names_stay() -> None:
    for text in (
        "let a = 4  # for later\n3 -> fc4",
        "## Tells of b.\nblock b = fc4\n3 -> fc4",
        "8 -> fc8 relu -> x: dropout0 -> add[ fc8 | @x ]",
        "8 -> fc8 relu\n-> [ # two\n fc8 relu ] -> fc2",
    ):
        assert nnspec.fix(text, applicability="unsafe") == text
    assert nnspec.fix("let a = 4\nlet b = a * 2\n3 -> fc4") == "3 -> fc4"
    both = "use vision.vgg (stage, head)\n3x8x8 -> flatten fc2"
    assert nnspec.fix(both) == "3x8x8 -> flatten fc2"


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


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("3x32x32 -> conv16 3x3 padding 1", "3x32x32 -> conv16 3x3 padding=1"),
        ("3x32x32 -> conv4 3x3 stride 2", "3x32x32 -> conv4 3x3 stride=2"),
        ("3x32x32 -> conv4 3x3 s 2 p 1", "3x32x32 -> conv4 3x3 s2 p1"),
        ("3x32x32 -> Conv2d 8 3 padding 1", "3x32x32 -> conv 8 3 padding=1"),
        ("3 -> Linear(3,4) -> ReLU() -> Linear(4,1)", "3 -> fc4 -> relu -> fc1"),
        ("3x8x8 -> Conv2d(3, 8, 3)", "3x8x8 -> conv8 3x3"),
        (
            "3x8x8 -> Conv2d(3, 8, (3, 5), 2, 1, bias=False)",
            "3x8x8 -> conv8 3x5 s2 p1 nobias",
        ),
        ("3x8x8 -> Conv2d(3, 8, kernel_size=3, padding=1)", "3x8x8 -> conv8 3x3 p1"),
        ("3x8x8 -> Conv1d(3, 8, 3)", "3x8x8 -> conv8 3"),
        ("3x8x8 -> BatchNorm2d(3) ReLU(inplace=True)", "3x8x8 -> bn relu"),
        ("3x8x8 -> MaxPool2d(2, 2) Dropout(0.5)", "3x8x8 -> maxpool 2x2 s2 dropout(0.5)"),
        ("20x64 -> MultiheadAttention(64, 4) LSTM(64, 32)", "20x64 -> attn4 lstm32"),
        ("8x4x4 -> GroupNorm(2, 8) -> Flatten(1)", "8x4x4 -> gn2 -> flatten"),
        ('3x8x8 -> Conv2D(16, 3, padding="same")', "3x8x8 -> conv(16, 3) same"),
        ("3 -> fc4 dropout p 0.5", "3 -> fc4 dropout p0.5"),
        (
            "block b(c, s=1) = conv(c) 3x3 s(s)\n3x8x8 -> b(4) s 2",
            "block b(c, s=1) = conv(c) 3x3 s(s)\n3x8x8 -> b(4) s2",
        ),
        ("use “vision.vgg” (head)", "use “vision.vgg” (head)"),
    ],
)
def test_a_fix_means_what_was_written(wrong: str, right: str) -> None:
    assert nnspec.fix(wrong) == right


@pytest.mark.parametrize(
    "text",
    [
        "3 -> fcx",
        "3 -> fc4 “relu”",
        "3 -> fc10 Softmax 10",
        "3 -> fc10 -> Softmax(dim=1)",
        "20x8 -> Permute(0, 2, 1)",
        "3x8x8 -> Upsample(16)",
        "3x8x8 -> conv8 3x3 kernel 2",
        "3x8x8 -> ad[ conv3 3 p1 | conv4 3 p1 ]",
        "3x8x8 -> conv8 Strides 2",
        "3 -> fc4 units 4",
        "3 -> fc4 dropout p 2",
    ],
)
def test_no_fix_is_offered_behind_which_a_mistake_is_left(text: str) -> None:
    found = checked(Source("net", text))
    assert found
    assert not any(mistake.fix() for mistake in found)
    assert nnspec.fix(text) == text


def test_quotes_are_mended_where_quotes_may_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blocks.nn").write_text("block b(c) = fc(c)\n", "utf-8")
    assert nnspec.fix("use “blocks.nn” (b)\n3 -> b(4)") == 'use "blocks.nn" (b)\n3 -> b(4)'
    assert main(["fmt", "3 -> fc4 “relu”"]) == 1
