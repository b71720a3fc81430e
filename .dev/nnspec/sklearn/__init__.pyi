"""Specs as scikit-learn estimators; the package's root makes the module."""

from nnspec.runtime.estimators import SpecClassifier as SpecClassifier
from nnspec.runtime.estimators import SpecRegressor as SpecRegressor
