"""Data in .csv: rows, headers, classes and values, and what is said of each wrong file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnspec.runtime import readers
from nnspec.runtime.data import load

from .data_files import said, written, wrong


def test_words_are_classes_in_sorted_order(tmp_path: Path) -> None:
    data = load(written(tmp_path, "a,b,kind\n1,2,pear\n3,4,apple\n\n5,6,pear\n"))
    assert data.x.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data.x.dtype == np.float32
    assert data.y.tolist() == [1, 0, 1]
    assert data.classes == ("apple", "pear")


def test_without_a_header(tmp_path: Path) -> None:
    data = load(written(tmp_path, "1,2,pear\n3,4,apple\n"))
    assert (len(data), data.classes) == (2, ("apple", "pear"))


def test_whole_numbers_are_classes_and_points_make_values(tmp_path: Path) -> None:
    whole = load(written(tmp_path, "1,0\n2,2\n"))
    assert (whole.y.tolist(), whole.classes) == ([0, 2], ("0", "1", "2"))
    values = load(written(tmp_path, "1,0\n2,2.5\n"))
    assert (values.y.tolist(), values.classes) == ([0, 2.5], ())
    assert values.y.dtype == np.float32


def test_what_the_truth_is_can_be_said(tmp_path: Path) -> None:
    prices = load(written(tmp_path, "1,250000\n2,310000\n"), truth="values")
    assert prices.y.tolist() == [250000, 310000]
    assert prices.y.dtype == np.float32
    labels = load(written(tmp_path, "1,0.0\n2,1.0\n"), truth="classes")
    assert labels.y.tolist() == [0, 1]
    assert labels.y.dtype == np.int64
    path = written(tmp_path, "1,good\n2,bad\n")
    text = "NN505 line 1, column 2 of `t.csv` is `good`, not a number"
    assert said(lambda: load(path, truth="values")) == text


def test_the_target_by_name(tmp_path: Path) -> None:
    data = load(written(tmp_path, "kind,0,1\npear,2,3\nfig,4,5\n"), target="kind")
    assert (data.x.tolist(), data.classes) == ([[2, 3], [4, 5]], ("fig", "pear"))


def test_marks_and_line_ends_of_spreadsheets(tmp_path: Path) -> None:
    data = load(written(tmp_path, b"\xef\xbb\xbfkind,a\r\nx,1\r\ny,2\r\n"), target="kind")
    assert (data.x.tolist(), data.y.tolist()) == ([[1], [2]], [0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "NN519 `t.csv` holds no rows"),
        ("\n  \n", "NN519 `t.csv` holds no rows"),
        ("a,b\n", "NN519 `t.csv` holds no examples below its header"),
        ("a,b\n1,0\n2\n", "NN514 line 3 of `t.csv` has 1 cell, not 2"),
        ("a,b\n\n1,0\n2,1,5\n", "NN514 line 4 of `t.csv` has 3 cells, not 2"),
        ("a,b\n1,0\n\nq,1\n", "NN505 line 4, column 1 of `t.csv` is `q`, not a number"),
        ("1,2,0\n3,,1\n", "NN505 line 2, column 2 of `t.csv` is empty, not a number"),
        ("1,0\n2,\n", "NN503 `t.csv` has no truth in line 2: column 2 is empty"),
        (
            "2020,2021,y\n1,2,0\n3,4,1\n",
            "NN503 `t.csv` may begin with a header: its truth is `y` in line 1, then numbers",
        ),
        ("1_000,0\n2,1\n", "NN505 line 1, column 1 of `t.csv` is `1_000`, not a number"),
        ("1,2\n2,1_000.5\n", "NN505 line 2, column 2 of `t.csv` is `1_000.5`, not a number"),
        ("1,1_000\n2,3\n", "NN505 line 1, column 2 of `t.csv` is `1_000`, not a number"),
        (
            "1,\0\n2,b\n",
            r"NN503 `t.csv` has a control character in the class '\x00' of line 1",
        ),
        ("1;0\n2;1\n", "NN503 `t.csv` has one column"),
        (
            "a,b\n1,0\nnan,1\n-inf,1\n",
            "NN511 `x` of `t.csv` is NaN or infinite in 2 numbers, the first in line 3, column 1",
        ),
        (
            "1,0.5\n2,nan\n",
            "NN511 `y` of `t.csv` is NaN or infinite in 1 number, the first in line 2",
        ),
        (
            "1,0\n1e300,1\n",
            "NN520 `x` of `t.csv` goes beyond 3.4e38 in 1 number, the first in line 2, column 1",
        ),
        ("1,1\n2,-1\n", "NN512 `t.csv` has -1 for a class label, in line 2"),
        ("1,1\n2,100000000\n", "NN512 `t.csv` has 100000000 for a class label, in line 2"),
        (b"1,\xff\xfe\n", "NN502 cannot read `t.csv`: it is not text in UTF-8"),
        ('1,"' + "0" * 200_000 + '"\n', "NN503 `t.csv` cannot be understood in line 1"),
    ],
)
def test_a_wrong_csv(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, text)
    assert said(lambda: load(path)) == message


@pytest.mark.parametrize("label", ["²", "+-3", "0x1", "1_", "--"])
def test_odd_labels_are_words(tmp_path: Path, label: str) -> None:
    assert label in load(written(tmp_path, f"1,0\n2,{label}\n")).classes


def test_a_header_of_numbers_by_its_target(tmp_path: Path) -> None:
    data = load(written(tmp_path, "2020,2021,y\n1,2,0\n3,4,1\n"), target="y")
    assert (data.x.tolist(), data.y.tolist()) == ([[1, 2], [3, 4]], [0, 1])


def test_classes_that_look_grouped_stay_words(tmp_path: Path) -> None:
    assert load(written(tmp_path, "1,1_2\n2,2_1\n")).classes == ("1_2", "2_1")


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    headed = written(tmp_path, "length,width,kind\n1,2,x\n")
    mistake = wrong(lambda: load(headed, target="knid"))
    assert (mistake.code, mistake.help()) == ("NN515", "did you mean `kind`?")
    assert wrong(lambda: load(headed, target="zzz")).help() == "it has length, width, kind"
    bare = written(tmp_path, "1,2,x\n")
    text = "NN515 `t.csv` has no header to find column `kind` in"
    assert said(lambda: load(bare, target="kind")) == text


def test_labels_that_are_not_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "1,0\n2,0.5\n")
    text = "NN512 `t.csv` has 0.5 for a class label, in line 2"
    assert said(lambda: load(path, truth="classes")) == text


def test_a_csv_beyond_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "1,0\n" * 20)
    monkeypatch.setattr(readers, "BUDGET", 79)
    text = "NN510 `t.csv` unfolds to 80 bytes, more than the 79 that a data file may take"
    assert said(lambda: load(path)) == text
