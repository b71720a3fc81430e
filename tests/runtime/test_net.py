"""The net from Python: batches in and out, weights, saving and loading, and every way to be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

import nnspec
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.tensors import encode

NET = "3 -> fc4 relu -> fc4 relu -> fc1"
RNG = np.random.default_rng(0)


def codes(error: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [mistake.code for mistake in error.value.diagnostics]


def test_batches_of_any_size() -> None:
    net = nnspec.compile("4 -> fc5 relu -> fc2", dtype="float64", seed=0)
    x = RNG.standard_normal((700, 4))
    whole = net(x)
    assert whole.shape == (700, 2)
    assert net(x[:0]).shape == (0, 2)
    for size in (1, 2, 3, 255, 256, 257):
        np.testing.assert_allclose(net(x[:size]), whole[:size], atol=1e-12)
    kept = net(x[:3])
    net(x[3:6])
    np.testing.assert_allclose(kept, whole[:3], atol=1e-12)


def test_dtypes() -> None:
    assert nnspec.compile(NET)(np.ones((2, 3))).dtype == np.float32
    assert nnspec.compile(NET, dtype="float64")(np.ones((2, 3), np.float32)).dtype == np.float64
    assert nnspec.compile(NET)([[1, 2, 3]]).shape == (1, 1)


def test_weights_are_writable_views() -> None:
    net = nnspec.compile(NET, dtype="float64")
    x = RNG.standard_normal((5, 3))
    for weight in net.weights.values():
        weight[...] = 0
    net.weights["fc3.bias"][0] = 7
    assert (net(x) == 7).all()
    assert list(net.weights) == [f"fc{i}.weight" for i in (1, 2, 3)] + [
        f"fc{i}.bias" for i in (1, 2, 3)
    ]
    assert net.weights["fc1.weight"].shape == (4, 3)


def test_several_inputs_and_outputs() -> None:
    net = nnspec.compile(
        "left: 3\nright: 2\na: @left -> fc4 relu\nb: @right -> fc4 relu\n"
        "output side: @a -> fc2\nadd[ @a | @b ] -> fc1"
    )
    x = {"left": RNG.standard_normal((6, 3)), "right": RNG.standard_normal((6, 2))}
    out = net(x)
    assert {name: array.shape for name, array in out.items()} == {"side": (6, 2), "output": (6, 1)}
    before = {n: w.copy() for n, w in net.weights.items()}
    assert np.isfinite(net.step(x, np.zeros(6)))
    changed = {n for n, w in net.weights.items() if (w != before[n]).any()}
    assert "fc2.weight" in changed or "fc1.weight" in changed
    with pytest.raises(SpecError) as error:
        net(x["left"])
    assert codes(error) == ["NN550"]


@pytest.mark.parametrize(
    ("x", "code"),
    [
        (np.ones(3), "NN551"),
        (np.ones((2, 4)), "NN551"),
        (np.float64(1), "NN551"),
        ([[1, 2], [3]], "NN553"),
        ([["a", "b", "c"]], "NN553"),
        (None, "NN553"),
        ({"x": np.ones((2, 3))}, "NN550"),
    ],
)
def test_wrong_batches(x: Any, code: str) -> None:
    with pytest.raises(SpecError) as error:
        nnspec.compile(NET)(x)
    assert codes(error) == [code]


def test_whole_numbers_past_the_table() -> None:
    net = nnspec.compile("4 int -> concat[ id | id ] -> embed5 3 -> fc5", loss="cross_entropy")
    right = np.array([[0, 4, 2, 1]])
    assert net(right).shape == (1, 8, 5)
    for x in (right + 1, right - 1):
        with pytest.raises(SpecError) as error:
            net(x)
        assert codes(error) == ["NN558"]
    with pytest.raises(SpecError) as error:
        net.step(right, np.zeros((1, 4)))
    assert codes(error) == ["NN551"]
    assert net.step(right, np.zeros((1, 8))) > 0
    assert net.evaluate(right, np.zeros((1, 8))).accuracy is not None


@pytest.mark.parametrize(
    ("loss", "y", "code"),
    [
        ("cross_entropy", [0, 1], "NN552"),
        ("cross_entropy", [0, 1, 3], "NN554"),
        ("cross_entropy", [0, -1, 1], "NN554"),
        ("cross_entropy", [0, 0.5, 1], "NN553"),
        ("cross_entropy", np.eye(3), "NN551"),
        ("mse", [0, 1, 2], "NN551"),
        ("mse", np.ones((3, 2)), "NN551"),
        ("bce", ["a", "b", "c"], "NN553"),
    ],
)
def test_wrong_truth(loss: str, y: Any, code: str) -> None:
    with pytest.raises(SpecError) as error:
        nnspec.compile("3 -> fc3", loss=loss).step(np.ones((3, 3)), y)
    assert codes(error) == [code]


def test_nets_that_cannot_train() -> None:
    with pytest.raises(SpecError, match="no weights"):
        nnspec.compile("3 -> relu").step(np.ones((2, 3)), [0, 1])
    with pytest.raises(SpecError, match="NN117"):
        nnspec.compile("3 -> fc1", loss="cross_entropy").step(np.ones((2, 3)), [0, 1])


@pytest.mark.parametrize(
    "settings",
    [{"epochs": "x"}, {"nope": 3}, {"batch": 0}, {"optimizer": "adam(lr=-1)"}, {"loss": "mse)"}],
)
def test_wrong_settings(settings: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        nnspec.compile(NET, **settings)  # type: ignore[call-overload]
    with pytest.raises(SpecError):
        nnspec.compile(NET).set(**settings)


NOISY = "1x4x4 -> conv3 3x3 bn relu -> flatten dropout0.2 -> fc2"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saved_and_loaded(tmp_path: Path, dtype: Any) -> None:
    path = tmp_path / "net.safetensors"
    net = nnspec.compile(NOISY, dtype=dtype, optimizer="momentum(lr=0.01)", l2=1e-3)
    x, y = RNG.standard_normal((9, 1, 4, 4)), RNG.integers(0, 2, 9)
    net.fit(x, y, epochs=2)
    net.save(path)
    again = nnspec.load(path)
    np.testing.assert_array_equal(again(x), net(x))
    assert again.training == net.training
    assert again.dtype == net.dtype
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["spec"] == NOISY
    assert metadata["digest"] == net.graph.digest
    assert json.loads(metadata["settings"])["l2"] == "0.001"
    assert {p.name for p in tmp_path.iterdir()} == {"net.safetensors"}


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    net = nnspec.compile(NET)
    net.save(path)
    whole = path.read_bytes()
    wrong: dict[str, bytes] = {f"cut at {n}": whole[:n] for n in range(0, len(whole), 7)}
    wrong |= {"longer": whole + b"\0", "text": b"hello", "huge header": b"\xff" * 8 + whole[8:]}
    plain = safetensors.numpy.save({"a": np.ones(3, np.float32)})
    for name, content in (wrong | {"no spec": plain}).items():
        path.write_bytes(content)
        with pytest.raises(SpecError) as error:
            nnspec.load(path)
        assert len(codes(error)) == 1, name
        assert "NN530" < codes(error)[0] <= "NN549", name
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(SpecError, match="NN530"):
            nnspec.load(missing)
    with pytest.raises(SpecError, match="NN533"):
        net.save(tmp_path / "no" / "such" / "folder")


def test_weights_that_fit_another_net(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    net = nnspec.compile(NET)
    arrays = dict(net.weights)
    good = {"format": "nnspec 1", "spec": NET, "digest": net.graph.digest}
    good |= {"settings": "{}", "lets": "{}", "files": "{}"}
    cases: list[tuple[dict[str, Any], dict[str, str], str]] = [
        ({n: a for n, a in arrays.items() if n != "fc1.bias"}, good, "missing"),
        (arrays | {"more": np.ones(2, np.float32)}, good, "not in the net"),
        (arrays | {"fc1.bias": np.ones(5, np.float32)}, good, "fc1.bias"),
        (arrays, good | {"digest": "0"}, "NN532"),
        (arrays, good | {"settings": "["}, "NN532"),
        (arrays, good | {"spec": "3 -> nope"}, "NN101"),
    ]
    for held, metadata, part in cases:
        path.write_bytes(b"".join(encode(held, metadata)))
        with pytest.raises(SpecError, match=part):
            nnspec.load(path)


def test_more_memory_than_addresses() -> None:
    with pytest.raises(SpecError) as error:
        nnspec.compile("2 -> fc16000000 -> fc16000000", seed=0)
    assert codes(error) == ["NN557"]


@pytest.mark.parametrize(
    ("options", "code"), [({"seed": -1}, "NN522"), ({"dtype": "half"}, "NN117")]
)
def test_options_that_cannot_be(options: dict[str, Any], code: str) -> None:
    with pytest.raises(SpecError) as error:
        nnspec.compile(NET, **options)
    assert codes(error) == [code]


def test_good_weights_come_back_when_the_last_step_ruins_them() -> None:
    net = nnspec.compile("3 -> fc4 relu -> fc2", seed=0, epochs=1, batch=8)
    x, y = RNG.standard_normal((8, 3)), np.arange(8) % 2
    before = {name: weight.copy() for name, weight in net.weights.items()}
    with pytest.raises(SpecError, match="the weights are no longer finite at step 1 of epoch 1"):
        net.fit(x, y, optimizer="adam(lr=1e39)")
    for name, weight in net.weights.items():
        np.testing.assert_array_equal(weight, before[name])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"every": "a"}, "`every` is 'a', but counts the updates"),
        ({"every": 0}, "`every` is 0, but counts the updates"),
    ],
)
def test_how_a_run_cannot_be_kept(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    net = nnspec.compile("3 -> fc2")
    with pytest.raises(SpecError, match=message):
        net.fit(RNG.standard_normal((4, 3)), np.arange(4) % 2, run=tmp_path / "run", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("let", [[1], "a=4", {1: 2}])
def test_constants_are_a_mapping(let: Any) -> None:
    for work in (nnspec.compile, nnspec.analyze):
        with pytest.raises(SpecError, match=r"`let` is .*, not a mapping from names to values"):
            work("let a = 3\n3 -> fc(a)", let=let)


def test_a_layer_is_named() -> None:
    with pytest.raises(SpecError, match="NN120 the net has no layer `3`"):
        nnspec.compile("3 -> fc2").freeze(3)  # type: ignore[arg-type]


def test_none_turns_a_setting_off(tmp_path: Path) -> None:
    spec = "4 -> fc3\ntrain(clip = 1.0, early_stop = 2, augment = noise(0.1), loss = hinge)"
    for off in (None, "none"):
        net = nnspec.compile(spec, clip=off, early_stop=off, augment=off, loss=off)
        assert (net.training.clip, net.training.early_stop) == (None, None)
        assert (net.training.augment, net.training.loss) == ((), None)
        net.save(tmp_path / "net.safetensors")
        again = nnspec.load(tmp_path / "net.safetensors").training
        assert (again.clip, again.early_stop, again.augment) == (None, None, ())
    net = nnspec.compile(spec)
    net.set(clip=None)
    assert net.training.clip is None
    assert net.training.early_stop is not None
    with pytest.raises(nnspec.SpecError, match="optimizer"):
        net.set(optimizer="none")


def test_a_seed_comes_with_the_net(tmp_path: Path) -> None:
    net = nnspec.compile("4 -> fc3", seed=7)
    net.save(tmp_path / "net.safetensors")
    again = nnspec.load(tmp_path / "net.safetensors")
    assert again.seed == again.training.seed == net.training.seed == 7
    for late in (lambda: net.set(seed=8), lambda: net.fit(np.eye(4), np.zeros(4), seed=8)):
        with pytest.raises(nnspec.SpecError, match="comes too late"):
            late()


@pytest.mark.parametrize(
    ("spec", "validation", "says"),
    [
        ("4 -> fc3", None, "held-out examples, but there are none"),
        ("4 -> fc1", 0.5, "mse judges numbers"),
    ],
)
def test_stopping_by_accuracy_needs_one(spec: str, validation: float | None, says: str) -> None:
    net = nnspec.compile(spec, early_stop="patience(2, metric=accuracy)")
    with pytest.raises(nnspec.SpecError, match=says):
        net.fit(np.eye(4), np.array([0, 1, 0, 1]), validation=validation)


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.freeze("fc1"),
        lambda net: net.thaw("fc1"),
        lambda net: net.set(optimizer="sgd(lr=0.5)"),
    ],
)
def test_callbacks_cannot_change_what_trains(change: Callable[[nnspec.Net], None]) -> None:
    net = nnspec.compile("4 -> fc3 relu -> fc3", epochs=2)
    x, y = np.eye(4), np.array([0, 1, 2, 0])
    with pytest.raises(nnspec.SpecError, match="the net is being trained"):
        net.fit(x, y, on_epoch=lambda epoch: change(net))
    change(net)
    net.fit(x, y, on_epoch=lambda epoch: net.step(x, y))


def test_a_batch_like_the_one_before_is_looked_at_no_less() -> None:
    """The short way into a step takes what the long way takes, and refuses what that refuses."""
    spec = "4 -> fc5 relu -> fc3\ntrain(loss=cross_entropy, optimizer=sgd(lr=0.1))"
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 4)).astype(np.float32)
    y = rng.integers(0, 3, 6)
    short, long = nnspec.compile(spec, seed=1), nnspec.compile(spec, seed=1)
    for number in range(4):
        given = x + np.float32(number)
        # Lists go the long way every time.
        assert short.step(given, y) == long.step(given.tolist(), y.tolist())
    for wrong in (np.full(6, 3), np.full(6, -1), y[:5], y.astype(float) + 0.5):
        with pytest.raises(SpecError):
            short.step(x, wrong)
    same: list[Any] = [
        np.asfortranarray(x), x.astype(np.float64), x[::-1][::-1], x.reshape(6, 2, 2), x.view(Own),
    ]  # fmt: skip
    for given in same:
        assert short.step(given, y) == long.step(x.tolist(), y.tolist())
    assert short.step(x[:3], y[:3]) == long.step(x[:3].tolist(), y[:3].tolist())


class Own(np.ndarray):
    """An array of somebody's own kind."""
