"""What batches are read from: arrays, files and items give the same weights, and say what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.format import open_memmap

import nnspec
from nnspec.grammar.diagnostics import Mistake, SpecError
from nnspec.runtime import examples as examples_module
from nnspec.runtime import rows
from nnspec.runtime.data import load, split
from nnspec.runtime.dataset import Dataset
from nnspec.runtime.examples import Columns, examples, unjudged
from nnspec.runtime.kernels import Array
from nnspec.runtime.net import Net

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 70)
BOTH = "left: 3\nright: 2\na: @left -> fc4 relu\nb: @right -> fc4 relu\nadd[ @a | @b ] -> fc3"


def net(spec: str = "6 -> fc8 relu -> fc3", **settings: Any) -> Net:
    given: dict[str, Any] = {"loss": "cross_entropy", "optimizer": "adam(lr=0.01)", "batch": 16}
    made: Net = nnspec.compile(spec, seed=3, **given | settings)
    return made


def weights(trained: Net) -> list[bytes]:
    return [array.tobytes() for array in trained.weights.values()]


def learned(*data: Any, spec: str = "6 -> fc8 relu -> fc3", **settings: Any) -> list[bytes]:
    trained = net(spec, **settings)
    trained.fit(*data, epochs=3)
    return weights(trained)


def wrong(work: Callable[[], object]) -> Mistake:
    with pytest.raises(SpecError) as caught:
        work()
    assert len(caught.value.diagnostics) == 1
    mistake = caught.value.diagnostics[0]
    assert not mistake.message().endswith(".")
    return mistake


def said(work: Callable[[], object]) -> str:
    mistake = wrong(work)
    return f"{mistake.code} {mistake.message()}"


class Counted:
    """Pairs made on demand, which counts how many were asked for."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y, self.asked = x, y, 0

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        assert type(index) is int
        self.asked += 1
        return self.x[index], self.y[index]


def as_memmap(folder: Path, array: Array, name: str = "x") -> Array:
    np.save(folder / f"{name}.npy", array)
    found: Array = np.load(folder / f"{name}.npy", mmap_mode="r")
    return found


# ------------------------------------------------------------------- the same weights to the bit


def test_every_source_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = learned(X, Y)
    tensors = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    assert truth != learned(X[::-1], Y)
    assert truth == learned(X.tolist(), Y.tolist())
    assert truth == learned((X, Y))
    assert truth == learned(Dataset("d", X, Y))
    assert truth == learned(list(zip(X, Y, strict=True)))
    assert truth == learned(Counted(X, Y))
    assert truth == learned(tensors)
    assert truth == learned(as_memmap(tmp_path, X), Y)
    assert truth == learned(as_memmap(tmp_path, X), as_memmap(tmp_path, Y.astype(np.uint8), "y"))
    monkeypatch.setattr(examples_module, "ONCE", 0)
    assert truth == learned(X.astype(np.float64), Y)
    assert truth == learned(X.astype(">f4"), Y.astype(np.int8))
    assert truth == learned(np.asfortranarray(X), Y)
    wide = np.zeros((140, 12), np.float32)
    wide[::2, ::2] = X
    assert truth == learned(wide[::2, ::2], Y)


def test_several_inputs() -> None:
    by_name = {"left": X[:, :3], "right": X[:, 3:5]}
    pairs = [({"left": row[:3], "right": row[3:5]}, y) for row, y in zip(X, Y, strict=True)]
    assert learned(by_name, Y, spec=BOTH) == learned(pairs, spec=BOTH)
    problem = "it has `x`, but the net's inputs are `left`, `right`"
    assert said(lambda: net(BOTH).fit([({"x": X[0]}, 1)])).endswith(problem)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_values(loss: str, tmp_path: Path) -> None:
    y = (RNG.random((70, 3)) > 0.5).astype(np.float64)
    truth = learned(X, y, loss=loss)
    assert truth == learned(list(zip(X, y, strict=True)), loss=loss)
    assert truth == learned(X, as_memmap(tmp_path, y), loss=loss)


def test_evaluated_and_asked(tmp_path: Path) -> None:
    trained = net()
    x, y = np.tile(X, (9, 1)), np.tile(Y, 9)
    scores, outputs = trained.evaluate(x, y), trained(x)
    for data in (Counted(x, y), Dataset("d", x, y)):
        assert trained.evaluate(data) == scores
        assert trained(data).tobytes() == outputs.tobytes()
    assert trained.evaluate(as_memmap(tmp_path, x), y) == scores
    assert trained(as_memmap(tmp_path, x)).tobytes() == outputs.tobytes()
    bare = torch.utils.data.Subset(x, range(len(x)))  # type: ignore[arg-type, var-annotated]
    assert trained(bare).tobytes() == outputs.tobytes()
    history = trained.fit(x, y, validation=Counted(x, y), epochs=1)
    assert history[-1].validation == trained.evaluate(x, y)


def test_what_is_ready_is_not_copied() -> None:
    graph = net().graph
    loss = net().learner.loss
    found = examples(graph, loss, X, Y, np.dtype(np.float32))
    assert isinstance(found, Columns)
    taken: Any = (
        found.inputs["input"] if "input" in found.inputs else next(iter(found.inputs.values()))
    )
    assert np.shares_memory(taken.args[0], X)
    large = np.zeros((3, 6, 2), np.float32)
    flat: Any = unjudged(nnspec.graph("12 -> fc3"), large, np.dtype(np.float32))
    assert np.shares_memory(next(iter(flat.inputs.values())).args[0], large)


# ------------------------------------------------------------------------------- what is wrong


def spoilt(number: float, at: tuple[int, int] = (17, 2)) -> Array:
    x = X.astype(np.float64)
    x[at] = number
    return x


def test_numbers_that_are_none(tmp_path: Path) -> None:
    text = "NN523 example 17, counted from 0: `x` is {} at [2]"
    for number, told in ((np.nan, "NaN"), (np.inf, "inf"), (1e300, "1e+300")):
        x = spoilt(number)
        sources: tuple[tuple[Any, ...], ...] = (
            (x, Y), (as_memmap(tmp_path, x), Y), (list(zip(x, Y, strict=True)),)
        )  # fmt: skip
        for source in sources:
            expected = text.format(told) + (", beyond float32" if number == 1e300 else "")
            trained = net("x: 6\n@x -> fc3")
            assert said(lambda: trained.fit(*source)) == expected  # noqa: B023
            assert said(lambda: trained.evaluate(*source)) == expected  # noqa: B023
    assert said(lambda: net().fit(X, Y, validation=(spoilt(np.nan), Y), epochs=1)).startswith(
        "NN523"
    )
    y = np.ones((70, 3))
    y[5, 1] = np.nan
    assert said(lambda: net(loss="mse").fit(X, y)) == (
        "NN523 example 5, counted from 0: `y` is NaN at [1]"
    )


def test_arrays_in_memory_are_looked_through_before_training() -> None:
    trained = net()
    before = weights(trained)
    with pytest.raises(SpecError, match="NN523"):
        trained.fit(spoilt(np.nan, (69, 5)), Y)
    with pytest.raises(SpecError, match="NN554"):
        trained.fit(X, Y + 1)
    assert weights(trained) == before


def test_a_long_array_is_looked_through_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples_module, "CHUNK", 60)
    for row in (0, 9, 10, 69):
        assert f"example {row}," in said(lambda: net().fit(spoilt(np.nan, (row, 1)), Y))  # noqa: B023


def test_a_trained_net_may_be_asked_about_nan(tmp_path: Path) -> None:
    x = spoilt(np.nan)
    for given in (x, as_memmap(tmp_path, x), Counted(x, Y)):
        answers = net()(given)
        assert np.isnan(answers[17]).any()
        assert np.isfinite(answers[np.arange(70) != 17]).all()


def test_labels_and_tokens_of_files_and_items(tmp_path: Path) -> None:
    y = Y.astype(np.float64)
    for label in (3, -1, 0.5, np.nan):
        y[40] = label
        for source in ((X, as_memmap(tmp_path, y)), (list(zip(X, y, strict=True)),)):
            mistake = wrong(lambda: net().fit(*source))  # noqa: B023
            told = "NaN" if label != label else f"{label:g}"  # noqa: PLR0124
            assert mistake.message() == f"example 40, counted from 0: `y` is {told}"
            assert mistake.help() == "labels are whole numbers from 0 to 2"
    tokens = np.zeros((9, 4), np.int64)
    tokens[7, 3] = 5
    reader = nnspec.compile("x: 4 int\n@x -> embed5 3 -> fc5", loss="cross_entropy")
    for given in (as_memmap(tmp_path, tokens), Counted(tokens, tokens)):
        mistake = wrong(lambda: reader(given))  # noqa: B023
        assert mistake.message() == "example 7, counted from 0: `x` is 5 at [3]"
        assert mistake.help() == "it takes whole numbers from 0 to 4"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (X[0], "a ndarray is no pair"),
        ((X[0],), "a tuple of 1 is no pair"),
        ({"x": X[0], "y": 1}, "a dict of 2 is no pair"),
        ((X[0, :5], 1), "`x` has shape 5, not 6"),
        ((X[0], [0, 1]), "`y` has shape 2, not one number"),
        ((["a"] * 6, 1), "`x` holds <U1, not numbers"),
        ((X[0], None), "`y` holds object, not numbers"),
        (([[1, 2], [3]], 1), "`x` cannot be read as an array"),
        ((torch.ones(6, requires_grad=True), 1), "`x` cannot be read as an array"),
    ],
)
def test_a_wrong_item(item: Any, message: str) -> None:
    data: list[Any] = [*zip(X, Y, strict=True)]
    data[23] = item
    trained = net("x: 6\n@x -> fc3")
    text = said(lambda: trained.fit(data, epochs=1))
    assert text.startswith(f"NN523 example 23, counted from 0: {message}")


def test_images_with_their_channels_last() -> None:
    trained = net("x: 3x4x4\n@x -> flatten -> fc3")
    data = [(np.zeros((4, 4, 3)), 1)] * 3
    assert said(lambda: trained.fit(data)).endswith("`x` has its axes in another order, 4x4x3")
    assert trained(np.zeros((2, 48))).shape == (2, 3)


def test_an_error_of_the_users_own_tells_which_example() -> None:
    class Broken(Counted):
        def __getitem__(self, index: int) -> tuple[Any, Any]:
            if index == 12:
                raise KeyError("picture 12 is lost")
            return super().__getitem__(index)

    with pytest.raises(KeyError, match="is lost") as caught:
        net().fit(Broken(X, Y))
    assert caught.value.__notes__ == ["nnspec asked for example 12 of 70, counted from 0"]


def test_without_truth() -> None:
    for x in (X, {"x": X}, iter([(X[0], 1)]), 3):
        assert wrong(lambda: net().fit(x)).code == "NN524"  # noqa: B023
    assert said(lambda: net().fit(X)) == "NN524 there are inputs, but no truth to learn from"
    assert "`nnspec.load_data('iris')` reads what it names" in said(lambda: net().fit("iris"))
    assert wrong(lambda: net().fit([])).code == "NN556"


# ----------------------------------------------------------------------------- files that stay


def stored(folder: Path, x: Array, y: Array, kind: str) -> Path:
    if kind == "npz":
        np.savez(folder / "d.npz", x=x, y=y)
        return folder / "d.npz"
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return folder / "x.npy"


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize(
    "x",
    [
        X,
        X.astype(np.float64),
        X.astype(">f8"),
        np.asfortranarray(X),
        RNG.integers(0, 256, (70, 2, 3)).astype(np.uint8),
        RNG.integers(0, 9, (70, 6)).astype(">i2"),
        X > 0,
    ],
    ids=["f4", "f8", ">f8", "fortran", "pixels", ">i2", "bool"],
)
def test_mapped_is_the_same_as_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, x: Array
) -> None:
    path = stored(tmp_path, x, Y, kind)
    read = load(path)
    monkeypatch.setattr(rows, "LARGE", 1)
    mapped = load(path)
    assert isinstance(mapped.x, rows.Rows)
    assert isinstance(mapped.x.table, np.memmap)
    assert (mapped.x.shape, mapped.x.dtype) == (read.x.shape, read.x.dtype)
    assert np.asarray(mapped.x).tobytes() == read.x.tobytes()
    assert mapped.y.tobytes() == read.y.tobytes()
    assert mapped.classes == read.classes
    for chosen in (3, -1, slice(2, 9, 2), np.array([5, 1, 5]), Y == 1, [4, 2]):
        np.testing.assert_array_equal(mapped.x[chosen], read.x[chosen])
    one, two = split(read), split(mapped)
    assert isinstance(two[0].x, rows.Rows)
    for part, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(part.x, np.asarray(other.x))
        np.testing.assert_array_equal(part.y, other.y)
    shape = (70, 6)
    assert learned(read.x.reshape(shape), read.y) == learned(mapped.x.reshape(*shape), mapped.y)


def test_parts_of_large_arrays_in_memory_are_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset("d", X, Y)
    small = split(data)[0]
    monkeypatch.setattr(rows, "LARGE", X.nbytes)
    large = split(data)[0]
    assert isinstance(large.x, rows.Rows)
    assert large.x.table is X
    assert isinstance(small.x, np.ndarray)
    assert learned(small) == learned(large)


def test_rows_in_other_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LARGE", 1)
    x = load(stored(tmp_path, X, Y, "npy")).x
    assert x.reshape(-1, 2, 3)[4].shape == (2, 3)
    assert x.taken(np.array([3, 9])).taken(np.array([1]))[0].tolist() == X[9].tolist()
    for shape in ((70, 5), (35, 12)):
        with pytest.raises(ValueError, match="cannot reshape"):
            x.reshape(*shape)


def test_a_file_that_changes_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LARGE", 1)
    path = stored(tmp_path, X, Y, "npy")
    data = load(path)
    trained = net()
    trained.fit(data, epochs=1)
    with path.open("r+b") as file:
        file.truncate(200)
    assert said(lambda: trained.fit(data)) == f"NN525 `{path}` was changed while it was in use"
    path.unlink()
    assert wrong(lambda: data.x[0]).code == "NN525"


def test_a_relative_path_holds_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "LARGE", 1)
    stored(tmp_path, X, Y, "npy")
    monkeypatch.chdir(tmp_path)
    data = load("x.npy")
    monkeypatch.chdir("/")
    assert data.x[3].tolist() == X[3].tolist()


def test_nan_in_a_file_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LARGE", 1)
    data = load(stored(tmp_path, spoilt(np.nan), Y, "npy"))
    assert "example 17, counted from 0:" in said(lambda: net().fit(data))
    part = split(data, 0.2)[0]
    place = np.flatnonzero(np.isnan(np.asarray(part.x)).any(axis=1))
    if len(place):
        assert f"example {place[0]}," in said(lambda: net().fit(part))


GROWTH = """
import resource, sys
import numpy as np
import nnspec
net = nnspec.compile("1024 -> fc16 relu -> fc10", loss="cross_entropy", batch=64, seed=0)
net.fit(np.zeros((300, 1024)), np.zeros(300, int), epochs=1)
used = lambda: next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon"))
before = most = used()
def look(step):
    global most
    most = max(most, used())
data = nnspec.load_data(sys.argv[1])
net.fit(data, epochs=1, on_step=look, validation=data)
look(None)
print(most - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_400_mb_are_not_held(tmp_path: Path) -> None:
    """What the process holds of its own grows by less than a twentieth of the file."""
    x = open_memmap(tmp_path / "x.npy", "w+", np.float32, (100_000, 1024))
    x[::1000] = 1
    x.flush()
    del x
    np.save(tmp_path / "y.npy", np.arange(100_000) % 10)
    run = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path / "x.npy")],
        env={"PYTHONPATH": str(ROOT / ".dev"), "PATH": "", "OPENBLAS_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(run.stdout) * 1024 < 20e6


def test_mixed_truth_is_looked_at_like_any() -> None:
    """A number, a generator and ragged rows are refused; a pair is what x and y are."""
    odd: tuple[Any, ...] = (3, (label for label in Y), [[1], [1, 2]])
    for y in odd:
        mixing = net(augment="mixup")
        for learn in (mixing.fit, mixing.step):
            assert said(partial(learn, X, y)).startswith(("NN552", "NN553"))
    shares = np.eye(3)[Y]
    assert learned((X, shares), augment="mixup") == learned(X, shares, augment="mixup")
    assert learned((X, Y), augment="mixup") == learned(X, shares, augment="mixup")
