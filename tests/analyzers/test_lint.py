"""Which findings are reported: by codes, by pyproject.toml, by comments."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.check import checked
from nnspec.analyzers.lint import selected
from nnspec.analyzers.rule import rules
from nnspec.grammar.diagnostics import SpecError
from nnspec.grammar.source import Source

TEXT = "3x8x8 -> conv4 3 bn sigmoid -> flatten fc2"


def codes(text: str, select: str = "NN4", ignore: str = "NN999") -> list[str]:
    wanted = selected([select], [] if ignore == "NN999" else [ignore])
    return [mistake.code for mistake in checked(Source("net", text), codes=wanted)]


def test_selection() -> None:
    assert codes(TEXT) == ["NN407", "NN402"]
    assert codes(TEXT, select="NN402") == ["NN402"]
    assert codes(TEXT, ignore="NN40") == []
    assert codes("3 -> fc0", ignore="NN4") == ["NN105"]
    with pytest.raises(SpecError, match=r"NN133.*`NN498`"):
        selected(["NN498"], [])
    with pytest.raises(SpecError, match="NN133"):
        selected(["NN4"], ["NN105"])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (TEXT + "  # nnspec: ignore[NN402] as the paper has it", ["NN407"]),
        (TEXT + "  # nnspec: ignore[nn402, NN407]", []),
        ("# nnspec: ignore[NN402]\n" + TEXT, ["NN407"]),
        ("3x8x8 # nnspec: ignore[NN402]\n-> conv4 3 sigmoid -> flatten fc2", ["NN400", "NN402"]),
        (TEXT + " # nnspec: ignore[NN402]\n# nnspec: ignore[NN407]", ["NN407", "NN400"]),
        (TEXT + "  # nnspec: ignore[NN105]", ["NN407", "NN402", "NN400"]),
        ("3x14x14 -> conv4 3 s2 relu -> flatten fc2 # nnspec: ignore[NN412]", []),
    ],
)
def test_silence(text: str, left: list[str]) -> None:
    assert codes(text) == left


def test_a_silent_comment_is_not_unused_where_its_code_is_not_looked_for() -> None:
    assert codes(TEXT + "  # nnspec: ignore[NN402]", select="NN407") == ["NN407"]


def test_a_finding_in_a_block_is_told_once() -> None:
    block = "block b = conv4 3 p1 bn relu\n3x8x8 -> [b]*5 -> flatten fc2"
    assert codes(block) == ["NN407"]


def test_pyproject(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "deep" / "net.nn"
    net.parent.mkdir()
    net.write_text(TEXT + "\n", "utf-8")
    config = tmp_path / "pyproject.toml"
    config.write_text('[tool.nnspec]\nignore = ["NN402"]\n', "utf-8")

    def told(*options: str) -> list[str]:
        main(["check", str(net), "--format", "json", *options])
        found = json.loads(capsys.readouterr().out)["diagnostics"]
        return [one["code"] for one in found]

    assert told() == ["NN407"]
    assert told("--isolated") == ["NN407", "NN402"]
    assert told("--select", "NN402,NN407") == ["NN407"]
    assert told("--ignore", "NN407") == []
    for text, code in (
        ('[tool.nnspec]\nignored = ["NN402"]\n', "did you mean `ignore`?"),
        ('[tool.nnspec]\nignore = "NN402"\n', "no list of codes"),
        ("[tool.nnspec\n", "cannot be read"),
        ("[tool]\nnnspec = 3\n", "`nnspec` is no table"),
        ("[[tool.nnspec]]\nignore = []\n", "`nnspec` is no table"),
        ("tool = 3  # nnspec\n", "`tool` is no table"),
    ):
        config.write_text(text, "utf-8")
        assert main(["check", str(net)]) == 2
        assert code in capsys.readouterr().err
    config.write_text("[tool.other]\nx = 1\n", "utf-8")
    assert told() == ["NN407", "NN402"]


def test_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--isolated", "--statistics", TEXT]) == 0
    assert capsys.readouterr().out == (
        "     1  NN407  [*] bias-before-norm\n     1  NN402      saturating-hidden\n"
    )


def test_fixes_of_rules() -> None:
    fixed = nnspec.fix("let width = 64\n3 -> fc(width) bn relu -> fc64 relu -> fc1")
    assert fixed == "let width = 64\n3 -> fc(width) nobias bn relu -> fc(width) relu -> fc1"


def test_pages(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in rules().values():
        page = nnspec.docs(rule.code)
        assert page.startswith(f"# {rule.code} {rule.name}\n")
        assert rule.wrong[0].splitlines()[0] in page
    assert main(["rule", "NN402"]) == 0
    assert capsys.readouterr().out == nnspec.docs("NN402")
    assert main(["rule"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"^NN402  saturating-hidden +A hidden layer whose", listed, re.MULTILINE)
    assert re.search(r"^NN201  wrong-rank +\S", listed, re.MULTILINE)
    assert main(["rule", "NN9999"]) == 2


def test_the_zoo_raises_only_what_is_true() -> None:
    """VGG and AlexNet hold most of their parameters in one layer, VGG with norms keeps its biases,
    SqueezeNet's stem leaves a row out, MobileNet v3 begins with two pointwise layers in a row."""
    specs = Path(__file__).parents[2] / "specs"
    found = {
        (path.stem.split("_")[0].rstrip("0123456789"), mistake.code)
        for folder in ("vision", "language")
        for path in sorted((specs / folder).glob("*.nn"))
        for mistake in checked(Source(str(path), path.read_text("utf-8")))
    }
    assert found == {
        ("alexnet", "NN414"),
        ("vgg", "NN407"),
        ("vgg", "NN414"),
        ("squeezenet", "NN412"),
        ("mobilenet", "NN401"),
    }
