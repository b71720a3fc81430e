"""Specs as scikit-learn estimators: scikit-learn's own checks, grids, pipelines, and what is refused."""

from __future__ import annotations

import inspect
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnspec
from nnspec.compiler.training import Training
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.estimators import judge_of
from nnspec.sklearn import SpecClassifier, SpecRegressor

ROOT = Path(__file__).parents[2]
X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
WORDS = np.array(["setosa", "versicolor", "virginica"])[Y]
TWO = Y < 2
WIDE = "(features) -> fc(width) relu -> fc(outputs)"


def quick(spec: str = WIDE.replace("(width)", "16"), **settings: Any) -> SpecClassifier:
    usual = {"epochs": 15, "optimizer": "adam(lr=1e-2)", "random_state": 0}
    return SpecClassifier(spec, **{**usual, **settings})


def codes(error: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [mistake.code for mistake in error.value.diagnostics]


# ------------------------------------------------------------------------- scikit-learn's checks


CHECKED = """
import json, sys, warnings
from sklearn.utils.estimator_checks import check_estimator
import nnspec.sklearn
warnings.simplefilter("ignore")
found = check_estimator(getattr(nnspec.sklearn, sys.argv[1])(), on_fail=None, on_skip=None)
print(json.dumps([(r["check_name"], r["status"], repr(r["exception"])) for r in found]))
"""


def fresh(*program: str, **environment: str) -> str:
    """What a program prints that begins in a process of its own."""
    path = {"PYTHONPATH": str(ROOT / ".dev"), "PATH": "", "OPENBLAS_NUM_THREADS": "1"}
    run = [sys.executable, "-c", *program]
    return subprocess.run(
        run, env=path | environment, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("name", ["SpecClassifier", "SpecRegressor"])
def test_scikit_learns_own_checks(name: str) -> None:
    """All of them: one would be skipped if SciPy were not told to take arrays of other libraries."""
    results = json.loads(fresh(CHECKED, name, SCIPY_ARRAY_API="1"))
    assert len(results) > 50
    assert not [result for result in results if result[1] != "passed"]


def test_every_setting_is_a_parameter() -> None:
    """An ensemble of estimators is scikit-learn's own: VotingClassifier, BaggingRegressor."""
    for kind in (SpecClassifier, SpecRegressor):
        known = inspect.signature(kind).parameters
        missing = Training.model_fields.keys() - {"seed", "ensemble"} - known.keys()
        assert not missing, f"add {missing} to SpecEstimator.__init__ in runtime/estimators.py"


# ------------------------------------------------------------------------------- how it is used


def test_classes_of_any_kind() -> None:
    net = quick(epochs=60).fit(X, WORDS)
    assert list(net.classes_) == ["setosa", "versicolor", "virginica"]
    assert net.score(X, WORDS) > 0.95
    chances = net.predict_proba(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_array_equal(net.classes_[chances.argmax(axis=1)], net.predict(X))
    np.testing.assert_allclose(np.exp(net.predict_log_proba(X)), chances)
    assert len(net.history_) == 60
    assert net.net_.params == 4 * 16 + 16 + 16 * 3 + 3


def test_fits_repeat_and_seeds_differ() -> None:
    one, two, other = (quick(random_state=s).fit(X, Y).decision_function(X) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    drawn = quick(random_state=np.random.RandomState(3)).fit(X, Y)
    again = quick(random_state=np.random.RandomState(3)).fit(X, Y)
    assert drawn.net_.seed == again.net_.seed != 0


@pytest.mark.parametrize("loss", ["bce", "binary_hinge", None])
def test_two_classes_by_one_output(loss: str | None) -> None:
    x, y = X[TWO], np.where(Y[TWO], "yes", "no")
    net = quick("(features) -> fc8 relu -> fc1", loss=loss, epochs=40).fit(x, y)
    assert judge_of(net.net_).name == (loss or "bce")
    scores = net.decision_function(x)
    assert scores.shape == (100,)
    np.testing.assert_array_equal(net.predict(x) == "yes", scores > 0)
    assert net.score(x, y) == 1
    assert hasattr(net, "predict_proba") == (loss != "binary_hinge")
    if loss != "binary_hinge":
        np.testing.assert_allclose(net.predict_proba(x)[:, 1], 1 / (1 + np.exp(-scores)))


def test_chances_only_where_the_loss_means_them() -> None:
    assert hasattr(quick(), "predict_proba")
    assert not hasattr(quick(loss="hinge"), "predict_proba")
    by_spec = quick(WIDE.replace("(width)", "8") + "\ntrain(loss = hinge)").fit(X, Y)
    assert not hasattr(by_spec, "predict_proba")
    assert by_spec.score(X, Y) > 0.8


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_a_row_with_a_one_for_the_class(loss: str) -> None:
    net = quick(loss=loss, epochs=60).fit(X, WORDS)
    assert net.score(X, WORDS) > 0.9
    if loss == "bce":
        soft = 1 / (1 + np.exp(-net.decision_function(X)))
        np.testing.assert_allclose(net.predict_proba(X), soft / soft.sum(axis=1, keepdims=True))


def test_values_of_any_shape() -> None:
    x, y = make_regression(120, 5, n_targets=2, random_state=0)
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    both = SpecRegressor(epochs=60).fit(x, y)
    assert both.predict(x).shape == (120, 2)
    assert both.score(x, y) > 0.9
    assert judge_of(both.net_).name == "mse"
    assert SpecRegressor(epochs=1).fit(x, y[:, :1]).predict(x).shape == (120, 1)
    assert SpecRegressor(epochs=1).fit(x, y[:, 0]).predict(x).shape == (120,)


def test_computes_in_what_the_examples_are_in() -> None:
    assert quick(epochs=1).fit(X.astype(np.float32), Y).net_.dtype == np.float32
    assert quick(epochs=1).fit(X, Y).net_.dtype == np.float64
    assert quick(epochs=1, dtype="float32").fit(X, Y).net_.dtype == np.float32


def test_images_keep_their_axes() -> None:
    x = np.random.default_rng(0).standard_normal((30, 1, 6, 6))
    y = np.arange(30) % 2
    net = quick("(features) -> conv4 3x3 relu -> gap -> fc(outputs)").fit(x, y)
    assert net.net_.graph.inputs[0].value.shape == (1, 6, 6)
    flat = quick("1x6x6 -> conv4 3x3 relu -> gap -> fc(outputs)").fit(x.reshape(30, 36), y)
    np.testing.assert_allclose(flat.decision_function(x.reshape(30, 36)), net.decision_function(x))


# ------------------------------------------------------------------ what is said where, and wins


def test_the_spec_says_how_and_parameters_win(tmp_path: Path) -> None:
    said = "\ntrain(optimizer = sgd(lr=0.05), epochs = 3, batch = 50, seed = 7)"
    path = tmp_path / "net.nn"
    path.write_text("let features = 9\nlet width = 5\nlet outputs = 9\n" + WIDE + said)
    net = SpecClassifier(path, epochs=4, l2=1e-3, let={"width": 6}).fit(X, Y)
    training = net.net_.training
    assert (training.optimizer.name, training.epochs, training.batch) == ("sgd", 4, 50)
    assert (training.l2, net.net_.seed, len(net.history_)) == (1e-3, 7, 4)
    assert net.net_.weights["fc1.weight"].shape == (6, 4)
    assert SpecClassifier(path).fit(X, Y).net_.training.epochs == 3
    assert len(quick(epochs=None).fit(X, Y).history_) == 100


def test_a_trained_net_goes_its_own_way(tmp_path: Path) -> None:
    """What was declared for the spec stands in the text that is saved."""
    net = quick(WIDE, let={"width": 7}).fit(X, Y)
    net.net_.save(tmp_path / "net.safetensors")
    again = nnspec.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again(X), net.decision_function(X))


def test_a_grid_over_constants_and_settings() -> None:
    grid = {"let__width": [2, 24], "l2": [0.0, 1e-3], "optimizer": ["adam(lr=1e-2)", "sgd"]}
    search = GridSearchCV(quick(WIDE, let={"width": 3}, epochs=30), grid, cv=3).fit(X, WORDS)
    assert search.best_score_ > 0.9
    best = search.best_estimator_
    assert best.let == {"width": search.best_params_["let__width"]}
    assert best.net_.weights["fc1.weight"].shape[0] == best.let["width"]
    assert len(search.cv_results_["params"]) == 8


def test_a_grid_in_two_processes() -> None:
    """The workers import the package that is installed, or stands on their path."""
    program = f"""
import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from nnspec.sklearn import SpecClassifier
x, y = load_iris(return_X_y=True)
net = SpecClassifier({WIDE!r}, epochs=5)
for jobs in (1, 2):
    search = GridSearchCV(net, {{"let__width": [4, 8]}}, cv=2, n_jobs=jobs).fit(x, y)
    print(*search.cv_results_["mean_test_score"])
"""
    alone, together = fresh(program).splitlines()
    assert alone == together


def test_constants_are_parameters() -> None:
    net = quick(WIDE, let={"width": 7, "depth": 2})
    assert net.get_params()["let__width"] == 7
    assert "let__width" not in net.get_params(deep=False)
    net.set_params(let__width=9, epochs=2)
    assert net.let == {"width": 9, "depth": 2}
    copy = clone(net).set_params(let__width=1)
    assert (net.let["width"], copy.let["width"]) == (9, 1)
    with pytest.raises(ValueError, match="Invalid parameter 'widht'"):
        net.set_params(widht=3)


def test_pipelines_and_folds() -> None:
    net = make_pipeline(StandardScaler(), quick(epochs=40))
    assert cross_val_score(net, X, WORDS, cv=3).mean() > 0.9


def test_tables() -> None:
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    net = quick().fit(table, pd.Series(WORDS, index=range(5, 155)))
    assert list(net.feature_names_in_) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(net.predict(table), quick().fit(X, WORDS).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        net.predict(table.rename(columns={"a": "z"}))


def test_pickles_go_on_as_the_estimator_would() -> None:
    net = quick("(features) -> fc8 relu dropout0.2 -> fc(outputs)", warm_start=True).fit(X, Y)
    file = io.BytesIO()
    joblib.dump(net, file)
    file.seek(0)
    for copy in (joblib.load(file), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(copy.predict_proba(X), net.predict_proba(X))
    copy.fit(X, Y)
    np.testing.assert_array_equal(net.fit(X, Y).decision_function(X), copy.decision_function(X))


def test_warm_start_goes_on() -> None:
    net = quick(warm_start=True).fit(X, Y)
    first, inside = net.history_.loss[-1], net.net_
    net.set_params(optimizer="adam(lr=1e-4)").fit(X, Y)
    assert net.net_ is inside
    assert net.history_.loss[0] < first * 1.2
    assert net.net_.training.optimizer.lr == 1e-4
    with pytest.raises(ValueError, match="goes on with the classes"):
        net.fit(X, WORDS)
    with pytest.raises(ValueError, match="goes on with the net"):
        net.set_params(spec=WIDE.replace("width", "9")).fit(X, Y)
    net.set_params(warm_start=False).fit(X, WORDS)
    assert net.net_ is not inside


def test_warm_start_turns_things_off() -> None:
    net = quick(warm_start=True, clip=1.0, augment="noise(0.1)", early_stop="patience(5)", l2=0.1)
    net.set_params(validation_fraction=0.2).fit(X, Y)
    net.set_params(clip=None, augment=None, early_stop=None, l2=None).fit(X, Y)
    training = net.net_.training
    assert (training.clip, training.augment, training.early_stop) == (None, (), None)
    assert training.l2 == Training().l2


def test_a_part_of_a_stream_is_one_update_of_gd() -> None:
    net = quick(optimizer="gd(lr=0.1)").partial_fit(X, Y)
    assert net.net_.learner.steps == 1
    assert quick(batch=32).partial_fit(X, Y).net_.learner.steps == 5


def test_parts_of_a_stream_are_varied() -> None:
    plain, other = (quick(augment=a).partial_fit(X, Y).net_ for a in (None, "noise(100.0)"))
    assert (plain.weights["fc1.weight"] != other.weights["fc1.weight"]).any()
    mixed = quick(augment="mixup").partial_fit(X, Y).partial_fit(X, Y)
    assert np.isfinite(mixed.predict_proba(X)).all()


def test_a_fit_begins_the_draws_anew() -> None:
    net = quick(epochs=1, augment="noise(0.1)")
    first, second = (net.fit(X, Y).partial_fit(X, Y).decision_function(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    again = net.fit(X, Y).partial_fit(X, Y).partial_fit(X, Y).decision_function(X)
    copy = pickle.loads(pickle.dumps(net.fit(X, Y).partial_fit(X, Y)))
    np.testing.assert_array_equal(copy.partial_fit(X, Y).decision_function(X), again)


@pytest.mark.parametrize("learn", ["fit", "partial_fit"])
def test_an_ensemble_is_scikit_learns(learn: str) -> None:
    net = quick("(features) -> fc(outputs)\ntrain(ensemble = 3)")
    with pytest.raises(SpecError, match=r"`ensemble` is not for estimators.*VotingClassifier"):
        getattr(net, learn)(X, Y)


@pytest.mark.parametrize(
    ("spec", "let", "place"),
    [
        ("(features) -> fc4 rleu -> fc(outputs)", {}, "<text>:1:19: NN101"),
        ("(features) -> fc(width) -> fc(outputs) fc(no)", {"width": 3}, "<text>:1:43"),
        ("(features) -> fc(width) -> fc(outputs)", {"width": "2 +"}, "<let>:"),
        ("(features) -> fc4 -> [fc3, fc4] add -> fc(outputs)", {}, "<text>:1:2"),
    ],
)
def test_mistakes_stand_where_the_text_has_them(
    spec: str, let: dict[str, object], place: str
) -> None:
    with pytest.raises(SpecError) as error:
        quick(spec, let=let).fit(X, Y)
    assert str(error.value).startswith(place)


def test_parts_of_a_stream() -> None:
    net = quick()
    for start in range(0, 3000, 50):
        part = np.random.default_rng(start).permutation(150)[:50]
        net.partial_fit(X[part], WORDS[part], classes=np.unique(WORDS))
    assert net.score(X, WORDS) > 0.9
    with pytest.raises(ValueError, match="not among the classes"):
        net.partial_fit(X, Y)
    values = SpecRegressor(optimizer="adam(lr=1e-2)")
    for _ in range(50):
        values.partial_fit(X[:, :3], X[:, 3])
    assert values.score(X[:, :3], X[:, 3]) > 0.9


def test_held_out_examples_are_judged() -> None:
    net = quick(validation_fraction=0.2).fit(X, WORDS)
    assert [epoch.examples for epoch in net.history_] == [120] * 15
    accuracy = [a for a in net.history_.accuracy if a is not None]
    assert len(accuracy) == 15
    assert accuracy[-1] > 0.7
    with pytest.raises(ValueError, match="least populated class"):  # each class has its share
        net.fit(X, np.where(np.arange(150) == 0, "alone", WORDS))


def test_training_ends_when_held_out_examples_gain_no_more() -> None:
    net = quick(epochs=400, validation_fraction=0.2, early_stop="patience(5)").fit(X, WORDS)
    assert 5 < len(net.history_) < 400
    assert net.history_.best == len(net.history_) - 5
    assert net.history_.stopped


# ---------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("spec", "settings", "code"),
    [
        ("5 -> fc(outputs)", {}, "NN507"),
        ("(features) -> fc2", {}, "NN559"),
        ("(features) -> fc10", {}, "NN559"),
        ("(features) -> fcx", {}, "NN101"),
        ("(features) -> fc(outputs)", {"let": {"width": 3}}, "NN121"),
        ("(features) -> fc(outputs)", {"optimizer": "adm"}, "NN117"),
        ("(features) -> fc(outputs)", {"epochs": 0}, "NN117"),
        ("(features) -> fc(outputs)", {"random_state": -1}, "NN522"),
        ("(features) -> fc(outputs)", {"dtype": "half"}, "NN117"),
        ("none.nn", {}, "NN011"),
    ],
)
def test_what_does_not_fit(spec: str, settings: dict[str, Any], code: str) -> None:
    with pytest.raises(SpecError) as error:
        quick(spec, **settings).fit(X, Y)
    assert codes(error) == [code]


def test_what_does_not_fit_is_told_plainly() -> None:
    with pytest.raises(SpecError, match="the net's output is 10, but y has 3 classes"):
        quick("(features) -> fc10").fit(X, Y)
    with pytest.raises(SpecError, match="output is 2, but y has 1 value for an example"):
        SpecRegressor("(features) -> fc2").fit(X, X[:, 0])
    with pytest.raises(SpecError, match="it judges classes, not values"):
        SpecRegressor(loss="cross_entropy").fit(X, X[:, :2])
    with pytest.raises(ValueError, match="one class, `a`: telling classes apart takes two"):
        quick().fit(X, ["a"] * 150)
    with pytest.raises(NotFittedError):
        quick().predict(X)
    with pytest.raises(SpecError, match="NN555"):
        quick(optimizer="sgd(lr=1e30)").fit(X * 1e30, Y)


def test_without_scikit_learn_the_extra_is_named() -> None:
    program = """
import sys
sys.modules["sklearn"] = None
try:
    from nnspec.sklearn import SpecClassifier
except ImportError as error:
    print(error)
"""
    assert 'pip install "nnspec[sklearn]"' in fresh(program)


def test_the_module_tells_its_names_and_loads_nothing_for_it() -> None:
    program = """
import sys
import nnspec.sklearn as module
print(dir(module), hasattr(module, "nothing"), "sklearn" in sys.modules)
from nnspec.sklearn import *
print(SpecRegressor.__name__, "sklearn" in sys.modules)
"""
    told, loaded = fresh(program).splitlines()
    assert told == "['SpecClassifier', 'SpecRegressor'] False False"
    assert loaded == "SpecRegressor True"
