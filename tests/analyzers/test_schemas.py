"""What `--format json` prints is what `nnspec schema` says it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from nnspec.__main__ import main
from nnspec.analyzers.commands import PRINTED

from ..test_cases import CASES

ROOT = Path(__file__).parents[2]
SPECS = [
    str(ROOT / "specs" / f"{net}.nn")
    for net in ("course/net_3_4_4_1", "course/lenet5", "vision/unet", "language/char_gpt")
]
RUNS = {
    "check": [["3 -> fc4"], ["3 -> dense4"], ["3 -> add[ fc4 | fc5 ]"], *([str(c)] for c in CASES)],
    "summary": [[spec] for spec in SPECS],
    "explain": [[spec] for spec in SPECS],
    "math": [["5 -> fc4 -> fc3\ntrain(loss=mse)"], *([spec] for spec in SPECS)],
    "plan": [[spec] for spec in SPECS],
    "draw": [[spec] for spec in SPECS],
    "plot": [[spec] for spec in SPECS],
    "diff": [SPECS[:2], SPECS[2:], [SPECS[0], SPECS[0]]],
}


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    main(words)
    return json.loads(capsys.readouterr().out)


def test_every_report_is_run() -> None:
    assert set(RUNS) == set(PRINTED)


@pytest.mark.parametrize("report", PRINTED)
def test_report(report: str, capsys: pytest.CaptureFixture[str]) -> None:
    schema = printed(capsys, "schema", report)
    Draft202012Validator.check_schema(schema)
    reader = Draft202012Validator(schema)
    for words in RUNS[report]:
        reader.validate(printed(capsys, report, *words, "--format", "json"))
    with pytest.raises(ValidationError):
        reader.validate({"surprise": 1})


def test_what_fix_and_other_commands_say(capsys: pytest.CaptureFixture[str]) -> None:
    reader = Draft202012Validator(printed(capsys, "schema", "check"))
    fixed = printed(capsys, "check", "3 -> dense4", "--fix", "--format", "json")
    assert fixed["fixed"] == 1
    reader.validate(fixed)
    reader.validate(printed(capsys, "summary", "3 -> dense4", "--format", "json"))
    reader.validate(printed(capsys, "summary", "missing.nn", "--format", "json"))
