"""Specs as scikit-learn estimators: `from nnspec.sklearn import SpecClassifier, SpecRegressor`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np

from ..compiler.elaborate import elaborate
from ..compiler.errors import BadSetting
from ..compiler.graph import Graph
from ..compiler.settings import overridden
from ..compiler.training import Training
from ..compiler.training.losses import Loss
from ..grammar import tree
from ..grammar.diagnostics import Mistake, Note, SpecError
from ..grammar.parse import parse
from ..grammar.quantity import quantity
from ..grammar.read import read
from ..grammar.source import Source, Span
from .answering import quiet
from .data_errors import DataShape
from .errors import OutputSize
from .examples import examples
from .history import History
from .kernels import Array
from .net import DType, Net
from .train import Run

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import Tags, check_random_state
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as missing:
    raise ImportError(
        'nnspec.sklearn needs scikit-learn, which is not installed: pip install "nnspec[sklearn]"'
    ) from missing

SPEC = "(features) -> fc100 relu -> fc(outputs)"
"""The net of an estimator that is given none."""

EPOCHS = 100
"""How long an estimator trains where neither it nor its spec says."""

SETTINGS = tuple(name for name in Training.model_fields if name not in ("seed", "ensemble"))
"""The settings of `train(...)`, each a parameter; the seed is `random_state`."""

LET = "let__"
"""What begins the name of a constant in `get_params` and in a grid: `let__width`."""


class SpecEstimator(BaseEstimator):
    """What the classifier and the regressor share.

    Parameters
    ----------
    spec: a path, or the text itself. `features` and `outputs` stand for what the data have: the
        number of columns (the shape of an example where `X` has more axes), and the number of
        classes or of values to predict. A spec of fixed sizes is taken as it is.
    let: constants of the spec: ``let={"width": 32}``, in a grid `let__width`. What the spec uses
        and does not declare is declared so.
    loss, optimizer, schedule, clip, batch, epochs, l2, l1, max_norm, early_stop, augment: as in
        `train(...)`, over which they win. Where neither says, training takes 100 epochs.
    validation_fraction: the share that is held out of training and judged after every epoch, by
        which `early_stop="patience(10)"` stops.
    warm_start: `fit` goes on with the net that is there.
    random_state: of weights, shuffling and noise; the spec's own seed where None, so that fits
        repeat.
    dtype: what the net computes in, "float32" or "float64"; where None what `X` is in, if it is
        one of them, else float64.

    Attributes
    ----------
    net_: the trained `nnspec.Net`. history_: its epochs.
    n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    net_: Net
    history_: History
    default_loss: ClassVar[Mapping[int, str]]
    """The loss where nobody names one, by the number of outputs; 0 for any other number."""

    def __init__(
        self,
        spec: str | PathLike[str] = SPEC,
        *,
        let: Mapping[str, object] | None = None,
        loss: str | None = None,
        optimizer: str | None = None,
        schedule: str | None = None,
        clip: str | float | None = None,
        batch: int | None = None,
        epochs: int | None = None,
        l2: float | None = None,
        l1: float | None = None,
        max_norm: float | None = None,
        early_stop: str | int | None = None,
        augment: str | None = None,
        init: str | None = None,
        validation_fraction: float | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        dtype: DType | None = None,
    ) -> None:
        self.spec = spec
        self.let = let
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.clip = clip
        self.batch = batch
        self.epochs = epochs
        self.l2 = l2
        self.l1 = l1
        self.max_norm = max_norm
        self.early_stop = early_stop
        self.augment = augment
        self.init = init
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.dtype = dtype

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with `deep`, the constants too: `let__width`."""
        found: dict[str, Any] = super().get_params(deep=deep)
        if deep and isinstance(self.let, Mapping):
            found |= {LET + word: worth for word, worth in self.let.items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; `let__width=32` sets one constant and leaves the others."""
        constants = {name: params.pop(name) for name in list(params) if name.startswith(LET)}
        super().set_params(**params)
        if constants:
            given = {name.removeprefix(LET): worth for name, worth in constants.items()}
            self.let = {**(self.let or {}), **given}
        return self

    # ------------------------------------------------------------------------------- training

    def _graph(self, features: int | tuple[int, ...], outputs: int) -> Graph:
        """The net for data of these sizes; its promises, made for other sizes, are not asked for."""
        source = read(self.spec)
        sizes: dict[str, object] = {"features": features, "outputs": outputs}
        given = {**sizes, **(self.let or {})}
        own = set(declared(source))
        told = {word for word in given if word not in own and mentions(source, word)}
        before = "".join(f"let {word} = {written(given[word])}\n" for word in given if word in told)
        rest = {
            word: w for word, w in given.items() if word in own or word not in told | set(sizes)
        }
        whole = Source(source.name, before + source.text)
        try:
            return elaborate(whole, overrides=self._settings(), lets=rest).net
        except SpecError as error:
            raise SpecError([placed(m, source, whole) for m in error.diagnostics]) from None

    def _settings(self) -> dict[str, object]:
        found = {name: getattr(self, name) for name in SETTINGS}
        return {name: worth for name, worth in found.items() if worth is not None}

    def _built(self, x: Array, outputs: int) -> Net:
        """A new net that takes such examples and has a loss to learn by."""
        example = x.shape[1:]
        graph = self._graph(example[0] if len(example) == 1 else example, outputs)
        wanted = graph.inputs[0].value
        if len(graph.inputs) == 1 and wanted.size != np.prod(example):
            raise SpecError([DataShape(None, "X", example, wanted.shape)])
        if graph.training.ensemble != 1:
            advice = "scikit-learn has its own: VotingClassifier, BaggingRegressor, ..."
            raise SpecError([BadSetting(None, "ensemble", "is not for estimators", advice)])
        own: DType = "float32" if x.dtype == np.float32 else "float64"
        net = Net(graph, seed=self._seed(), dtype=self.dtype or own)
        said = graph.training.model_fields_set
        if "epochs" not in said:
            net.set(epochs=EPOCHS)
        if "loss" not in said:
            net.set(loss=self.default_loss.get(graph.output.value.size, self.default_loss[0]))
        return net

    def _seed(self) -> int | None:
        if self.random_state is None or isinstance(self.random_state, int | np.integer):
            return self.random_state
        return int(check_random_state(self.random_state).randint(2**31))

    def _continued(self, net: Net) -> Net:
        """The net that is there, under the settings of a new one of the same layers."""
        if self.net_.graph.digest != net.graph.digest or self.net_.dtype != net.dtype:
            raise ValueError(
                "warm_start goes on with the net that is there, but its spec, its sizes or its "
                "dtype have changed: set warm_start=False to begin anew"
            )
        self.net_.adopt(net.training.model_copy(update={"seed": self.net_.seed}))
        return self.net_

    def _train(self, x: Array, truth: Array, groups: Array | None) -> Self:
        """Fit `net_`; what is held out has the share of each group."""
        self._states: dict[str, Any] = {}
        held = None
        if self.validation_fraction:
            share, seed = self.validation_fraction, self.net_.seed % 2**32
            x, held_x, truth, held_truth = train_test_split(
                x, truth, test_size=share, random_state=seed, stratify=groups
            )
            held = held_x, held_truth
        self.history_ = self.net_.fit(x, truth, validation=held)
        return self

    def _sweep(self, x: Array, truth: Array) -> Self:
        """One epoch over these examples; what is drawn goes on from call to call."""
        net = self.net_
        with net.turns.learning, quiet():
            given = examples(net.graph, net.learner.loss, x, truth, net.dtype)
            run = Run(net.learner, given, net.seed)
            for name, state in getattr(self, "_states", {}).items():
                run.streams[name].bit_generator.state = state
            run.deal()
            while run.step < run.steps:
                run.advance()
            self._states = {name: rng.bit_generator.state for name, rng in run.streams.items()}
        return self

    # ------------------------------------------------------------------------------- answering

    def _scores(self, X: Any) -> Array:
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, allow_nd=True)
        found: Array = self.net_(x)
        return found


class SpecClassifier(ClassifierMixin, SpecEstimator):
    """A net that tells classes apart, as a scikit-learn classifier.

    Parameters and attributes are those of `SpecEstimator`, and `classes_`, in the order of the
    scores' columns. Where nobody names a loss it is cross entropy: bce where two classes are told
    apart by one output.
    """

    classes_: Array
    default_loss = {0: "cross_entropy", 1: "bce"}

    def fit(self, X: Any, y: Any) -> Self:
        """Train a new net on `X` (N, features) and its classes."""
        x, y = validate_data(self, X, y, allow_nd=True)
        check_classification_targets(y)
        classes = np.unique(y)
        going_on = self.warm_start and hasattr(self, "net_")
        if going_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes {self.classes_}, but y has {classes}"
            )
        net = self._new(x, classes)
        self.net_ = self._continued(net) if going_on else net
        self.classes_ = classes
        codes = np.searchsorted(classes, y)
        return self._train(x, self._truth(codes), codes)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """One epoch on `X` and `y`; the first call names all classes, unless `y` holds them.

        The rate is the optimiser's own: schedules, and early stopping, need `fit`, which knows how
        long it trains.
        """
        first = not hasattr(self, "net_")
        x, y = validate_data(self, X, y, reset=first, allow_nd=True)
        check_classification_targets(y)
        if first:
            known = np.unique(y if classes is None else classes)
            self.net_ = self._new(x, known)
            self.classes_ = known
        if strange := set(np.unique(y)) - set(self.classes_):
            raise ValueError(f"y holds {sorted(strange)}, not among the classes {self.classes_}")
        return self._sweep(x, self._truth(np.searchsorted(self.classes_, y)))

    def _new(self, x: Array, classes: Array) -> Net:
        if len(classes) < 2:
            raise ValueError(f"y holds one class, `{classes[0]}`: telling classes apart takes two")
        net = self._built(x, len(classes))
        output = net.graph.output.value
        if output.shape != (len(classes),) and not (len(classes) == 2 and output.shape == (1,)):
            raise SpecError(
                [OutputSize(None, output.shape, quantity(len(classes), "class", "classes"))]
            )
        return net

    def _truth(self, codes: Array) -> Array:
        """What the loss is told: the classes' numbers, or a row with a 1 for the class."""
        outputs = self.net_.graph.output.value.size
        if outputs == 1 or judge_of(self.net_).target == "labels":
            return codes
        return np.eye(outputs)[codes]

    def decision_function(self, X: Any) -> Array:
        """Scores (N, classes); of two classes the second's over the first's, (N,)."""
        scores = self._scores(X)
        if len(self.classes_) > 2:
            return scores
        return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]

    def predict(self, X: Any) -> Array:
        """The class of the largest score."""
        scores = self.decision_function(X)
        chosen = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        found: Array = self.classes_[chosen.astype(np.intp)]
        return found

    @available_if(lambda self: self._gives_chances())
    def predict_proba(self, X: Any) -> Array:
        """The chance of each class, (N, classes): softmax or sigmoid of the scores by the loss."""
        chances: Array = np.exp(self.predict_log_proba(X))
        return chances

    @available_if(lambda self: self._gives_chances())
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of each class's chance, (N, classes)."""
        scores = self._scores(X)
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        elif "sigmoid" in judge_of(self.net_).contains:
            scores = -np.logaddexp(0, -scores)
        scores = scores - scores.max(axis=1, keepdims=True)
        found: Array = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return found

    def _gives_chances(self) -> bool:
        """Whether the loss takes scores for chances: cross entropy does, a hinge does not."""
        if hasattr(self, "net_"):
            return bool(judge_of(self.net_).contains)
        training, _ = overridden(Training(), {"loss": self.loss})
        return training.loss is None or bool(training.loss.contains)


class SpecRegressor(RegressorMixin, SpecEstimator):
    """A net that predicts values, as a scikit-learn regressor.

    Parameters and attributes are those of `SpecEstimator`. Where nobody names a loss it is the mean
    squared error.
    """

    default_loss = {0: "mse"}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train a new net on `X` (N, features) and values (N,) or (N, outputs)."""
        x, y = validate_data(self, X, y, multi_output=True, y_numeric=True, allow_nd=True)
        net = self._new(x, y)
        self.net_ = self._continued(net) if self.warm_start and hasattr(self, "net_") else net
        self._row = y.shape[1:]
        return self._train(x, y, None)

    def partial_fit(self, X: Any, y: Any) -> Self:
        """One epoch on `X` and `y`, at the optimiser's own rate: schedules, and early stopping, need
        `fit`, which knows how long it trains."""
        first = not hasattr(self, "net_")
        x, y = validate_data(
            self, X, y, reset=first, multi_output=True, y_numeric=True, allow_nd=True
        )
        if first:
            self.net_ = self._new(x, y)
            self._row = y.shape[1:]
        return self._sweep(x, y)

    def _new(self, x: Array, y: Array) -> Net:
        outputs = 1 if y.ndim == 1 else y.shape[1]
        net = self._built(x, outputs)
        output = net.graph.output.value
        if output.shape != (outputs,):
            values = quantity(outputs, "value")
            raise SpecError([OutputSize(None, output.shape, f"{values} for an example")])
        if judge_of(net).target != "values":
            problem = f"cannot be `{judge_of(net).name}`: it judges classes, not values"
            raise SpecError([BadSetting(None, "loss", problem, "choose mse")])
        return net

    def predict(self, X: Any) -> Array:
        """The values of each example, shaped as they were in training."""
        scores = self._scores(X)
        return scores.reshape(len(scores), *self._row)


def judge_of(net: Net) -> Loss:
    """The loss that the net learns by."""
    return net.training.judged_by(net.graph.output.value)


def declared(source: Source) -> Iterator[str]:
    """The constants that a spec declares at its top."""
    file, _ = parse(source)
    for statement in file.statements:
        if isinstance(statement, tree.Let):
            yield from (name.word for name in statement.target.names)


def placed(mistake: Mistake, source: Source, whole: Source) -> Mistake:
    """A mistake of a text with lines before it, at its place in the text alone; in those lines, at its
    place there."""
    before = len(whole.text) - len(source.text)
    lets = Source("<let>", whole.text[:before])

    def own(worth: Any) -> Any:
        match worth:
            case Span(source=found, start=start, end=end) if found == whole:
                if start < before and end <= before:
                    return Span(lets, start, end)
                return Span(source, max(start - before, 0), end - before)
            case Note():
                return replace(worth, span=own(worth.span))
            case tuple():
                return tuple(map(own, worth))
        return worth

    return replace(mistake, **{f.name: own(getattr(mistake, f.name)) for f in fields(mistake)})


def mentions(source: Source, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", source.text) is not None


def written(worth: object) -> str:
    """A constant as the language writes it."""
    return str(worth).lower() if isinstance(worth, bool) else str(worth)
