"""What a trained net made of the examples that it was held to: which classes it took for which, and
where it was most wrong. It is kept beside the run, so that it can be looked at without the data."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite, prod
from typing import Any

import numpy as np

from ..compiler.shapes import Value
from ..compiler.training.losses import Bce, CrossEntropy, Loss
from .batches import Slot
from .dataset import Dataset
from .examples import Examples
from .judge import choices, judge, mean_loss, tally
from .kernels import Array
from .metrics import NONE

FORMAT = "nnspec held out 1"

WORST = 36
"""Examples that are kept whole."""
LOOKED_AT = 10_000
"""Examples among which the worst are looked for, taken evenly from all."""
CLASSES = 100
"""Classes up to which every count is kept; of more, those pairs that are taken for each other most."""
PAIRS = 30
SIDE = 64
"""Pixels of an image's side that are kept; of larger ones every second, third ..."""
NUMBERS = 16
"""Numbers of an example that are kept where it is no image."""


@dataclass(frozen=True)
class Origin:
    """What is known of the examples beside their numbers.

    Attributes
    ----------
    shape: in which they came, before they were fitted to the net.
    classes: their names; empty where they have none.
    """

    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()


def origin(given: object, slot: Slot) -> Origin:
    """Of what users pass as examples, for a net that takes them into this slot."""
    if isinstance(given, Dataset):
        return Origin(given.came or given.x.shape[1:], given.classes)
    first = given[0] if isinstance(given, tuple) and given else None
    shape = getattr(first, "shape", ())[1:]
    return Origin(tuple(shape) if prod(shape) == slot.size else slot.shape)


def verdicts(
    loss: Loss,
    output: Value,
    scores: Array,
    truth: Array,
    asked: Examples,
    slots: Mapping[str, Slot],
    given: object,
) -> dict[str, Any]:
    """What `held_out.json` holds: scores (N, *output) judged, and the worst of the examples."""
    known = origin(given, next(iter(slots.values())))
    worst, losses, count = _worst(loss, output, scores, truth)
    found = tally(loss, output, scores, truth)
    rows = [
        {"example": int(place), "loss": _finite(float(one))}
        for place, one in zip(worst, losses, strict=True)
    ]
    answers = _answers(loss, output, scores[worst], truth[worst])
    for row, answer in zip(rows, answers, strict=False):
        row.update(answer)
    return {
        "format": FORMAT,
        "examples": len(scores),
        "looked_at": count,
        "scores": {n: _finite(w) for n, w in asdict(judge(loss, output, scores, truth)).items()},
        **({} if found is None else _confusion(found.counts, known.classes)),
        "worst": rows,
        **_inputs(asked, worst, slots, known.shape),
    }


def _worst(loss: Loss, output: Value, scores: Array, truth: Array) -> tuple[Array, Array, int]:
    """The examples of the largest loss, the largest first, and how many were looked at; what is no
    number is the worst there is."""
    count = min(len(scores), LOOKED_AT)
    places = np.linspace(0, len(scores) - 1, count).astype(np.int64)
    each = np.array(
        [mean_loss(loss, output, scores[i : i + 1], truth[i : i + 1]) for i in places], np.float64
    )
    order = np.argsort(-np.nan_to_num(each, nan=np.inf), kind="stable")[:WORST]
    return places[order], each[order], count


def _answers(loss: Loss, output: Value, scores: Array, truth: Array) -> Iterator[dict[str, Any]]:
    """What was said of each example, and what is true: labels with their probabilities, or numbers;
    nothing where an example has many of them."""
    told = choices(loss, output, scores, truth)
    if told is None:
        for said, true in zip(scores, truth, strict=True) if output.size <= NUMBERS else ():
            yield {"true_values": _finites(true), "said_values": _finites(said)}
        return
    if told[0].size != len(scores):
        return
    shares = probabilities(loss, scores)
    for place, (chosen, label) in enumerate(zip(*(one.reshape(-1) for one in told), strict=True)):
        row: dict[str, Any] = {"true": int(label), "said": None if chosen == NONE else int(chosen)}
        if shares is not None and chosen != NONE:
            row["probability"] = _finite(float(shares[place, chosen]))
            row["probability_of_true"] = _finite(float(shares[place, label]))
        yield row


def probabilities(loss: Loss, outputs: Array) -> Array | None:
    """Rows that sum to 1, where the loss gives scores that meaning."""
    scores = outputs.astype(np.float64)
    if isinstance(loss, Bce) and scores.shape[1:] == (1,):
        yes = np.exp(-np.logaddexp(0, -scores[:, 0]))
        return np.stack([1 - yes, yes], axis=1)
    if isinstance(loss, CrossEntropy):
        # Of a score that is infinite nothing is told: NaN.
        with np.errstate(invalid="ignore"):
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return None


def _confusion(counts: Array, names: tuple[str, ...]) -> dict[str, Any]:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [(*divmod(int(place), len(counts)), int(wrong.flat[place])) for place in order]
    few = len(counts) <= CLASSES
    return {
        "classes": [names[i] if i < len(names) else str(i) for i in range(len(counts))],
        "confusion": counts.tolist() if few else None,
        "confused": [list(pair) for pair in pairs if pair[2]],
    }


def _inputs(
    asked: Examples, chosen: Array, slots: Mapping[str, Slot], shape: tuple[int, ...]
) -> dict[str, Any]:
    """The first input of the chosen examples: an image, or its first numbers."""
    arrays = {
        name: np.empty((len(chosen), *slot.shape), slot.dtype) for name, slot in slots.items()
    }
    asked.fill(chosen, arrays, None)
    x = next(iter(arrays.values()))
    if len(shape) == 2 and min(shape) >= 8:
        shape = (1, *shape)
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) > 1:
        return _images(x.reshape(-1, *shape))
    flat = x.reshape(len(x), -1)
    return {"size": int(flat.shape[1]), "values": [_finites(row[:NUMBERS]) for row in flat]}


def _images(x: Array) -> dict[str, Any]:
    """Bytes from the lowest number to the highest, in base64, as height x width x channels."""
    step = -(-max(x.shape[2:]) // SIDE)
    small = x[:, :, ::step, ::step].astype(np.float64)
    low, high = float(small.min()), float(small.max())
    grey = np.round((small - low) * (255 / (high - low or 1.0))).astype(np.uint8)
    last = np.ascontiguousarray(np.moveaxis(grey, 1, -1))
    return {
        "image": list(last.shape[1:]),
        "came": list(x.shape[1:]),
        "pixels": [b64encode(one.tobytes()).decode() for one in last],
    }


def _finites(numbers: Array) -> list[float | None]:
    return [_finite(float(one)) for one in numbers.reshape(-1)]


def _finite(worth: float | None) -> float | None:
    return worth if worth is not None and isfinite(worth) else None
