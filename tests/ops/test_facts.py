"""What every operator declares, as text beside this file: a default that changes changes nets.

Of each operator its arguments with defaults and bounds, inputs, and traits; of each of its samples
the shape, the learned arrays with what their initialisers are given, running statistics, cost and memory.
`make accept` rewrites `facts.txt`, and `git diff` is the review.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from annotated_types import BaseMetadata

import nnspec
from nnspec.compiler.graph import Node
from nnspec.compiler.op import Op, Trait, Weight
from nnspec.compiler.ops import CATALOGUE

EXPECTED = Path(__file__).with_name("facts.txt")


def declared(kind: type[Op]) -> Iterator[str]:
    inputs = f"{kind.arity or 'any number'} in"
    places = ", ".join(kind.places)
    traits = ", ".join(sorted(trait.name.lower() for trait in kind.traits))
    yield f"{kind.name} ({places}), {inputs}: {traits}"
    for name, field in kind.model_fields.items():
        default = "required" if field.is_required() else f"= {field.default!r}"
        bounds = (str(bound) for bound in field.metadata if isinstance(bound, BaseMetadata))
        yield " ".join((f"  {name} {default}", *bounds))


def array(weight: Weight) -> str:
    start = "drawn" if weight.constant is None else f"starts at {weight.constant}"
    decay = ", decays" if weight.decays else ""
    fans = f"{weight.fan_in} in, {weight.fan_out} out, " if weight.fan_in else ""
    return f"{weight.name} {weight.shape} = {weight.formula}: {fans}{start}{decay}"


def counted(node: Node) -> Iterator[str]:
    inputs = node.arrivals
    yield f"    {node.value}"
    if node.macs:
        yield f"    {node.op.macs_formula(*inputs)} = {node.macs} macs"
    yield from (f"    {array(weight)}" for weight in node.op.weights(*inputs))
    yield from (f"    keeps {array(weight)}" for weight in node.op.state(*inputs))
    yield from (f"    {size}" for size in node.op.derivation(*inputs))


def needed(node: Node) -> Iterator[str]:
    """What its kernel asks of the memory plan for a batch of two."""
    needs = node.op.needs(2, *node.arrivals)
    arrays = {
        "saved": needs.saved,
        "scratch": needs.scratch,
        "at inference": needs.scratch_infer or {},
        "backward": needs.scratch_back,
    }
    for when, asked in arrays.items():
        for name, array in asked.items():
            yield f"    {when}: {name} {array.shape} {array.dtype}"
    over = "forward" * needs.overwrites, "backward" * needs.overwrites_back
    yield f"    reads back {sorted(needs.reads_back)}; overwrites {' '.join(over).strip() or '-'}"
    if needs.product:
        yield f"    largest product {needs.product}"


def facts() -> Iterator[str]:
    for name, kind in sorted(CATALOGUE.items()):
        yield from declared(kind)
        for sample in kind.samples:
            yield f"  {sample}"
            nodes = nnspec.graph(sample).nodes
            node = next(node for node in nodes if node.op.name == name)
            yield from counted(node)
            if Trait.VIEW not in kind.traits:
                yield from needed(node)
        yield ""


def test_facts() -> None:
    found = "\n".join(facts())
    if os.environ.get("NNSPEC_ACCEPT"):
        EXPECTED.write_text(found, "utf-8")
    assert found == EXPECTED.read_text("utf-8")
