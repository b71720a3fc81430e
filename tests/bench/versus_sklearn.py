"""How well a default estimator does beside scikit-learn's multi-layer perceptron.

    python tests/bench/versus_sklearn.py [--json]

Both get one hidden layer of 100 relu, 100 epochs of Adam in batches of 32, l2 as strong and the same
standardised examples: three quarters of a set to learn from and the rest to be judged on, split anew
for each of ten seeds. Reported is the mean score (accuracy, or R2) on what was never seen, and the
mean of the differences with its standard error. scikit-learn divides `alpha` by the batch and halves
the squared error: that is why `l2` is not `alpha`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnspec.sklearn import SpecClassifier, SpecRegressor

SEEDS = 10
EPOCHS, BATCH, ALPHA = 100, 32, 1e-4
SETS: dict[str, Callable[..., Any]] = {
    "digits": load_digits,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "diabetes": load_diabetes,
}


@dataclass(frozen=True)
class Row:
    data: str
    score: str
    nnspec: float
    sklearn: float
    difference: float
    error: float
    nnspec_s: float
    sklearn_s: float

    @property
    def holds(self) -> bool:
        """At least as good, within twice the standard error of the differences."""
        return self.difference >= -2 * self.error


def ours(name: str, seed: int) -> Any:
    if name == "diabetes":
        return SpecRegressor(epochs=EPOCHS, batch=BATCH, l2=2 * ALPHA / BATCH, random_state=seed)
    return SpecClassifier(epochs=EPOCHS, batch=BATCH, l2=ALPHA / BATCH, random_state=seed)


def theirs(name: str, seed: int) -> Any:
    kind = MLPRegressor if name == "diabetes" else MLPClassifier
    # It runs through all its epochs: no improvement is ever too small.
    return kind(
        hidden_layer_sizes=(100,), batch_size=BATCH, max_iter=EPOCHS, alpha=ALPHA, n_iter_no_change=EPOCHS,
        random_state=seed,
    )  # fmt: skip


def judged(name: str, make: Callable[[str, int], Any], seed: int) -> tuple[float, float]:
    """The score on the held-out quarter, and the seconds that training took."""
    x, y = SETS[name](return_X_y=True)
    valued = name == "diabetes"
    parts = train_test_split(x, y, random_state=seed, stratify=None if valued else y)
    x, unseen, y, truth = parts
    net = make_pipeline(StandardScaler(), make(name, seed))
    if valued:
        net = TransformedTargetRegressor(net, transformer=StandardScaler())
    begun = time.perf_counter()
    net.fit(x, y)
    return float(net.score(unseen, truth)), time.perf_counter() - begun


def measured(name: str) -> Row:
    pairs = [(judged(name, ours, seed), judged(name, theirs, seed)) for seed in range(SEEDS)]
    mine, other = ([pair[side][0] for pair in pairs] for side in (0, 1))
    apart = [a - b for a, b in zip(mine, other, strict=True)]
    took = [statistics.median(pair[side][1] for pair in pairs) for side in (0, 1)]
    return Row(
        name,
        "R2" if name == "diabetes" else "accuracy",
        statistics.mean(mine),
        statistics.mean(other),
        statistics.mean(apart),
        statistics.stdev(apart) / sqrt(SEEDS),
        *took,
    )


def main() -> int:
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = [measured(name) for name in SETS]
    if "--json" in sys.argv:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(
            f"{'data':14} {'score':9} {'nnspec':>7} {'sklearn':>8}  difference         seconds a fit"
        )
        for row in rows:
            print(
                f"{row.data:14} {row.score:9} {row.nnspec:7.4f} {row.sklearn:8.4f}  "
                f"{row.difference:+.4f} ± {row.error:.4f}  {row.nnspec_s:5.2f} and {row.sklearn_s:.2f}"
            )
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
