"""Layers called as PyTorch or Keras call them, with what stands in their parentheses, as written here.

Theirs are told how many numbers arrive, which is known here: `Linear(3, 4)` is `fc4`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..grammar import tree
from .op import LETTERS
from .ops import CATALOGUE
from .words import OPTIONS

WHOLE = re.compile(r"\d+")
SEVERAL = re.compile(r"\(\s*\d+(\s*,\s*\d+)+\s*,?\s*\)")

TOLD = frozenset({"bn", "inorm", "ln", "rms"})
"""Those whose one number is how many channels arrive."""

ALIKE = frozenset(
    {"fc", "conv", "convt", "dwconv", "embed", "dropout", "droppath", "noise", "lrelu", "elu"}
    | {"maxpool", "avgpool", "apool", "pixelshuffle", "chshuffle"}
)
"""Those whose numbers mean the same everywhere, as far as there are places for them."""

AXES = re.compile(r"([123])d", re.IGNORECASE)


def called(ours: str, word: tree.Word) -> str | None:
    """A layer of another tool as it is written here; None where that cannot be told."""
    given = word.arguments or ()
    values = [argument.value.span.text for argument in given if argument.name is None]
    options = _options({a.name: a.value.span.text for a in given if a.name}, _axes(word))
    if options is None:
        return None
    if not values and not options:
        return ours
    written = _written(ours, values, options, _axes(word))
    if written is not None:
        return " ".join((written, *options.values()))
    if ours not in ALIKE or len(values) > len(CATALOGUE[ours].places):
        return None
    if {"same", "nobias"} & options.keys():
        return " ".join((f"{ours}({', '.join(values)})" if values else ours, *options.values()))
    return ours + word.span.text[len(word.word) :]


def _written(ours: str, values: Sequence[str], options: Mapping[str, str], axes: int) -> str | None:
    """The operator with the numbers that they give by position; None where these mean otherwise."""
    kernels = [_size(value, axes) for value in values]
    sizes = [_size(value, 1) for value in values]
    match ours, values, sizes:
        case "fc" | "rnn" | "lstm" | "gru" | "attn", [_, n], _:
            return _counted(ours, n)
        case "gn", [n, _], _:
            return _counted(ours, n)
        case "conv" | "convt", [_, n], _ if "k" in options:
            return _counted(ours, n)
        case "conv" | "convt", [_, n, _, *_], [_, _, _, *rest] if kernels[2]:
            return _lettered(f"{_counted(ours, n)} {kernels[2]}", rest)
        case "maxpool" | "avgpool", [_, _, *_], [_, *rest] if kernels[0]:
            return _lettered(f"{ours} {kernels[0]}", rest)
        case (("maxpool" | "avgpool"), [], _) if "k" in options:
            return ours
        case name, [_], _ if name in TOLD:
            return ours
        case "flatten", ["1"], _:
            return ours
        case _:
            return None


def _counted(ours: str, n: str) -> str:
    return f"{ours}{n}" if WHOLE.fullmatch(n) else f"{ours}({n})"


def _lettered(written: str, rest: Sequence[str | None]) -> str | None:
    """The stride and the padding, where no more than these follow."""
    if len(rest) > 2 or not all(rest):
        return None
    return " ".join(
        (written, *(f"{letter}{size}" for letter, size in zip("sp", rest, strict=False)))
    )


def _options(named: Mapping[str, str], axes: int) -> dict[str, str] | None:
    """The options as they are written here, by their letters; None where one is not known."""
    found: dict[str, str] = {}
    letters = {long: letter for letter, long in LETTERS.items()}
    for name, value in named.items():
        match name, value.strip("\"'"):
            case ("inplace", _) | ("bias" | "use_bias", "True" | "true"):
                pass
            case "bias" | "use_bias", "False" | "false":
                found["nobias"] = "nobias"
            case "padding", "same":
                found["same"] = "same"
            case name, value if name in OPTIONS and _size(value, 1):
                letter = letters.get(name) or letters.get(OPTIONS[name], name)
                size = _size(value, axes)
                found[letter] = f"{size}" if letter == "k" else f"{letter}{_size(value, 1)}"
            case _:
                return None
    kernel = {"k": found.pop("k")} if "k" in found else {}
    return {**kernel, **found}


def _axes(word: tree.Word) -> int:
    """Of how many axes its name speaks."""
    axes = AXES.search(word.word)
    return int(axes[1]) if axes else 1


def _size(value: str, axes: int) -> str | None:
    """`3` of two axes as `3x3`, `(3, 5)` as `3x5`; None where it is no plain number."""
    if WHOLE.fullmatch(value):
        return "x".join([value] * axes) if axes > 1 else value
    return "x".join(WHOLE.findall(value)) if SEVERAL.fullmatch(value) else None
