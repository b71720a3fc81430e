"""Totality: an operator that lacks something is named, with the file where it is to be given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nnspec
from nnspec.compiler.op import LETTERS, Elementwise, Op, Trait
from nnspec.compiler.ops import CATALOGUE
from nnspec.runtime.kernels import KERNELS, kernel_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", CATALOGUE)
def test_operator(name: str) -> None:
    kind = CATALOGUE[name]
    family = kind.__module__.rpartition(".")[2]
    assert (kind.__doc__ or "").strip().endswith("."), f"`{name}` has no page"
    assert kind.source, f"`{name}` names no source"
    assert kind.samples, f"`{name}` has no samples in compiler/ops/{family}.py"
    for sample in kind.samples:
        graph = nnspec.graph(sample)
        assert any(node.op.name == name for node in graph.nodes), sample
        if Trait.VIEW not in kind.traits:
            kernel_of(next(node.op for node in graph.nodes if node.op.name == name))


def test_a_law_and_a_kernel_exclude_each_other() -> None:
    for operator, _ in KERNELS:
        assert operator is Elementwise or not issubclass(operator, Elementwise), operator


def test_kernels_stand_where_their_operators_do() -> None:
    """A further algorithm of an operator may have a file of its own."""
    for (operator, algorithm), kernel in KERNELS.items():
        if operator is Elementwise:
            continue
        file, family = (kind.__module__.rpartition(".")[2] for kind in (type(kernel), operator))
        assert file in (
            {family, "columns", "outermost", "taps", "winograd"} if algorithm else {family}
        )


def test_names_are_told_apart() -> None:
    """No operator is called as an option, a letter or a flag is."""
    options = {field for kind in CATALOGUE.values() for field in kind.model_fields}
    assert not set(CATALOGUE) & (options | set(LETTERS) | set(LETTERS.values()))


def test_a_name_is_defined_once() -> None:
    with pytest.raises(TypeError, match="twice"):
        type("Another", (Op,), {"name": "fc", "__module__": __name__})
    assert CATALOGUE["fc"].__name__ == "Fc"


def test_the_grammar_knows_no_operator() -> None:
    text = (ROOT / "grammar" / "nn.lark").read_text("utf-8")
    rules = re.sub(r"//.*", "", text)
    assert not [name for name in CATALOGUE if re.search(rf'"{name}"', rules)]
