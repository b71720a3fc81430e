"""What data call their classes and columns, which a net remembers: it answers in these words, and
takes other data by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..grammar.diagnostics import SpecError
from .data_errors import NotAsLearned
from .dataset import Dataset


@dataclass(frozen=True)
class Names:
    """What a net learned from was called; each is empty where that is not known.

    Attributes
    ----------
    classes: in the order of their labels.
    features: a table's columns, in the order in which the net takes them.
    """

    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    def learning(self, x: Any) -> Names:
        """These, once `x` is learned from: a set that calls something otherwise has its own."""
        if not isinstance(x, Dataset):
            return self
        classes, features = self.classes, self.features
        if not _knows(classes, x.classes) or len(x.classes) > len(classes):
            classes = x.classes
        if not features or (x.features and set(x.features) != set(features)):
            features = x.features
        return Names(classes, features)

    def applied(self, x: Any) -> Any:
        """The same examples, labels counted and columns ordered as the net has them; what is no set,
        or has no names, is as it was. Raises SpecError for names that the net was not trained on."""
        if not isinstance(x, Dataset):
            return x
        return _by_column(_by_class(x, self.classes), self.features)


UNNAMED = Names()


def counted_as(data: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The same examples, their labels those of the same names among `classes`, which has them all."""
    rank = {name: label for label, name in enumerate(classes)}
    ranks = np.array([rank[name] for name in data.classes], np.int64)
    return replace(data, y=ranks[data.y], classes=classes)


def are_numbers(classes: tuple[str, ...]) -> bool:
    """Whether the labels themselves stand for names."""
    return all(name == str(label) for label, name in enumerate(classes))


def _knows(classes: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether a net of these classes can tell the others by name; numbers count on."""
    return set(others) <= set(classes) or bool(classes and others and _both(classes, others))


def _both(classes: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return are_numbers(classes) and are_numbers(others)


def _by_class(data: Dataset, known: tuple[str, ...]) -> Dataset:
    if not known or not data.classes or data.classes == known or _both(data.classes, known):
        return data
    if unknown := _others(data.classes, known):
        raise SpecError([NotAsLearned(None, data.name, "classes", unknown, known)])
    return counted_as(data, known)


def _others(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names that are not known."""
    every = set(known)
    return tuple(name for name in names if name not in every)


def _by_column(data: Dataset, known: tuple[str, ...]) -> Dataset:
    if not known or not data.features or data.features == known:
        return data
    if unknown := _others(data.features, known):
        raise SpecError([NotAsLearned(None, data.name, "columns", unknown, known)])
    flat = data.x.reshape(len(data), -1)
    if not flat.shape[1] == len(data.features) == len(known):
        return data
    order = [data.features.index(name) for name in known]
    return replace(data, x=flat[:, order].reshape(data.x.shape), features=known)
