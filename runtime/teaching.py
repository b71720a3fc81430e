"""The sets for teaching that come with scikit-learn. They need the extra `sklearn`, and no network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ..grammar.diagnostics import SpecError
from .data_errors import MissingReader
from .dataset import Dataset

TEACHING: Mapping[str, str] = MappingProxyType(
    {
        "wine": "UCI wine, 178 Italian wines of three cultivars, 13 measurements",
        "breast_cancer": "UCI Wisconsin diagnostic breast cancer, 569 samples, 30 features",
        "diabetes": "Efron et al. 2004, 442 patients, 10 standardised features, a score to predict",
    }
)
"""Sets by name, and where they come from."""


def teaching(name: str) -> Dataset:
    """One of the sets; raises SpecError where scikit-learn is not installed."""
    try:
        from sklearn import datasets
    except ImportError:
        raise SpecError([MissingReader(None, name, "scikit-learn", "sklearn")]) from None
    found = getattr(datasets, f"load_{name}")()
    x = found.data.astype(np.float32)
    columns = tuple(map(str, found.feature_names))
    source = f"scikit-learn's copy of {TEACHING[name]}"
    if found.target.dtype.kind == "f":
        return Dataset(name, x, found.target.astype(np.float32), (), source, features=columns)
    classes = tuple(map(str, found.target_names))
    return Dataset(name, x, found.target.astype(np.int64), classes, source, features=columns)
