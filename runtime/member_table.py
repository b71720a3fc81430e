"""An ensemble beside its members: what averaging gains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .ensemble import Ensemble
from .history import Scores


def as_json(ensemble: Ensemble, judged: Sequence[Scores]) -> list[dict[str, object]]:
    """Each member's seed and scores."""
    return [
        {"seed": member.seed, "loss": scores.loss, "accuracy": scores.accuracy}
        for member, scores in zip(ensemble.members, judged, strict=True)
    ]


def member_table(together: Scores, judged: Sequence[Scores]) -> str:
    """A line for each member, one for their mean, and one for all of them together."""
    rows = [(str(number), scores) for number, scores in enumerate(judged, 1)]
    rows += [("mean", _mean(judged)), ("ensemble", together)]
    told = judged[0].accuracy is not None
    head = f"{'net':>10}" + ("  accuracy" if told else "") + f"{'loss':>10}"
    return "\n".join([head, *(_line(name, scores) for name, scores in rows)])


def _mean(judged: Sequence[Scores]) -> Scores:
    right = [scores.accuracy for scores in judged if scores.accuracy is not None]
    return Scores(
        float(np.mean([scores.loss for scores in judged])),
        float(np.mean(right)) if right else None,
    )


def _line(name: str, scores: Scores) -> str:
    right = "" if scores.accuracy is None else f"{100 * scores.accuracy:>8.2f} %"
    return f"{name:>10}{right}{scores.loss:>10.4f}"
