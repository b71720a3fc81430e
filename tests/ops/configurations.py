"""For every operator the uses it is tested in: odd sizes, single channels, every option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnspec.compiler.op import Elementwise, Trait
from nnspec.compiler.ops import CATALOGUE

Use = tuple[dict[str, Any], tuple[tuple[int, ...], ...]]
"""Arguments, and the shapes of the inputs."""

USES: dict[str, list[Use]] = {
    "fc": [
        ({"n": 4}, ((3,),)),
        ({"n": 1}, ((1,),)),
        ({"n": 5, "nobias": True}, ((7,),)),
        ({"n": 2}, ((4, 3),)),
    ],
    "maxout": [
        ({"n": 3}, ((4,),)),
        ({"n": 1, "k": 1}, ((2,),)),
        ({"n": 2, "k": 4, "nobias": True}, ((3,),)),
        ({"n": 2, "k": 3}, ((4, 3),)),
    ],
    "conv": [
        ({"n": 3, "k": (3, 3)}, ((2, 5, 5),)),
        ({"n": 1, "k": (1,)}, ((1, 1, 1),)),
        ({"n": 1, "k": (3,), "p": (1,)}, ((1, 4, 4),)),
        ({"n": 4, "k": (3, 2), "s": (2,), "p": (1,), "nobias": True}, ((2, 6, 7),)),
        ({"n": 4, "k": (3,), "same": True, "g": 2}, ((4, 5, 4),)),
        ({"n": 2, "k": (2,), "same": True}, ((1, 5, 4),)),
        ({"n": 4, "k": (3,), "g": 4, "p": (1,)}, ((4, 4, 3),)),
        ({"n": 2, "k": (3,), "d": (2,)}, ((2, 7, 6),)),
        ({"n": 2, "k": (3,), "d": (2,), "s": (2,), "p": (2,)}, ((1, 6, 7),)),
        ({"n": 3, "k": (1,)}, ((2, 3, 4),)),
        ({"n": 4, "k": (1,), "g": 2, "nobias": True}, ((2, 3, 2),)),
        ({"n": 2, "k": (1,), "s": (2,)}, ((2, 5, 5),)),
        ({"n": 3, "k": (3,), "s": (2,)}, ((2, 9),)),
        ({"n": 2, "k": (2,), "s": (2,), "p": (1,)}, ((2, 3, 3, 2),)),
    ],
    "maxpool": [
        ({"k": (2,)}, ((2, 4, 4),)),
        ({"k": (3,), "s": (2,), "ceil": True}, ((1, 6, 7),)),
        ({"k": (3,), "s": (1,), "p": (1,)}, ((2, 4, 3),)),
        ({"k": (3, 2), "s": (2, 1)}, ((1, 5, 4),)),
        ({"k": (2,), "s": (2, 1)}, ((2, 4, 4),)),
        ({"k": (2,), "same": True}, ((1, 5, 5),)),
        ({"k": (1,)}, ((1, 1, 1),)),
        ({"k": (3,)}, ((2, 7),)),
        ({"k": (2,)}, ((1, 4, 3, 2),)),
    ],
    "gap": [({}, ((3, 4, 2),)), ({}, ((1, 1, 1),)), ({}, ((2, 5),)), ({}, ((2, 2, 3, 2),))],
    "bn": [
        ({}, ((3,),)),
        ({}, ((2, 3, 3),)),
        ({"eps": 0.1, "momentum": 0.5}, ((1, 2, 2),)),
        ({}, ((4, 3),)),
    ],
    "prelu": [({}, ((3,),)), ({"a": 0.1}, ((2, 3, 2),)), ({}, ((4, 3),))],
    "softmax": [({}, ((4,),)), ({}, ((3, 2, 2),)), ({}, ((2, 5),)), ({}, ((1,),))],
    "dropout": [({"p": 0.3}, ((5,),)), ({"p": 0.0}, ((3,),)), ({}, ((2, 3, 3),))],
    "concat": [
        ({}, ((3,), (2,))),
        ({}, ((2, 3, 3), (1, 3, 3), (2, 3, 3))),
        ({"axis": 2}, ((2, 3, 3), (2, 3, 1))),
        ({}, ((4, 3), (4, 2))),
        ({}, ((3,),)),
    ],
    "matmul": [({}, ((3, 4), (4, 2))), ({}, ((1, 1), (1, 1)))],
}
USES["avgpool"] = USES["maxpool"]
MERGED: list[Use] = [
    ({}, ((3,), (3,))),
    ({}, ((4,),)),
    ({}, ((2, 3, 3), (2, 3, 3), (2, 3, 3))),
    ({}, ((2, 3, 3), (2,))),
    ({}, ((2,), (2, 2, 3), (2,))),
    ({}, ((4, 3), (3,))),
]
PLAIN: list[Use] = [({}, ((5,),)), ({}, ((2, 3, 2),))]
SETTINGS: dict[str, list[dict[str, Any]]] = {"lrelu": [{"a": 0.2}, {"a": 0.0}], "elu": [{"a": 0.5}]}


def uses() -> Iterator[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...]]]:
    """Every operator in every use; an operator without one is a failure, not a gap."""
    for name, kind in CATALOGUE.items():
        if Trait.VIEW in kind.traits:
            continue
        found = USES.get(name, [])
        if issubclass(kind, Elementwise):
            found = PLAIN + [(extra, PLAIN[0][1]) for extra in SETTINGS.get(name, [])]
        elif Trait.MERGES in kind.traits and name not in USES:
            found = MERGED
        if not found:
            raise LookupError(f"operator `{name}` has no use in tests/ops/configurations.py")
        for arguments, shapes in found:
            yield name, arguments, shapes
