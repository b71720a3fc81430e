"""A net remembers what its data called classes and columns, and takes other data by these names."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.grammar.diagnostics import Mistake, SpecError
from nnspec.runtime.dataset import Dataset
from nnspec.runtime.names import Names
from nnspec.runtime.tensors import decode, encode

SPEC = "2 -> fc8 relu -> fc3"
PETS = ("cat", "dog", "horse")
X = np.random.default_rng(0).standard_normal((90, 2)).astype(np.float32)
Y = np.arange(90, dtype=np.int64) % 3
X += np.stack([3 * Y, -Y], axis=1).astype(np.float32)
DATA = Dataset("pets", X, Y, PETS, features=("height", "weight"))
FEW = Dataset("few", X[Y > 0], Y[Y > 0] - 1, PETS[1:], features=("height", "weight"))
SWAPPED = Dataset("swapped", X[:, ::-1], Y, PETS, features=("weight", "height"))


def trained(spec: str = SPEC) -> nnspec.Net:
    net = nnspec.compile(spec, seed=0, optimizer="adam(lr=0.02)")
    net.fit(DATA, epochs=20)
    return net


def wrong(ask: Callable[[], object]) -> Mistake:
    with pytest.raises(SpecError) as met:
        ask()
    return met.value.diagnostics[0]


def table(path: Path, header: str, *columns: object) -> str:
    rows = zip(*columns, strict=True)
    head = [header] if header else []
    path.write_text("\n".join([*head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path.name


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A net trained on words, and tables of all kinds beside it."""
    monkeypatch.chdir(tmp_path)
    kinds, some = [PETS[label] for label in Y], Y > 0
    few = [kind for kind in kinds if kind != "cat"]
    table(Path("pets.csv"), "height,weight,kind", X[:, 0], X[:, 1], kinds)
    table(Path("few.csv"), "height,weight,kind", X[some, 0], X[some, 1], few)
    table(Path("swapped.csv"), "weight,height,kind", X[:, 1], X[:, 0], kinds)
    table(Path("unknown.csv"), "weight,age,kind", X[:, 1], X[:, 0], kinds)
    table(Path("bare.csv"), "", X[:, 0], X[:, 1], kinds)
    table(Path("asked.csv"), "weight,height", X[:, 1], X[:, 0])
    zebras = ["zebra" if kind == "cat" else kind for kind in kinds]
    table(Path("zebras.csv"), "height,weight,kind", X[:, 0], X[:, 1], zebras)
    table(Path("numbers.csv"), "height,weight,kind", X[:, 0], X[:, 1], Y)
    words = ("--data", "pets.csv", "--save", "net.safetensors", "--run", "run")
    assert main(["train", SPEC, *words, "--epochs", "20", "--optimizer", "adam(lr=0.02)"]) == 0


@pytest.mark.usefixtures("tables")
def test_commands_go_by_names(capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> str:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        assert (code, "Traceback" in err) == (1 if "NN5" in err + out else 0, False)
        return out + err

    def accuracy(data: str, net: str = "net.safetensors") -> float:
        said = told("evaluate", net, "--data", data, "--format", "json")
        return float(json.loads(said)["accuracy"])

    whole = accuracy("pets.csv")
    assert whole > 0.8
    assert accuracy("swapped.csv") == accuracy("bare.csv") == whole
    assert accuracy("few.csv") > 0.8
    assert accuracy("pets.csv", "run") > 0.8
    shown = told("evaluate", "net.safetensors", "--data", "few.csv").splitlines()
    assert shown[2].split()[1:4] == list(PETS)
    assert [line.split()[0] for line in shown[3:6]] == list(PETS)
    said = told("evaluate", "net.safetensors", "--data", "zebras.csv")
    assert "NN529 `zebras.csv` has the class `zebra`, but the net knows `cat`, `dog`, `hor" in said
    assert "has the classes `0`, `1`, `2`" in told(
        "evaluate", "net.safetensors", "--data", "numbers.csv"
    )
    for word in ("evaluate", "predict"):
        said = told(word, "net.safetensors", "--data", "unknown.csv")
        assert "has the column `age`, but the net was trained on the columns `height`, `w" in said
    one = told("predict", "net.safetensors", "--data", "pets.csv", "--first", "90")
    assert {line.split()[1] for line in one.splitlines()} == set(PETS)
    assert told("predict", "net.safetensors", "--data", "asked.csv", "--first", "90") == one
    said = told("predict", "net.safetensors", "--input=6,-2", "--format", "json")
    assert json.loads(said)[0]["class"] == "horse"
    quick = ("--epochs", "1", "--validation")
    assert "NN529" in told("train", SPEC, "--data", "pets.csv", *quick, "unknown.csv")


def test_a_net_remembers(tmp_path: Path) -> None:
    net = trained()
    path = tmp_path / "net.safetensors"
    net.save(path)
    for other in (net, nnspec.load(path), copy.deepcopy(net)):
        assert (other.classes, other.features) == (PETS, ("height", "weight"))
        assert other.evaluate(FEW).loss == net.evaluate(FEW.x, FEW.y + 1).loss
        assert (other(SWAPPED) == net(X)).all()
    assert net.evaluate(SWAPPED) == net.evaluate(X, Y) == net.evaluate(DATA)
    assert wrong(lambda: net.evaluate(Dataset("new", X, Y, ("cat", "dog", "cow")))).code == "NN529"
    assert net.classes == PETS


def test_arrays_have_no_names(tmp_path: Path) -> None:
    """And files without names, as older ones are, still load."""
    net = nnspec.compile(SPEC, seed=0)
    net.fit(X, Y, epochs=1)
    path = tmp_path / "net.safetensors"
    net.save(path)
    assert b'"classes"' not in path.read_bytes()
    assert nnspec.load(path).classes == nnspec.load(path).features == ()
    assert net.evaluate(DATA) == net.evaluate(X, Y)


def test_an_ensemble_remembers(tmp_path: Path) -> None:
    net = nnspec.compile(SPEC, ensemble=2, seed=0)
    assert net.classes == ()
    net.fit(DATA, epochs=2, run=tmp_path / "run")
    net.save(tmp_path / "net.safetensors")
    for other in (net, nnspec.load(tmp_path / "net.safetensors"), nnspec.load(tmp_path / "run")):
        assert other.classes == PETS
        assert other.evaluate(SWAPPED).accuracy == other.evaluate(DATA).accuracy


def test_going_on_with_other_data() -> None:
    """What a net knows by name it counts as before; new classes take the place of the old."""
    one, other = trained(), trained()
    one.fit(FEW, epochs=1)
    other.fit(FEW.x, FEW.y + 1, epochs=1)
    assert one.classes == PETS
    assert (one(X) == other(X)).all()
    held = one.fit(DATA, validation=SWAPPED, epochs=1)[0].validation
    assert held == one.evaluate(DATA)
    one.fit(Dataset("farm", X, Y, ("cow", "hen", "pig"), features=("a", "b")), epochs=1)
    assert (one.classes, one.features) == (("cow", "hen", "pig"), ("a", "b"))


def test_numbers_count_on() -> None:
    """Labels that are numbers stay as they are, however many a file happens to hold."""
    net = nnspec.compile(SPEC, seed=0)
    net.fit(Dataset("two", X, Y % 2, ("0", "1")), epochs=1)
    more = Dataset("three", X, Y, ("0", "1", "2"))
    assert net.evaluate(more) == net.evaluate(X, Y)
    net.fit(more, epochs=1)
    assert net.classes == ("0", "1", "2")
    assert wrong(lambda: net.evaluate(DATA)).code == "NN529"


def test_a_header_that_names_nothing(tmp_path: Path) -> None:
    for header in ("a,a,kind", ",b,kind"):
        name = table(tmp_path / "t.csv", header, X[:, 0], X[:, 1], Y)
        assert nnspec.load_data(tmp_path / name).features == ()
    assert nnspec.load_data("iris").features[0] == "sepal_length"


@pytest.mark.parametrize("text", ["{", "7", '{"a": 1}', "[1]", '["a", "a"]', "[" * 100_000])
def test_names_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "net.safetensors"
    trained().save(path)
    arrays, texts = decode(path)
    path.write_bytes(b"".join(map(bytes, encode(arrays, {**texts, "classes": text}))))
    assert "its classes cannot be read" in wrong(lambda: nnspec.load(path)).message()


def test_names_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a file calls a class, it does no more than be shown."""
    net, path = trained(), tmp_path / "net.safetensors"
    net.names = Names(("a\x1b[2J\nb", "c", "d"))
    net.save(path)
    assert main(["predict", str(path), "--input=-9,9"]) == 0
    assert capsys.readouterr().out.split()[1] == r"a\x1b[2J\nb"


def test_weights_are_no_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.safetensors"
    trained().save(path)
    for word in ("summary", "check"):
        assert main([word, str(path)]) in (1, 2)
        said = "".join(capsys.readouterr())
        assert "it holds weights" in said
        assert "`nnspec evaluate` and `nnspec predict` take it" in said
    assert nnspec.load(path).graph.source.text == SPEC


def test_weights_that_no_training_mends() -> None:
    net = trained()
    net.weights["fc1.bias"][0] = np.nan
    mistake = wrong(lambda: net.fit(X, Y, epochs=1))
    assert mistake.message() == "before training: 1 NaN of 8 numbers in weight `fc1.bias`"
    assert "rate" not in mistake.help()
