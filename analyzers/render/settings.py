"""Settings of a training, as short as they can be told."""

from __future__ import annotations

from ...compiler.training import MENUS

TOLD = frozenset({"lr"})
"""What is told even where it is as nothing said would have it."""


def brief(name: str, text: str) -> str:
    """`adam(lr=0.01)` for what is written `adam(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-08)`: without
    what stands there anyway. Text that is nothing of ours stays as it is."""
    word, bracket, rest = text.partition("(")
    choices = MENUS[name].choices if name in MENUS else {}
    if word not in choices or not bracket or "(" in rest or not rest.endswith(")"):
        return text
    usual = {f"{key}={field.default}" for key, field in choices[word].model_fields.items()}
    kept = [
        argument
        for argument in rest[:-1].split(", ")
        if argument not in usual or argument.partition("=")[0] in TOLD
    ]
    return f"{word}({', '.join(kept)})" if kept else word
